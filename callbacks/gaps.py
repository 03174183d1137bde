"""Which numbers of a source's sequence are missing. Pure.

A source numbers its cases one after another, in one run or in one a day: a number that is lower than one that
came must have been given out too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Span = tuple[int, int]  # serials, both included


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case number stands: `run` is all that is before its serial, `digits` the serial as written."""

    run: str
    digits: str

    @property
    def serial(self) -> int:
        return int(self.digits)


@dataclass
class Run:
    """What was seen of a run: serial → when its case was accepted. `width` pads the serials with zeros."""

    name: str
    width: int = 0
    seen: dict[int, datetime] = field(default_factory=dict)

    def add(self, place: Place, at: datetime) -> None:
        self.width = min(self.width or len(place.digits), len(place.digits))
        self.seen[place.serial] = at

    def number(self, serial: int) -> str:
        """The case number of a serial."""
        return f"{self.name}{serial:0{self.width}}"


@dataclass(frozen=True)
class Numbering:
    """The numbering of a source, by its pattern; a number that isn't of it has no place."""

    pattern: re.Pattern[str]
    first_serial: int | None

    def place(self, number: str) -> Place | None:
        found = self.pattern.fullmatch(number)
        if found is None:
            return None
        start, end = found.span(self.pattern.groups)
        digits = number[start:end]
        return Place(number[:start], digits) if digits.isascii() and digits.isdigit() else None

    @property
    def first(self) -> int | None:
        """Where each run begins; None: with the least that was seen."""
        begins_anew = self.pattern.groups > 1
        return 1 if self.first_serial is None and begins_anew else self.first_serial

    def runs(self, cases: Iterable[tuple[str, datetime]]) -> dict[str, Run]:
        """The cases' numbers and the times at which they were accepted, by run."""
        runs: dict[str, Run] = {}
        for number, at in cases:
            place = self.place(number)
            if place is not None:
                runs.setdefault(place.run, Run(place.run)).add(place, at)
        return runs


def missing(seen: Mapping[int, datetime], first: int | None, before: datetime) -> list[Span]:
    """The serials from `first` on that nobody saw though a later one was accepted before `before`."""
    spans: list[Span] = []
    overdue, above = False, None
    for serial in sorted(seen, reverse=True):
        if above is not None and overdue and above - serial > 1:
            spans.append((serial + 1, above - 1))
        overdue = overdue or seen[serial] < before
        above = serial
    if first is not None and above is not None and overdue and first < above:
        spans.append((first, above - 1))
    return spans[::-1]


def without(spans: Iterable[Span], covered: Sequence[Span]) -> list[Span]:
    """What of `spans` none of `covered` covers."""
    left = list(spans)
    for low, high in covered:
        left = [part for span in left for part in _cut(span, low, high)]
    return left


def _cut(span: Span, low: int, high: int) -> Iterator[Span]:
    first, last = span
    if first < low:
        yield first, min(last, low - 1)
    if last > high:
        yield max(first, high + 1), last


def spans_of(serials: Iterable[int]) -> list[Span]:
    """Serials as spans, in order."""
    spans: list[Span] = []
    for serial in sorted(set(serials)):
        if spans and serial == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], serial)
        else:
            spans.append((serial, serial))
    return spans


def by_width(span: Span, width: int) -> Iterator[Span]:
    """The span in parts of equally long serials: among those, order as text is order as numbers."""
    low, last = span
    while low <= last:
        digits = max(width, len(str(low)))
        high = min(last, 10**digits - 1)
        yield low, high
        low = high + 1
