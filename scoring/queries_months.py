"""The months' lives as the desk shows them: which are open, drafts or published, and what is in the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from callbacks.models import Audit, AuditLink, Callback, Case
from callbacks.states import OPEN
from scoring.assessment import month_bounds
from scoring.models import AssessmentRecord, MonthState, ScoreEntry, ScoreMonth
from scoring.models_decisions import Objection
from scoring.month_closing import undecided
from scoring.queries import months as assessed_months

_OBJECTION = re.compile(r"objection:(\d+)")
CORRECTIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month of the list; `closed` is None while it's open."""

    month: str
    closed: ScoreMonth | None
    units: int
    ranked: int


@dataclass(frozen=True, slots=True)
class InTheWay:
    """What isn't done: the month's callbacks still open, what nobody has decided, unlinked audit lines."""

    callbacks: int
    adjustments: int
    objections: int
    unlinked: int

    @property
    def any(self) -> bool:
        return bool(self.callbacks or self.adjustments or self.objections or self.unlinked)


@dataclass(frozen=True, slots=True)
class Correction:
    """A line of this month that puts right an earlier one."""

    at: datetime
    kind: str
    of_month: str
    case: str | None


def read_months(session: Session) -> tuple[MonthRow, ...]:
    """All months that have records or were closed, the newest first."""
    closed = {row.month: row for row in session.scalars(select(ScoreMonth))}
    query = select(AssessmentRecord.month, func.count(), func.count(AssessmentRecord.rank))
    sums = {
        month: (n, ranked) for month, n, ranked in session.execute(query.group_by(AssessmentRecord.month))
    }
    return tuple(
        MonthRow(month, closed.get(month), *sums.get(month, (0, 0)))
        for month in sorted({*closed, *sums}, reverse=True)
    )


def has_anything(session: Session, month: str) -> bool:
    """Whether the month was closed or has records."""
    return session.get(ScoreMonth, month) is not None or month in assessed_months(session)


def in_the_way(session: Session, month: str, timezone: str, now: datetime) -> InTheWay:
    """Counts of what a head should know before closing or publishing."""
    start, end = month_bounds(month, timezone)
    row = session.get(ScoreMonth, month)
    until = min(end, now)
    callbacks = select(func.count(Callback.id)).where(
        Callback.round == 1, Callback.deadline >= start, Callback.deadline < until, Callback.state.in_(OPEN)
    )
    left = undecided(session, month, until if row is None else row.frozen_at)
    unlinked = select(func.count(Audit.id)).where(~exists().where(AuditLink.audit_id == Audit.id))
    over = row is not None and row.state is MonthState.PUBLISHED
    return InTheWay(
        0 if row is not None else session.scalar(callbacks) or 0,
        0 if over else left.adjustments,
        left.objections,
        0 if over else session.scalar(unlinked) or 0,
    )


def read_corrections(session: Session, month: str) -> tuple[Correction, ...]:
    """Ratings removed and objections upheld that concern an earlier month, the newest first."""
    found = [*_removed(session, month), *_upheld(session, month)]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True)[:CORRECTIONS_SHOWN])


def _removed(session: Session, month: str) -> list[Correction]:
    earlier = aliased(ScoreEntry)
    query = (
        select(ScoreEntry.at, func.max(earlier.month), Case.number)
        .join(earlier, earlier.callback_id == ScoreEntry.callback_id)
        .join(Callback, Callback.id == ScoreEntry.callback_id)
        .join(Case, Case.id == Callback.case_id)
        .where(ScoreEntry.month == month, ScoreEntry.kind == "removed", earlier.month < month)
        .where(earlier.rating_id.is_not(None))
        .group_by(ScoreEntry.id, ScoreEntry.at, Case.number)
        .order_by(ScoreEntry.at.desc())
        .limit(CORRECTIONS_SHOWN)
    )
    return [Correction(at, "removed", of, number) for at, of, number in session.execute(query)]


def _upheld(session: Session, month: str) -> list[Correction]:
    query = (
        select(ScoreEntry.at, ScoreEntry.source)
        .where(ScoreEntry.month == month, ScoreEntry.kind == "objection")
        .order_by(ScoreEntry.at.desc())
        .limit(CORRECTIONS_SHOWN)
    )
    lines = [(at, found) for at, source in session.execute(query) if (found := _OBJECTION.fullmatch(source))]
    ids = [int(found[1]) for _, found in lines]
    rows = session.execute(select(Objection.id, Objection.month).where(Objection.id.in_(ids)))
    of_month: dict[int, str] = {row[0]: row[1] for row in rows}
    return [
        Correction(at, "objection", of, None)
        for at, found in lines
        if (of := of_month.get(int(found[1]), month)) < month
    ]
