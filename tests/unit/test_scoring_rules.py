"""domain.md §4's worked examples to the last digit, and what must hold for any counts."""

from __future__ import annotations

from fractions import Fraction as F
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.rules import (
    Counts,
    assess,
    band,
    callback_rate,
    nonresponse_bounds,
    percent,
    ranks,
    response_rate,
    satisfaction_rate,
    show,
    shrunk,
    wilson,
)
from scoring.settings import ScoringSettings

SETTINGS = ScoringSettings()


def counts(**values: object) -> Counts:
    return Counts.of({name: str(value) for name, value in values.items()})


# §4.3, the month of the ten cases each. A county, B and C departments.
A = counts(
    closed=10, closed_on_time=9, signed_on_time=9, due=9, ended=9, rated_raw=8, rated=8, positive=7,
    weight_first="6.5", weight_delta=1, resolved=7, resolved_answered=8, second_answered=1,
    second_not_dissatisfied=1,
)  # fmt: skip
B = counts(
    closed=10, closed_on_time=8, signed_on_time=10, due=10, ended=10, rated_raw=9, removed=1, rated=8,
    positive=7, weight_first=6, resolved=6, resolved_answered=8, second_answered=1, deductions=2,
)  # fmt: skip
C = counts(
    closed=10, closed_on_time=10, signed_on_time=9, due=9, ended=9, rated_raw=7, rated=7, positive=7,
    weight_first="6.5", resolved=7, resolved_answered=7,
)  # fmt: skip
# Unit A in the two months after.
DECEMBER = counts(
    closed=4, overdue_open=1, closed_on_time=3, signed_on_time=5, rated_raw=4, rated=4, weight_first="2.5",
    resolved=3, resolved_answered=4,
)  # fmt: skip
JANUARY = counts(  # December's item is solved now, which December's count of those who were asked has
    closed=2, closed_on_time=1, signed_on_time=2, rated_raw=2, rated=2, weight_first=2, weight_delta=1,
    resolved=3, resolved_answered=2, second_answered=1, second_not_dissatisfied=1,
)  # fmt: skip

MONTHS = [
    # counts, group's points, score, shown score, shown item points
    (A, 40, F(179), "179.00", "35.80"),
    (B, 50, F(140), "140.00", "35.00"),
    (C, 50, F(1346, 7), "192.29", "48.07"),  # 192.2857…: rounded for show alone
    (DECEMBER, 40, F(144), "144.00", "28.80"),
    (JANUARY, 40, F(180), "180.00", "36.00"),
]


@pytest.mark.parametrize(("month", "weight", "score", "shown", "points"), MONTHS)
def test_worked_examples(month: Counts, weight: int, score: F, shown: str, points: str) -> None:
    result = assess(month, SETTINGS)
    assert result.score == score
    assert show(result.score) == shown
    assert show(result.item_points(F(weight))) == points


COMPONENTS = [
    # counts, 80·S, 40·RES, 40·T, 20·A, 20·Q
    (A, (70, 35, 36, 18, 20)),
    (B, (60, 30, 32, 20, 0)),  # its one second callback was dissatisfied again
    (C, (F(520, 7), 40, 40, 18, 20)),  # 74.2857…; no second callback: Q is 1
    (DECEMBER, (50, 30, 24, 20, 20)),
    (JANUARY, (80, 40, 20, 20, 20)),  # S would be 1.25 and is held at 1
]


@pytest.mark.parametrize(("month", "values"), COMPONENTS)
def test_components_of_the_worked_examples(month: Counts, values: tuple[F, ...]) -> None:
    result = assess(month, SETTINGS)
    assert tuple(c.value for c in result.components) == values
    assert [c.points for c in result.components] == [80, 40, 40, 20, 20]


def test_december_and_january_are_small_samples() -> None:
    assert [assess(m, SETTINGS).listed_apart for m in (A, DECEMBER, JANUARY)] == [
        None,
        "small_sample",
        "small_sample",
    ]


RATES = [
    # counts, 回访率, 参评率, 满意率
    (A, "100.00%", "88.89%", "87.50%"),
    (B, "100.00%", "90.00%", "87.50%"),  # the same headline as A, another score
    (C, "100.00%", "77.78%", "100.00%"),
]


@pytest.mark.parametrize(("month", "called", "answered", "satisfied"), RATES)
def test_rates(month: Counts, called: str, answered: str, satisfied: str) -> None:
    shown = [percent(rate(month) or F(0)) for rate in (callback_rate, response_rate, satisfaction_rate)]
    assert shown == [called, answered, satisfied]


def test_intervals_and_bounds() -> None:
    assert [round(x, 3) for x in wilson(A.positive, A.rated) or ()] == [0.529, 0.978]
    assert [round(x, 3) for x in wilson(C.positive, C.rated) or ()] == [0.646, 1.0]
    assert nonresponse_bounds(A) == (F(7, 9), F(8, 9))
    assert nonresponse_bounds(B) == (F(7, 9), F(8, 9))
    assert nonresponse_bounds(C) == (F(7, 9), F(1))
    assert wilson(F(0), F(0)) is None


def test_more_answers_than_callbacks_leave_nobody_silent() -> None:
    """Three callbacks ended, and a late answer of last month's came in."""
    month = counts(due=3, ended=3, rated_raw=4, rated=4, positive=3)
    assert nonresponse_bounds(month) == (F(3, 4), F(3, 4))
    assert nonresponse_bounds(counts(due=0)) is None


def test_corrections_of_an_earlier_month_make_no_rate_of_nothing() -> None:
    """A removal that is booked in a month in which nobody answered leaves fewer than no ratings."""
    month = counts(closed=2, closed_on_time=2, signed_on_time=2, removed=1, rated=-1, positive=-1)
    assert assess(month, SETTINGS).score is None
    assert satisfaction_rate(month) is None and wilson(month.positive, month.rated) is None
    # A dissatisfied answer of last month is removed now: more satisfied ones than answers are all of them.
    assert wilson(F(5), F(4)) == wilson(F(4), F(4))


def test_corrections_of_an_earlier_month_lift_no_component_above_its_points() -> None:
    """Two closings of last month were on time after all, and two of its items are solved now."""
    month = counts(
        closed=2, closed_on_time=4, signed_on_time=3, rated_raw=5, rated=5, weight_first=5, resolved=7,
        resolved_answered=5,
    )  # fmt: skip
    assert [part.value for part in assess(month, SETTINGS).components] == [80, 40, 40, 20, 20]


def test_shrunk_towards_the_departments_mean() -> None:
    assert show(shrunk(B, [B, C], SETTINGS) or F(0), 4) == "0.7821"
    assert show(shrunk(C, [B, C], SETTINGS) or F(0), 4) == "0.8889"


def test_ranks_within_the_group() -> None:
    results = {"B": assess(B, SETTINGS), "C": assess(C, SETTINGS)}
    assert ranks(results, SETTINGS) == {"C": 1, "B": 2}


def test_equals_share_a_rank_and_small_samples_have_none() -> None:
    results = {
        name: assess(c, SETTINGS) for name, c in {"a": C, "b": A, "c": A, "d": B, "e": DECEMBER}.items()
    }
    assert ranks(results, SETTINGS) == {"a": 1, "b": 2, "c": 2, "d": 4}


RANKED_BY = [
    # setting, ranks of three units
    ("score", {"big": 2, "small": 1, "poor": 3}),
    ("wilson", {"big": 1, "small": 2, "poor": 3}),  # 95 of 100 is surer than 5 of 5
    ("shrunk", {"big": 1, "small": 2, "poor": 3}),  # as is what is drawn towards the mean
]


@pytest.mark.parametrize(("by", "expected"), RANKED_BY)
def test_what_the_rank_goes_by_is_a_setting(by: str, expected: dict[str, int]) -> None:
    settings = ScoringSettings(rank_by=by)  # type: ignore[arg-type]
    months = {
        "big": counts(rated=100, rated_raw=100, positive=95, weight_first=95),
        "small": counts(rated=5, rated_raw=5, positive=5, weight_first=5),
        "poor": counts(rated=50, rated_raw=50, positive=10, weight_first=10),
    }
    assert ranks({name: assess(month, settings) for name, month in months.items()}, settings) == expected


CAPPED = [
    # deductions, bonus, what they change of unit A's 179
    (2, 0, -2),
    (41, 0, -40),  # at most 40
    (0, 9, 5),  # at most 5
    (41, 9, -35),
]


@pytest.mark.parametrize(("deductions", "bonus", "change"), CAPPED)
def test_deductions_and_bonus_are_capped(deductions: int, bonus: int, change: int) -> None:
    month = A + counts(deductions=deductions, bonus=bonus)
    assert assess(month, SETTINGS).score == 179 + change


def test_a_score_is_never_above_200() -> None:
    month = counts(
        closed=5, closed_on_time=5, signed_on_time=5, rated=5, rated_raw=5, weight_first=5, resolved=5,
        resolved_answered=5, bonus=5,
    )  # fmt: skip
    assert assess(month, SETTINGS).score == 200


def test_the_formula_that_dongguan_published() -> None:
    """东莞 2019: 6,554 满意, 731 基本满意, 496 不满意 make 88.93 % (domain.md A1.1)."""
    month = counts(rated=7781, rated_raw=7781, weight_first=F(6554) + F(731, 2))
    assert percent(assess(month, SETTINGS).components[0].rate or F(0)) == "88.93%"


def test_without_the_question_its_points_go_pro_rata() -> None:
    """Nobody was asked "solved?" (texts alone): 160 points carry the 200."""
    month = counts(rated=8, rated_raw=8, weight_first=8, closed=10, closed_on_time=10, signed_on_time=10)
    result = assess(month, SETTINGS)
    assert [c.points for c in result.components] == [F(100), F(0), F(50), F(25), F(25)]
    assert result.score == 200


def test_nothing_rated_is_not_ranked() -> None:
    assert assess(counts(closed=3, closed_on_time=3), SETTINGS).listed_apart == "not_rated"


BANDS = [
    (F(180), "excellent"),
    (F("179.99"), "good"),
    (F(160), "good"),
    (F(120), "pass"),
    (F("119.99"), "fail"),
]


@pytest.mark.parametrize(("score", "name"), BANDS)
def test_bands(score: F, name: str) -> None:
    assert band(score) == name


whole = st.integers(0, 50).map(F)


@st.composite
def months(draw: st.DrawFn) -> Counts:
    rated = draw(whole)
    weights = F(draw(st.integers(0, int(2 * rated))), 2)
    closed, second = draw(whole), draw(whole)
    return Counts(
        closed=closed,
        closed_on_time=F(draw(st.integers(0, int(closed)))),
        signed_on_time=F(draw(st.integers(0, int(closed)))),
        rated=rated,
        rated_raw=rated,
        weight_first=weights,
        weight_delta=F(draw(st.integers(-20, 20)), 2),
        second_answered=second,
        second_not_dissatisfied=F(draw(st.integers(0, int(second)))),
        deductions=draw(whole),
        bonus=draw(whole),
    )


@given(months())
def test_a_score_stays_within_0_and_200_and_the_points_sum_to_200(month: Counts) -> None:
    result = assess(month, SETTINGS)
    assert sum(c.points for c in result.components) == 200
    assert result.score is None or 0 <= result.score <= 200


@given(st.lists(months(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_score_is_a_function_of_the_sums(parts: list[Counts], shuffle) -> None:
    mixed = list(parts)
    shuffle.shuffle(mixed)
    assert assess(sum(parts, Counts()), SETTINGS) == assess(sum(mixed, Counts()), SETTINGS)


@given(st.fractions(-1000, 1000))
def test_what_is_shown_is_rounded_once_and_half_up(value: F) -> None:
    shown = F(show(value))
    assert abs(shown - value) <= F(1, 200)
    assert abs(shown) == F(floor(abs(value) * 100 + F(1, 2)), 100)


SHOWN = [
    (F("0.005"), "0.01"),
    (F("-0.005"), "-0.01"),  # away from zero, as in a ledger
    (F(1, 200) - F(1, 10**40), "0.00"),  # rounded once: not to 0.005 first
    (F(1346, 7), "192.29"),
    (F(0), "0.00"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN)
def test_show(value: F, shown: str) -> None:
    assert show(value) == shown


@given(months())
def test_counts_survive_storing(month: Counts) -> None:
    assert Counts.of(month.as_texts()) == month


def test_an_unknown_count_is_named() -> None:
    with pytest.raises(KeyError, match="ratedd"):
        Counts.of({"ratedd": "1"})
