"""The coverage ledger: proves closed = done + open + excluded + cancelled for each unit.

`closed` is counted from the closings as they came in, the rest from the callbacks; they share no query, so
that a closing without a callback, or a callback in a state that nobody counts, shows. Each case that breaks
the sum, or a rule of the states, is named. `read_ledger_at` tells the same of an earlier moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session

from callbacks.ledger_standing import Marks, Standing, standing_at, standing_now
from callbacks.models import Callback, Case, CasePhone, Closing, Unit
from callbacks.states import DONE, ON_THE_LINE, OPEN, TERMINAL, State

COLUMNS = ("closed", "done", "open", "excluded", "cancelled", "without_number")


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit's closings and what became of their first-round callbacks.

    `without_number` are the closings of cases that came without a citizen's number: nobody can be called.
    """

    unit: str
    name: str
    closed: int
    done: int
    open: int
    excluded: int
    cancelled: int
    without_number: int = 0

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
        return _share(self.total("done"), self.total("done") + self.total("open"))

    @property
    def without_number(self) -> float | None:
        """The share of the closings whose case has no number; None where nothing was closed."""
        return _share(self.total("without_number"), self.total("closed"))

    def lines(self) -> list[str]:
        """What `huifang ledger` prints: a line a unit, the sums, and each case that breaks them."""
        head = _line("unit", *(name.replace("_", " ") for name in COLUMNS), "called back", "no number")
        rows = [_counted(row.unit, *(getattr(row, name) for name in COLUMNS)) for row in self.units]
        total = _counted("all", *(self.total(name) for name in COLUMNS))
        broken = [f"{b.case} closing {b.closing_no} ({b.unit}): {b.fault}" for b in self.breaches]
        verdict = "balanced" if self.balanced else f"NOT BALANCED: {len(broken)} cases"
        return [head, *rows, total, *broken, verdict]

    def as_json(self) -> dict[str, Any]:
        """What `huifang ledger --json` prints."""
        return {
            "balanced": self.balanced,
            "coverage": self.coverage,
            **{column: self.total(column) for column in COLUMNS},
            "without_number_share": self.without_number,
            "outcomes": self.outcomes,
            "units": [{**asdict(row), "balanced": row.balanced} for row in self.units],
            "breaches": [asdict(breach) for breach in self.breaches],
        }


_WIDTHS = (12, 7, 6, 6, 9, 10, 15, 12, 10)


def _line(*cells: object) -> str:
    first, *rest = (str(cell) for cell in cells)
    return " ".join([f"{first:{_WIDTHS[0]}}", *(f"{c:>{w}}" for c, w in zip(rest, _WIDTHS[1:], strict=True))])


def _counted(name: str, *numbers: int) -> str:
    """The callback rate, done/(done + open), never without the share that has no number beside it."""
    closed, done, is_open, *_, without_number = numbers
    shares = (_share(done, done + is_open), _share(without_number, closed))
    return _line(name, *numbers, *("—" if share is None else f"{share:.1%}" for share in shares))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def read_ledger(session: Session) -> Ledger:
    """The ledger as it stands in this transaction."""
    return _read(session, standing_now())


def read_ledger_at(session: Session, until: datetime, marks: Marks | None = None) -> Ledger:
    """The ledger as it stood just before `until`; `marks` leave out what was written later than a proof."""
    return _read(session, standing_at(until) if marks is None else standing_at(until, marks))


def _read(session: Session, stand: Standing) -> Ledger:
    closings = select(Closing.unit_id, func.count()).where(stand.has_closing).group_by(Closing.unit_id)
    closed = dict(session.execute(closings).all())
    without_number = dict(session.execute(closings.where(~HAS_NUMBER)).all())
    stood: Select[int, State] = select(Callback.unit_id, stand.state.label("state"))
    stood_so = stood.where(Callback.round == 1, stand.has_callback).subquery()
    grouped = select(stood_so.c.unit_id, stood_so.c.state, func.count()).group_by(*stood_so.c)
    states: dict[int, Counter[State]] = {}
    for unit_id, state, number in session.execute(grouped):
        states.setdefault(unit_id, Counter())[state] += number
    units = session.scalars(select(Unit).where(Unit.id.in_({*closed, *states})).order_by(Unit.code))
    rows = tuple(
        _row(unit, closed.get(unit.id, 0), states.get(unit.id, Counter()), without_number.get(unit.id, 0))
        for unit in units
    )
    outcomes = sum(states.values(), Counter())
    return Ledger(
        rows, tuple(_breaches(session, stand)), {state.value: n for state, n in sorted(outcomes.items()) if n}
    )


def _row(unit: Unit, closed: int, states: Counter[State], without_number: int) -> UnitRow:
    return UnitRow(
        unit=unit.code,
        name=unit.name,
        closed=closed,
        done=sum(states[state] for state in DONE),
        open=sum(states[state] for state in OPEN),
        excluded=states[State.EXCLUDED],
        cancelled=states[State.CANCELLED],
        without_number=without_number,
    )


def _breaches(session: Session, stand: Standing) -> list[Breach]:
    found: list[Breach] = []
    for fault, query in _rules(stand):
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
HAS_NUMBER = exists().where(CasePhone.case_id == Closing.case_id)


def _rules(stand: Standing) -> Iterator[tuple[str, Select[str, int, str]]]:
    closings, callbacks = _closings().where(stand.has_closing), _callbacks().where(stand.has_callback)
    state = stand.state
    yield "closed without a callback", closings.where(~exists().where(_FIRST))
    yield (
        "callback counted for another unit than closed it",
        closings.where(exists().where(_FIRST, Callback.unit_id != Closing.unit_id)),
    )
    yield "rated without a counted rating", callbacks.where(state == State.RATED, ~stand.is_rated)
    yield "a counted rating, but not rated", callbacks.where(state != State.RATED, stand.is_rated)
    yield "on the line without a live attempt", callbacks.where(state.in_(ON_THE_LINE), ~stand.is_live)
    yield "ended without a time", callbacks.where(state.in_(TERMINAL), Callback.ended_at.is_(None))
    yield "excluded without a reason", callbacks.where(state == State.EXCLUDED, Callback.exclusion.is_(None))
