"""How values are shown: ages, exact fractions half-up, free text with its numbers masked. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from callbacks.numbers import LANDLINE, MOBILE, mask

NONE = "—"
_RUN = re.compile(r"(?<![0-9])[0-9](?:[ \-]?[0-9]){6,13}(?![0-9])")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_FULL_WIDTH = str.maketrans("０１２３４５６７８９－　", "0123456789- ")


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


def mask_text(text: str) -> str:
    """Free text with the telephone numbers in it masked: citizens write theirs into replies."""
    plain = text.translate(_FULL_WIDTH)
    pieces, last = [], 0
    for run in _RUN.finditer(plain):
        digits = re.sub(r"[ \-]", "", run.group())
        if _DATE.fullmatch(run.group()):
            continue
        if MOBILE.fullmatch(digits) or LANDLINE.fullmatch(digits) or len(digits) in (7, 8):
            pieces += [text[last : run.start()], mask(digits)]
            last = run.end()
    return "".join([*pieces, text[last:]])
