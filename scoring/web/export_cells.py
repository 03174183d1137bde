"""The cells of an export: numbers stay numbers, moments are local time, texts run nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from scoring.web.csv_export import quoted
from scoring.web.present import decimals, percent

Row = TypeVar("Row")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML 1.0 §2.2 has no place for them
_MOMENT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of one, shown in percent with so many places, half up, as the page shows it."""

    value: Fraction
    places: int = 2


Cell = str | int | Decimal | datetime | Share | None


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A head in the reader's language, and what a row has under it; None is an empty cell."""

    head: str
    cell: Callable[[Row], Cell]


def points(value: Fraction | None, places: int = 2) -> Decimal | None:
    """As the page rounds it."""
    return None if value is None else Decimal(decimals(value, places))


def share(value: Fraction | None, places: int = 2) -> Share | None:
    return None if value is None else Share(value, places)


def as_text(cell: Cell, zone: ZoneInfo) -> str:
    """What CSV holds of a cell."""
    match cell:
        case None:
            return ""
        case str():
            return quoted(_UNPRINTABLE.sub("", cell))
        case datetime():
            return cell.astimezone(zone).strftime(_MOMENT)
        case Share(value, places):
            return percent(value, places)
        case _:
            return str(cell)


def as_value(cell: Cell, zone: ZoneInfo) -> tuple[str | int | Decimal | datetime | None, str]:
    """What a spreadsheet's cell holds, and its number format."""
    match cell:
        case str():
            return as_text(cell, zone), "@"
        case datetime():
            return cell.astimezone(zone).replace(tzinfo=None, microsecond=0), "yyyy-mm-dd hh:mm:ss"
        case Share(value, places):
            return Decimal(decimals(value * 100, places)) / 100, f"0.{'0' * places}%"
        case Decimal():
            return cell, f"0.{'0' * max(1, -int(cell.as_tuple().exponent))}"
        case _:
            return cell, "General"
