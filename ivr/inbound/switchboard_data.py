"""What the switchboard knows, and what it wants done (nouns). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Announce",
    "Answer",
    "Bridge",
    "Caller",
    "Command",
    "DialLeg",
    "Drop",
    "HangUp",
    "Leg",
    "Mode",
    "Redirect",
    "RingBack",
    "Rules",
    "Seat",
    "SeatRule",
    "Stage",
    "Strategy",
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
    overflow_at: int = 10  # so many wait already: the next one overflows at once
    announce_every: float = 20.0


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
    """`overflows` is how many steps of the overflow have joined in, `retry` when targets are rung again."""

    name: str
    came_at: float
    stage: Stage = Stage.RINGING
    answering: bool = False  # our 200 is out, the call isn't up yet
    overflows: int = 0
    overflow_at: float = 0.0
    announce_at: float | None = None
    announced: bool = False
    with_leg: str | None = None
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


@dataclass(frozen=True, slots=True)
class Drop:
    """Cancel or end a leg."""

    leg: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """Caller and leg hear one another."""

    caller: str
    leg: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """The one whom the caller talked with has hung up."""

    caller: str


Command = RingBack | Redirect | Answer | Announce | DialLeg | Drop | Bridge | HangUp
