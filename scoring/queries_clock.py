"""Pages by a clock that some rows don't have: those with one first, what runs out first at the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from callbacks.database import UtcDateTime
from scoring.queries import PAGE_SIZE, PAGE_SIZE_KEY
from scoring.queries_filter import Cursor

NEVER = datetime(4000, 1, 1, tzinfo=UTC)  # a cursor's time among the rows without a clock


@dataclass(frozen=True, slots=True)
class ClockKey:
    """The columns that order a list: the clock, which may be null, and the id."""

    due: InstrumentedAttribute[datetime | None]
    id: InstrumentedAttribute[int]


def clock_page(
    session: Session, query: Select[Any], key: ClockKey, cursor: Cursor | None
) -> tuple[Sequence[Any], Cursor | None, Cursor | None]:
    """As `one_page`, over (clock, id) with the nulls last. The first two columns of `query` are the key.

    Two index ranges one after the other: an OR over both, or NULLS LAST, would read the list from its start.
    """
    size = int(session.info.get(PAGE_SIZE_KEY, PAGE_SIZE))
    back = cursor is not None and cursor.back
    parts = [False, True] if back else [True, False]  # whether its rows have a clock
    if cursor is not None:
        parts = parts[parts.index(cursor.at < NEVER) :]
    found: list[Any] = []
    for dated in parts:
        part = _ordered(query, key, dated, back)
        if cursor is not None and dated == (cursor.at < NEVER):
            part = _after(part, key, cursor, dated)
        found += session.execute(part.limit(size + 1 - len(found)))
        if len(found) > size:
            break
    more = len(found) > size
    rows = found[:size]
    if back:
        rows.reverse()
    if not rows:
        return rows, None, None
    before = _cursor(rows[0], back=True) if (more if back else cursor is not None) else None
    after = _cursor(rows[-1], back=False) if back or more else None
    return rows, before, after


def _ordered(query: Select[Any], key: ClockKey, dated: bool, back: bool) -> Select[Any]:
    # `+ 0`: among what is open few rows lack a clock; walking all ids to find them would read the table.
    columns: tuple[Any, ...] = (key.due, key.id) if dated else (key.id + 0,)
    query = query.where(key.due.is_not(None) if dated else key.due.is_(None))
    return query.order_by(*(column.desc() if back else column.asc() for column in columns))


def _after(query: Select[Any], key: ClockKey, cursor: Cursor, dated: bool) -> Select[Any]:
    if not dated:
        return query.where(key.id < cursor.id if cursor.back else key.id > cursor.id)
    place = tuple_(literal(cursor.at, UtcDateTime()), literal(cursor.id))
    here = tuple_(key.due, key.id)
    return query.where(here < place if cursor.back else here > place)


def _cursor(row: Any, *, back: bool) -> Cursor:
    return Cursor(row[0] or NEVER, row[1], back=back)
