"""A citizen's number as a trunk wants it dialled."""

from __future__ import annotations

from ivr.dialplan import DialPlan
from ivr.line import LineError
from ivr.trunk_numbers import BadRewrite, rewritten
from ivr.trunk_settings import TrunkSettings

__all__ = ["dialled"]


def dialled(plan: DialPlan, number: str, trunk: TrunkSettings) -> str:
    """NotDialled where the number isn't a citizen's; LineError where the trunk's rules are at fault."""
    try:
        return rewritten(plan.citizen(number, trunk.out_of_area_zero), trunk.number_rules)
    except BadRewrite as error:
        raise LineError(f"trunk {trunk.name}: {error}") from error
