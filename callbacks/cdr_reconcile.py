"""A carrier's records held against ours: each of both stands in the result exactly once. Pure.

By Call-ID where both have the same; the others by number and start, in their order. The order in which the
records come changes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Literal, TypeVar

from callbacks.cdr import MONEY, Record, billed_seconds

_LEAST_MONEY = MONEY // 100  # a smaller difference of a call's cost is their rounding
_NEVER = datetime.min.replace(tzinfo=UTC)
T = TypeVar("T")
Groups = Mapping[Hashable, list[T]]


@dataclass(frozen=True, slots=True)
class Theirs:
    """A record of the carrier's. `number` is the far end's, in national form; `cost` in `MONEY`'s parts."""

    line: int
    number: str
    started: datetime
    seconds: int
    sip_call_id: str | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """`tolerance` in seconds, of starts and of lengths. `starts_at`: whether theirs tell of the answer.

    With `answered_only` they have no records of calls that nobody took; with `rounded_to` their lengths are
    rounded up to whole ones of these seconds. Ours from `since` until before `until` are expected among
    theirs; others are only matched.
    """

    since: datetime
    until: datetime
    tolerance: float = 2.0
    starts_at: Literal["invite", "answer"] = "invite"
    answered_only: bool = False
    increment: int = 60
    rounded_to: int | None = None

    def start_of(self, ours: Record) -> datetime:
        at = ours.answered if self.starts_at == "answer" else ours.started
        return _NEVER if at is None else at

    def expects(self, ours: Record) -> bool:
        is_missed = self.answered_only or self.starts_at == "answer"
        return self.since <= ours.started < self.until and not (is_missed and ours.answered is None)


@dataclass(frozen=True, slots=True)
class Pair:
    """A call that both have."""

    ours: Record
    theirs: Theirs
    by: Literal["call_id", "number"]

    @property
    def seconds_more(self) -> int | None:
        """What they have more than we; None where we don't know the length."""
        return None if self.ours.seconds is None else self.theirs.seconds - self.ours.seconds

    @property
    def cost_more(self) -> int | None:
        if self.ours.cost is None or self.theirs.cost is None:
            return None
        return self.theirs.cost - self.ours.cost

    def differs(self, rules: Rules) -> bool:
        money = self.cost_more
        return not self._is_as_long(rules) or (money is not None and abs(money) >= _LEAST_MONEY)

    def _is_as_long(self, rules: Rules) -> bool:
        """Within the tolerance, or what a length within it is rounded up to."""
        ours, theirs, tolerance = self.ours.seconds, self.theirs.seconds, rules.tolerance
        if ours is None:
            return False
        if abs(theirs - ours) <= tolerance:
            return True
        if rules.rounded_to is None or ours == 0:  # what nobody took is no begun minute
            return False
        least, most = max(1, math.ceil(ours - tolerance)), math.floor(ours + tolerance)
        return billed_seconds(least, rules.rounded_to) <= theirs <= billed_seconds(most, rules.rounded_to)


@dataclass(frozen=True, slots=True)
class Sums:
    """`billed` are the seconds with each call's begun increment; `cost` is of the calls that tell it."""

    calls: int
    seconds: int
    billed: int
    cost: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`not_expected` are ours that their file needn't have: unanswered, or begun outside its time."""

    rules: Rules
    matched: tuple[Pair, ...]
    ours_only: tuple[Record, ...]
    theirs_only: tuple[Theirs, ...]
    not_expected: tuple[Record, ...]

    @property
    def differing(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.matched if pair.differs(self.rules))

    @property
    def is_same(self) -> bool:
        return not (self.ours_only or self.theirs_only or self.differing)

    @property
    def ours(self) -> Sums:
        records = [*(pair.ours for pair in self.matched), *self.ours_only]
        return self._sums((each.seconds or 0, each.cost or 0) for each in records)

    @property
    def theirs(self) -> Sums:
        records = [*(pair.theirs for pair in self.matched), *self.theirs_only]
        return self._sums((each.seconds, each.cost or 0) for each in records)

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which their starts come after ours, in the middle of the pairs."""
        starts = [(self.rules.start_of(pair.ours), pair.theirs.started) for pair in self.matched]
        apart = [(theirs - ours).total_seconds() for ours, theirs in starts if ours != _NEVER]
        return median(apart) if apart else None

    def _sums(self, talks: Iterable[tuple[int, int]]) -> Sums:
        found = list(talks)
        return Sums(
            len(found),
            sum(seconds for seconds, _ in found),
            sum(billed_seconds(seconds, self.rules.increment) for seconds, _ in found),
            sum(cost for _, cost in found),
        )


def reconcile(ours: Iterable[Record], theirs: Iterable[Theirs], rules: Rules) -> Reconciliation:
    """Matches them. `ours` have whole numbers."""
    ours_left = sorted(ours, key=lambda each: (rules.start_of(each), each.seconds or 0, each.id))
    theirs_left = sorted(theirs, key=lambda each: (each.started, each.seconds, each.line))
    matched: list[Pair] = []
    for by, of_ours, of_theirs, near in (
        ("call_id", _our_id, _their_id, float("inf")),
        ("number", _our_number, _their_number, rules.tolerance),
    ):
        pairs = list(_pairs(ours_left, theirs_left, of_ours, of_theirs, near, rules))
        matched += [Pair(left, right, "call_id" if by == "call_id" else "number") for left, right in pairs]
        ours_left = _without(ours_left, {left.id for left, _ in pairs}, lambda each: each.id)
        theirs_left = _without(theirs_left, {right.line for _, right in pairs}, lambda each: each.line)
    return Reconciliation(
        rules,
        tuple(sorted(matched, key=lambda pair: (pair.theirs.started, pair.theirs.line))),
        tuple(each for each in ours_left if rules.expects(each)),
        tuple(theirs_left),
        tuple(each for each in ours_left if not rules.expects(each)),
    )


def _without(records: Sequence[T], taken: set[Hashable], key: Callable[[T], Hashable]) -> list[T]:
    return [each for each in records if key(each) not in taken]


def _our_id(ours: Record) -> Hashable:
    return ours.sip_call_id or None


def _their_id(theirs: Theirs) -> Hashable:
    return theirs.sip_call_id or None


def _our_number(ours: Record) -> Hashable:
    return ours.number or None


def _their_number(theirs: Theirs) -> Hashable:
    return theirs.number or None


def _pairs(
    ours: Sequence[Record],
    theirs: Sequence[Theirs],
    of_ours: Callable[[Record], Hashable],
    of_theirs: Callable[[Theirs], Hashable],
    near: float,
    rules: Rules,
) -> Iterator[tuple[Record, Theirs]]:
    """Those of the same key whose starts are near; both are in order, so the first that fits is the one."""
    left, right = _grouped(ours, of_ours), _grouped(theirs, of_theirs)
    for key in left.keys() & right.keys():
        yield from _in_order(left[key], right[key], near, rules)


def _grouped(records: Sequence[T], key: Callable[[T], Hashable]) -> Groups[T]:
    found: dict[Hashable, list[T]] = defaultdict(list)
    for each in records:
        if (of := key(each)) is not None:
            found[of].append(each)
    return found


def _in_order(
    ours: Sequence[Record], theirs: Sequence[Theirs], near: float, rules: Rules
) -> Iterator[tuple[Record, Theirs]]:
    """As many as there can be: of two that are too far apart, the earlier one has no partner."""
    i = j = 0
    while i < len(ours) and j < len(theirs):
        apart = theirs[j].started - rules.start_of(ours[i])
        if abs(apart.total_seconds()) <= near:
            yield ours[i], theirs[j]
            i, j = i + 1, j + 1
        elif apart > timedelta(0):
            i += 1
        else:
            j += 1
