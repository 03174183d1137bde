"""What a dialogue hears (nouns) and what it wants done (verbs). Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptStarted:
    """The first frame of the prompt played under `token` left at `at`; it lasts `seconds`."""

    token: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class PromptFinished:
    """Its last frame has left."""

    token: str
    at: float


@dataclass(frozen=True, slots=True)
class Key:
    """A key that went down at `began_at`."""

    key: str
    began_at: float


@dataclass(frozen=True, slots=True)
class Timeout:
    """The session's deadline has passed."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The call is over."""


FlowEvent = PromptStarted | PromptFinished | Key | Timeout | HungUp


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the catalogue with the values of its pieces (month, day, category, rating)."""

    id: str
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Play:
    """Play these prompts as one, under `token`."""

    token: str
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Be quiet: somebody pressed a key."""


@dataclass(frozen=True, slots=True)
class StoreRating:
    """Store the first rating of a case now. Times are ms since the prompt's end, negative before it."""

    case: int
    value: int
    key: str
    prompt_id: str
    ms_since_prompt_end: int


@dataclass(frozen=True, slots=True)
class ChangeRating:
    """The one change of it, after the read-back."""

    case: int
    value: int
    key: str
    prompt_id: str
    ms_since_prompt_end: int


@dataclass(frozen=True, slots=True)
class StoreResolved:
    """The answer to "solved?"."""

    case: int
    resolved: bool


@dataclass(frozen=True, slots=True)
class StoreReason:
    """The main reason of a dissatisfied citizen."""

    case: int
    reason: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """A person takes it from here."""


@dataclass(frozen=True, slots=True)
class WrongPerson:
    """Whoever answered didn't report the matter."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The dialogue is over; `outcome` says how: done, no_answer, handed_over, wrong_person, too_long."""

    outcome: str


FlowCommand = (
    Play
    | StopPlay
    | StoreRating
    | ChangeRating
    | StoreResolved
    | StoreReason
    | HandOver
    | WrongPerson
    | HangUp
)
