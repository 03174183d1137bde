"""For tests: free ports, the simulated city in a thread, and somebody who drives a line."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ivr.city import CityTrunk
from ivr.events import Ended, LineEvent
from ivr.line import Line
from ivr.media.audio import Audio
from ivr.media.ports import NoPorts, PortPool, udp_socket
from ivr.settings import CitySettings, VoiceSettings
from ivr.trunk_settings import TrunkSettings

HOST = "127.0.0.1"
PROMPT = Audio.from_samples((np.sin(np.arange(3200) * 0.5) * 9000).astype(np.int16))  # 0.4 s
LONG_PROMPT = Audio.from_samples((np.sin(np.arange(80000) * 0.5) * 9000).astype(np.int16))  # 10 s


class _Ports:
    """Of the ports from `first` to `end` this worker's share, handed out round and round.

    Who is given ports binds them later, if at all: that they're free doesn't tell that nobody has them.
    """

    def __init__(self, first: int, end: int) -> None:
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        share = (end - first) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) // 2 * 2
        self._first, self._end = first + worker * share, first + (worker + 1) * share
        self._at = self._first + os.getpid() * 97 % (share // 2) * 2  # another run may go on beside this one

    def take(self, size: int) -> int:
        """The first of `size` ports, which were longest with nobody; even as long as every size is."""
        if self._at + size > self._end:
            self._at = self._first
        first, self._at = self._at, self._at + size
        return first


# Below those that the system hands out by itself.
_media, _sip = _Ports(12000, 32768), _Ports(9000, 11900)


def has_ipv6() -> bool:
    try:
        udp_socket("::1", 0).close()
    except OSError:
        return False
    return True


def media_ports(pairs: int) -> tuple[int, int]:
    """A range of free ports, even first."""
    size = 2 * pairs
    for _ in range(200):
        first = _media.take(size)
        try:
            PortPool(HOST, first, first + size - 1).check(pairs)
        except NoPorts:
            continue
        return first, first + size - 1
    raise AssertionError("no free ports")


def sip_port() -> int:
    """A UDP port that is free, and that nobody else is given."""
    for _ in range(200):
        port = _sip.take(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port")


def quick_city(lines: int = 8, **changes: object) -> CitySettings:
    first, last = media_ports(lines)
    base: dict[str, object] = {
        "port": 0,
        "rtp_port_min": first,
        "rtp_port_max": last,
        "lines": lines,
        "pickup_after": 0.15,
        "reaction": 0.04,
        "pause": 0.15,
        "hears_before_hangup": 0.1,
        "key_length": 0.06,
        "t1": 0.05,
    }
    return CitySettings.model_validate(base | changes)


def quick_voice(trunk_port: int, lines: int = 8, **changes: object) -> VoiceSettings:
    first, last = media_ports(lines)
    trunk = TrunkSettings(name="city", host=HOST, port=trunk_port, caller_number="037963110110")
    base: dict[str, object] = {
        "sip_port": 0,
        "rtp_port_min": first,
        "rtp_port_max": last,
        "lines": lines,
        "t1": 0.05,
        "t2": 0.2,
        "t4": 0.1,
        "trunks": (trunk,),
    }
    return VoiceSettings.model_validate(base | changes)


@contextmanager
def running_city(settings: CitySettings) -> Iterator[CityTrunk]:
    """The city's trunk, turning in a thread of its own."""
    city = CityTrunk(settings)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: turn_until(city, stop), daemon=True)
    thread.start()
    try:
        yield city
    finally:
        stop.set()
        city.wake()
        thread.join(10)
        city.close()


def turn_until(city: CityTrunk, stop: threading.Event) -> None:
    while not stop.is_set():
        city.run_once(0.05)


class Driver:
    """Turns a line and keeps what it told."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.events: list[LineEvent] = []

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.events
            self.events += self.line.run_once(0.05)

    def wait_for(self, kind: type[LineEvent], call: str = "c1") -> LineEvent:
        self.until(lambda: self.of(kind, call))
        return self.of(kind, call)[0]

    def of(self, kind: type[LineEvent], call: str = "c1") -> list[LineEvent]:
        return [event for event in self.events if isinstance(event, kind) and event.call == call]

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.events += self.line.run_once(0.02)

    def ended(self, call: str = "c1") -> Ended:
        """The one Ended of a call; nothing of that call comes after it."""
        self.wait_for(Ended, call)
        self.turns(10)
        mine = [event for event in self.events if event.call == call]
        assert [type(event) for event in mine].count(Ended) == 1
        last = mine[-1]
        assert isinstance(last, Ended)
        return last


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
