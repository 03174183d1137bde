"""Reads case files: CSV (UTF-8, BOM, GB18030), xlsx and JSON lines, row by row, each with its line.

A line that can't be read is a row with a fault, and reading goes on behind it; only a file whose kind,
encoding or heading isn't known is refused whole.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from callbacks.intake_lines import Lines, encoding_of

# What other offices write over their columns.
HEADINGS = {
    "诉求编号": "number",
    "受理编号": "number",
    "工单编号": "number",
    "诉求来源": "source_channel",
    "来源渠道": "source_channel",
    "来源平台": "platform",
    "诉求类别": "category",
    "类别": "category",
    "企业诉求": "enterprise",
    "敏感": "sensitive",
    "复杂": "complex",
    "承办单位": "lead_unit",
    "主办单位": "lead_unit",
    "协办单位": "assisting_units",
    "诉求摘要": "summary",
    "诉求内容": "summary",
    "办理结果": "reply",
    "答复内容": "reply",
    "联系电话": "citizen_phone",
    "诉求人电话": "citizen_phone",
    "承办人电话": "handler_phone",
    "经办人电话": "handler_phone",
    "受理时间": "accepted_at",
    "交办时间": "assigned_at",
    "签收时间": "signed_at",
    "回复时间": "replied_at",
    "办理时限": "due_at",
    "办结时间": "closed_at",
    "办结序号": "closing_no",
    "剔除原因": "exclusion",
    "状态": "status",
}


class UnreadableFile(Exception):
    """The file can't be read at all; the message names it and says what would be right."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as texts. `fault` says why the line couldn't be read; its values are then empty."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    fault: str | None = None


def read_rows(
    path: Path, headings: Mapping[str, str] = HEADINGS, what: str = "a case file"
) -> Iterator[RawRow]:
    """The rows of `path`, streamed; UnreadableFile where its kind or its encoding isn't known.

    `headings` are what stands over columns, and the names that they have here; `what` the file is.
    """
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path, headings)
        case ".xlsx":
            return _xlsx_rows(path, headings)
        case ".jsonl" | ".ndjson":
            return _json_rows(path, headings)
    raise UnreadableFile(f"{path}: {what} is .csv, .xlsx or .jsonl")


def _csv_rows(path: Path, headings: Mapping[str, str]) -> Iterator[RawRow]:
    encoding = encoding_of(path)
    if encoding is None:
        raise UnreadableFile(f"{path}: neither UTF-8 nor GB18030")
    # Bytes that are no text come through as lone surrogates, which `_row` names.
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        lines = Lines(file)
        reader = csv.reader(lines, strict=True)
        names = _csv_heading(path, reader, headings)
        while True:
            line = lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # A stray quote swallows what follows it, to the end of the file if need be.
                lines.give_back()
                yield RawRow(line, fault=f"not CSV: {error}")
                continue
            if any(cell.strip() for cell in cells):
                yield _row(line, names, cells)


def _csv_heading(path: Path, reader: Iterator[list[str]], headings: Mapping[str, str]) -> list[str]:
    try:
        return _names(path, next(reader, []), headings)
    except csv.Error as error:
        raise UnreadableFile(f"{path}: the first line isn't CSV: {error}") from None


def _xlsx_rows(path: Path, headings: Mapping[str, str]) -> Iterator[RawRow]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which are none of ours
            book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever zip and XML raise
        raise UnreadableFile(f"{path}: not an xlsx workbook ({type(error).__name__})") from error
    try:
        rows = _sheet(path, book.worksheets[0].iter_rows(values_only=True))
        names = _names(path, [_cell(heading) for heading in next(rows, ())], headings)
        for line, cells in enumerate(rows, start=2):
            texts = [_cell(cell) for cell in cells]
            if any(texts):
                yield _row(line, names, texts + [""] * (len(names) - len(texts)))
    finally:
        book.close()


def _sheet(path: Path, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The sheet is parsed while it is read, so what is broken in it shows late."""
    try:
        yield from rows
    except Exception as error:
        raise UnreadableFile(f"{path}: its first sheet is broken ({type(error).__name__})") from error


def _json_rows(path: Path, headings: Mapping[str, str]) -> Iterator[RawRow]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if raw.strip():
                yield _json_row(line, raw, headings)


def _json_row(line: int, raw: bytes, headings: Mapping[str, str]) -> RawRow:
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except ValueError as error:
        return RawRow(line, fault=f"not JSON: {error}")
    except RecursionError:
        return RawRow(line, fault="not JSON: nested too deeply")
    if not isinstance(data, dict):
        return RawRow(line, fault="a line must be one JSON object")
    names = [_name(str(key), headings) for key in data]
    if twice := _twice(names):
        return RawRow(line, fault=f"{twice} is given twice")
    for name, value in zip(names, data.values(), strict=True):
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, dict | list) for part in parts):
            return RawRow(line, fault=f"{name} must be a text, a number or a list of them")
    return _row(line, names, [_cell(value) for value in data.values()])


def _names(path: Path, cells: Sequence[str], headings: Mapping[str, str]) -> list[str]:
    """The columns' names; UnreadableFile where there are none, or one stands twice."""
    names = [_name(cell, headings) for cell in cells]
    if not any(names):
        raise UnreadableFile(f"{path}: empty; the first line names the columns")
    if twice := _twice(names):
        which = ", ".join(cell.strip() for cell in cells if _name(cell, headings) == twice)
        raise UnreadableFile(f"{path}: {twice} has two columns: {which}; leave one")
    return names


def _twice(names: Sequence[str]) -> str | None:
    return next((name for name, times in Counter(names).items() if name and times > 1), None)


def _name(cell: str, headings: Mapping[str, str]) -> str:
    heading = cell.strip().strip("\ufeff")
    return headings.get(heading, heading.lower())


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> RawRow:
    """A row whose cells fit its heading; what is empty behind the last column is no cell."""
    if len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :]):
        return RawRow(line, fault=f"{len(cells)} columns, the heading has {len(names)}")
    values = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
    for name, text in values.items():
        if fault := _no_text(text):
            return RawRow(line, fault=f"{name}: {fault}")
    return RawRow(line, values)


def _no_text(text: str) -> str | None:
    """Why no database takes `text`."""
    if text.isascii() and "\0" not in text:
        return None
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "bytes that are no text in this encoding"
    return None


def _cell(value: Any) -> str:
    """A cell as text: dates in ISO form, whole floats without their point, lists joined by semicolons."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ";".join(_cell(each) for each in value)
    return str(value).strip()
