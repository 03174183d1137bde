"""Which month something counts in: its own, or the first after it that isn't closed (domain.md §4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from scoring.models import MonthState, ScoreMonth


def month_of(at: datetime, timezone: str) -> str:
    """The month of `at` in the office's time zone: "2026-11"."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m}"


def month_after(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def counting_month(session: Session, month: str, *, decided: bool = False) -> str:
    """`month` where it's open, else the first after all that are closed: nothing is late, nothing changes.

    `decided` for what is decided in the days for objections: that still counts in a draft. Triggers hold it
    (`callbacks.migrations.closed_months`), whoever closes the month in the meantime.
    """
    closed = _closed(session)
    if not closed or month > max(closed) or (decided and closed.get(month) is MonthState.DRAFT):
        return month
    return month_after(max(closed))


@dataclass(frozen=True, slots=True)
class Counted:
    """The month that something counts in; `late_of` is its own where that was closed before it came."""

    month: str
    late_of: str | None


def counted(session: Session, own: str, *, decided: bool = False) -> Counted:
    """`counting_month`, and whether it's another than its own."""
    month = counting_month(session, own, decided=decided)
    return Counted(month, None if month == own else own)


def _closed(session: Session) -> dict[str, MonthState]:
    """The months that are closed, asked once a transaction: a batch of answers asks for each."""
    kept: tuple[object, dict[str, MonthState]] | None = session.info.get(_KEPT)
    if kept is None or kept[0] is not session.get_transaction():
        found = {row.month: row.state for row in session.execute(_CLOSED)}
        kept = session.info[_KEPT] = session.get_transaction(), found
    return kept[1]


def forget_closed(session: Session) -> None:
    """After this transaction closed one itself."""
    session.info.pop(_KEPT, None)


_KEPT = "closed_months"
_CLOSED = select(ScoreMonth.month, ScoreMonth.state)
