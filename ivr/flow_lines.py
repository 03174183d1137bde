"""Finds the line on which a value of a TOML file stands: the parser doesn't tell. Pure.

Good for files as people write flows: tables, dotted and quoted keys, arrays with an entry a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.flow_faults import Place

__all__ = ["line_of"]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"^\s*(\[\[?)\s*({_PATH})\s*\]")
_KEY = re.compile(rf"^\s*({_PATH})\s*=\s*(.*)$")
_TEXTS = ('"""', "'''")


def line_of(text: str, place: Place) -> int:
    """The line of `place` or of what it is in, as near as it is found; 1 where it's nowhere. From 1."""
    wanted = tuple(str(part) for part in place)
    best, found = 0, 1
    for path, number in _places(text):
        if len(path) > best and wanted[: len(path)] == path:
            best, found = len(path), number
    return found


def _places(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every place that a line begins: tables, keys, and the entries of arrays below their key."""
    table: tuple[str, ...] = ()
    array: tuple[tuple[str, ...], int] | None = None  # whose entries are being counted
    within = ""  # the quotes of a text of several lines
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if within:
            within = "" if within in line else within
            continue
        if array is not None:
            path, index = array
            bare = line.strip()
            if bare.startswith("{"):
                yield (*path, str(index)), number
                index += 1
            array = None if bare.startswith("]") else (path, index)
            continue
        if head := _TABLE.match(line):
            table = _parts(head[2])
            if head[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, str(counts[table]))
            yield table, number
        elif key := _KEY.match(line):
            path, value = table + _parts(key[1]), key[2].split("#")[0].rstrip()
            yield path, number
            within = next((each for each in _TEXTS if key[2].count(each) == 1), "")
            array = (path, 0) if value == "[" else None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, path))
