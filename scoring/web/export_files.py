"""Writes an export into a file, never all rows in memory: CSV, or xlsx with a sheet that says what they are.

CSV begins with comment lines: `# label,value`. The first line that doesn't begin with `#` holds the heads.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from scoring.web.csv_export import BOM, line, plain_line, quoted
from scoring.web.export_cells import Cell, Column, Row, as_text, as_value

Facts = Sequence[tuple[str, str]]
MOST_ROWS = 1_000_000  # of a sheet; a spreadsheet ends at 1,048,576
_WIDTH = 18


def write_csv(
    file: IO[bytes],
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    about: Callable[[int], Facts],
    zone: ZoneInfo,
) -> int:
    """Writes the comment lines, the heads and the rows; tells how many rows."""
    number = 0
    with tempfile.TemporaryFile() as body:
        for row in rows:
            body.write(plain_line([as_text(column.cell(row), zone) for column in columns]).encode())
            number += 1
        body.seek(0)
        comments = [line([f"# {label}", value]) for label, value in about(number)]
        file.write((BOM + "".join(comments) + line([column.head for column in columns])).encode())
        shutil.copyfileobj(body, file)
    return number


def write_xlsx(
    file: IO[bytes],
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    about: Callable[[int], Facts],
    zone: ZoneInfo,
    names: tuple[str, str],
) -> int:
    """Writes the sheets `names`: what it is, and the rows. Past MOST_ROWS a further sheet goes on."""
    book = Workbook(write_only=True)
    facts = book.create_sheet(names[0])  # the first, though how many rows there are is known last
    number, left = 0, iter(rows)
    for at, part in enumerate(_parts(left, MOST_ROWS), 1):
        sheet = _sheet(book, f"{names[1]} {at}" if at > 1 else names[1], columns)
        for row in part:
            sheet.append([_cell(sheet, column.cell(row), zone) for column in columns])
            number += 1
    if number == 0:
        _sheet(book, names[1], columns)
    facts.column_dimensions["A"].width, facts.column_dimensions["B"].width = _WIDTH, 4 * _WIDTH
    for label, value in about(number):
        facts.append([_bold(facts, label), _cell(facts, value, zone)])
    book.save(file)
    book.close()
    return number


def _parts(rows: Iterator[Row], size: int) -> Iterator[Iterator[Row]]:
    """Each to be read to its end before the next is asked for."""
    for first in rows:
        yield chain([first], islice(rows, size - 1))


def _sheet(book: Workbook, name: str, columns: Sequence[Column[Row]]) -> Any:
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    for at in range(1, len(columns) + 1):
        sheet.column_dimensions[get_column_letter(at)].width = _WIDTH
    sheet.append([_bold(sheet, column.head) for column in columns])
    return sheet


def _cell(sheet: Any, cell: Cell, zone: ZoneInfo) -> Any:
    value, number_format = as_value(cell, zone)
    if value is None:
        return None
    made = WriteOnlyCell(sheet, value)  # type: ignore[arg-type]  # openpyxl takes Decimal
    made.number_format = number_format
    return made


def _bold(sheet: Any, text: str) -> Any:
    made = WriteOnlyCell(sheet, quoted(text))
    made.font = Font(bold=True)
    return made
