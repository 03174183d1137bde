"""`huifang assess`: a published table, computed again from its exported inputs by whoever doubts it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from scoring.month_inputs import MonthInputs
from scoring.rules import band, exact, show
from scoring.settings import ScoringSettings
from scoring.tree import UnitAssessment, UnitOf, assess_units, beside_the_score


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The table, with what it was computed from."""

    inputs: MonthInputs
    settings: ScoringSettings
    assessed: Sequence[UnitAssessment]

    def unit(self, each: UnitAssessment) -> UnitOf:
        return self.inputs.units[each.unit_id]


def recompute(inputs: MonthInputs, settings: ScoringSettings) -> Recomputed:
    """Assesses the units of a file of inputs."""
    return Recomputed(inputs, settings, assess_units(inputs.sums, inputs.units, settings))


def as_json(of: Recomputed) -> dict[str, Any]:
    """What `--json` writes: exact fractions, and what is shown of them."""
    return {
        "inputs": {"sha256": of.inputs.digest, "entries": of.inputs.entries},
        "settings_version": of.settings.version,
        "settings_sha256": of.settings.digest,
        "unreached_policy": of.settings.unreached_policy,
        "units": [_unit(of, each) for each in of.assessed],
    }


_RATES = (
    "callback_rate",
    "contact_rate",
    "response_rate",
    "satisfaction_rate",
    "closing_rate",
    "wilson",
    "nonresponse_bounds",
    "shrunk",
)


def _unit(of: Recomputed, each: UnitAssessment) -> dict[str, Any]:
    unit, assessment = of.unit(each), each.assessment
    beside = beside_the_score(each, of.settings)
    return {
        "unit": unit.code,
        "parent": None if unit.parent is None else of.inputs.units[unit.parent].code,
        "group": unit.group.value,
        "rank": each.rank,
        "listed_apart": assessment.listed_apart,
        "score": exact(assessment.score),
        "score_shown": _shown(assessment.score),
        "item_points": exact(each.item_points),
        "item_points_shown": _shown(each.item_points),
        "band": None if assessment.score is None else band(assessment.score),
        "components": {part.name: part.as_texts() for part in assessment.components},
        "rates": {name: beside[name] for name in _RATES},
        "counts": assessment.counts.as_texts(),
    }


def _shown(value: Fraction | None) -> str:
    return "—" if value is None else show(value)


def as_lines(of: Recomputed) -> list[str]:
    """The table for a terminal: ranked units of each group first."""
    lines = [
        f"inputs   {of.inputs.digest}  ({of.inputs.entries} entries)",
        f"settings {of.settings.digest}"
        + (
            ""
            if of.settings.unreached_policy == "exclude"
            else f"  unreached: {of.settings.unreached_policy}"
        ),
    ]
    for group in dict.fromkeys(of.unit(each).group for each in of.assessed):
        lines += ["", group.value]
        mine = [each for each in of.assessed if of.unit(each).group is group]
        lines += [
            _line(of, each) for each in sorted(mine, key=lambda each: (each.rank is None, each.rank or 0))
        ]
    return lines


def _line(of: Recomputed, each: UnitAssessment) -> str:
    unit, assessment = of.unit(each), each.assessment
    place = str(each.rank) if each.rank is not None else "—"
    below = "  " if unit.parent is not None else ""
    apart = "" if assessment.listed_apart is None else f"  {assessment.listed_apart}"
    score, points = _shown(assessment.score), _shown(each.item_points)
    return f"{place:>4}  {below}{unit.code:<12} {score:>7} {points:>6}{apart}"
