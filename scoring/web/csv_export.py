"""Lines of CSV that a spreadsheet opens as they are: UTF-8 with BOM, CRLF, formulas quoted. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

BOM = "\ufeff"
# What a spreadsheet runs as a formula, its full-width forms too: those begin one where Chinese is typed.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def quoted(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def line(values: Sequence[str]) -> str:
    """One line of texts, each of them harmless."""
    return plain_line([quoted(value) for value in values])


def plain_line(values: Sequence[str]) -> str:
    """One line of values that are harmless already: numbers may be below zero."""
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()
