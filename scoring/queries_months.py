"""The months' lives as the desk shows them: which are open, drafts or published, and what is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from callbacks.models import Audit, AuditLink, Callback
from callbacks.states import OPEN
from scoring.assessment import month_bounds
from scoring.models import AssessmentRecord, MonthState, ScoreEntry, ScoreMonth
from scoring.month_closing import undecided
from scoring.queries import Page, one_page
from scoring.queries import months as assessed_months
from scoring.queries_entries import About
from scoring.queries_filter import Cursor


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
    appeals: int
    unlinked: int

    @property
    def any(self) -> bool:
        return bool(self.callbacks or self.unlinked or self.undecided)

    @property
    def undecided(self) -> bool:
        return bool(self.adjustments or self.objections or self.appeals)


@dataclass(frozen=True, slots=True)
class Correction:
    """A line of this month that is about an earlier one."""

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
        0 if over else left.appeals,
        0 if over else session.scalar(unlinked) or 0,
    )


def read_corrections(session: Session, month: str, cursor: Cursor | None) -> Page[Correction]:
    """What counts in this month though it's about an earlier one that was closed, the newest first.

    Complete, as whoever enters something asks `scoring.months.counted` where it counts, and what that says
    is kept in the entry: a late answer, a closing that came late, an end, a move, a removal, a decision. The
    partial index holds these entries alone, so that a month's millions aren't read.
    """
    conditions = (ScoreEntry.month == month, ScoreEntry.of_month.is_not(None))
    key = ScoreEntry.at, ScoreEntry.id
    query: Any = select(*key, ScoreEntry).where(*conditions)
    rows, before, after = one_page(session, query, key, cursor, newest_first=True)
    entries = [row[2] for row in rows]
    about = About(session, entries)
    found = (Correction(entry.at, entry.kind, entry.of_month or "", about.case(entry)) for entry in entries)
    total = session.scalar(select(func.count(ScoreEntry.id)).where(*conditions)) or 0
    return Page(tuple(found), total, before, after)


def count_corrections(session: Session, month: str) -> dict[str, int]:
    """Earlier month → how many lines of this one are about it, of all of them."""
    query = (
        select(ScoreEntry.of_month, func.count())
        .where(ScoreEntry.month == month, ScoreEntry.of_month.is_not(None))
        .group_by(ScoreEntry.of_month)
        .order_by(ScoreEntry.of_month)
    )
    return {of_month: number for of_month, number in session.execute(query) if of_month is not None}
