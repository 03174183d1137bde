"""The worked formula: domain.md §4.3 to the last digit, and what isn't plain."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.rules import Counts, assess
from scoring.settings import ScoringSettings
from scoring.worked import exact, work_out
from tests.unit.test_scoring_rules import A, B, C, counts


def steps(c: Counts, weight: int, **settings: object) -> dict[str, tuple[str, str]]:
    of = ScoringSettings.model_validate(settings)
    return {
        step.what: (step.how, step.value) for step in work_out(c, assess(c, of).components, of, F(weight))
    }


def test_the_worked_example_to_the_last_digit() -> None:
    assert steps(A, 40) == {
        "S": ("(6.5 + 0.5 × 1) ÷ 8", "0.875"),
        "RES": ("7 ÷ 8", "0.875"),
        "T": ("9 ÷ (10 + 0)", "0.9"),
        "A": ("9 ÷ (10 + 0)", "0.9"),
        "Q": ("1 ÷ 1", "1"),
        "80·S": ("80 × 0.875", "70"),
        "40·RES": ("40 × 0.875", "35"),
        "40·T": ("40 × 0.9", "36"),
        "20·A": ("20 × 0.9", "18"),
        "20·Q": ("20 × 1", "20"),
        "base": ("70 + 35 + 36 + 18 + 20", "179"),
        "score": ("179 − 0 + 0", "179.00"),
        "points": ("179 ÷ 200 × 40", "35.80"),
    }
    b, c = steps(B, 50), steps(C, 50)
    assert (b["base"], b["score"], b["points"][1]) == (
        ("60 + 30 + 32 + 20 + 0", "142"),
        ("142 − 2 + 0", "140.00"),
        "35.00",
    )
    assert c["S"] == ("(6.5 + 0.5 × 0) ÷ 7", "13/14 ≈ 0.9286")
    assert c["80·S"] == ("80 × 13/14", "520/7 ≈ 74.2857")
    assert c["base"] == ("520/7 + 40 + 40 + 18 + 20", "1346/7 ≈ 192.2857")
    assert c["Q"] == ("", "1")
    assert c["score"] == ("1346/7 − 0 + 0", "1346/7 ≈ 192.29")
    assert c["points"][1] == "673/14 ≈ 48.07"


@pytest.mark.parametrize(
    ("policy", "how"),
    [
        ("assume_satisfied", "(6.5 + 0.5 × 0 + 2) ÷ (7 + 2)"),
        ("assume_dissatisfied", "(6.5 + 0.5 × 0) ÷ (7 + 2)"),
    ],
)
def test_a_policy_for_the_unreached_shows_in_the_formula(policy: str, how: str) -> None:
    assert steps(C + counts(unreached=2), 50, unreached_policy=policy)["S"][0] == how


def test_points_of_what_does_not_apply_are_given_to_the_others_in_the_open() -> None:
    nothing_closed = counts(rated=5, rated_raw=5, positive=5, weight_first=5, resolved=5, resolved_answered=5)
    found = steps(nothing_closed, 40)
    assert found["T"] == ("", "—")
    assert found["40·T"] == ("", "—")
    assert found["80·S"] == ("80 × 200 ÷ 140 × 1", "800/7 ≈ 114.2857")
    assert found["base"][1] == "200"


def test_caps_and_the_clamp_are_in_the_formula() -> None:
    found = steps(A + counts(deductions=44, bonus=9, weight_delta=6), 40)
    assert found["S"] == ("clamp((6.5 + 0.5 × 7) ÷ 8, 0, 1)", "1")
    assert found["score"][0].endswith("− min(44, 40) + min(9, 5)")


def test_without_a_rating_there_is_no_score_to_work_out() -> None:
    assert "score" not in steps(counts(closed=3, closed_on_time=3, signed_on_time=3), 40)


@given(st.fractions(0, 200, max_denominator=10**9))
def test_what_is_written_is_the_number(value: F) -> None:
    assert F(exact(value)) == value
