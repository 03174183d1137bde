"""What a city sets for its scores (domain.md §4). Defaults are the domain's."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from callbacks.settings import Section
from callbacks.vocabulary import UnitGroup
from scoring.decisions import AdjustmentKind


def _exact(value: object) -> object:
    """TOML's 0.5 or "1/2", exactly."""
    if not isinstance(value, str | int | float):
        return value
    try:
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'{value!r} is no number; write 0.5 or "1/2"') from None


Exact = Annotated[Fraction, BeforeValidator(_exact), Field(ge=0)]
_TOTAL = Fraction(200)


class PointSettings(Section):
    """The points of the components; they sum to 200."""

    satisfaction: Exact = Fraction(80)
    resolution: Exact = Fraction(40)
    on_time: Exact = Fraction(40)
    signed: Exact = Fraction(20)
    rectified: Exact = Fraction(20)

    @model_validator(mode="after")
    def _whole(self) -> PointSettings:
        parts = (self.satisfaction, self.resolution, self.on_time, self.signed, self.rectified)
        if sum(parts) != _TOTAL:
            raise ValueError(f"the points sum to {sum(parts)}; they must sum to {_TOTAL}")
        return self


class AdjustmentSettings(Section):
    """What is taken, or given, once per item or case: a field for each `AdjustmentKind` (domain.md §4.2)."""

    second_dissatisfied: Exact = Fraction(2)
    rework_overdue: Exact = Fraction(2)
    false_closing: Exact = Fraction(5)
    wrongful_refusal: Exact = Fraction(1)
    commendation: Exact = Fraction(1)

    def of(self, kind: AdjustmentKind) -> Fraction:
        points: Fraction = getattr(self, kind.value)
        return points


class FlagSettings(Section):
    """What is odd enough in a month to be shown to the office; no score goes by it (domain.md §3.9)."""

    same_phone_cases: int = Field(3, ge=1, description="more closed cases of one number are a flag")
    exclusion_times: Exact = Field(Fraction(2), ge=1, description="more than so many times the group's mean")
    exclusion_closings: int = Field(20, ge=1, description="a share of fewer closings says nothing")
    quick_key: timedelta = Field(
        timedelta(milliseconds=800), description="from the prompt's start: nobody has heard a choice by then"
    )
    together_ratings: int = Field(3, ge=2, description="fewer of a day that come together are chance")
    together_within: timedelta = Field(timedelta(minutes=1), description="all ratings of a unit's day")
    loop_closings: int = Field(3, ge=2, description="a case's closing of this number, or a later one")


class ScoringSettings(Section):
    """`unreached_policy` other than exclude is printed on every report."""

    points: PointSettings = PointSettings()
    rework_credit: Exact = Field(
        Fraction(1, 2), le=1, description="ρ: what a rating mended by rework is worth"
    )
    min_rated: int = Field(5, ge=1)
    rank_by: Literal["score", "wilson", "shrunk"] = "score"
    shrink_k: int = Field(5, ge=0)
    item_points: dict[UnitGroup, Exact] = Field(
        default_factory=lambda: {UnitGroup.COUNTY: Fraction(40), UnitGroup.DEPT: Fraction(50)}
    )
    adjustments: AdjustmentSettings = AdjustmentSettings()
    deduction_cap: Exact = Fraction(40)
    bonus_cap: Exact = Fraction(5)
    sign_within: timedelta = Field(timedelta(hours=24), description="from 交办 to 签收, for 按时签收率")
    unreached_policy: Literal["exclude", "assume_satisfied", "assume_dissatisfied"] = "exclude"
    red_list: int = Field(5, ge=0, le=100, description="红榜: so many first places of each group")
    black_list: int = Field(5, ge=0, le=100, description="黑榜: so many last places of all ranked units")

    flags: FlagSettings = FlagSettings()

    @model_validator(mode="after")
    def _every_group_has_points(self) -> ScoringSettings:
        if missing := [group.value for group in UnitGroup if group not in self.item_points]:
            raise ValueError(f"item_points lacks {', '.join(missing)}; every group has its points")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides a score, and of flags that aren't the usual ones.

        The usual ones aren't in it: months that were published before flags were settings keep their version.
        """
        usual = self.flags == FlagSettings()
        return hashlib.sha256(self.model_dump_json(exclude={"flags"} if usual else None).encode()).hexdigest()

    @property
    def version(self) -> str:
        """The first 12 hex digits of the digest."""
        return self.digest[:12]
