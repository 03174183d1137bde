"""The coverage ledger: proves closed = done + open + excluded + cancelled for each unit.

`closed` is counted from the closings as they came in, the rest from the callbacks; they share no query, so
that a closing without a callback, or a callback in a state that nobody counts, shows. Each case that breaks
the sum, or a rule of the states, is named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session

from callbacks.models import (
    Attempt,
    AttemptCallback,
    Callback,
    Case,
    Closing,
    Rating,
    Unit,
)
from callbacks.service.core import LIVE
from callbacks.states import DONE, ON_THE_LINE, OPEN, TERMINAL, State


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit's closings and what became of their first-round callbacks."""

    unit: str
    name: str
    closed: int
    done: int
    open: int
    excluded: int
    cancelled: int

    @property
    def balanced(self) -> bool:
        return self.closed == self.done + self.open + self.excluded + self.cancelled


@dataclass(frozen=True, slots=True)
class Breach:
    """A case that breaks the sum or a rule of the states, and how."""

    case: str
    closing_no: int
    unit: str
    fault: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """The proof. `coverage` is terminal/due; None where nothing was due."""

    units: tuple[UnitRow, ...]
    breaches: tuple[Breach, ...]
    outcomes: dict[str, int]

    @property
    def balanced(self) -> bool:
        return not self.breaches and all(row.balanced for row in self.units)

    def total(self, column: str) -> int:
        """The sum of a column of `units`."""
        return sum(getattr(row, column) for row in self.units)

    @property
    def coverage(self) -> float | None:
        due = self.total("done") + self.total("open")
        return self.total("done") / due if due else None

    def lines(self) -> list[str]:
        """What `huifang ledger` prints: a line a unit, the sums, and each case that breaks them."""
        head = f"{'unit':12} {'closed':>7} {'done':>6} {'open':>6} {'excluded':>9} {'cancelled':>10}"
        rows = [
            _line(row.unit, row.closed, row.done, row.open, row.excluded, row.cancelled) for row in self.units
        ]
        total = _line(
            "all", *(self.total(name) for name in ("closed", "done", "open", "excluded", "cancelled"))
        )
        broken = [f"{b.case} closing {b.closing_no} ({b.unit}): {b.fault}" for b in self.breaches]
        verdict = "balanced" if self.balanced else f"NOT BALANCED: {len(broken)} cases"
        return [head, *rows, total, *broken, verdict]

    def as_json(self) -> dict[str, Any]:
        """What `huifang ledger --json` prints."""
        columns = ("closed", "done", "open", "excluded", "cancelled")
        return {
            "balanced": self.balanced,
            "coverage": self.coverage,
            **{column: self.total(column) for column in columns},
            "outcomes": self.outcomes,
            "units": [{**asdict(row), "balanced": row.balanced} for row in self.units],
            "breaches": [asdict(breach) for breach in self.breaches],
        }


def _line(name: str, *numbers: int) -> str:
    closed, done, is_open, excluded, cancelled = numbers
    return f"{name:12} {closed:7} {done:6} {is_open:6} {excluded:9} {cancelled:10}"


def read_ledger(session: Session) -> Ledger:
    """The ledger as it stands in this transaction."""
    closed = dict(session.execute(select(Closing.unit_id, func.count()).group_by(Closing.unit_id)).all())
    states: dict[int, Counter[State]] = {}
    first_round = select(Callback.unit_id, Callback.state, func.count()).where(Callback.round == 1)
    for unit_id, state, number in session.execute(first_round.group_by(Callback.unit_id, Callback.state)):
        states.setdefault(unit_id, Counter())[state] += number
    units = session.scalars(select(Unit).where(Unit.id.in_({*closed, *states})).order_by(Unit.code))
    rows = tuple(_row(unit, closed.get(unit.id, 0), states.get(unit.id, Counter())) for unit in units)
    outcomes = sum(states.values(), Counter())
    return Ledger(
        rows, tuple(_breaches(session)), {state.value: n for state, n in sorted(outcomes.items()) if n}
    )


def _row(unit: Unit, closed: int, states: Counter[State]) -> UnitRow:
    return UnitRow(
        unit=unit.code,
        name=unit.name,
        closed=closed,
        done=sum(states[state] for state in DONE),
        open=sum(states[state] for state in OPEN),
        excluded=states[State.EXCLUDED],
        cancelled=states[State.CANCELLED],
    )


def _breaches(session: Session) -> list[Breach]:
    found: list[Breach] = []
    for fault, query in _RULES:
        for case, closing_no, unit in session.execute(query.limit(1000)):
            found.append(Breach(case, closing_no, unit, fault))
    return found


def _closings() -> Select[str, int, str]:
    return (
        select(Case.number, Closing.closing_no, Unit.code)
        .join(Closing, Closing.case_id == Case.id)
        .join(Unit, Unit.id == Closing.unit_id)
        .order_by(Case.number, Closing.closing_no)
    )


def _callbacks() -> Select[str, int, str]:
    return (
        select(Case.number, Callback.closing_no, Unit.code)
        .join(Callback, Callback.case_id == Case.id)
        .join(Unit, Unit.id == Callback.unit_id)
        .order_by(Case.number, Callback.closing_no)
    )


_FIRST = and_(
    Callback.case_id == Closing.case_id, Callback.closing_no == Closing.closing_no, Callback.round == 1
)
_COUNTED = exists().where(Rating.callback_id == Callback.id, Rating.counted)
_LIVE_CALL = (
    exists()
    .where(AttemptCallback.callback_id == Callback.id, AttemptCallback.live)
    .where(Attempt.id == AttemptCallback.attempt_id, Attempt.state.in_(LIVE))
)

_RULES: tuple[tuple[str, Select[str, int, str]], ...] = (
    ("closed without a callback", _closings().where(~exists().where(_FIRST))),
    (
        "callback counted for another unit than closed it",
        _closings().where(exists().where(_FIRST, Callback.unit_id != Closing.unit_id)),
    ),
    ("rated without a counted rating", _callbacks().where(Callback.state == State.RATED, ~_COUNTED)),
    ("a counted rating, but not rated", _callbacks().where(Callback.state != State.RATED, _COUNTED)),
    ("on the line without a live attempt", _callbacks().where(Callback.state.in_(ON_THE_LINE), ~_LIVE_CALL)),
    ("ended without a time", _callbacks().where(Callback.state.in_(TERMINAL), Callback.ended_at.is_(None))),
    (
        "excluded without a reason",
        _callbacks().where(Callback.state == State.EXCLUDED, Callback.exclusion.is_(None)),
    ),
)
