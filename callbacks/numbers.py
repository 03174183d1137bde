"""Telephone numbers: normal form, kind, and what is never dialled (domain.md §1, §2). Pure."""

from __future__ import annotations

import re
from enum import StrEnum

# ASCII alone: `\d` would take the digits of every script, and a SIP URI takes none of them.
MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
LANDLINE = re.compile(r"0(10|2\d|[3-9]\d{2})[2-9]\d{6,7}", re.ASCII)
EMERGENCY = re.compile(r"(110|119|120|122|12110\d{0,3}|95110)", re.ASCII)
# 0379110 and 17951110 ring at the same desks as 110.
_EMERGENCY_FROM_AFAR = re.compile(rf"(0(10|2\d|[3-9]\d{{2}})|86|17951|12593){EMERGENCY.pattern}", re.ASCII)
_NEVER_SHORT = re.compile(r"\d{1,6}", re.ASCII)
_BARE = re.compile(r"[2-9]\d{6,7}", re.ASCII)
_SERVICE = re.compile(r"0[48]00\d{7}", re.ASCII)  # 400 and 800 numbers: 0400 and 0800 are no area codes
_PREFIXES = ("+86", "0086", "17951", "12593")
_TRANSLATED = str.maketrans("０１２３４５６７８９＋－（）", "0123456789+-()")
# What people and office software put between and around digits: spaces, dashes, the apostrophe that makes a
# text of a spreadsheet's cell, and the invisible marks of direction that telephone books copy along.
_NOISE = re.compile(r"[\s\-().·'’‐-―−\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class NumberKind(StrEnum):
    MOBILE = "mobile"
    LANDLINE = "landline"
    UNUSABLE = "unusable"


class BadNumber(ValueError):
    """A telephone number that can't be called."""


def normalise(raw: str, area_code: str) -> str:
    """The national form of `raw`: digits alone, `1xxxxxxxxxx` or `0` + area code + number.

    A bare 7 or 8 digit number takes `area_code` (the office's, with its leading 0). Prefixes 86, +86, 0086,
    17951 and 12593 are stripped, and the 0 of an out-of-area mobile. What is neither mobile nor landline
    comes back without its separators, for `kind_of` to refuse. Normalising twice changes nothing.
    """
    text = _NOISE.sub("", raw.translate(_TRANSLATED))
    while (shorter := _without_prefix(text)) != text:
        text = shorter
    if _BARE.fullmatch(text):
        return f"{area_code}{text}"
    return f"0{text}" if _lacks_zero(text) else text


def _without_prefix(text: str) -> str:
    """`text` without one prefix, or as it is. A whole mobile keeps its digits, 17951 among them or not."""
    if MOBILE.fullmatch(text):
        return text
    for prefix in _PREFIXES:
        if text.startswith(prefix) and len(text) > len(prefix) + 5:
            return text[len(prefix) :]
    if text.startswith("86"):
        rest = text[2:].lstrip("0")
        if MOBILE.fullmatch(rest) or _lacks_zero(rest):
            return text[2:]
    if text.startswith("0") and MOBILE.fullmatch(text[1:]):
        return text[1:]
    return text


def _lacks_zero(text: str) -> bool:
    """Area code and number without the leading 0: ten digits at least, else it's a sender of texts (106…)."""
    return len(text) >= 10 and not MOBILE.fullmatch(text) and bool(LANDLINE.fullmatch(f"0{text}"))


def kind_of(number: str) -> NumberKind:
    """The kind of a number in national form."""
    if is_never_dialled(number) or _SERVICE.fullmatch(number):
        return NumberKind.UNUSABLE
    if MOBILE.fullmatch(number):
        return NumberKind.MOBILE
    if LANDLINE.fullmatch(number):
        return NumberKind.LANDLINE
    return NumberKind.UNUSABLE


def is_emergency(number: str) -> bool:
    """110, 119, 120, 122, 12110*, 95110, with an area code or a carrier's prefix before them too."""
    return bool(EMERGENCY.fullmatch(number) or _EMERGENCY_FROM_AFAR.fullmatch(number))


def is_never_dialled(number: str, own_numbers: frozenset[str] = frozenset()) -> bool:
    """Emergency numbers, 3–6 digit codes, international, what isn't digits, and the office's own numbers."""
    if is_emergency(number) or _NEVER_SHORT.fullmatch(number) or number in own_numbers:
        return True
    return number.startswith(("00", "+")) or not (number.isascii() and number.isdigit())


def mask(number: str) -> str:
    """`138****1234` for a mobile, `****1234` for the rest, at most its half: what pages and logs show."""
    if MOBILE.fullmatch(number):
        return f"{number[:3]}****{number[-4:]}"
    return f"****{number[len(number) - min(4, len(number) // 2) :]}"


_RUN = re.compile(r"(?<![0-9])[0-9](?:[ \-]?[0-9]){6,13}(?![0-9])")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_FULL_WIDTH = str.maketrans("０１２３４５６７８９－　", "0123456789- ")


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
