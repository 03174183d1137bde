"""What people read: rounding, ages, masked numbers, CSV without formulas, a word for every stored value."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.rating import SCALES
from scoring.web import words
from scoring.web.csv_export import line
from scoring.web.present import amount, decimals, mask_text, month_span, percent, split_age

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),  # none is none, not 0
        (Fraction(179), "179.00"),
        (Fraction(2692, 14), "192.29"),  # domain.md §4.3, unit C
        (Fraction(1, 200), "0.01"),  # half goes up
        (Fraction(-1, 200), "-0.01"),  # by its amount
        (Fraction(4999, 1000000), "0.00"),
    ],
)
def test_points_are_shown_half_up(value: Fraction | None, shown: str) -> None:
    assert decimals(value) == shown


def test_a_rate_of_dongguan() -> None:
    assert percent(Fraction(2 * 6554 + 731, 2 * 7781)) == "88.93%"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Fraction(9), "9"), (Fraction(9, 2), "4.5"), (Fraction(100), "100"), (Fraction(0), "0")],
)
def test_counts_have_no_needless_zeros(value: Fraction, shown: str) -> None:
    assert amount(value) == shown


@given(st.fractions(min_value=0, max_value=200, max_denominator=10**6))
def test_what_is_shown_is_within_half_a_hundredth(value: Fraction) -> None:
    assert abs(Fraction(decimals(value)) - value) <= Fraction(1, 200)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("打我电话13803790001", "打我电话138****0001"),
        ("138 0379 0001或０３７９－６３１１００００", "138****0001或****0000"),  # spaces, full-width digits
        ("联系63110000", "联系****0000"),  # a local number
        ("案件LD20261116-0001", "案件LD20261116-0001"),  # a case's number is no telephone number
        ("编号20261223000823", "编号20261223000823"),
        ("12月20日，1个人都没来", "12月20日，1个人都没来"),
        ("2026-11-23", "2026-11-23"),
        ("3", "3"),
    ],
)
def test_numbers_in_free_text_are_masked(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@given(st.text(max_size=60), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.text(max_size=60))
def test_no_mobile_number_survives(before: str, number: str, after: str) -> None:
    shown = mask_text(f"{before}，{number}，{after}")
    assert number not in shown


def test_an_age_is_never_negative() -> None:
    assert split_age(timedelta(days=2, hours=3, minutes=59)) == (2, 3, 59)
    assert split_age(timedelta(seconds=-5)) == (0, 0, 0)


def test_a_month_begins_at_local_midnight() -> None:
    start, end = month_span("2026-12", SHANGHAI)
    assert start.isoformat() == "2026-12-01T00:00:00+08:00"
    assert end.isoformat() == "2027-01-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+86", "'+86"),
        ("-3", "'-3"),
        ("满意", "满意"),
        ('他说"行"', '"他说""行"""'),
    ],
)
def test_a_spreadsheet_runs_no_citizens_formula(value: str, written: str) -> None:
    assert line([value]) == f"{written}\r\n"


def test_every_stored_word_has_a_text() -> None:
    for enum, table in words._TABLES.items():
        assert set(table) == set(enum), enum


def test_every_rating_has_a_text_and_a_mark() -> None:
    for scale in SCALES.values():
        for value in scale.labels:
            assert (scale.name, value) in words._RATINGS
            assert (words.mood(scale.name, value) == "bad") == (value in scale.dissatisfied)
