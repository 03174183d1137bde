"""How the people of the simulated city behave, told by the last digit of their number. Pure.

A citizen understands no speech: it knows how the survey goes (`flows/satisfaction_survey.toml`), hears a
prompt end, and presses what comes next: the rating; nothing at the read-back, which waits for a change of
mind; whether it is solved; and the reason where one is asked. After a beep it speaks, and presses #.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MACHINE", "Behaviour", "Citizen", "Ear", "citizen_of"]

_BEEP = 0.3  # seconds; no voice holds that pitch so long
_BREATH = 0.08  # seconds of silence after it, until one speaks


class Behaviour(StrEnum):
    """What happens when the telephone rings."""

    BUSY = "busy"
    RINGS_ON = "rings_on"
    ANSWERS = "answers"
    HANGS_UP = "hangs_up"
    SILENT = "silent"
    UNALLOCATED = "unallocated"
    DECLINES = "declines"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Citizen:
    """`keys` are pressed after one prompt each, None is nothing to press; then again for the next case."""

    behaviour: Behaviour
    keys: tuple[str | None, ...] = ()

    def key_after(self, prompt: int) -> str | None:
        """The key after the prompt that is the `prompt`th of the call, from 0."""
        return self.keys[prompt % len(self.keys)] if self.keys else None


_BY_LAST_DIGIT = {
    "0": Citizen(Behaviour.BUSY),
    "1": Citizen(Behaviour.ANSWERS, ("1", None, "1")),  # satisfied, solved
    "2": Citizen(Behaviour.ANSWERS, ("2", None, "1")),  # basically satisfied, solved
    "3": Citizen(Behaviour.ANSWERS, ("3", None, "2", "1")),  # dissatisfied, not solved, for that reason
    "4": Citizen(Behaviour.RINGS_ON),
    "5": Citizen(Behaviour.ANSWERS, ("7", "1", None, "1")),  # a wrong key, then as 1
    "6": Citizen(Behaviour.HANGS_UP),  # in the first prompt
    "7": Citizen(Behaviour.SILENT),  # listens and presses nothing
    "8": Citizen(Behaviour.UNALLOCATED),
    "9": Citizen(Behaviour.DECLINES),
}


MACHINE = Citizen(Behaviour.MACHINE)  # by the city's setting alone: no last digit is left


def citizen_of(number: str) -> Citizen:
    """Who lives at `number`; nobody where it doesn't end in a digit."""
    return _BY_LAST_DIGIT.get(number[-1:], _BY_LAST_DIGIT["8"])


@dataclass(slots=True)
class Ear:
    """Hears where a prompt ends: voice, then `pause` seconds without any.

    A pause within a prompt must be shorter than that, the wait for a key longer.
    """

    pause: float
    heard: float = 0.0
    _last: float | None = None
    _tone: float = 0.0  # seconds of the beep's pitch, as the last that was heard

    def hear(self, loud: bool, seconds: float, now: float, beeps: bool = False) -> None:
        """Take `seconds` of sound that ended at `now`; `beeps` where it has the beep's pitch."""
        if loud:
            self.heard += seconds
            self._last = now
            self._tone = self._tone + seconds if beeps else 0.0

    def beep_ended(self, now: float) -> bool:
        """True once after a beep, which is no prompt: a message may be spoken."""
        if self._tone < _BEEP or self._last is None or now - self._last < _BREATH:
            return False
        self._last, self._tone = None, 0.0
        return True

    def prompt_ended(self, now: float) -> bool:
        """True once for each prompt, when it is over."""
        if self._last is None or now - self._last < self.pause:
            return False
        self._last = None
        return True
