"""A dialogue as data: its nodes, and where a session of it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AGENTS = "agents"  # what flows call whoever of the office is there
# How a dialogue ends, apart from "too_long", which no node says.
OUTCOMES = frozenset({"done", "no_answer", "handed_over", "wrong_person", "transferred"})
CONDITIONS = frozenset(
    {
        "has_cases",
        "first_case",
        "more_cases",
        "category",
        "second_round",
        "again",
        "rated",
        "dissatisfied",
        "any_dissatisfied",
        "to_verify",
        "in_hours",
        "may_record",
        "position_known",
    }
)
Value = bool | int | str


@dataclass(frozen=True, slots=True)
class Option:
    """A prompt, taken when all of `when` hold."""

    prompt: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """A way on, taken when all of `when` hold, `most` times a call; `advance` goes to its next case."""

    to: str
    when: tuple[str, ...] = ()
    advance: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """What a silence or a wrong key leads to: `say` and `next`, or `then` at the `most`th time."""

    next: str
    say: str | None = None
    most: int = 1
    then: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a key means, and where it leads."""

    next: str
    rating: int | None = None
    resolved: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Collect:
    """`least` to `most` digits for the variable `into`, `between` seconds apart; `ends` is the key after."""

    into: str
    most: int
    least: int
    ends: str | None
    between: float


@dataclass(frozen=True, slots=True)
class Record:
    """A message of at most `seconds`, after the node's notice and a beep; `ends` is the key after it."""

    seconds: float
    ends: str


@dataclass(frozen=True, slots=True)
class Again:
    """What is said every `every` seconds to somebody who waits in a queue."""

    every: float
    prompts: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One step. It says or asks its `prompts`, does one thing at most, and leads on (`ways`) or ends (`end`).

    `otherwise` are the ways where a message can't be taken, or nobody could be put through.
    """

    name: str
    prompts: tuple[Option, ...] = ()
    says: bool = False
    asks: bool = False
    ways: tuple[Way, ...] = ()
    otherwise: tuple[Way, ...] = ()
    end: str | None = None
    does: str | None = None
    wait: float | None = None
    silent: Branch | None = None
    invalid: Branch | None = None
    keys: Mapping[str, Choice] = field(default_factory=dict)
    collect: Collect | None = None
    record: Record | None = None
    transfer: str | None = None
    queue: str | None = None
    again: Again | None = None
    sets: Mapping[str, Value] = field(default_factory=dict)

    @property
    def stops_the_clock(self) -> bool:
        """Whether its time is apart from the call's and the case's (domain.md §1)."""
        return self.record is not None or self.transfer is not None or self.queue is not None


@dataclass(frozen=True, slots=True)
class Flow:
    """A dialogue as data. A call keeps the version that it began with; its words fit one scale.

    `case_over` and `case_seconds` are None in a flow that asks about no case.
    """

    name: str
    version: str
    scale: str
    start: str
    case_over: str | None
    call_seconds: float
    case_seconds: float | None
    nodes: Mapping[str, Node]

    @property
    def rates(self) -> bool:
        """Whether it asks for a rating."""
        return any(choice.rating is not None for node in self.nodes.values() for choice in node.keys.values())


@dataclass(slots=True)
class State:
    """Where a session is: all of it is JSON."""

    node: str
    began: float
    case_began: float
    case: int = 0
    token: str = ""
    plays: int = 0
    prompt: str = ""
    started_at: float | None = None  # the present prompt's first frame
    ends_at: float | None = None  # its last, known or expected
    playing: bool = False
    after: str | None = None  # where a branch's own prompt leads
    deadline: float | None = None
    asked: dict[str, int] = field(default_factory=dict)
    silences: dict[str, int] = field(default_factory=dict)
    mistakes: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)  # ways that may be taken only so often
    set: dict[str, Value] = field(default_factory=dict)
    digits: str = ""
    stage: str = (
        ""  # of a message: "notice", "beep", "recording", "ending"; "talking" to whom it was put through
    )
    stopped_at: float | None = None  # since when the call's and the case's time stand still
    gives_up_at: float | None = None  # when nobody is waited for any longer
    position: int = 0  # in the queue, from 1; 0 is not known
    rating: int | None = None
    changed: bool = False
    earlier_dissatisfied: bool = False  # with one of the call's earlier cases
    earlier_to_verify: bool = False  # and it was that case's first round
    over: bool = False
