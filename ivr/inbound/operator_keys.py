"""What an operator keys in amidst a talk: `*12#` brings in whom code 12 names, `**12#` hands the caller over
to them, `*#` calls it off. Pure.

Other keys are for the other end: somebody's menu, or nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CODE", "BringIn", "CallOff", "OperatorKeys", "Wish"]

CODE = r"^[0-9]{1,8}$"
_WHOLE = re.compile(r"\*(\*?)([0-9]{1,8})#")
_SO_FAR = re.compile(r"\*(\*?[0-9]{0,8})?")
_PAUSE = 5.0  # seconds between two keys: after that it was nothing


@dataclass(frozen=True, slots=True)
class BringIn:
    """Ring whom `code` names; `leaves`: the operator goes once it's answered."""

    code: str
    leaves: bool


@dataclass(frozen=True, slots=True)
class CallOff:
    """Not any more."""


Wish = BringIn | CallOff


class OperatorKeys:
    """One telephone's."""

    def __init__(self) -> None:
        self._typed, self._at = "", 0.0

    def take(self, key: str, at: float) -> Wish | None:
        """A key at `at`, monotonic seconds; the wish that it completes."""
        typed = key if at - self._at > _PAUSE else self._typed + key
        self._typed, self._at = "", at
        if typed == "*#":
            return CallOff()
        if whole := _WHOLE.fullmatch(typed):
            return BringIn(whole[2], leaves=bool(whole[1]))
        if _SO_FAR.fullmatch(typed):
            self._typed = typed
        elif key == "*":  # a wrong one is begun anew
            self._typed = "**" if typed.endswith("**") else "*"
        return None
