"""Call detail records: a call leg that a trunk carried, what it's billed by, and a trunk's ASR and ACD. Pure.

ASR and ACD as ITU-T E.411 and E.425 have them: answered of all seizures, and the mean length of the talks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callbacks.vocabulary import Disposition

MONEY = 10_000  # a unit of money in the parts that costs are counted in


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Kind(StrEnum):
    """What a leg was for."""

    CALLBACK = "callback"  # the machine calls a citizen
    PERSON = "person"  # a person calls a citizen
    AGENT = "agent"  # whose telephone is rung before
    TRANSFER = "transfer"  # a citizen is put through to a person amidst a callback
    CALLER = "caller"  # somebody calls us
    DESK = "desk"  # a telephone is rung for a caller


@dataclass(frozen=True, slots=True)
class VoiceQuality:
    """Of the voice that came to us: packets lost, in percent, and the worst jitter (RFC 3550 §6.4.1)."""

    lost_percent: float | None
    jitter_ms: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """A leg, from its INVITE to its end. `number` is the far end's, masked or whole; `target` its name.

    `seconds` are None while it lasts, and where nobody knows its end; `cost` where no price was set.
    """

    id: str
    kind: Kind
    direction: Direction
    trunk: str
    number: str
    target: str
    sip_call_id: str | None
    started: datetime
    rang: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    disposition: Disposition | None = None
    sip_status: int | None = None
    q850: int | None = None
    seconds: int | None = None
    cost: int | None = None
    lost_percent: float | None = None
    jitter_ms: float | None = None


def talk_seconds(answered: datetime | None, ended: datetime) -> int:
    """From the answer to the end, rounded up; 0 for what wasn't answered."""
    return 0 if answered is None else max(0, math.ceil((ended - answered).total_seconds()))


def billed_seconds(seconds: int, increment: int) -> int:
    """What is paid for, where every `increment` seconds that were begun are: 60, or 6."""
    return -(-seconds // increment) * increment


def cost_of(seconds: int, price: int, increment: int) -> int:
    """Of a talk at `price` a minute, in the parts of `MONEY`; half a part is one."""
    return (2 * price * billed_seconds(seconds, increment) + 60) // 120


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a trunk carried in a time. `talks` are the answered legs of a known length, `seconds` theirs."""

    seizures: int = 0
    answered: int = 0
    talks: int = 0
    seconds: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.seizures + other.seizures,
            self.answered + other.answered,
            self.talks + other.talks,
            self.seconds + other.seconds,
        )

    @property
    def asr(self) -> float | None:
        """The answer-seizure ratio, 0 to 1; None without a seizure."""
        return self.answered / self.seizures if self.seizures else None

    @property
    def acd(self) -> float | None:
        """The average call duration, in seconds; None without a talk."""
        return self.seconds / self.talks if self.talks else None
