"""Two closed months for the desk's pages: September published, October a draft that is being objected to."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from scoring.assessment import units_as_json, units_of
from scoring.models import MonthState, ScoreMonth
from scoring.settings import ScoringSettings
from tests.integration.desk_data import Town, month_of_unit

PUBLISHED, DRAFT = "2026-09", "2026-10"


def close_months(session: Session, town: Town) -> None:
    """With all units' records in them."""
    for month, d03 in ((PUBLISHED, (4, 5)), (DRAFT, None)):
        month_of_unit(town, "C01", 1, month, rated=8, positive=8)
        month_of_unit(town, "C02", 2, month, rated=7, positive=5, late=2)
        month_of_unit(town, "C03", 3, month, rated=6, positive=3, late=4)
        month_of_unit(town, "D01", 1, month, rated=9, positive=9)
        month_of_unit(town, "D02", 2 if d03 else 3, month, rated=8, positive=6)
        if d03 is not None:
            month_of_unit(town, "D03", 3, month, rated=8, positive=4, late=5)
        month_of_unit(town, "D04", None, month, rated=2, positive=2)
    session.add(_month(session, town, PUBLISHED, 50))
    session.add(_month(session, town, DRAFT, 20))
    session.flush()


def _month(session: Session, town: Town, month: str, days_ago: int) -> ScoreMonth:
    settings = ScoringSettings()
    frozen = town.now - timedelta(days=days_ago)
    row = ScoreMonth(
        month=month,
        state=MonthState.DRAFT,
        frozen_at=frozen,
        frozen_by="head",
        objections_until=frozen + timedelta(days=5 if month == PUBLISHED else 25),
        settings_version=settings.version,
        settings=settings.model_dump(mode="json"),
        units=units_as_json(units_of(session)),
    )
    if month == PUBLISHED:
        row.state, row.published_at, row.published_by = (
            MonthState.PUBLISHED,
            frozen + timedelta(days=6),
            "head",
        )
        row.entries, row.inputs_hash, row.audit_head = 214, "5e" * 32, "0a" * 32
    return row
