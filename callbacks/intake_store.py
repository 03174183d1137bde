"""Puts checked rows into the tables: new cases in bulk, rows that change a case one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from callbacks.database import is_away
from callbacks.intake_changes import Result, change_case
from callbacks.intake_columns import (
    Store,
    UnitRef,
    assisting_columns,
    case_columns,
    closing_columns,
    node_columns,
    phone_columns,
)
from callbacks.intake_phones import note_other_phones
from callbacks.intake_rows import CaseRow, Fault
from callbacks.models import Case, CaseNode, CasePhone, CaseUnit, Unit
from callbacks.service.closing import close_new_cases, insert_rows
from callbacks.service.core import Context

_NUMBERS_A_QUERY = 500


class _Dry(Exception):
    """Ends a dry run's transaction without writing."""


def store_each(
    ctx: Context, rows: Sequence[CaseRow], now: datetime, *, dry_run: bool = False
) -> list[Result | Fault]:
    """What each row did, in their order: all in one transaction.

    Where the database refuses a row, the rows are halved until it's found; the others go in and it's named. A
    case that another writer made in this moment is no fault: it's found now, and changed. Nor is a database
    that is away: its error is raised.
    """
    return _store_each(ctx, rows, now, dry_run, again=True)


def _store_each(
    ctx: Context, rows: Sequence[CaseRow], now: datetime, dry_run: bool, *, again: bool
) -> list[Result | Fault]:
    try:
        return _store_together(ctx, rows, now, dry_run)
    except (StatementError, ValueError, OverflowError) as error:
        if isinstance(error, DBAPIError) and is_away(error):
            raise
        if len(rows) == 1 and again and isinstance(error, IntegrityError):
            return _store_each(ctx, rows, now, dry_run, again=False)
        if len(rows) == 1:
            return [Fault(rows[0].line, "-", f"{rows[0].number} can't be stored: {_reason(error)}")]
    middle = len(rows) // 2
    store = partial(_store_each, ctx, now=now, dry_run=dry_run, again=True)
    return store(rows=rows[:middle]) + store(rows=rows[middle:])


def _reason(error: Exception) -> str:
    """The first line alone: below it, databases repeat the row."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def _store_together(
    ctx: Context, rows: Sequence[CaseRow], now: datetime, dry_run: bool
) -> list[Result | Fault]:
    found: list[Result | Fault] = []

    def work(session: Session) -> None:
        units = session.execute(select(Unit.code, Unit.id, Unit.name))
        store = Store(ctx, session, now, {code: UnitRef(id_, name) for code, id_, name in units})
        found[:] = _store_rows(store, rows)  # the transaction may run again
        session.flush()
        if dry_run:
            raise _Dry

    with suppress(_Dry):
        ctx.run(work)
    return found


def _store_rows(store: Store, rows: Sequence[CaseRow]) -> Iterator[Result]:
    """Creates what is new, by the first row that names it; all other rows change cases, in their order."""
    cases = _lock_cases(store.session, {row.number for row in rows})
    new: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row.number not in cases:
            new.setdefault(row.number, place)
    _create(store, [rows[place] for place in new.values()])
    again = {row.number for place, row in enumerate(rows) if new.get(row.number, place) != place}
    cases |= _lock_cases(store.session, again)
    told: list[tuple[int, CaseRow]] = []
    for place, row in enumerate(rows):
        if new.get(row.number) == place:
            yield Result.CREATED
            continue
        case = cases[row.number]
        if case.closed_at is not None:
            told.append((case.id, row))
        yield change_case(store, case, row)
    note_other_phones(store, told)


def _lock_cases(session: Session, numbers: Iterable[str]) -> dict[str, Case]:
    found: dict[str, Case] = {}
    for some in _chunks(sorted(numbers)):
        query = select(Case).where(Case.number.in_(some)).order_by(Case.number).with_for_update()
        found |= {case.number: case for case in session.scalars(query)}
    return found


def _chunks(numbers: Iterable[str]) -> Iterator[list[str]]:
    each = iter(numbers)
    while some := list(islice(each, _NUMBERS_A_QUERY)):
        yield some


def _create(store: Store, rows: Sequence[CaseRow]) -> None:
    session = store.session
    insert_rows(session, Case, [case_columns(store, row) for row in rows])
    ids: dict[str, int] = {}
    for some in _chunks(row.number for row in rows):
        found = session.execute(select(Case.number, Case.id).where(Case.number.in_(some)))
        ids |= {number: id_ for number, id_ in found}  # noqa: C416 (a row is no pair to dict)
    of = [(store, ids[row.number], row) for row in rows]
    insert_rows(session, CasePhone, [phone for case in of for phone in phone_columns(*case)])
    insert_rows(session, CaseUnit, [unit for case in of for unit in assisting_columns(*case)])
    insert_rows(session, CaseNode, [node for case in of for node in node_columns(*case)])
    closed = [case for case in of if case[2].closed_at is not None]
    closings = [(closing_columns(*case), case[2].enterprise) for case in closed]
    close_new_cases(store.ctx, session, closings, store.now)
