"""Computes a month's AssessmentRecords from closings, callbacks and score entries (domain.md §4.1)."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import in_transaction
from callbacks.models import Callback, Case, Closing, Unit
from callbacks.states import DONE
from callbacks.vocabulary import UnitGroup
from scoring.models import AssessmentRecord, ScoreEntry
from scoring.months import month_of
from scoring.rules import (
    Assessment,
    Counts,
    assess,
    band,
    callback_rate,
    nonresponse_bounds,
    ranks,
    response_rate,
    satisfaction_rate,
    shrunk,
    wilson,
)
from scoring.settings import ScoringSettings


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
    """Writes the records of the units that have something in `month`, ranked by group; returns how many."""

    def work(session: Session) -> int:
        counts = month_counts(session, month, settings, timezone, now)
        units = {unit.id: unit for unit in session.scalars(select(Unit).where(Unit.id.in_(counts)))}
        groups: dict[UnitGroup, dict[str, Assessment]] = defaultdict(dict)
        for unit_id, of_unit in counts.items():
            groups[units[unit_id].group][str(unit_id)] = assess(of_unit, settings)
        for group, assessed in groups.items():
            _store_group(session, month, group, assessed, settings, now)
        return len(counts)

    return in_transaction(sessions, work)


def months_with_entries(session: Session, timezone: str, now: datetime) -> list[str]:
    """Every month that has closings, ended callbacks or entries, and the present one."""
    found = set(session.scalars(select(ScoreEntry.month).distinct()))
    for column in (Closing.closed_at, Callback.ended_at):
        first, last = session.execute(select(func.min(column), func.max(column))).one()
        found |= {month_of(at, timezone) for at in (first, last) if at is not None}
    return sorted({*found, month_of(now, timezone)})


def month_counts(
    session: Session, month: str, settings: ScoringSettings, timezone: str, now: datetime
) -> dict[int, Counts]:
    """Unit id → counts of the month. T and A go by the closing's month, the rest by when it came."""
    start, end = month_bounds(month, timezone)
    found: dict[int, Counts] = defaultdict(Counts)
    for part in (
        _closings(session, start, end, settings),
        _open_cases(session, min(end, now)),
        _due(session, start, min(end, now)),
        _entries(session, month),
    ):
        for unit_id, counts in part.items():
            found[unit_id] += counts
    return dict(found)


def _closings(
    session: Session, start: datetime, end: datetime, settings: ScoringSettings
) -> dict[int, Counts]:
    found: dict[int, Counts] = defaultdict(Counts)
    for closing in session.scalars(
        select(Closing).where(Closing.closed_at >= start, Closing.closed_at < end)
    ):
        on_time = closing.due_at is None or closing.closed_at <= closing.due_at
        signed = (
            closing.signed_at is not None and closing.signed_at <= closing.accepted_at + settings.sign_within
        )
        found[closing.unit_id] += Counts(
            closed=Fraction(1), closed_on_time=Fraction(int(on_time)), signed_on_time=Fraction(int(signed))
        )
    return found


def _open_cases(session: Session, until: datetime) -> dict[int, Counts]:
    """Open at `until`; overdue ones are in T and A beside the closed."""
    is_open = and_(Case.accepted_at < until, or_(Case.closed_at.is_(None), Case.closed_at >= until))
    overdue = func.sum(_flag(and_(Case.due_at.is_not(None), Case.due_at < until)))
    query = select(Case.lead_unit_id, func.count(), overdue).where(is_open).group_by(Case.lead_unit_id)
    return {
        unit_id: Counts(open=Fraction(number), overdue_open=Fraction(late or 0))
        for unit_id, number, late in session.execute(query)
    }


def _due(session: Session, start: datetime, until: datetime) -> dict[int, Counts]:
    """Round-1 callbacks that ended in the month, or whose deadline passed in it."""
    ended = and_(Callback.state.in_(DONE), Callback.ended_at >= start, Callback.ended_at < until)
    late = and_(Callback.ended_at.is_(None), Callback.deadline >= start, Callback.deadline < until)
    query: Select[int, int, int] = (
        select(Callback.unit_id, func.count(), func.sum(_flag(ended)))
        .where(Callback.round == 1, or_(ended, late))
        .group_by(Callback.unit_id)
    )
    return {
        unit_id: Counts(due=Fraction(due), ended=Fraction(done or 0))
        for unit_id, due, done in session.execute(query)
    }


def _flag(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _entries(session: Session, month: str) -> dict[int, Counts]:
    found: dict[int, Counts] = defaultdict(Counts)
    query = select(ScoreEntry.unit_id, ScoreEntry.changes).where(ScoreEntry.month == month)
    for unit_id, changes in session.execute(query):
        found[unit_id] += Counts.of(changes)
    return found


def _store_group(
    session: Session,
    month: str,
    group: UnitGroup,
    assessed: dict[str, Assessment],
    settings: ScoringSettings,
    now: datetime,
) -> None:
    places = ranks(assessed, settings)
    all_counts = [each.counts for each in assessed.values()]
    for unit_id, each in assessed.items():
        query = select(AssessmentRecord).where(
            AssessmentRecord.unit_id == int(unit_id), AssessmentRecord.month == month
        )
        record = session.scalar(query.with_for_update()) or AssessmentRecord(
            unit_id=int(unit_id), month=month
        )
        points = each.item_points(settings.item_points[group])
        record.counts = each.counts.as_texts()
        record.components = _shown(each, all_counts, settings)
        record.score = None if each.score is None else str(each.score)
        record.item_points = None if points is None else str(points)
        record.rank = places.get(unit_id)
        record.listed_apart = each.listed_apart
        record.settings_version = settings.version
        record.computed_at = now
        session.add(record)


def _shown(each: Assessment, group: list[Counts], settings: ScoringSettings) -> dict[str, Any]:
    """What a page prints beside the score: components, rates, interval and bounds, as exact texts."""
    c = each.counts
    bounds = nonresponse_bounds(c)
    mean = shrunk(c, group, settings)
    return {
        "parts": [
            {
                "name": part.name,
                "numerator": str(part.numerator),
                "denominator": str(part.denominator),
                "rate": _text(part.rate),
                "points": str(part.points),
                "value": str(part.value),
            }
            for part in each.components
        ],
        "callback_rate": _text(callback_rate(c)),
        "response_rate": _text(response_rate(c)),
        "satisfaction_rate": _text(satisfaction_rate(c)),
        "wilson": wilson(c.positive, c.rated),
        "nonresponse_bounds": None if bounds is None else [str(bound) for bound in bounds],
        "shrunk": _text(mean),
        "band": None if each.score is None else band(each.score),
    }


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)
