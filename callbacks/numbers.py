"""Telephone numbers: normal form, kind, and what is never dialled (domain.md §1, §2). Pure."""

from __future__ import annotations

import re
from enum import StrEnum

MOBILE = re.compile(r"1[3-9]\d{9}")
LANDLINE = re.compile(r"0(10|2\d|[3-9]\d{2})[2-9]\d{6,7}")
EMERGENCY = re.compile(r"(110|119|120|122|12110\d{0,3}|95110)")
_NEVER_SHORT = re.compile(r"\d{1,6}")
_PREFIXES = ("+86", "0086", "17951", "12593")
_TRANSLATED = str.maketrans("０１２３４５６７８９＋－（）", "0123456789+-()")


class NumberKind(StrEnum):
    MOBILE = "mobile"
    LANDLINE = "landline"
    UNUSABLE = "unusable"


class BadNumber(ValueError):
    """A telephone number that can't be called."""


def normalise(raw: str, area_code: str) -> str:
    """The national form of `raw`: digits alone, `1xxxxxxxxxx` or `0` + area code + number.

    A bare 7 or 8 digit number takes `area_code` (the office's, with its leading 0). Prefixes 86, +86, 0086,
    17951 and 12593 are stripped. What is neither mobile nor landline comes back as its digits, for
    `kind_of` to refuse.
    """
    text = re.sub(r"[\s\-().·]", "", raw.translate(_TRANSLATED))
    for prefix in _PREFIXES:
        if text.startswith(prefix) and len(text) > len(prefix) + 5:
            text = text[len(prefix) :]
    if text.startswith("86") and (
        MOBILE.fullmatch(text[2:]) or LANDLINE.fullmatch(f"0{text[2:].lstrip('0')}")
    ):
        text = text[2:]
    if (
        LANDLINE.fullmatch(f"0{text}")
        and not MOBILE.fullmatch(text)
        and not text.startswith("0")
        and len(text) > 8
    ):
        text = f"0{text}"
    if re.fullmatch(r"[2-9]\d{6,7}", text):
        text = f"{area_code}{text}"
    return text


def kind_of(number: str) -> NumberKind:
    """The kind of a number in national form."""
    if is_never_dialled(number):
        return NumberKind.UNUSABLE
    if MOBILE.fullmatch(number):
        return NumberKind.MOBILE
    if LANDLINE.fullmatch(number):
        return NumberKind.LANDLINE
    return NumberKind.UNUSABLE


def is_never_dialled(number: str, own_numbers: frozenset[str] = frozenset()) -> bool:
    """110, 119, 120, 122, 12110*, 95110, 3–6 digit codes, international, and the office's own numbers."""
    if EMERGENCY.fullmatch(number) or _NEVER_SHORT.fullmatch(number) or number in own_numbers:
        return True
    return number.startswith(("00", "+")) or not number.isdigit()


def mask(number: str) -> str:
    """`138****1234` for a mobile, `****1234` for the rest: what pages and logs show."""
    return f"{number[:3]}****{number[-4:]}" if MOBILE.fullmatch(number) else f"****{number[-4:]}"
