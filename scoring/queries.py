"""What every read for the desk shares: the reader's scope, units, and pages by keyset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Date, Select, and_, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from callbacks.database import UtcDateTime
from callbacks.models import Callback, Case, Unit
from callbacks.states import OPEN, State
from callbacks.vocabulary import UnitGroup
from scoring.models import AssessmentRecord
from scoring.queries_filter import Cursor, Filter

Row = TypeVar("Row")

PAGE_SIZE = 50
PAGE_SIZE_KEY = "page_size"  # in a session's info: an export reads the same lists in greater pages


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reader may see: `units` None is the whole city; `numbers` says whether masked numbers show."""

    units: frozenset[int] | None = None
    numbers: bool = True

    def limit(self, column: InstrumentedAttribute[int]) -> list[ColumnElement[bool]]:
        """The conditions that keep a query within the scope."""
        return [] if self.units is None else [column.in_(self.units)]

    def covers(self, unit_id: int) -> bool:
        return self.units is None or unit_id in self.units


def of_units(chosen: Filter) -> list[ColumnElement[bool]]:
    """What a list that joins units is narrowed to by them."""
    found: list[ColumnElement[bool]] = []
    if chosen.group is not None:
        found.append(Unit.group == chosen.group)
    if chosen.unit:
        found.append(Unit.code == chosen.unit)
    return found


def of_cases(chosen: Filter) -> list[ColumnElement[bool]]:
    """The same of a list that joins cases and units."""
    found = of_units(chosen)
    if chosen.category:
        found.append(Case.category == chosen.category)
    if chosen.q:
        found.append(Case.number.contains(chosen.q, autoescape=True))
    return found


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit as pages name it."""

    id: int
    code: str
    name: str
    name_en: str
    group: UnitGroup


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list. `before` and `after` are None where the list ends; `total` is of the whole list."""

    rows: tuple[Row, ...]
    total: int
    before: Cursor | None = None
    after: Cursor | None = None


def subtree(session: Session, unit_id: int) -> frozenset[int]:
    """The ids of a unit and of all below it."""
    tree = select(Unit.id).where(Unit.id == unit_id).cte("tree", recursive=True)
    tree = tree.union(select(Unit.id).join(tree, Unit.parent_id == tree.c.id))
    return frozenset(session.scalars(select(tree.c.id)))


def units(session: Session, scope: Scope, group: UnitGroup | None = None) -> tuple[UnitRow, ...]:
    """The units of a scope by code, of one group if given."""
    query = select(Unit).where(*scope.limit(Unit.id)).order_by(Unit.code)
    if group is not None:
        query = query.where(Unit.group == group)
    return tuple(unit_row(unit) for unit in session.scalars(query))


def unit_by_code(session: Session, code: str, scope: Scope) -> UnitRow | None:
    """None when there is no such unit, or not for this reader."""
    unit = session.scalar(select(Unit).where(Unit.code == code, *scope.limit(Unit.id)))
    return None if unit is None else unit_row(unit)


def unit_row(unit: Unit) -> UnitRow:
    return UnitRow(unit.id, unit.code, unit.name, unit.name_en, unit.group)


def running_out(until: datetime) -> ColumnElement[bool]:
    """Open callbacks whose round, or an agent's days for it, end by `until`."""
    agents = and_(Callback.state == State.AGENT_QUEUE, Callback.next_at <= until)
    return and_(Callback.state.in_(OPEN), or_(Callback.deadline <= until, agents))


def months(session: Session) -> tuple[str, ...]:
    """The assessed months, newest first."""
    query = select(AssessmentRecord.month).distinct().order_by(AssessmentRecord.month.desc())
    return tuple(session.scalars(query))


def one_page(
    session: Session,
    query: Select[Any],
    key: tuple[ColumnElement[Any] | InstrumentedAttribute[Any], InstrumentedAttribute[int]],
    cursor: Cursor | None,
    *,
    newest_first: bool,
    size: int | None = None,
) -> tuple[Sequence[Any], Cursor | None, Cursor | None]:
    """Rows of `query` from `cursor` on, whose first two columns are `key`, a moment or a day and an id; then
    where the page before and the page after begin. No OFFSET: row 50,000 costs what row 1 costs.
    """
    size = size or int(session.info.get(PAGE_SIZE_KEY, PAGE_SIZE))
    back = cursor is not None and cursor.back
    descending = newest_first != back
    if cursor is not None:
        place = tuple_(_when(key[0], cursor.at), literal(cursor.id))
        query = query.where(tuple_(*key) < place if descending else tuple_(*key) > place)
    query = query.order_by(*(column.desc() if descending else column.asc() for column in key))
    found = list(session.execute(query.limit(size + 1)))
    more = len(found) > size
    rows = found[:size]
    if back:
        rows.reverse()
    if not rows:
        return rows, None, None
    has_before = more if back else cursor is not None
    has_after = True if back else more
    before = Cursor(_moment(rows[0][0]), rows[0][1], back=True) if has_before else None
    after = Cursor(_moment(rows[-1][0]), rows[-1][1]) if has_after else None
    return rows, before, after


def _when(column: Any, at: datetime) -> ColumnElement[Any]:
    """A cursor's time as the column that orders the list has it."""
    return literal(at.date(), Date()) if isinstance(column.type, Date) else literal(at, UtcDateTime())


def _moment(key: date | datetime) -> datetime:
    return key if isinstance(key, datetime) else datetime.combine(key, time(), UTC)
