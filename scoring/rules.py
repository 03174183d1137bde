"""A unit's month: counts in, rates, components, score and rank out (domain.md §4). Pure and exact.

Everything is a Fraction; `show` rounds half-up to two places, for people only. A score is a pure function of
the sums of counts, so neither the order of entries nor their number matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from math import floor, sqrt

from scoring.settings import ScoringSettings

FULL = Fraction(200)
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a unit in a month (domain.md §4.1)."""

    closed: Fraction = Fraction(0)
    overdue_open: Fraction = Fraction(0)
    open: Fraction = Fraction(0)
    closed_on_time: Fraction = Fraction(0)
    signed_on_time: Fraction = Fraction(0)
    due: Fraction = Fraction(0)
    ended: Fraction = Fraction(0)
    rated_raw: Fraction = Fraction(0)
    removed: Fraction = Fraction(0)
    rated: Fraction = Fraction(0)
    positive: Fraction = Fraction(0)
    weight_first: Fraction = Fraction(0)
    weight_delta: Fraction = Fraction(0)
    resolved: Fraction = Fraction(0)
    resolved_answered: Fraction = Fraction(0)
    second_answered: Fraction = Fraction(0)
    second_not_dissatisfied: Fraction = Fraction(0)
    deductions: Fraction = Fraction(0)
    bonus: Fraction = Fraction(0)
    contacted: Fraction = Fraction(0)  # of `due`: somebody answered, by whatever channel
    unreached: Fraction = Fraction(0)  # of `due`: ended without anybody reached
    without_number: Fraction = Fraction(0)  # of `closed`: came without a citizen's number

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def times(self, number: int) -> Counts:
        """The same change `number` times over."""
        return Counts(*(getattr(self, f.name) * number for f in fields(self)))

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Counts:
        """From stored texts: `{"rated": "1", "weight_first": "1/2"}`; KeyError for an unknown name."""
        known = {f.name for f in fields(cls)}
        if unknown := set(values) - known:
            raise KeyError(f"no such count: {', '.join(sorted(unknown))}")
        return cls(**{name: Fraction(str(value)) for name, value in values.items()})

    def as_texts(self) -> dict[str, str]:
        """Exact texts of what isn't zero."""
        return {f.name: str(getattr(self, f.name)) for f in fields(self) if getattr(self, f.name)}


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the score. `rate` is None where its denominator is 0; its `points` then go to the others."""

    name: str
    numerator: Fraction
    denominator: Fraction
    rate: Fraction | None
    points: Fraction
    value: Fraction

    def as_texts(self) -> dict[str, str | None]:
        """Exact, without the name."""
        return {
            "numerator": str(self.numerator),
            "denominator": str(self.denominator),
            "rate": exact(self.rate),
            "points": str(self.points),
            "value": str(self.value),
        }


@dataclass(frozen=True, slots=True)
class Assessment:
    """A unit's month. `score` and `item_points` are None where nothing was rated."""

    counts: Counts
    components: tuple[Component, ...]
    score: Fraction | None
    listed_apart: str | None  # "not_rated", "small_sample"

    def item_points(self, weight: Fraction) -> Fraction | None:
        """折算分: score/200 of the group's points."""
        return None if self.score is None else self.score / FULL * weight


def ratio(numerator: Fraction, denominator: Fraction) -> Fraction | None:
    """None, never 0 or 1, where there is nothing to divide by.

    Corrections of an earlier month (domain.md §4.1) can leave less than nothing: that is no rate either.
    """
    return numerator / denominator if denominator > 0 else None


def clamp(value: Fraction, low: Fraction, high: Fraction) -> Fraction:
    return min(max(value, low), high)


def callback_rate(c: Counts) -> Fraction | None:
    """回访率 = ended/due."""
    return ratio(c.ended, c.due)


def response_rate(c: Counts) -> Fraction | None:
    """参评率 = rated_raw/due."""
    return ratio(c.rated_raw, c.due)


def contact_rate(c: Counts) -> Fraction | None:
    """接通率 = contacted/due."""
    return ratio(c.contacted, c.due)


def satisfaction_rate(c: Counts) -> Fraction | None:
    """满意率, the headline: positive first ratings/rated."""
    return ratio(c.positive, c.rated)


def closing_rate(c: Counts) -> Fraction | None:
    """办结率 = closed/(closed + open), shown, not scored."""
    return ratio(c.closed, c.closed + c.open)


def share(numerator: Fraction, denominator: Fraction) -> Fraction | None:
    """A ratio that is scored, held within 0 and 1.

    A month's lines may be about an earlier one (domain.md §4.1): a second answer or a correction brings a
    numerator whose denominator counted then. None where there is nothing to divide by.
    """
    found = ratio(numerator, denominator)
    return None if found is None else clamp(found, Fraction(0), Fraction(1))


def satisfaction_index(c: Counts, settings: ScoringSettings) -> Fraction | None:
    """满意指数 S = clamp((Σ w_first + ρ·Σ(w_second − w_first))/rated, 0, 1).

    Under another `unreached_policy` than exclude the unreached join as satisfied or as dissatisfied ones.
    """
    return share(*_index_parts(c, settings))


def _index_parts(c: Counts, settings: ScoringSettings) -> tuple[Fraction, Fraction]:
    weights = c.weight_first + settings.rework_credit * c.weight_delta
    match settings.unreached_policy:
        case "exclude":
            return weights, c.rated
        case "assume_satisfied":
            return weights + c.unreached, c.rated + c.unreached
        case "assume_dissatisfied":
            return weights, c.rated + c.unreached


def assess(c: Counts, settings: ScoringSettings) -> Assessment:
    """The components, points of those that don't apply given pro rata to the others, and the score."""
    components = _redistributed(_components(c, settings))
    if c.rated <= 0:
        return Assessment(c, components, None, "not_rated")
    base = sum((component.value for component in components), Fraction(0))
    deductions = min(c.deductions, settings.deduction_cap)
    bonus = min(c.bonus, settings.bonus_cap)
    score = clamp(base - deductions + bonus, Fraction(0), FULL)
    return Assessment(c, components, score, "small_sample" if c.rated < settings.min_rated else None)


def _components(
    c: Counts, settings: ScoringSettings
) -> list[tuple[str, Fraction, Fraction, Fraction | None, Fraction]]:
    """Name, numerator, denominator, rate and full points."""
    p = settings.points
    known = c.closed + c.overdue_open
    weights, base = _index_parts(c, settings)
    rectified = share(c.second_not_dissatisfied, c.second_answered)
    return [
        ("S", weights, base, satisfaction_index(c, settings), p.satisfaction),
        ("RES", c.resolved, c.resolved_answered, share(c.resolved, c.resolved_answered), p.resolution),
        ("T", c.closed_on_time, known, share(c.closed_on_time, known), p.on_time),
        ("A", c.signed_on_time, known, share(c.signed_on_time, known), p.signed),
        # No second callback: nothing was left unmended, so Q is 1 and always applies.
        (
            "Q",
            c.second_not_dissatisfied,
            c.second_answered,
            Fraction(1) if rectified is None else rectified,
            p.rectified,
        ),
    ]


def _redistributed(
    parts: Sequence[tuple[str, Fraction, Fraction, Fraction | None, Fraction]],
) -> tuple[Component, ...]:
    full = sum((points for *_, points in parts), Fraction(0))
    applicable = sum((points for *_, rate, points in parts if rate is not None), Fraction(0))
    components = []
    for name, numerator, denominator, rate, points in parts:
        share = points * full / applicable if rate is not None else Fraction(0)
        components.append(Component(name, numerator, denominator, rate, share, share * (rate or 0)))
    return tuple(components)


def band(score: Fraction) -> str:
    """优秀 ≥ 90 %, 良好 80, 合格 60, below 不合格, as stored words."""
    share = score / FULL
    for name, least in (("excellent", 90), ("good", 80), ("pass", 60)):
        if share >= Fraction(least, 100):
            return name
    return "fail"


def wilson(successes: Fraction, n: Fraction) -> tuple[float, float] | None:
    """The 95 % interval of a rate; None without observations."""
    if n <= 0:
        return None
    p, count = float(clamp(successes / n, Fraction(0), Fraction(1))), float(n)
    centre = p + _Z95**2 / (2 * count)
    spread = _Z95 * sqrt(p * (1 - p) / count + _Z95**2 / (4 * count**2))
    scale = 1 + _Z95**2 / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def nonresponse_bounds(c: Counts) -> tuple[Fraction, Fraction] | None:
    """What 满意率 would be if all who didn't answer were dissatisfied, or satisfied (domain.md §3.2).

    A late answer counts in the month it arrives, its callback in an earlier one's `due`: so a month can have
    more ratings than callbacks, and then nobody was silent.
    """
    silent = max(c.due - c.rated_raw, Fraction(0))
    base = c.rated + silent
    return (c.positive / base, (c.positive + silent) / base) if base > 0 else None


def shrunk(c: Counts, group: Sequence[Counts], settings: ScoringSettings) -> Fraction | None:
    """S drawn towards the group's mean: (n·S + k·mean)/(n + k); mean over the group's ratings."""
    own = satisfaction_index(c, settings)
    total = sum(group, Counts())
    mean = ratio(*_index_parts(total, settings))
    if own is None or mean is None:
        return None
    return (c.rated * own + settings.shrink_k * mean) / (c.rated + settings.shrink_k)


def ranks(assessed: Mapping[str, Assessment], settings: ScoringSettings) -> dict[str, int]:
    """Ranks within one group, best first; equals share (1, 2, 2, 4). Units listed apart have none."""
    ranked = {unit: a for unit, a in assessed.items() if a.listed_apart is None}
    group = [a.counts for a in assessed.values()]
    keys = {unit: _rank_key(a, group, settings) for unit, a in ranked.items()}
    return {unit: 1 + sum(other > key for other in keys.values()) for unit, key in keys.items()}


def _rank_key(a: Assessment, group: Sequence[Counts], settings: ScoringSettings) -> Fraction:
    if settings.rank_by == "wilson":
        interval = wilson(a.counts.positive, a.counts.rated)
        return Fraction(0) if interval is None else Fraction(interval[0])
    if settings.rank_by == "shrunk":
        return shrunk(a.counts, group, settings) or Fraction(0)
    return a.score or Fraction(0)


def exact(value: Fraction | None) -> str | None:
    """ "2692/14"; None where there is none."""
    return None if value is None else str(value)


def show(value: Fraction, places: int = 2) -> str:
    """Half-up (away from zero), for people: 179.00, 48.07. Rounded once, from the exact value."""
    rounded = floor(abs(value) * 10**places + Fraction(1, 2))
    return str(Decimal(-rounded if value < 0 else rounded).scaleb(-places))


def percent(value: Fraction) -> str:
    """88.93%."""
    return f"{show(value * 100)}%"
