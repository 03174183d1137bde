"""Whatever JSON a row is, it's a case or it's told what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.api.rows import read_row
from callbacks.intake_rows import COLUMNS, Border, CaseRow

BORDER = Border("0379", "Asia/Shanghai", {"u1": "u1", "市供水集团": "u1"}, frozenset({"037963110110"}))
GOOD: dict[str, Any] = {
    "number": "LD-1",
    "source_channel": "电话",
    "category": "water",
    "lead_unit": "市供水集团",
    "accepted_at": "2026-11-20 09:00",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SURROGATE = st.text(st.characters(codec=None, exclude_categories=()), max_size=10)


def test_a_good_row_is_a_case():
    row = read_row(7, GOOD, BORDER)
    assert isinstance(row, CaseRow)
    assert (row.line, row.number, row.lead_unit, row.closing_no) == (7, "LD-1", "u1", 0)


@settings(max_examples=200)
@given(item=ANYTHING)
def test_no_json_breaks_the_reader(item: Any):
    read = read_row(1, item, BORDER)
    assert isinstance(read, list) and read
    assert all(fault.line == 1 and fault.field and fault.fault for fault in read)


@settings(max_examples=200)
@given(more=st.dictionaries(st.sampled_from(COLUMNS), ANYTHING | SURROGATE, max_size=4))
def test_whatever_stands_in_a_column_is_read_or_named(more: dict[str, Any]):
    read = read_row(1, GOOD | more, BORDER)
    if isinstance(read, CaseRow):
        texts = [
            value for value in (getattr(read, name) for name in CaseRow.__slots__) if isinstance(value, str)
        ]
        assert all("\0" not in text and text.encode() is not None for text in texts)
    else:
        json.dumps([fault.fault for fault in read])
        assert {fault.field for fault in read} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("13803790001", ("13803790001",)),
        (13803790001, ("13803790001",)),  # a number of JSON
        (13803790001.0, ("13803790001",)),  # and of a spreadsheet's JSON
        (["13803790001", "0379-63110001"], ("13803790001", "037963110001")),
        (["13803790001;13803790002"], ("13803790001", "13803790002")),
        ([], ()),
        (None, ()),
        ("无", ()),
    ],
)
def test_numbers_however_they_are_sent(value: Any, read: tuple[str, ...]):
    row = read_row(1, GOOD | {"citizen_phone": value}, BORDER)
    assert isinstance(row, CaseRow) and row.citizen_phones == read


def test_an_unknown_fields_name_is_repeated_harmlessly():
    faults = read_row(1, GOOD | {"a\0b" + "x" * 99: 1, "": 1}, BORDER)
    assert isinstance(faults, list)
    assert [fault.field for fault in faults] == ["a?b" + "x" * 37, "-"]
