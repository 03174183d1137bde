"""Our line as it is measured in the voice benchmark: it dials, takes calls, plays a prompt and hears keys."""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import structlog

from benchmarks.bridge_far_ends import HOST
from benchmarks.measuring import beside
from benchmarks.voice_plan import Plan
from ivr.collector import spare_the_voice
from ivr.events import Answered, Ended, Incoming, KeyPressed, LineEvent, MachineHeard, PlaybackFinished
from ivr.line import Dial
from ivr.media.audio import Audio
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import media_ports

__all__ = ["PROMPT", "Measured", "NotUp", "our_line", "told"]

PROMPT = (np.sin(np.arange(80000) * 0.5) * 9000).astype(np.int16)  # 10 s


class NotUp(Exception):
    """Who is to be measured didn't come up, or died."""


@dataclass(frozen=True)
class Measured:
    """Who is measured: the processes, the port that takes calls, and the pipe.

    By the pipe goes the monotonic start, and comes what was told.
    """

    pids: tuple[int, ...]
    port: int
    pipe: Connection


@contextmanager
def our_line(plan: Plan, up: int, far_sip_port: int, core: int, machine: bool = False) -> Iterator[Measured]:
    """`up` calls at once; with `machine` whoever is dialled is listened to, whether it's a machine."""
    lines = up + up // 10 + 20
    first, last = media_ports(lines + lines // 10)  # some may be taken meanwhile
    trunk = TrunkSettings(name="city", host=HOST, port=far_sip_port, lines=2000, caller_number="037963110110")
    settings = VoiceSettings(sip_port=0, rtp_port_min=first, rtp_port_max=last, lines=lines, trunks=(trunk,))
    with beside(run_line, settings, plan, core, machine) as (pid, pipe):
        yield Measured((pid,), pipe.recv(), pipe)


def run_line(pipe: Connection, settings: VoiceSettings, plan: Plan, core: int, machine: bool) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    os.sched_setaffinity(0, {core})
    line = SipLine(settings, takes_calls=True)
    pipe.send(line.port)
    start_at = pipe.recv()
    if start_at is None:
        return
    stopped = threading.Event()
    threading.Thread(target=lambda: (pipe.recv(), stopped.set(), line.wake()), daemon=True).start()
    spare_the_voice()  # as the roles do
    driver = _Driver(line, plan, start_at, machine)
    while not stopped.is_set():
        driver.turn()
        if driver.over:
            break
    pool = line._endpoint._loop._pool
    pipe.send(
        {
            "all_keys": driver.all_keys,
            "ended": driver.ended,
            "faults": driver.faults,
            "calls_left": len(line._calls),
            "ports_left": (pool.last + 1 - pool.first) // 2 - len(pool._free),
            "counters": line.counters,
        }
    )
    stopped.wait()
    line.close()


class _Driver:
    """The least that a driver does: orders at their time, and what comes of them by call."""

    def __init__(self, line: SipLine, plan: Plan, start_at: float, machine: bool) -> None:
        self._line, self._plan, self._start_at, self._machine = line, plan, start_at, machine
        self._prompt = Audio.from_samples(PROMPT)
        self._out = [number for number in reversed(range(plan.calls)) if plan.is_out(number)]
        self._to_end: list[tuple[float, str]] = []
        self._numbers: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self.all_keys = 0  # calls of which each key was told, once and in order
        self.ended: Counter[str] = Counter()
        self.faults: list[str] = []

    @property
    def over(self) -> bool:
        return time.monotonic() > self._start_at + self._plan.over + 5.0 and not self._numbers

    def turn(self) -> None:
        since = time.monotonic() - self._start_at
        while self._out and self._plan.begin(self._out[-1]) <= since:
            number = self._out.pop()
            self._numbers[f"out-{number}"] = number
            self._line.dial(
                Dial(f"out-{number}", f"8{number}", "city", codecs=None, detect_machine=self._machine)
            )
        while self._to_end and self._to_end[0][0] <= since:
            self._line.hangup(heapq.heappop(self._to_end)[1])
        following = self._plan.begin(self._out[-1]) if self._out else since + 0.5
        if self._to_end:
            following = min(following, self._to_end[0][0])
        for event in self._line.run_once(max(0.0, following - since)):
            self._take(event)

    def _take(self, event: LineEvent) -> None:
        match event:
            case Incoming(call):
                self._numbers[call] = int(event.caller.removeprefix("7"))
                self._line.answer(call)
            case Answered(call):
                number = self._numbers[call]
                self._keys[number] = ""
                self._line.play(call, "prompt", self._prompt)
                if self._plan.is_out(number):
                    heapq.heappush(self._to_end, (self._plan.end(number), call))
            case PlaybackFinished(call):
                self._line.play(call, "prompt", self._prompt)
            case KeyPressed(call):
                self._keys[self._numbers[call]] += event.key
            case MachineHeard(call):
                self.faults.append(f"{call} is taken for a machine")
            case Ended(call):
                number = self._numbers.pop(call)
                self.all_keys += self._keys.pop(number, "") == self._plan.digits(number)
                self.ended[f"{event.sip_status} by {event.by}"] += 1
                if event.sip_status != 200 or event.by == "network":
                    self.faults.append(f"call {number}: {event}")


def told(pipe: Connection, seconds: float) -> Any:
    """What comes by the pipe; NotUp where nothing does in time."""
    if not pipe.poll(seconds):
        raise NotUp(f"nothing was told within {seconds:.0f} s")
    return pipe.recv()
