"""Computes a month's AssessmentRecords from its score entries and what is open (domain.md §4.1)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import in_transaction
from callbacks.models import Callback, Case, Unit
from callbacks.states import OPEN
from callbacks.vocabulary import UnitGroup
from scoring.models import AssessmentRecord, MonthState, ScoreEntry, ScoreMonth
from scoring.months import month_after, month_of
from scoring.posting import is_signed_on_time
from scoring.rules import Counts, exact
from scoring.settings import ScoringSettings
from scoring.tree import UnitAssessment, UnitOf, assess_units, beside_the_score


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that is open at a month's end."""

    id: int
    unit_id: int
    accepted_at: datetime
    signed_at: datetime | None
    due_at: datetime | None


def month_bounds(month: str, timezone: str) -> tuple[datetime, datetime]:
    """The first instant of `month` ("2026-11") and of the next, aware UTC."""
    year, number = (int(part) for part in month.split("-"))
    zone = ZoneInfo(timezone)
    start = datetime(year, number, 1, tzinfo=zone)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def compute_month(
    sessions: sessionmaker[Session], month: str, settings: ScoringSettings, timezone: str, now: datetime
) -> int:
    """Writes the records of the units that have something in `month`; returns how many. Not when published.

    An open month goes by `settings`, a draft by those that it was closed with.
    """

    def work(session: Session) -> int:
        closed = session.get(ScoreMonth, month)
        if closed is not None and closed.state is MonthState.PUBLISHED:
            return 0
        by = settings if closed is None else ScoringSettings.model_validate(closed.settings)
        counts = month_counts(session, month, by, timezone, now)
        units = units_of(session) if closed is None else units_from(closed.units)
        return store_records(session, month, assess_units(counts, units, by), by, now)

    return in_transaction(sessions, work)


def months_with_entries(session: Session, timezone: str, now: datetime) -> list[str]:
    """The months from the first entry to the present one that aren't published."""
    present = month_of(now, timezone)
    first, last = session.execute(select(func.min(ScoreEntry.month), func.max(ScoreEntry.month))).one()
    published = set(session.scalars(select(ScoreMonth.month).where(ScoreMonth.state == MonthState.PUBLISHED)))
    month, months = min(first or present, present), []
    while month <= max(last or present, present):
        months.append(month)
        month = month_after(month)
    return [month for month in months if month not in published]


def month_counts(
    session: Session, month: str, settings: ScoringSettings, timezone: str, now: datetime
) -> dict[int, Counts]:
    """Unit id → its own counts of the month: sums of entries, and while it's open what is open now."""
    found: dict[int, Counts] = defaultdict(Counts, entry_sums(session, month))
    if session.get(ScoreMonth, month) is None:
        start, end = month_bounds(month, timezone)
        until = min(end, now)
        for case in open_cases(session, until):
            found[case.unit_id] += Counts.of(open_changes(case, until, settings))
        for callback in overdue_callbacks(session, start, until):
            found[callback.unit_id] += Counts(due=Fraction(1))
    return dict(found)


def entry_sums(session: Session, month: str) -> dict[int, Counts]:
    """The database groups equal changes, so that a million entries are a few hundred rows to add."""
    found: dict[int, Counts] = defaultdict(Counts)
    changes = cast(ScoreEntry.changes, Text)
    query = (
        select(ScoreEntry.unit_id, changes, func.count())
        .where(ScoreEntry.month == month)
        .group_by(ScoreEntry.unit_id, changes)
    )
    for unit_id, text, number in session.execute(query):
        found[unit_id] += Counts.of(json.loads(text)).times(number)
    return dict(found)


def open_cases(session: Session, until: datetime) -> Sequence[OpenCase]:
    """The cases that were open at `until`."""
    query = select(Case.id, Case.lead_unit_id, Case.accepted_at, Case.signed_at, Case.due_at).where(
        Case.accepted_at < until, or_(Case.closed_at.is_(None), Case.closed_at >= until)
    )
    return [OpenCase(*row) for row in session.execute(query.order_by(Case.id))]


def open_changes(case: OpenCase, until: datetime, settings: ScoringSettings) -> dict[str, str]:
    """Overdue ones are in T and A beside the closed (domain.md §4.1)."""
    changes = {"open": "1"}
    if case.due_at is not None and case.due_at < until:
        changes["overdue_open"] = "1"
        if is_signed_on_time(case.accepted_at, case.signed_at, settings):
            changes["signed_on_time"] = "1"
    return changes


def overdue_callbacks(session: Session, start: datetime, until: datetime) -> Sequence[Callback]:
    """First rounds whose deadline passed in between and that hadn't ended: due, all the same."""
    query = (
        select(Callback)
        .where(Callback.round == 1, Callback.deadline >= start, Callback.deadline < until)
        .where(Callback.state.in_(OPEN))
        .order_by(Callback.id)
    )
    return session.scalars(query).all()


def units_of(session: Session) -> dict[int, UnitOf]:
    """All units as the sums need them."""
    rows = session.execute(select(Unit.id, Unit.code, Unit.parent_id, Unit.group, Unit.name))
    return {row.id: UnitOf(*row) for row in rows}


def units_as_json(units: Mapping[int, UnitOf]) -> dict[str, Any]:
    """The tree as a month keeps it: units are renamed and moved later, a month's table isn't."""
    return {
        str(unit.id): {"code": unit.code, "parent": unit.parent, "group": unit.group, "name": unit.name}
        for unit in sorted(units.values(), key=lambda each: each.id)
    }


def units_from(kept: Mapping[str, Any]) -> dict[int, UnitOf]:
    """The tree that `units_as_json` wrote."""
    return {
        int(id_): UnitOf(int(id_), each["code"], each["parent"], UnitGroup(each["group"]), each["name"])
        for id_, each in kept.items()
    }


def store_records(
    session: Session, month: str, assessed: Sequence[UnitAssessment], settings: ScoringSettings, now: datetime
) -> int:
    """Writes what changed; returns how many units there are."""
    known = {
        record.unit_id: record
        for record in session.scalars(select(AssessmentRecord).where(AssessmentRecord.month == month))
    }
    for each in assessed:
        record = known.get(each.unit_id)
        if record is None:
            record = AssessmentRecord(unit_id=each.unit_id, month=month, computed_at=now)
            session.add(record)
        values = _values(each, settings)
        if any(getattr(record, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(record, name, value)
            record.computed_at = now
    return len(assessed)


def _values(each: UnitAssessment, settings: ScoringSettings) -> dict[str, Any]:
    of = each.assessment
    return {
        "counts": of.counts.as_texts(),
        "components": beside_the_score(each, settings),
        "score": exact(of.score),
        "item_points": exact(each.item_points),
        "rank": each.rank,
        "listed_apart": of.listed_apart,
        "settings_version": settings.version,
    }
