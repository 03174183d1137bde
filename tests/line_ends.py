"""For tests: the lines that the contract runs on, each with the citizens at its far end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Protocol

import pytest

from ivr.city import CityTrunk
from ivr.events import Codec
from ivr.line import Line, LineError
from ivr.pyvoip_line import PyvoipLine
from ivr.settings import CitySettings
from ivr.simulated_line import SimulatedLine
from ivr.sip_line import SipLine
from tests.loopback_city import HOST, quick_voice, running_city

LINES = ("simulated", "sip", "pyvoip")


class FarEnds(Protocol):
    """The citizens' side: what they do when a test tells them to, and what reached them.

    `keys_heard` are (number, key) over a bridge; `callers_told` (number, a SIP status, or "BYE").
    """

    @property
    def keys_heard(self) -> list[tuple[str, str]]: ...

    @property
    def callers_told(self) -> list[tuple[str, str]]: ...

    def comes(
        self,
        caller: str,
        number: str = "110",
        codecs: tuple[Codec, ...] = ("pcma", "pcmu"),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """A citizen calls us."""

    def presses(self, number: str, key: str) -> None: ...

    def hangs_up(self, number: str) -> None: ...


class Loopback:
    """The simulated city over UDP; calls to us go to the line's own port."""

    def __init__(self, city: CityTrunk, line: SipLine | PyvoipLine) -> None:
        self._city, self._to = city, (HOST, line.port)
        self.presses, self.hangs_up = city.presses, city.hangs_up

    @property
    def keys_heard(self) -> list[tuple[str, str]]:
        return self._city.keys_heard

    @property
    def callers_told(self) -> list[tuple[str, str]]:
        return [(number, told) for number, told in self._city.callers_told if told != "100"]

    def comes(
        self,
        caller: str,
        number: str = "110",
        codecs: tuple[Codec, ...] = ("pcma", "pcmu"),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._city.comes(caller, f"sip:{number}@{HOST}", self._to, codecs, headers)


class InOurClock:
    """The simulated line's own citizens; they are known by their numbers here."""

    def __init__(self, line: SimulatedLine) -> None:
        self._line, self._names = line, count(1)

    @property
    def keys_heard(self) -> list[tuple[str, str]]:
        return self._line.keys_heard

    @property
    def callers_told(self) -> list[tuple[str, str]]:
        return self._line.callers_told

    def comes(
        self,
        caller: str,
        number: str = "110",
        codecs: tuple[Codec, ...] = ("pcma", "pcmu"),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        name = f"in-{next(self._names)}"
        self._line.comes(name, caller, f"sip:{number}@{HOST}", codecs=codecs, headers=tuple(headers))

    def presses(self, number: str, key: str) -> None:
        for call in self._line.calls_of(number):
            self._line.presses(call, key)

    def hangs_up(self, number: str) -> None:
        for call in self._line.calls_of(number):
            self._line.gives_up(call)


@contextmanager
def line_and_far_ends(kind: str, settings: CitySettings, lines: int = 8) -> Iterator[tuple[Line, FarEnds]]:
    """The line of that name, with its citizens: in virtual time, or over UDP."""
    if kind == "simulated":
        simulated = SimulatedLine(settings)
        yield simulated, InOurClock(simulated)
        simulated.close()
        return
    with running_city(settings) as city:
        voice = quick_voice(city.port, lines)
        real = SipLine(voice, takes_calls=True) if kind == "sip" else PyvoipLine(voice)
        yield real, Loopback(city, real)
        real.close()


def mind_what_it_cant(request: pytest.FixtureRequest) -> None:
    """A test's mark `cant(line, reason)` says that this line can't do it, and shows in the README's table."""
    for mark in request.node.iter_markers("cant"):
        if mark.args[0] == request.param:
            request.applymarker(
                pytest.mark.xfail(reason=mark.args[1], strict=True, raises=(LineError, AssertionError))
            )
