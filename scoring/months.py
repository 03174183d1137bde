"""Which month something counts in: its own, or the first after it that isn't closed (domain.md §4.1)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from scoring.models import MonthState, ScoreMonth


def month_of(at: datetime, timezone: str) -> str:
    """The month of `at` in the office's time zone: "2026-11"."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m}"


def month_after(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def counting_month(session: Session, month: str, *, decided: bool = False) -> str:
    """`month` where it's open, else the first open one after it: so nothing is late, and nothing changes.

    `decided` for what is decided in the days for objections: that still counts in a draft. Triggers hold it
    (`callbacks.migrations.closed_months`), whoever closes the month in the meantime.
    """
    closed = dict(session.execute(_CLOSED, {"since": month}).all())
    while month in closed and not (decided and closed[month] is MonthState.DRAFT):
        month = month_after(month)
    return month


_CLOSED = select(ScoreMonth.month, ScoreMonth.state).where(ScoreMonth.month >= bindparam("since"))
