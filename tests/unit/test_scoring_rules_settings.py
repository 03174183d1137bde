"""What a city may set for its scores, and what is refused at the start (domain.md §4)."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from pydantic import ValidationError

from callbacks.vocabulary import UnitGroup
from scoring.settings import FlagSettings, ScoringSettings
from scoring.settings_toml import read_scoring, write_scoring


def test_the_domains_defaults() -> None:
    settings = ScoringSettings()
    points = settings.points
    parts = (points.satisfaction, points.resolution, points.on_time, points.signed, points.rectified)
    assert parts == (80, 40, 40, 20, 20)
    assert (settings.rework_credit, settings.min_rated, settings.shrink_k) == (F(1, 2), 5, 5)
    assert settings.item_points == {UnitGroup.COUNTY: 40, UnitGroup.DEPT: 50}
    assert (settings.rank_by, settings.unreached_policy) == ("score", "exclude")


WRITTEN = [
    (0.3, F(3, 10)),  # as TOML reads it: three tenths, not the nearest binary number
    ("1/3", F(1, 3)),
    (1, F(1)),
    ("0.25", F(1, 4)),
]


@pytest.mark.parametrize(("written", "exact"), WRITTEN)
def test_numbers_are_exact(written: object, exact: F) -> None:
    assert ScoringSettings.model_validate({"rework_credit": written}).rework_credit == exact


REFUSED = [
    # what is set, what the message says
    ({"points": {"satisfaction": 100}}, "the points sum to 220; they must sum to 200"),
    ({"points": {"satisfaction": 120, "signed": -20}}, "greater than or equal to 0"),
    ({"rework_credit": "1/0"}, "'1/0' is no number"),
    ({"rework_credit": "half"}, "'half' is no number"),
    ({"rework_credit": 1.5}, "less than or equal to 1"),
    ({"item_points": {"county": 40}}, "item_points lacks dept"),
    ({"deduction_cap": -1}, "greater than or equal to 0"),
    ({"rank_by": "votes"}, "'score', 'wilson' or 'shrunk'"),
    ({"min_rated": 0}, "greater than or equal to 1"),
    ({"unreached_policy": "assume"}, "'exclude', 'assume_satisfied' or 'assume_dissatisfied'"),
    ({"weight": 1}, "Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("values", "told"), REFUSED)
def test_what_makes_no_score_is_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ScoringSettings.model_validate(values)
    assert told in str(refused.value)


def test_each_change_has_a_version_of_its_own() -> None:
    versions = {
        ScoringSettings().version,
        ScoringSettings(min_rated=4).version,
        ScoringSettings(rework_credit=F(1, 3)).version,
        ScoringSettings(rank_by="wilson").version,
        ScoringSettings(flags=FlagSettings(loop_closings=2)).version,
    }
    assert len(versions) == 5
    assert ScoringSettings(min_rated=5).version == ScoringSettings().version


def test_a_version_that_was_published_stays_though_settings_are_added() -> None:
    """As printed on the bulletins of the first months."""
    assert ScoringSettings().version == "543dc8203297"


def test_flags_are_written_and_read_with_the_others() -> None:
    settings = ScoringSettings(flags=FlagSettings(exclusion_times="5/2", quick_key="PT1.2S"))
    assert read_scoring(write_scoring(settings)) == settings
    assert read_scoring(write_scoring(settings)).digest == settings.digest
