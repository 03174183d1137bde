"""The scales on which a citizen rates (domain.md §1): one mapping for every channel, never inverted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Scale:
    """A rating scale. `weights[value]` is what a rating is worth in the satisfaction index, 0 to 1."""

    name: str
    labels: dict[int, str]
    positive: frozenset[int]
    dissatisfied: frozenset[int]
    weights: dict[int, Fraction]

    def __contains__(self, value: object) -> bool:
        return value in self.labels

    def weight(self, value: int) -> Fraction:
        """The weight of `value`; KeyError when the scale has no such value."""
        return self.weights[value]


CN3 = Scale(
    name="cn3",
    labels={1: "满意", 2: "基本满意", 3: "不满意"},
    positive=frozenset({1, 2}),
    dissatisfied=frozenset({3}),
    weights={1: Fraction(1), 2: Fraction(1, 2), 3: Fraction(0)},
)

CN5 = Scale(
    name="cn5",
    labels={1: "非常满意", 2: "满意", 3: "基本满意", 4: "不满意", 5: "非常不满意"},
    positive=frozenset({1, 2}),
    dissatisfied=frozenset({4, 5}),
    weights={1: Fraction(1), 2: Fraction(1), 3: Fraction(1, 2), 4: Fraction(0), 5: Fraction(0)},
)

SCALES = {scale.name: scale for scale in (CN3, CN5)}
