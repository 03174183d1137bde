"""Red and black lists: first of each group, last of all, equals never cut through."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.red_black import Standing, red_and_black


def standings(group: str, *scores: int, first: int = 1) -> list[Standing]:
    """Units of a group, ranked as `rules.ranks` does."""
    return [
        Standing(first + place, group, 1 + sum(other > score for other in scores), F(score))
        for place, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("scores", "number", "named"),
    [
        ((190, 180, 170, 160), 2, [1, 2]),
        ((190, 180, 180, 160), 2, [1, 2, 3]),  # two share the second place: three are named
        ((190, 190, 180, 160), 2, [1, 2]),  # the third is third (1, 1, 3)
        ((190, 180, 170), 5, [1, 2]),  # of three no more than two
        ((190,), 5, [1]),
        ((190, 180), 0, []),  # no red list
        ((), 5, []),
    ],
)
def test_the_red_list_is_the_first_places_with_all_who_share_them(scores, number, named) -> None:
    lists = red_and_black(standings("county", *scores), number, 0)
    assert [each.unit for each in lists.red.get("county", ())] == named


def test_each_group_has_its_own_red_list_and_the_black_one_is_of_all() -> None:
    units = standings("county", 190, 150, 140) + standings("dept", 195, 170, 120, first=11)
    lists = red_and_black(units, 1, 3)  # of six, three may be named
    assert {group: [each.unit for each in named] for group, named in lists.red.items()} == {
        "county": [1],
        "dept": [11],
    }
    assert [(place, each.unit) for place, each in lists.black] == [(1, 13), (2, 3), (3, 2)]


def test_who_shares_the_last_place_of_the_black_list_is_named_too() -> None:
    lists = red_and_black(standings("dept", 190, 150, 150, 140), 1, 2)
    assert [(place, each.unit) for place, each in lists.black] == [(1, 4), (2, 2), (2, 3)]


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 5), st.integers(0, 5))
def test_nobody_is_on_both_and_equals_are_treated_alike(scores: list[int], red: int, black: int) -> None:
    units = standings("county", *scores)
    lists = red_and_black(units, red, black)
    first = {each.unit for each in lists.red.get("county", ())}
    last = {each.unit for _, each in lists.black}
    assert not first & last
    for one in units:
        for other in units:
            if one.score == other.score:
                assert (one.unit in first, one.unit in last) == (other.unit in first, other.unit in last)
