"""When deciders agree, and what the second dissatisfied rating covers."""

from __future__ import annotations

import pytest

from scoring.decisions import DECIDING, AdjustmentKind, is_covered, verdict
from scoring.item_states import ItemTrigger
from scoring.settings import ScoringSettings
from scoring.web.permissions import ROLES, Permission

_T = ItemTrigger


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], None),
        ([True], None),
        ([True, True], True),
        ([False, False], False),
        ([True, False], None),  # a third is asked
        ([True, False, True], True),
        ([False, True, False], False),
    ],
)
def test_two_of_one_mind_decide(words: list[bool], found: bool | None) -> None:
    assert verdict(words) is found


@pytest.mark.parametrize(
    ("kind", "steps", "covered"),
    [
        (AdjustmentKind.REWORK_OVERDUE, [_T.SIGN, _T.SUPERVISE], False),  # overdue by itself
        (AdjustmentKind.REWORK_OVERDUE, [_T.SUBMIT, _T.ACCEPT, _T.DISSATISFIED], True),  # the escalation's
        (AdjustmentKind.REWORK_OVERDUE, [_T.DISSATISFIED_AGAIN], True),
        (
            AdjustmentKind.REWORK_OVERDUE,
            [_T.DISSATISFIED, _T.REWORK, _T.SUPERVISE],
            False,
        ),  # overdue after it
        (AdjustmentKind.SECOND_DISSATISFIED, [_T.DISSATISFIED], False),  # is what covers
        (AdjustmentKind.FALSE_CLOSING, [_T.DISSATISFIED], False),  # another matter
    ],
)
def test_the_escalation_is_covered_by_the_rating(
    kind: AdjustmentKind, steps: list[ItemTrigger], covered: bool
) -> None:
    assert is_covered(kind, steps) is covered


def test_the_points_are_the_domains_and_decide_the_version() -> None:
    settings = ScoringSettings()
    assert [int(settings.adjustments.of(kind)) for kind in AdjustmentKind] == [2, 2, 5, 1, 1]
    other = ScoringSettings.model_validate({"adjustments": {"false_closing": 6}})
    assert other.version != settings.version


def test_those_who_decide_are_those_whom_the_desk_lets() -> None:
    assert {role for role, rights in ROLES.items() if Permission.DECIDE in rights} == DECIDING
