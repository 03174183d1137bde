"""A month's inputs as the lines that are exported and hashed, and read again by whoever checks (pure).

CSV, UTF-8 without a byte order mark, LF, a heading first: `entry,unit,parent,group,kind,source,at` and one
column a count of `scoring.rules.Counts`; an empty cell is zero, others are exact ("1", "1/2", "-1"). First
one line a unit (kind `unit`, no counts): the tree that sums roll up. Then one line an entry, in their order.
The month's hash is the SHA-256 of these bytes: `sha256sum` prints the same.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction

from callbacks.vocabulary import UnitGroup
from scoring.rules import Counts
from scoring.tree import UnitOf

COUNTS = tuple(field.name for field in fields(Counts))
HEADING = ("entry", "unit", "parent", "group", "kind", "source", "at", *COUNTS)
_HEAD_LINE = ",".join(HEADING) + "\n"


class BadInputs(ValueError):
    """The file is no month's inputs; the message names line and column."""


@dataclass(frozen=True, slots=True)
class InputLine:
    """An entry as it's read for the export: `changes` is its JSON text."""

    entry: int
    unit_id: int
    kind: str
    source: str
    at: str
    changes: str


class InputsWriter:
    """Turns entries into lines, and keeps sums and hash on the way: one pass over a million."""

    def __init__(self, units: Mapping[int, UnitOf]) -> None:
        self._units = {id_: _unit_cells(unit, units) for id_, unit in units.items()}
        self._cells: dict[str, str] = {}  # changes → their cells: few are different
        self._times: dict[tuple[int, str], int] = {}
        none = "," * (len(COUNTS) - 1)
        in_order = sorted(units.values(), key=lambda unit: unit.code)
        self.heading = _HEAD_LINE + "".join(f",{self._units[unit.id]},unit,,,{none}\n" for unit in in_order)
        self._hash = hashlib.sha256(self.heading.encode())
        self.entries = 0

    def lines(self, entries: Iterable[InputLine]) -> str:
        """The lines of some entries as one text, newline-terminated; they're in hash and sums from now on."""
        units, cells, times = self._units, self._cells, self._times
        found = []
        for each in entries:
            changes = each.changes
            of_counts = cells.get(changes)
            if of_counts is None:
                of_counts = cells[changes] = _count_cells(changes)
            key = each.unit_id, changes
            times[key] = times.get(key, 0) + 1
            found.append(
                f"{each.entry},{units[each.unit_id]},{each.kind},{each.source},{each.at},{of_counts}\n"
            )
        self.entries += len(found)
        text = "".join(found)
        self._hash.update(text.encode())
        return text

    @property
    def sums(self) -> dict[int, Counts]:
        """Unit id → the sum of its own entries so far."""
        found: dict[int, Counts] = {}
        for (unit_id, changes), number in self._times.items():
            found[unit_id] = found.get(unit_id, Counts()) + Counts.of(json.loads(changes)).times(number)
        return found

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _unit_cells(unit: UnitOf, units: Mapping[int, UnitOf]) -> str:
    parent = "" if unit.parent is None else units[unit.parent].code
    return f"{_quoted(unit.code)},{_quoted(parent)},{unit.group.value}"


def _quoted(cell: str) -> str:
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if any(sign in cell for sign in ',"\n\r') else cell


def _count_cells(changes: str) -> str:
    of = json.loads(changes)
    if unknown := set(of) - set(COUNTS):
        raise KeyError(f"no such count: {', '.join(sorted(unknown))}")
    return ",".join(str(of.get(name, "")) for name in COUNTS)


@dataclass(frozen=True, slots=True)
class MonthInputs:
    """What a file of inputs says. Unit ids are this file's own: units are told apart by their code."""

    units: dict[int, UnitOf]
    sums: dict[int, Counts]
    entries: int
    digest: str


def read_inputs(content: bytes) -> MonthInputs:
    """Reads an exported file; BadInputs names what is wrong and where."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInputs(f"byte {error.start}: not UTF-8") from None
    rows = csv.reader(text.splitlines(keepends=True))
    heading = tuple(next(rows, ()))
    if heading != HEADING:
        missing = [name for name in HEADING if name not in heading]
        what = f"lacks {', '.join(missing)}" if missing else "its columns are in another order"
        raise BadInputs(f"line 1: {what}")
    tree: dict[str, tuple[str, str]] = {}  # code → parent's code, group
    times: dict[tuple[str, tuple[str, ...]], int] = {}
    first: dict[tuple[str, ...], int] = {}  # cells of counts → the line that has them first
    entries = 0
    for number, row in enumerate(rows, start=2):
        _check_width(row, number)
        code, of = row[1], (row[2], row[3])
        if row[4] == "unit":
            tree[code] = of
            continue
        if tree.get(code) != of:
            raise BadInputs(f"line {number}, unit {code}: its parent and group aren't those of its own line")
        key = code, tuple(row[7:])
        times[key] = times.get(key, 0) + 1
        first.setdefault(key[1], number)
        entries += 1
    units = _tree(tree)
    ids = {unit.code: unit.id for unit in units.values()}
    sums: dict[int, Counts] = {}
    for (code, cells), of_times in times.items():
        sums[ids[code]] = sums.get(ids[code], Counts()) + _counts(cells, first[cells]).times(of_times)
    return MonthInputs(units, sums, entries, hashlib.sha256(content).hexdigest())


def _check_width(row: list[str], number: int) -> None:
    if len(row) != len(HEADING):
        raise BadInputs(f"line {number}: {len(row)} cells, {len(HEADING)} are needed")


def _counts(cells: tuple[str, ...], line: int) -> Counts:
    values = {}
    for name, cell in zip(COUNTS, cells, strict=True):
        if cell:
            try:
                values[name] = Fraction(cell)
            except (ValueError, ZeroDivisionError):
                raise BadInputs(f"line {line}, column {name}: {cell!r} is no exact number") from None
    return Counts(**values)


def _tree(tree: Mapping[str, tuple[str, str]]) -> dict[int, UnitOf]:
    """The units, numbered by their codes."""
    ids = {code: number for number, code in enumerate(sorted(tree), start=1)}
    found = {}
    for code, (parent, group) in tree.items():
        if parent and parent not in ids:
            raise BadInputs(f"unit {code}: there is no line of its parent {parent}")
        try:
            of = UnitGroup(group)
        except ValueError:
            groups = ", ".join(each.value for each in UnitGroup)
            raise BadInputs(f"unit {code}: no group {group!r}; there are {groups}") from None
        found[ids[code]] = UnitOf(ids[code], code, ids[parent] if parent else None, of)
    return found
