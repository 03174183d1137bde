"""Lines of CSV that a spreadsheet opens as they are: UTF-8 with BOM, CRLF, formulas quoted. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def line(values: Sequence[str]) -> str:
    """One line. A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out).writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in values])
    return out.getvalue()
