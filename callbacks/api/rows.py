"""A JSON object of a request becomes a row of texts, as a case file's line does."""

from __future__ import annotations

from typing import Any

from callbacks.intake_files import RawRow
from callbacks.intake_rows import COLUMNS, Border, CaseRow, Fault, parse_row

_LONGEST_NAME = 40  # of an unknown field, as it is repeated in its fault


def read_row(line: int, item: Any, border: Border) -> CaseRow | list[Fault]:
    """The typed row, or all its faults: every field is looked at, whatever is wrong with another."""
    if not isinstance(item, dict):
        return [Fault(line, "-", "a row is a JSON object")]
    values: dict[str, str] = {}
    faults: list[Fault] = []
    for name, value in item.items():
        if name not in COLUMNS:
            faults.append(Fault(line, _shown(name), "no such field"))
            continue
        try:
            values[name] = _text(value)
        except ValueError as error:
            faults.append(Fault(line, name, str(error)))
    row = parse_row(RawRow(line, values), border)
    if isinstance(row, list):
        told = {fault.field for fault in faults}
        return faults + [fault for fault in row if fault.field not in told]
    return faults or row


def _text(value: Any) -> str:
    """A list is joined by semicolons; ValueError for what is no text, number, boolean or list of them."""
    if isinstance(value, list):
        if any(isinstance(each, list) for each in value):
            raise ValueError("a list holds texts")
        return ";".join(_text(each) for each in value)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        case str():
            return _storable(value.strip())
    raise ValueError("a text, a number, a boolean or a list of them")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None
    return text


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name[:_LONGEST_NAME]) or "-"
