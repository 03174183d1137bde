"""What is flagged, at its edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callbacks.vocabulary import UnitGroup
from prompts.place import PromptPlace
from scoring.flags import Excluded, all_at_once, quick_before, stands_out
from scoring.prompt_lengths import prompt_seconds
from scoring.settings import FlagSettings

USUAL = FlagSettings()
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def unit(id_: int, closed: int, excluded: int, group: UnitGroup = UnitGroup.DEPT) -> Excluded:
    return Excluded(id_, group, closed, excluded)


@pytest.mark.parametrize(
    ("units", "flagged"),
    [
        ([unit(1, 100, 30), unit(2, 200, 0)], [1]),  # 30 % against a mean of 10 %
        ([unit(1, 100, 20), unit(2, 100, 0)], []),  # twice the mean isn't more than twice
        ([unit(1, 19, 19), unit(2, 400, 0)], []),  # too few closings to say anything
        ([unit(1, 100, 0)], []),
        ([unit(1, 100, 30), unit(2, 200, 0, UnitGroup.COUNTY)], []),  # each group has its own mean
        ([], []),
    ],
)
def test_exclusions_stand_out_against_the_group(units: list[Excluded], flagged: list[int]) -> None:
    assert [found.unit_id for found, _ in stands_out(units, USUAL)] == flagged


@pytest.mark.parametrize(
    ("number", "seconds", "flagged"),
    [(3, 60, True), (3, 61, False), (2, 0, False), (40, 5, True)],
)
def test_ratings_that_came_together(number: int, seconds: int, flagged: bool) -> None:
    assert all_at_once(number, NOON, NOON + timedelta(seconds=seconds), USUAL) is flagged


def test_a_key_is_too_quick_by_its_prompts_start() -> None:
    assert quick_before(9.5, USUAL) == -8700  # 0.8 s after the start of 9.5 s is 8.7 s before the end
    assert 3 < prompt_seconds(PromptPlace())["q_rating"] < 20


def test_a_city_sets_what_is_odd() -> None:
    """Half as strict, twice as strict: what was flagged isn't, and the other way round."""
    lax = FlagSettings(exclusion_times="4", together_ratings=4, quick_key="PT0.4S")
    strict = FlagSettings(exclusion_closings=10, together_within="PT2M")
    units = [
        unit(1, 100, 30),
        unit(2, 200, 0),
        unit(3, 19, 19, UnitGroup.COUNTY),
        unit(4, 400, 0, UnitGroup.COUNTY),
    ]
    assert [found.unit_id for found, _ in stands_out(units, lax)] == []
    assert [found.unit_id for found, _ in stands_out(units, strict)] == [3, 1]
    assert all_at_once(3, NOON, NOON + timedelta(seconds=60), lax) is False
    assert all_at_once(3, NOON, NOON + timedelta(seconds=61), strict) is True
    assert quick_before(9.5, lax) == -9100
