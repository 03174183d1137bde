"""A month's inputs as a file: what is written is read again, and a fault is named with its place."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.vocabulary import UnitGroup
from scoring.month_inputs import COUNTS, HEADING, BadInputs, InputLine, InputsWriter, read_inputs
from scoring.rules import Counts
from scoring.tree import UnitOf

UNITS = {
    7: UnitOf(7, "C01", None, UnitGroup.COUNTY),
    9: UnitOf(9, 'C01,"1"', 7, UnitGroup.COUNTY),  # a code that needs quoting
    8: UnitOf(8, "D01", None, UnitGroup.DEPT),
}
CHANGES = [
    '{"closed": "1"}',
    '{"rated": "1", "weight_first": "1/2"}',
    '{"rated": "-1", "removed": "1"}',
    "{}",
]


def written(*lines: tuple[int, str]) -> tuple[bytes, InputsWriter]:
    writer = InputsWriter(UNITS)
    of = [
        InputLine(at, unit, "rated", f"rating:{at}", "2026-11-10", text)
        for at, (unit, text) in enumerate(lines)
    ]
    return (writer.heading + writer.lines(of)).encode(), writer


@given(st.lists(st.tuples(st.sampled_from(list(UNITS)), st.sampled_from(CHANGES))))
def test_what_is_written_is_read_again(lines: list[tuple[int, str]]) -> None:
    content, writer = written(*lines)
    found = read_inputs(content)
    assert (found.digest, found.entries) == (writer.digest, writer.entries)
    sums = {found.units[id_].code: of for id_, of in found.sums.items()}
    assert sums == {UNITS[id_].code: of for id_, of in writer.sums.items()}
    assert {unit.code: unit.group for unit in found.units.values()} == {
        u.code: u.group for u in UNITS.values()
    }


def line(unit: str = "D01", parent: str = "", group: str = "dept", kind: str = "rated", **counts: str) -> str:
    cells = ["1", unit, parent, group, kind, "rating:1", "2026-11-10"]
    return ",".join([*cells, *(counts.get(name, "") for name in COUNTS)])


HEAD, D01 = ",".join(HEADING), line(kind="unit")
FAULTS = [
    # the file's lines, what is said of it
    (["unit,parent"], "line 1: lacks entry, group"),
    ([",".join(reversed(HEADING))], "line 1: its columns are in another order"),
    ([HEAD, D01, line(rated="1"), "1,D01"], "line 4: 2 cells"),
    ([HEAD, D01, line(rated="1"), line(rated="1/0")], "line 4, column rated: '1/0' is no exact number"),
    ([HEAD, D01, line(closed="one")], "line 3, column closed: 'one' is no exact number"),
    (
        [HEAD, D01, line("D02", rated="1")],
        "line 3, unit D02: its parent and group aren't those of its own line",
    ),
    ([HEAD, line(parent="X", kind="unit")], "unit D01: there is no line of its parent X"),
    ([HEAD, line(group="city", kind="unit")], "unit D01: no group 'city'; there are county, dept"),
    (["\ufeff" + HEAD], "line 1: lacks entry"),  # saved by a spreadsheet: the hash isn't the published one
]


@pytest.mark.parametrize(("lines", "said"), FAULTS)
def test_what_is_wrong_is_named_with_its_place(lines: list[str], said: str) -> None:
    with pytest.raises(BadInputs) as refused:
        read_inputs(("\n".join(lines) + "\n").encode())
    assert said in str(refused.value)


def test_other_bytes_are_no_inputs() -> None:
    with pytest.raises(BadInputs, match="byte 2: not UTF-8"):
        read_inputs(b"en\xff")


def test_an_unknown_count_is_not_written() -> None:
    with pytest.raises(KeyError, match="no such count: votes"):
        written((7, '{"votes": "1"}'))
    assert Counts.of({"rated": "1/2"}).rated == F(1, 2)
