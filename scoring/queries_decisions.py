"""Deductions, objections and accountability as the desk lists them, each bounded to the reader's scope."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from callbacks.models import Case, Unit
from scoring.decisions import Decision, ObjectionKind
from scoring.models import ScoreEntry
from scoring.models_decisions import Accountability, Adjustment, Objection, ObjectionDecision
from scoring.objections import is_wrong
from scoring.queries import Page, Scope, one_page
from scoring.queries_filter import Filter

_MOST_LINES = 500  # of one unit and month


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a month that takes something from a unit; `case` None for a deduction.

    `objection` is the one that was raised against it and wasn't rejected.
    """

    kind: ObjectionKind
    source: str
    case: str | None
    points: str
    at: datetime
    objection: int | None

    @property
    def still_open(self) -> bool:
        """What it takes is that the case was overdue and not closed at the month's end."""
        return self.kind is ObjectionKind.ON_TIME and self.source.startswith("open:")


def read_adjustments(
    session: Session, scope: Scope, chosen: Filter, span: tuple[datetime, datetime] | None
) -> Page[Adjustment]:
    """The newest first."""
    wanted = _narrowed(scope, chosen, Adjustment.unit_id)
    if chosen.standing is not None:
        wanted.append(Adjustment.state == chosen.standing)
    if chosen.deed is not None:
        wanted.append(Adjustment.kind == chosen.deed)
    if span is not None:
        wanted += [Adjustment.proposed_at >= span[0], Adjustment.proposed_at < span[1]]
    total = session.scalar(select(func.count(Adjustment.id)).where(*wanted)) or 0
    query: Any = select(Adjustment.proposed_at, Adjustment.id, Adjustment)
    query = query.options(joinedload(Adjustment.unit), joinedload(Adjustment.case)).where(*wanted)
    key = (Adjustment.proposed_at, Adjustment.id)
    rows, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    return Page(tuple(row[2] for row in rows), total, before, after)


def read_objections(session: Session, scope: Scope, chosen: Filter) -> Page[Objection]:
    """The newest first; `month` is the month that is objected to."""
    wanted = _narrowed(scope, chosen, Objection.unit_id)
    if chosen.standing is not None:
        wanted.append(Objection.state == chosen.standing)
    if chosen.month:
        wanted.append(Objection.month == chosen.month)
    total = session.scalar(select(func.count(Objection.id)).where(*wanted)) or 0
    query: Any = (
        select(Objection.at, Objection.id, Objection).options(joinedload(Objection.unit)).where(*wanted)
    )
    key = (Objection.at, Objection.id)
    rows, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    return Page(tuple(row[2] for row in rows), total, before, after)


def read_records(session: Session, scope: Scope, chosen: Filter) -> Page[Accountability]:
    """The newest first."""
    wanted = _narrowed(scope, chosen, Accountability.unit_id)
    total = session.scalar(select(func.count(Accountability.id)).where(*wanted)) or 0
    query: Any = select(Accountability.at, Accountability.id, Accountability)
    query = query.options(joinedload(Accountability.unit)).where(*wanted)
    key = (Accountability.at, Accountability.id)
    rows, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    return Page(tuple(row[2] for row in rows), total, before, after)


def _narrowed(scope: Scope, chosen: Filter, column: InstrumentedAttribute[int]) -> list[ColumnElement[bool]]:
    found = scope.limit(column)
    if chosen.unit:
        found.append(column.in_(select(Unit.id).where(Unit.code == chosen.unit)))
    return found


def lines_of(session: Session, scope: Scope, unit_id: int, month: str) -> tuple[Line, ...]:
    """What a unit may object to in a month, the newest first."""
    if not scope.covers(unit_id):
        return ()
    query = (
        select(ScoreEntry)
        .where(ScoreEntry.unit_id == unit_id, ScoreEntry.month == month)
        .where(ScoreEntry.kind.in_(("closed", "open", "adjustment")))
        .order_by(ScoreEntry.id.desc())
    )
    found = [
        (kind, entry) for entry in session.scalars(query) for kind in ObjectionKind if is_wrong(kind, entry)
    ][:_MOST_LINES]
    numbers = case_numbers(session, [entry.source for _, entry in found])
    raised = _raised(session, unit_id, month)
    return tuple(
        Line(
            kind,
            entry.source,
            numbers.get(entry.source),
            str(entry.changes.get("deductions", "")),
            entry.at,
            raised.get((kind, entry.source)),
        )
        for kind, entry in found
    )


def _raised(session: Session, unit_id: int, month: str) -> dict[tuple[ObjectionKind, str], int]:
    query = select(Objection.kind, Objection.subject, Objection.id)
    query = query.where(Objection.unit_id == unit_id, Objection.month == month)
    rows = session.execute(query.where(Objection.state != Decision.REJECTED))
    return {(kind, subject): id_ for kind, subject, id_ in rows}


_CASE = re.compile(r"closing:(\d{1,9}):\d+|open:\d{4}-\d\d:(\d{1,9})", re.ASCII)


def case_id(source: str) -> int | None:
    """The case of an entry's source, where that names one."""
    found = _CASE.fullmatch(source)
    return None if found is None else int(found[1] or found[2])


def case_numbers(session: Session, sources: Sequence[str]) -> dict[str, str]:
    """The cases' numbers of those sources that are closings, or open at a month's end."""
    ids = {source: found for source in sources if (found := case_id(source)) is not None}
    rows = session.execute(select(Case.id, Case.number).where(Case.id.in_(set(ids.values()))))
    numbers = {id_: number for id_, number in rows}  # noqa: C416 (a row is no pair to dict)
    return {source: numbers[id_] for source, id_ in ids.items() if id_ in numbers}


def words_on(session: Session, objection_id: int) -> Sequence[ObjectionDecision]:
    """The deciders' words, in their order."""
    query = select(ObjectionDecision).where(ObjectionDecision.objection_id == objection_id)
    return session.scalars(query.order_by(ObjectionDecision.at)).all()
