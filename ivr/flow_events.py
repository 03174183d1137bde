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


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """The recording under `token` is whole, `seconds` long: it was stopped, is full, or they hung up."""

    token: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class PutThrough:
    """Whom they were transferred to, or waited for in a queue, talks with them now."""


@dataclass(frozen=True, slots=True)
class TransferDone:
    """That talk is over, or the call went to somebody else for good."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """Nobody there took it; `why` is for the log."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class QueueMoved:
    """Their place in the queue, from 1."""

    position: int


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """The queue let go of them: after a talk (`served`), or it can't keep them (full, closed)."""

    served: bool


FlowEvent = (
    PromptStarted
    | PromptFinished
    | Key
    | Timeout
    | HungUp
    | RecordingFinished
    | PutThrough
    | TransferDone
    | TransferFailed
    | QueueMoved
    | QueueLeft
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the catalogue with the values of its pieces (month, day, category, rating, position)."""

    id: str
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Play:
    """Play these prompts as one, under `token`."""

    token: str
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class Beep:
    """Play the tone after which a message is spoken, under `token` like a prompt."""

    token: str


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
class StartRecording:
    """Record what they say, `seconds` at most; a RecordingFinished of this `token` follows."""

    token: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StopRecording:
    """They have finished."""


@dataclass(frozen=True, slots=True)
class KeepMessage:
    """What was recorded under `token` is a message about that case of the call; None is about none."""

    case: int | None
    token: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SetVariable:
    """The dialogue knows something now; digits that were collected are a text."""

    name: str
    value: bool | int | str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Put them through to the target of that name: PutThrough and TransferDone follow, or TransferFailed."""

    target: str


@dataclass(frozen=True, slots=True)
class StopTransfer:
    """Nobody took it for too long: call it off. Nothing more is to be told of it."""


@dataclass(frozen=True, slots=True)
class EnterQueue:
    """They wait in the queue of that name. QueueMoved, PutThrough and QueueLeft follow."""

    queue: str


@dataclass(frozen=True, slots=True)
class LeaveQueue:
    """They wait there no longer. Nothing more is to be told of it."""

    queue: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """A person takes it from here."""


@dataclass(frozen=True, slots=True)
class WrongPerson:
    """Whoever answered didn't report the matter."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The dialogue is over; `outcome` says how: `flow_data.OUTCOMES`, or too_long."""

    outcome: str


# What a line can't do: whoever drives the dialogue carries it out.
DriverCommand = (
    StoreRating
    | ChangeRating
    | StoreResolved
    | StoreReason
    | SetVariable
    | Transfer
    | StopTransfer
    | EnterQueue
    | LeaveQueue
    | HandOver
    | WrongPerson
    | HangUp
)
FlowCommand = Play | Beep | StopPlay | StartRecording | StopRecording | KeepMessage | DriverCommand
