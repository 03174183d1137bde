"""Times as case files write them: ISO 8601, and what spreadsheets make of it. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from zoneinfo import ZoneInfo

# 2026/11/2 9:05, or 2026年11月2日 9时5分; the clock may be missing.
_WRITTEN = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:(?:(?<=日)|[ T]+)[ T]*(\d{1,2})[:：时](\d{1,2})(?:[:：分](\d{1,2}))?[分秒]?)?",
    re.ASCII,
)
_YEARS = range(2000, 2100)  # others are slips of the pen


def read_time(text: str, timezone: str) -> datetime:
    """An aware time; one without a zone is `timezone`'s. ValueError tells what would be right.

    A day alone is refused: the windows and the due times go by the clock.
    """
    try:
        at = _written(text) if _WRITTEN.fullmatch(text) else _iso(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-20 09:30") from None
    if at is None:
        raise ValueError(f"{text!r} has no time of day; write 2026-11-20 09:30")
    if at.year not in _YEARS:
        raise ValueError(f"{text!r} is not in the years {_YEARS.start} to {_YEARS.stop - 1}")
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))


def _written(text: str) -> datetime | None:
    """None for a day alone; ValueError for the 30th of February."""
    found = _WRITTEN.fullmatch(text)
    assert found is not None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (its zone is added)
    return None if found[4] is None else at


def _iso(text: str) -> datetime | None:
    """None for a day alone, in whichever of ISO's forms."""
    text = text.replace("/", "-")
    with suppress(ValueError):
        date.fromisoformat(text)
        return None
    return datetime.fromisoformat(text)
