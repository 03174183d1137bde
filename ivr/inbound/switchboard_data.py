"""What the switchboard knows, and what it wants done (nouns). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from callbacks.vocabulary import LegKind

__all__ = [
    "Announce",
    "Answer",
    "Bridge",
    "Caller",
    "Command",
    "DialLeg",
    "Drop",
    "HangUp",
    "HearRinging",
    "Leg",
    "Mode",
    "Redirect",
    "Refer",
    "RingBack",
    "Rules",
    "Seat",
    "SeatRule",
    "Stage",
    "Strategy",
    "Told",
]


class Mode(StrEnum):
    """Where a 110 call goes."""

    REDIRECT = "redirect"  # to the emergency desk
    OPERATORS = "operators"  # to our own


class Strategy(StrEnum):
    """Whom of a group a caller rings."""

    ALL = "all"
    IN_TURN = "in_turn"  # in the order of the settings, from the one after the last that was rung
    LEAST_RECENT = "least_recent"  # who has been free the longest


class Stage(StrEnum):
    """A caller's."""

    RINGING = "ringing"  # hears the ring-back tone
    QUEUED = "queued"  # answered: hears that they are through
    TALKING = "talking"
    PASSED_ON = "passed_on"  # the operator has gone, and whom they asked for still rings


@dataclass(frozen=True, slots=True)
class SeatRule:
    """An operator's telephone, by its name among the targets."""

    name: str
    group: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds where not told. `groups[0]` is rung first, and `overflow` names what joins in, step by step:
    a group, or a target that any number may ring at once (another trunk's, the emergency desk's).
    """

    mode: Mode = Mode.REDIRECT
    desk: tuple[str, ...] = ()
    seats: tuple[SeatRule, ...] = ()
    groups: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()
    strategy: Strategy = Strategy.LEAST_RECENT
    ring_time: float = 15.0
    wrap_up: float = 10.0
    rest: float = 10.0  # of a telephone that wasn't answered, or can't be reached
    overflow_after: float = 20.0
    overflow_at: int = 10  # so many wait already: they and the next one overflow at once
    announce_every: float = 20.0
    third_ring_time: float = 30.0  # of whom an operator brings in


@dataclass(slots=True)
class Seat:
    """An operator: `caller` is whom it rings or talks with; until `free_at` it isn't rung."""

    rule: SeatRule
    caller: str | None = None
    free_at: float = 0.0
    last_used: float = 0.0


@dataclass(slots=True)
class Leg:
    """A call of ours on a caller's behalf. `seat` is None where any number may ring the target."""

    name: str
    caller: str
    target: str
    seat: Seat | None
    answered: bool = False


@dataclass(slots=True)
class Caller:
    """`overflows` is how many steps of the overflow have joined in, `retry` when targets are rung again.

    `third` is the leg of whom the operator brings in, ringing or in the talk, and `leaves` whether the
    operator goes once it's answered; `referred` whom the caller's trunk was asked to call instead.
    """

    name: str
    came_at: float
    stage: Stage = Stage.RINGING
    answering: bool = False  # our 200 is out, the call isn't up yet
    overflows: int = 0
    overflow_at: float = 0.0
    announce_at: float | None = None
    announced: bool = False
    with_leg: str | None = None
    third: str | None = None
    leaves: bool = False
    referred: str | None = None
    legs: dict[str, Leg] = field(default_factory=dict)
    retry: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RingBack:
    """180 to the caller."""

    caller: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """302 to the caller: the emergency desk's address."""

    caller: str


@dataclass(frozen=True, slots=True)
class Answer:
    """200 to the caller."""

    caller: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell a caller who waits that they are through; `again`, how many wait before them."""

    caller: str
    before: int
    again: bool


@dataclass(frozen=True, slots=True)
class DialLeg:
    """Ring a target on a caller's behalf, for `ring_time` seconds."""

    leg: str
    caller: str
    target: str
    ring_time: float
    kind: LegKind = LegKind.RUNG


@dataclass(frozen=True, slots=True)
class Drop:
    """Cancel or end a leg."""

    leg: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """Caller and legs hear one another."""

    caller: str
    legs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HearRinging:
    """The caller, whom nobody talks with any more, hears that it rings elsewhere."""

    caller: str


@dataclass(frozen=True, slots=True)
class Refer:
    """Ask the caller's trunk to bring them to a target (SIP REFER)."""

    caller: str
    target: str


@dataclass(frozen=True, slots=True)
class Told:
    """What came of an operator's wish to bring somebody in, as a SIP status."""

    leg: str
    status: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """The one whom the caller talked with has hung up, or the trunk has them."""

    caller: str


Command = (
    RingBack | Redirect | Answer | Announce | DialLeg | Drop | Bridge | HearRinging | Refer | Told | HangUp
)
