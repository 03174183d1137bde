"""For tests: free ports, the simulated city in a thread, and somebody who drives a line."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from ivr.city import CityTrunk
from ivr.events import Ended, LineEvent
from ivr.line import Line
from ivr.media.audio import Audio
from ivr.media.ports import NoPorts, PortPool
from ivr.settings import CitySettings, TrunkSettings, VoiceSettings

HOST = "127.0.0.1"
PROMPT = Audio.from_samples((np.sin(np.arange(3200) * 0.5) * 9000).astype(np.int16))  # 0.4 s
LONG_PROMPT = Audio.from_samples((np.sin(np.arange(80000) * 0.5) * 9000).astype(np.int16))  # 10 s

_next = count()


def media_ports(pairs: int) -> tuple[int, int]:
    """A range of free ports, even first."""
    size = 2 * pairs
    for _ in range(200):
        first = 20000 + (os.getpid() * 97 + next(_next) * size) % 11000 * 2
        try:
            PortPool(HOST, first, first + size - 1).check(pairs)
        except NoPorts:
            continue
        return first, first + size - 1
    raise AssertionError("no free ports")


def sip_port() -> int:
    """A UDP port that is free, and that nobody is given by chance: below those that the system hands out."""
    for _ in range(200):
        port = 9000 + (os.getpid() * 31 + next(_next)) % 2900
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
