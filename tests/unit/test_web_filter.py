"""The desk's one Filter: what a page writes into an address, the next page reads back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.states import State
from callbacks.vocabulary import Role, UnitGroup
from scoring.queries_filter import Age, BadFilter, Cursor, Filter, Only, Sort, Stage, parse

NOW = datetime(2026, 11, 23, 2, 2, 15, tzinfo=UTC)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_words = st.text(alphabet=st.characters(categories=("L", "N")), max_size=20)
_filters = st.builds(
    Filter,
    group=st.none() | st.sampled_from(UnitGroup),
    unit=_words,
    category=_words,
    age=st.none() | st.sampled_from(Age),
    state=st.none() | st.sampled_from(State),
    round=st.none() | st.integers(1, 9),
    only=st.none() | st.sampled_from(Only),
    item=_words,
    month=st.just("") | st.dates(date(2000, 1, 1), date(2999, 12, 31)).map(lambda day: f"{day:%Y-%m}"),
    q=_words,
    phone=st.just("") | st.text(alphabet="0123456789abcdef", min_size=32, max_size=32),
    stage=st.none() | st.sampled_from(Stage),
    overdue=st.booleans(),
    supervisor=_words,
    actor=_words,
    action=_words,
    subject=_words,
    day=_words,
    role=st.none() | st.sampled_from(Role),
    sort=st.none() | st.sampled_from(Sort),
    page=st.none()
    | st.builds(
        Cursor,
        at=st.integers(0, 10**16).map(lambda micros: EPOCH + timedelta(microseconds=micros)),
        id=st.integers(0, 10**12),
        back=st.booleans(),
    ),
)


@settings(max_examples=200)
@given(_filters)
def test_an_address_holds_the_whole_filter(chosen: Filter) -> None:
    assert parse(chosen.query(page=chosen.page)) == chosen


def test_a_change_of_the_filter_begins_at_page_one() -> None:
    chosen = Filter(unit="D01", page=Cursor(NOW, 7))
    assert chosen.query(age=Age.OVER_7D) == {"unit": "D01", "age": "over"}


def test_a_sort_alone_narrows_nothing() -> None:
    assert not Filter(sort=Sort.NEWEST).narrows
    assert Filter(category="water").narrows


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"group": "town"}, "group"),  # no such group
        ({"age": "d2"}, "age"),
        ({"state": "RATED"}, "state"),  # stored words are lower case
        ({"sort": "unit"}, "sort"),
        ({"round": "0"}, "round"),
        ({"only": "mine"}, "only"),
        ({"month": "2026-13"}, "month"),
        ({"month": "2026-1"}, "month"),
        ({"phone": "13803790001"}, "phone"),  # an index, never a number
        ({"page": "a12"}, "page"),
        ({"page": "a999999999999999999-1"}, "page"),  # a year that there isn't
        ({"month": "0000-01"}, "month"),
        ({"q": "x" * 81}, "q"),
        ({"q": "a\x00b"}, "q"),  # PostgreSQL takes no NUL
        ({"unit": "D\n1"}, "unit"),
    ],
)
def test_a_value_that_no_page_writes_is_refused_by_name(args: dict[str, str], field: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse(args)
    assert refused.value.field == field


def test_every_moment_has_exactly_one_age() -> None:
    for hours in range(0, 24 * 10):
        opened = NOW - timedelta(hours=hours)
        ages = []
        for age in Age:
            after, up_to = age.opened_between(NOW)
            if (after is None or opened > after) and opened <= up_to:
                ages.append(age)
        assert len(ages) == 1, hours
