"""Reads case files: CSV (UTF-8, BOM, GB18030), xlsx and JSON lines, row by row, each with its line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

# What other offices write over their columns.
HEADINGS = {
    "诉求编号": "number",
    "工单编号": "number",
    "来源渠道": "source_channel",
    "来源平台": "platform",
    "类别": "category",
    "企业诉求": "enterprise",
    "敏感": "sensitive",
    "复杂": "complex",
    "承办单位": "lead_unit",
    "主办单位": "lead_unit",
    "协办单位": "assisting_units",
    "诉求内容": "summary",
    "答复内容": "reply",
    "联系电话": "citizen_phone",
    "诉求人电话": "citizen_phone",
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


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of `path`, streamed; UnreadableFile where its kind or its encoding isn't known."""
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path)
        case ".xlsx":
            return _xlsx_rows(path)
        case ".jsonl" | ".ndjson":
            return _json_rows(path)
    raise UnreadableFile(f"{path}: a case file is .csv, .xlsx or .jsonl")


def _encoding_of(path: Path) -> str:
    """UTF-8 (with or without BOM) where the whole file is; else GB18030, which old office software writes."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            with path.open(encoding=encoding) as file:
                while file.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise UnreadableFile(f"{path}: neither UTF-8 nor GB18030")


def _csv_rows(path: Path) -> Iterator[RawRow]:
    with path.open(encoding=_encoding_of(path), newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = [_name(heading) for heading in next(reader)]
        except StopIteration:
            raise UnreadableFile(f"{path}: empty; the first line names the columns") from None
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield RawRow(line, fault=f"not CSV: {error}")
                continue
            if any(cell.strip() for cell in cells):
                yield _row(line, names, cells)


def _row(line: int, names: list[str], cells: list[str]) -> RawRow:
    if len(cells) != len(names):
        return RawRow(line, fault=f"{len(cells)} columns, the heading has {len(names)}")
    return RawRow(line, {name: cell.strip() for name, cell in zip(names, cells, strict=True) if name})


def _xlsx_rows(path: Path) -> Iterator[RawRow]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever zip and XML raise
        raise UnreadableFile(f"{path}: not an xlsx workbook ({type(error).__name__})") from error
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        names = [_name(_cell(heading)) for heading in next(rows, ())]
        if not any(names):
            raise UnreadableFile(f"{path}: empty; the first row names the columns")
        for line, cells in enumerate(rows, start=2):
            texts = [_cell(cell) for cell in cells]
            if any(texts):
                yield _row(line, names, texts)
    finally:
        book.close()


def _json_rows(path: Path) -> Iterator[RawRow]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                data = json.loads(raw.decode("utf-8-sig"))
            except ValueError as error:
                yield RawRow(line, fault=f"not JSON: {error}")
                continue
            if isinstance(data, dict):
                yield RawRow(line, {_name(str(key)): _cell(value) for key, value in data.items()})
            else:
                yield RawRow(line, fault="a line must be one JSON object")


def _name(heading: str) -> str:
    heading = heading.strip()
    return HEADINGS.get(heading, heading.lower())


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
