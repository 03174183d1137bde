"""For tests: the lines that the contract runs on, each with the citizens at its far end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from ivr.city import CityTrunk
from ivr.events import Codec
from ivr.line import Line, LineError
from ivr.pyvoip_line import PyvoipLine
from ivr.settings import CitySettings
from ivr.simulated_line import SimulatedLine
from ivr.sip_line import SipLine
from tests.bad_network import bad_network
from tests.loopback_city import HOST, quick_voice, running_city

LINES = ("simulated", "sip", "pyvoip")
ON_A_BAD_NETWORK = "sip on a bad network"


class FarEnds(ABC):
    """The citizens' side: what they do when a test tells them to, and what reached them."""

    def __init__(self, citizens: CityTrunk | SimulatedLine) -> None:
        self._citizens = citizens

    @property
    def keys_heard(self) -> list[tuple[str, str]]:
        """The keys that reached somebody over a bridge: (number, key)."""
        return self._citizens.keys_heard

    @property
    def callers_told(self) -> list[tuple[str, str]]:
        """What callers heard of us: (number, a SIP status, or "BYE"); a 100 tells nothing."""
        return [(number, told) for number, told in self._citizens.callers_told if told != "100"]

    def comes(
        self,
        caller: str,
        number: str = "110",
        codecs: tuple[Codec, ...] = ("pcma", "pcmu"),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """A citizen calls us."""
        self._call(caller, f"sip:{number}@{HOST}", codecs, headers)

    @abstractmethod
    def _call(
        self, caller: str, uri: str, codecs: tuple[Codec, ...], headers: tuple[tuple[str, str], ...]
    ) -> None: ...

    @abstractmethod
    def presses(self, number: str, key: str) -> None: ...

    @abstractmethod
    def hangs_up(self, number: str) -> None: ...


class Loopback(FarEnds):
    """The simulated city over UDP; calls to us go to the line's own port."""

    def __init__(self, city: CityTrunk, line: SipLine | PyvoipLine) -> None:
        super().__init__(city)
        self._city, self._to = city, (HOST, line.port)

    def _call(
        self, caller: str, uri: str, codecs: tuple[Codec, ...], headers: tuple[tuple[str, str], ...]
    ) -> None:
        self._city.comes(caller, uri, self._to, codecs, headers)

    def presses(self, number: str, key: str) -> None:
        self._city.presses(number, key)

    def hangs_up(self, number: str) -> None:
        self._city.hangs_up(number)


class InOurClock(FarEnds):
    """The simulated line's own citizens; they are known by their numbers here."""

    def __init__(self, line: SimulatedLine) -> None:
        super().__init__(line)
        self._line, self._names = line, count(1)

    def _call(
        self, caller: str, uri: str, codecs: tuple[Codec, ...], headers: tuple[tuple[str, str], ...]
    ) -> None:
        self._line.comes(f"in-{next(self._names)}", caller, uri, codecs=codecs, headers=headers)

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
    if kind == ON_A_BAD_NETWORK:
        with bad_network(seed=1), line_and_far_ends("sip", settings, lines) as found:
            yield found
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
            raises = mark.kwargs.get("raises", LineError)  # as the line says so, or in vain
            request.applymarker(pytest.mark.xfail(reason=mark.args[1], strict=True, raises=raises))
