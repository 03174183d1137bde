"""红榜 and 黑榜: which units of a month's tables are named first and last. Pure.

红榜 is each group's first places, 黑榜 the last ones of all ranked units by score. Equals are never cut
through: who shares the last place is named too, so a list may be longer than its number. Who is on the
red list isn't on the black one, and no list takes more than half of those it's chosen from: both matter where
there are few units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Standing:
    """A ranked unit: its key, group, rank in the group, and score of 200."""

    unit: int
    group: str
    rank: int
    score: Fraction


@dataclass(frozen=True, slots=True)
class Lists:
    """`red` by group and rank; `black` the lowest score first, each with its place from below."""

    red: Mapping[str, tuple[Standing, ...]]
    black: tuple[tuple[int, Standing], ...]


def red_and_black(standings: Sequence[Standing], red: int, black: int) -> Lists:
    """The first `red` places of each group, the last `black` of all; of a group of three, two are praised."""
    groups = dict.fromkeys(each.group for each in standings)
    half = {group: (sum(each.group == group for each in standings) + 1) // 2 for group in groups}
    first = {
        group: tuple(
            sorted(
                (each for each in standings if each.group == group and each.rank <= min(red, half[group])),
                key=lambda each: each.rank,
            )
        )
        for group in groups
    }
    praised = {each.unit for named in first.values() for each in named}
    rest = [each for each in standings if each.unit not in praised]
    places = [(1 + sum(other.score < each.score for other in rest), each) for each in rest]
    last = sorted(
        (place for place in places if place[0] <= min(black, len(standings) // 2)), key=lambda place: place[0]
    )
    return Lists(first, tuple(last))
