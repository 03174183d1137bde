"""Signs that a score may have been helped along (domain.md §3.9). Pure. They are shown, never applied.

A person looks at the cases behind a flag; what comes of it is a deduction, or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from callbacks.vocabulary import UnitGroup
from scoring.settings import FlagSettings


@dataclass(frozen=True, slots=True)
class Excluded:
    """How many closings of a unit's month aren't followed up."""

    unit_id: int
    group: UnitGroup
    closed: int
    excluded: int

    @property
    def share(self) -> Fraction:
        return Fraction(self.excluded, self.closed) if self.closed else Fraction(0)


def stands_out(units: Sequence[Excluded], by: FlagSettings) -> list[tuple[Excluded, Fraction]]:
    """The units whose share is so far above their group's mean, with that mean; the highest first."""
    means = _means(units)
    found = [
        (unit, means[unit.group])
        for unit in units
        if unit.closed >= by.exclusion_closings and unit.share > by.exclusion_times * means[unit.group]
    ]
    return sorted(found, key=lambda each: each[0].share, reverse=True)


def _means(units: Sequence[Excluded]) -> Mapping[UnitGroup, Fraction]:
    """Over the group's closings, not over its units: a small unit doesn't move it."""
    closed: dict[UnitGroup, int] = defaultdict(int)
    excluded: dict[UnitGroup, int] = defaultdict(int)
    for unit in units:
        closed[unit.group] += unit.closed
        excluded[unit.group] += unit.excluded
    return {
        group: Fraction(excluded[group], number) if number else Fraction(0)
        for group, number in closed.items()
    }


def quick_before(seconds: float, by: FlagSettings) -> int:
    """Of a prompt that lasts so long: a key is too quick at fewer ms after its end (so: below zero).

    What is stored is the time since the prompt's end, negative while it's playing.
    """
    return int(by.quick_key / timedelta(milliseconds=1)) - round(seconds * 1000)


def all_at_once(number: int, first: datetime, last: datetime, by: FlagSettings) -> bool:
    """Whether a unit's ratings of a day came together."""
    return number >= by.together_ratings and last - first <= by.together_within
