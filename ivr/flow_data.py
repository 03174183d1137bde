"""A dialogue as data: nodes that say, ask, branch or end, and where a session of it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# How a dialogue ends, apart from "too_long", which no node says.
OUTCOMES = frozenset({"done", "no_answer", "handed_over", "wrong_person"})
CONDITIONS = frozenset(
    {
        "first_case",
        "more_cases",
        "category",
        "second_round",
        "again",
        "rated",
        "dissatisfied",
        "any_dissatisfied",
        "in_hours",
    }
)


@dataclass(frozen=True, slots=True)
class Option:
    """A prompt, taken when all of `when` hold."""

    prompt: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """A way on, taken when all of `when` hold; `advance` goes to the call's next case."""

    to: str
    when: tuple[str, ...] = ()
    advance: bool = False


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
class Node:
    """Says or asks its `prompts` (with `keys`, `wait` and branches), leads on (`ways`) or ends (`end`)."""

    name: str
    prompts: tuple[Option, ...] = ()
    says: bool = False
    asks: bool = False
    ways: tuple[Way, ...] = ()
    end: str | None = None
    does: str | None = None
    wait: float | None = None
    silent: Branch | None = None
    invalid: Branch | None = None
    keys: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flow:
    """A dialogue as data. A call keeps the version that it began with; its words fit one scale."""

    name: str
    version: str
    scale: str
    start: str
    case_over: str
    call_seconds: float
    case_seconds: float
    nodes: Mapping[str, Node]


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
    rating: int | None = None
    changed: bool = False
    earlier_dissatisfied: bool = False  # with one of the call's earlier cases
    over: bool = False
