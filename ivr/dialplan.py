"""Who may be called, and how a trunk wants it dialled (domain.md §1, §2). Pure.

Case data reaches `citizen` alone. Desks, operators and agents are named in `[targets]`, an explicit
list that `target` looks up by name, so that no case can bring a call to a desk or to 110.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from callbacks.numbers import EMERGENCY, MOBILE, BadNumber, NumberKind, kind_of, normalise

__all__ = ["DialPlan", "NotDialled"]

_SERVICE = re.compile(r"0?[48]00\d{7}")  # 0400 and 0800 are no area codes


class NotDialled(BadNumber):
    """A number that this office doesn't call; the message is the reason."""


@dataclass(frozen=True, slots=True)
class DialPlan:
    """The office's dial plan.

    `own_numbers` are the office's callback numbers; `targets` maps names to numbers, and only those names
    can be called as desks; `local_prefixes` are the 7-digit mobile prefixes of the office's own area.
    """

    area_code: str
    own_numbers: frozenset[str] = frozenset()
    targets: Mapping[str, str] = field(default_factory=dict)
    local_prefixes: frozenset[str] = frozenset()

    def citizen(self, raw: str, out_of_area_zero: bool = False) -> str:
        """The digits to dial for a citizen's number; NotDialled with the reason otherwise.

        With `out_of_area_zero` a mobile whose prefix isn't in `local_prefixes` gets a leading 0.
        """
        number = normalise(raw, self.area_code)
        if reason := self._refusal(number):
            raise NotDialled(reason)
        if out_of_area_zero and MOBILE.fullmatch(number) and number[:7] not in self.local_prefixes:
            return f"0{number}"
        return number

    def target(self, name: str) -> str:
        """The number of the desk, operator or agent of that name."""
        try:
            return self.targets[name]
        except KeyError:
            known = ", ".join(sorted(self.targets)) or "none"
            raise NotDialled(f"[targets] has no {name!r}; it has: {known}") from None

    def _refusal(self, number: str) -> str | None:
        own = {normalise(mine, self.area_code) for mine in self.own_numbers}
        desks = {normalise(desk, self.area_code) for desk in self.targets.values()}
        if EMERGENCY.fullmatch(number):
            return f"{number} is an emergency number"
        if not number:
            return "no number"
        if number.startswith(("+", "00")):
            return "an international number"
        if not (number.isascii() and number.isdigit()):
            return "not a telephone number"
        if len(number) <= 6:
            return f"{number} is a short code"
        if number in own or number in self.own_numbers:
            return "one of the office's own numbers"
        if number in desks:
            return "a desk of [targets], not a citizen"
        if _SERVICE.fullmatch(number):
            return "a 400 or 800 service number"
        if kind_of(number) is NumberKind.UNUSABLE:
            return "neither a mobile nor a landline number"
        return None
