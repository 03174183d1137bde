"""Which serials are missing: tables, and what holds of any numbers that came."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callbacks.gaps import Numbering, Place, Run, Span, by_width, missing, spans_of, without
from callbacks.intake_settings import IntakeSettings, SourceSettings

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
OLD, NEW = NOW - timedelta(hours=3), NOW - timedelta(minutes=1)
GRACE_ENDS = NOW - timedelta(hours=2)
DAILY = Numbering(re.compile(r"^WX(\d{8})(\d{4})$"), None)
ENDLESS = Numbering(re.compile(r"FORUM-(\d+)"), None)


@pytest.mark.parametrize(
    ("seen", "first", "found"),
    [
        ({}, 1, []),  # a run of which nothing came has nothing missing yet
        ({1: OLD, 2: OLD, 3: OLD}, 1, []),
        ({1: OLD, 3: OLD}, 1, [(2, 2)]),
        ({3: OLD}, 1, [(1, 2)]),  # a day's run begins at 1
        ({3: OLD}, None, []),  # an endless one somewhere before us
        ({3: OLD, 7: OLD}, None, [(4, 6)]),
        ({1: OLD, 3: NEW}, 1, []),  # 2 may be on its way
        ({1: OLD, 3: NEW, 5: OLD}, 1, [(2, 2), (4, 4)]),  # but not when what came after 3 is old
        ({1: OLD, 3: OLD, 5: NEW}, 1, [(2, 2)]),
        ({0: OLD, 2: OLD}, 1, [(1, 1)]),  # a serial before the first one is no fault
    ],
)
def test_what_is_missing(seen: dict[int, datetime], first: int | None, found: list[Span]) -> None:
    assert missing(seen, first, GRACE_ENDS) == found


SEEN = st.dictionaries(st.integers(0, 40), st.sampled_from((OLD, NEW)), max_size=25)


@given(seen=SEEN, first=st.none() | st.integers(0, 5))
def test_a_serial_is_missing_when_an_overdue_one_is_above_it(
    seen: dict[int, datetime], first: int | None
) -> None:
    found = missing(seen, first, GRACE_ENDS)
    assert found == sorted(found) and all(low <= high for low, high in found)
    told = [serial for low, high in found for serial in range(low, high + 1)]
    start = min(seen, default=0) if first is None else min(first, min(seen, default=first))
    overdue = max((serial for serial, at in seen.items() if at < GRACE_ENDS), default=-1)
    lowest = start if first is None else first
    expected = [
        serial
        for serial in range(start, overdue)
        if serial not in seen and (serial >= lowest or serial > min(seen))
    ]
    assert told == expected


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda s: (s[0], s[0] + s[1])), max_size=6
)


@given(spans=SPANS, covered=SPANS)
def test_what_is_known_isnt_told_again(spans: list[Span], covered: list[Span]) -> None:
    def serials(of: list[Span]) -> set[int]:
        return {serial for low, high in of for serial in range(low, high + 1)}

    assert serials(without(spans, covered)) == serials(spans) - serials(covered)
    assert serials(spans_of(serials(spans))) == serials(spans)


@given(low=st.integers(0, 2000), length=st.integers(0, 3000), width=st.integers(1, 5))
def test_parts_of_one_width_are_ordered_as_text(low: int, length: int, width: int) -> None:
    run = Run("R", width)
    parts = list(by_width((low, low + length), width))
    assert [parts[0][0], parts[-1][1]] == [low, low + length]
    assert all(after[0] == before[1] + 1 for before, after in pairwise(parts))
    for first, last in parts:
        assert len(run.number(first)) == len(run.number(last))


@pytest.mark.parametrize(
    ("numbering", "number", "place"),
    [
        (DAILY, "WX202611230007", Place("WX20261123", "0007")),
        (DAILY, "WX20261123007", None),  # a digit too few
        (DAILY, "XWX202611230007", None),
        (ENDLESS, "FORUM-42", Place("FORUM-", "42")),
        (ENDLESS, "FORUM-四", None),
    ],
)
def test_where_a_number_stands(numbering: Numbering, number: str, place: Place | None) -> None:
    assert numbering.place(number) == place


def test_runs_begin_anew_where_a_group_tells_them() -> None:
    assert (DAILY.first, ENDLESS.first) == (1, None)
    cases = [("WX202611230002", OLD), ("WX202611240001", NEW), ("LD-1", OLD)]
    runs = DAILY.runs(cases)
    assert {name: sorted(run.seen) for name, run in runs.items()} == {"WX20261123": [2], "WX20261124": [1]}
    assert runs["WX20261123"].number(1) == "WX202611230001"
    assert ENDLESS.runs([("FORUM-9", OLD), ("FORUM-12", OLD)])["FORUM-"].number(10) == "FORUM-10"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"name": "WX", "sequence": "WX(\\d{4}"}, "no pattern"),
        ({"name": "WX", "sequence": "WX\\d{4}"}, "its last group, at its end"),
        ({"name": "WX", "sequence": "WX(\\d{4})X"}, "its last group, at its end"),
        ({"name": "WX"}, "needs a platform, a source_channel or a sequence"),
        ({"name": "a b", "platform": "x"}, "pattern"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(source: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        SourceSettings.model_validate(source)


def test_two_sources_of_one_name_are_refused() -> None:
    one = {"name": "WX", "platform": "x"}
    with pytest.raises(ValidationError, match="two sources have the same name"):
        IntakeSettings.model_validate({"sources": [one, one]})
