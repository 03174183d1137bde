"""The bars and lines of scores as places in an SVG; the words and numbers stand beside them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from scoring.rules import FULL, show

BAR = 96  # a rate of 1, in pixels
WIDTH, HEIGHT, LEFT, TOP = 720, 168, 40, 12
_DEPTH = 120  # a score of 200, in pixels


@dataclass(frozen=True, slots=True)
class Bar:
    """A grey range and a mark on it, in pixels from the left."""

    x: str
    width: str
    mark: str


def bounds_bar(rate: Fraction | None, bounds: tuple[Fraction, Fraction] | None) -> Bar | None:
    """Where 满意率 would lie, whatever those who didn't answer would have said; None without bounds."""
    if bounds is None or rate is None:
        return None
    low, high = bounds
    width = max((high - low) * BAR, Fraction(2))
    return Bar(
        show(low * BAR, 1), show(width, 1), show(min(max(rate * BAR - 1, Fraction(0)), Fraction(BAR - 2)), 1)
    )


@dataclass(frozen=True, slots=True)
class Dot:
    """A month; `y` is None where there is no score."""

    month: str
    x: int
    y: int | None


@dataclass(frozen=True, slots=True)
class Trend:
    """`lines` join the months that follow each other with a score."""

    dots: tuple[Dot, ...]
    lines: tuple[str, ...]


def trend(scores: Sequence[tuple[str, Fraction | None]]) -> Trend:
    """Months from left to right, 0 to 200 from below."""
    step = (WIDTH - LEFT) // max(1, len(scores))
    dots = tuple(
        Dot(month, LEFT + step // 2 + place * step, None if score is None else height_of(score))
        for place, (month, score) in enumerate(scores)
    )
    lines: list[list[str]] = [[]]
    for dot in dots:
        if dot.y is None:
            lines.append([])
        else:
            lines[-1].append(f"{dot.x},{dot.y}")
    return Trend(dots, tuple(" ".join(line) for line in lines if len(line) > 1))


def height_of(score: Fraction) -> int:
    return TOP + _DEPTH - round(score / FULL * _DEPTH)
