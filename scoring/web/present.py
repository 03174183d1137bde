"""How values are shown: ages, exact fractions half-up, free text with its numbers masked. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from callbacks.numbers import mask_text as mask_text

NONE = "—"


def month_span(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a month, and of the next."""
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=zone), datetime(*following, 1, tzinfo=zone)


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def decimals(value: Fraction | None, places: int = 2) -> str:
    """Half-up, as the assessment rule rounds for show (domain.md §4.2)."""
    if value is None:
        return NONE
    scaled = abs(value) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return str(Decimal(-whole if value < 0 else whole).scaleb(-places))


def amount(value: Fraction) -> str:
    """A count, or a sum of weights, without needless zeros: 9, 4.5, 0.33."""
    return decimals(value).rstrip("0").rstrip(".")


def percent(value: Fraction | None, places: int = 2) -> str:
    return NONE if value is None else f"{decimals(value * 100, places)}%"


def split_age(span: timedelta) -> tuple[int, int, int]:
    """Days, hours and minutes, none below zero."""
    minutes = max(0, int(span.total_seconds()) // 60)
    return minutes // 1440, minutes // 60 % 24, minutes % 60
