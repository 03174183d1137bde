"""Local days and months of the office: their names (2026-11-23, 2026-11), and where a day ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MONTH = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")  # a month's name


def read_day(text: str) -> date:
    """The day of `2026-11-23`; ValueError for what isn't one."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # fromisoformat takes 20261123 and 2026-W48-1 too
        raise ValueError(f"{text!r} is no day; e.g. 2026-11-23")
    return day


def day_of(at: datetime, timezone: str) -> date:
    """The local day in which `at` lies."""
    return at.astimezone(ZoneInfo(timezone)).date()


def day_begins(day: date, timezone: str) -> datetime:
    """Its first instant, aware UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def day_ends(day: date, timezone: str) -> datetime:
    """The first instant after it, aware UTC."""
    return day_begins(day + timedelta(days=1), timezone)


def days_between(first: date, last: date) -> Iterator[date]:
    """From `first` to `last`, both included."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
