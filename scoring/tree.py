"""The units of a month: sums rolled up the tree, each assessed, siblings of a group ranked. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from callbacks.vocabulary import UnitGroup
from scoring.rules import (
    Assessment,
    Counts,
    assess,
    band,
    callback_rate,
    closing_rate,
    contact_rate,
    exact,
    nonresponse_bounds,
    ranks,
    response_rate,
    satisfaction_rate,
    shrunk,
    wilson,
)
from scoring.settings import ScoringSettings


@dataclass(frozen=True, slots=True)
class UnitOf:
    """A unit as sums need it; `parent` is the id of the one above it."""

    id: int
    code: str
    parent: int | None
    group: UnitGroup
    name: str = ""


@dataclass(frozen=True, slots=True)
class UnitAssessment:
    """A unit's month with what is below it; ranked among those of its group with the same parent."""

    unit_id: int
    assessment: Assessment
    item_points: Fraction | None
    rank: int | None
    shrunk: Fraction | None


class UnknownUnit(ValueError):
    """Counts of a unit that isn't among the units, or a unit below one that isn't."""


def roll_up(own: Mapping[int, Counts], units: Mapping[int, UnitOf]) -> dict[int, Counts]:
    """Each unit's own counts and those of all below it."""
    found: dict[int, Counts] = defaultdict(Counts)
    for unit_id, counts in own.items():
        for above in _upwards(unit_id, units):
            found[above] += counts
    return dict(found)


def _upwards(unit_id: int, units: Mapping[int, UnitOf]) -> list[int]:
    """The unit and those above it."""
    way: list[int] = []
    at: int | None = unit_id
    while at is not None:
        if at not in units or at in way:
            raise UnknownUnit(f"unit {at} isn't in the tree of units")
        way.append(at)
        at = units[at].parent
    return way


def assess_units(
    own: Mapping[int, Counts], units: Mapping[int, UnitOf], settings: ScoringSettings
) -> list[UnitAssessment]:
    """All units that have something, by code."""
    sums = roll_up(own, units)
    siblings: dict[tuple[UnitGroup, int | None], dict[str, Assessment]] = defaultdict(dict)
    for unit_id, counts in sums.items():
        unit = units[unit_id]
        siblings[unit.group, unit.parent][str(unit_id)] = assess(counts, settings)
    found = [
        each
        for (group, _), assessed in siblings.items()
        for each in _of_group(assessed, settings.item_points[group], settings)
    ]
    return sorted(found, key=lambda each: units[each.unit_id].code)


def _of_group(
    assessed: Mapping[str, Assessment], weight: Fraction, settings: ScoringSettings
) -> list[UnitAssessment]:
    places = ranks(assessed, settings)
    group = [each.counts for each in assessed.values()]
    return [
        UnitAssessment(
            int(unit),
            each,
            each.item_points(weight),
            places.get(unit),
            shrunk(each.counts, group, settings),
        )
        for unit, each in assessed.items()
    ]


def beside_the_score(of_unit: UnitAssessment, settings: ScoringSettings) -> dict[str, Any]:
    """What is printed beside the score: components, rates, interval and bounds, as exact texts."""
    each, c = of_unit.assessment, of_unit.assessment.counts
    bounds, interval = nonresponse_bounds(c), wilson(c.positive, c.rated)
    return {
        "parts": [{"name": part.name, **part.as_texts()} for part in each.components],
        "callback_rate": exact(callback_rate(c)),
        "response_rate": exact(response_rate(c)),
        "satisfaction_rate": exact(satisfaction_rate(c)),
        "contact_rate": exact(contact_rate(c)),
        "closing_rate": exact(closing_rate(c)),
        "wilson": None if interval is None else list(interval),
        "nonresponse_bounds": None if bounds is None else [str(bound) for bound in bounds],
        "shrunk": exact(of_unit.shrunk),
        "unreached_policy": settings.unreached_policy,
        "band": None if each.score is None else band(each.score),
    }
