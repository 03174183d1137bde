"""A unit's score step by step with its own numbers, as anyone can redo it by hand (domain.md §4.2). Pure.

Nothing is rounded on the way: what doesn't end as a decimal is a fraction, with four places beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from scoring.rules import FULL, Component, Counts, clamp, show
from scoring.settings import ScoringSettings

_PLACES = 6


@dataclass(frozen=True, slots=True)
class Step:
    """`what` is S, RES, T, A, Q, one of them with points ("80·S"), "base", "score" or "points"."""

    what: str
    how: str
    value: str


def exact(value: Fraction) -> str:
    """ "0.875" where the decimals end within six places, else "13/14"."""
    scaled = value * 10**_PLACES
    if scaled.denominator != 1:
        return str(value)
    text = show(value, _PLACES)
    return text.rstrip("0").rstrip(".")


def _said(value: Fraction) -> str:
    text = exact(value)
    return f"{text} ≈ {show(value, 4)}" if "/" in text else text


def work_out(
    c: Counts, components: Sequence[Component], settings: ScoringSettings, weight: Fraction
) -> tuple[Step, ...]:
    """All steps from the counts to 折算分; without a rating there is no score, and they end before it."""
    steps = [_rate(part, c, settings) for part in components]
    steps += [_points(part, components, settings) for part in components]
    base = sum((part.value for part in components), Fraction(0))
    if c.rated <= 0:
        return tuple(steps)
    steps.append(Step("base", " + ".join(exact(part.value) for part in components), _said(base)))
    taken, given = min(c.deductions, settings.deduction_cap), min(c.bonus, settings.bonus_cap)
    score = clamp(base - taken + given, Fraction(0), FULL)
    how = f"{exact(base)} − {_capped(c.deductions, taken)} + {_capped(c.bonus, given)}"
    steps.append(Step("score", how, _shown(score)))
    steps.append(Step("points", f"{exact(score)} ÷ 200 × {exact(weight)}", _shown(score / FULL * weight)))
    return tuple(steps)


def _shown(value: Fraction) -> str:
    """The printed two places, and the exact value where they aren't it."""
    two = show(value)
    return two if Fraction(two) == value else f"{exact(value)} ≈ {two}"


def _capped(whole: Fraction, taken: Fraction) -> str:
    return exact(taken) if whole == taken else f"min({exact(whole)}, {exact(taken)})"


def _rate(part: Component, c: Counts, settings: ScoringSettings) -> Step:
    if part.denominator <= 0:
        return Step(part.name, "", "—" if part.rate is None else exact(part.rate))
    assert part.rate is not None
    raw = part.numerator / part.denominator
    how = f"{_numerator(part, c, settings)} ÷ {_denominator(part, c, settings)}"
    if raw != part.rate:
        how = f"clamp({how}, 0, 1)"
    return Step(part.name, how, _said(part.rate))


def _numerator(part: Component, c: Counts, settings: ScoringSettings) -> str:
    if part.name != "S":
        return exact(part.numerator)
    terms = [exact(c.weight_first), f"{exact(settings.rework_credit)} × {_signed(c.weight_delta)}"]
    if settings.unreached_policy == "assume_satisfied":
        terms.append(exact(c.unreached))
    return f"({' + '.join(terms)})"


def _signed(value: Fraction) -> str:
    return f"({exact(value)})" if value < 0 else exact(value)


def _denominator(part: Component, c: Counts, settings: ScoringSettings) -> str:
    if part.name in ("T", "A"):
        return f"({exact(c.closed)} + {exact(c.overdue_open)})"
    if part.name == "S" and settings.unreached_policy != "exclude":
        return f"({exact(c.rated)} + {exact(c.unreached)})"
    return exact(part.denominator)


def _points(part: Component, components: Sequence[Component], settings: ScoringSettings) -> Step:
    """The component's points times its rate; where others don't apply, with its share of theirs."""
    p = settings.points
    full = {"S": p.satisfaction, "RES": p.resolution, "T": p.on_time, "A": p.signed, "Q": p.rectified}
    own = full[part.name]
    if part.rate is None:
        return Step(f"{exact(own)}·{part.name}", "", "—")
    points = exact(own)
    if part.points != own:
        applicable = sum((full[other.name] for other in components if other.rate is not None), Fraction(0))
        points = f"{exact(own)} × 200 ÷ {exact(applicable)}"
    return Step(f"{exact(own)}·{part.name}", f"{points} × {exact(part.rate)}", _said(part.value))
