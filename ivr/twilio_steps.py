"""A dialogue by steps: each webhook is one, and between two of them the session is JSON. Pure.

Where a line tells when a prompt began and ended and when a key went down, a provider that reads documents
tells only what was pressed when the question was over. So the prompts' lengths stand in for their ends, and
keys pressed while something is said, not asked, aren't heard (`key_time` is no capability of this line).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ivr.flow import Flow, FlowSession
from ivr.flow_events import (
    Beep,
    ChangeRating,
    FlowCommand,
    HandOver,
    HangUp,
    KeepMessage,
    Key,
    Play,
    Prompt,
    PromptFinished,
    PromptStarted,
    PutThrough,
    RecordingFinished,
    SetVariable,
    StartRecording,
    StoreRating,
    StoreReason,
    StoreResolved,
    Timeout,
    Transfer,
    TransferDone,
    TransferFailed,
    WrongPerson,
)
from ivr.media.tones import BEEP_SECONDS

__all__ = ["Message", "Posted", "Question", "Ringing", "StepResult", "Steps", "Turn"]

StepResult = (
    StoreRating
    | ChangeRating
    | StoreResolved
    | StoreReason
    | KeepMessage
    | SetVariable
    | HandOver
    | WrongPerson
    | HangUp
)
Length = Callable[[Sequence[Prompt]], float]
_MOST_PLAYS = 50  # of one step: the loader forbids a loop without a question
_LATER = 0.02  # a key comes after its prompt's first frame


@dataclass(frozen=True, slots=True)
class Question:
    """Prompts within which a key counts, and the seconds after them; or `most` keys, up to the key `ends`."""

    prompts: tuple[Prompt, ...]
    wait: float
    most: int = 1
    ends: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message about that case of the call, `seconds` at most, after a beep; `ends` is the key after it."""

    case: int
    seconds: float
    ends: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """The target of that name rings for `seconds`, and talks with them if it's taken."""

    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of what the last turn waits for.

    `digits`: the key pressed, "" for none. `recorded`: seconds of a message, 0 for none. `was_taken`: whether
    the target took the call, and has finished; `why` not is for the log.
    """

    digits: str = ""
    recorded: float = 0.0
    was_taken: bool = False
    why: str = ""


@dataclass(slots=True)
class Turn:
    """What one step leads to; the call is to be hung up where nothing is waited for."""

    said: list[Prompt] = field(default_factory=list)
    waits: Question | Message | Ringing | None = None
    results: list[StepResult] = field(default_factory=list)


class Steps:
    """`length` tells how many seconds prompts last; `now` is seconds of one clock, which is kept."""

    def __init__(self, session: FlowSession, clock: float, length: Length) -> None:
        self._session, self._clock, self._length = session, clock, length

    @classmethod
    def begin(
        cls, flow: Flow, variables: Mapping[str, Any], now: float, length: Length
    ) -> tuple[Steps, Turn]:
        session, commands = FlowSession.start(flow, variables, now)
        steps = cls(session, now, length)
        return steps, steps._carry_out(commands)

    @classmethod
    def from_json(cls, flow: Flow, data: Mapping[str, Any], length: Length) -> Steps:
        """ValueError when the data is of another flow or version."""
        return cls(FlowSession.from_json(flow, data["session"]), float(data["clock"]), length)

    def to_json(self) -> dict[str, Any]:
        return {"session": self._session.to_json(), "clock": self._clock}

    def go_on(self, posted: Posted, now: float) -> Turn:
        """After what was waited for last."""
        self._clock = max(now, self._clock + _LATER)
        return self._carry_out(self._posted(posted))

    def _posted(self, posted: Posted) -> list[FlowCommand]:
        state = self._session.state
        if state.stage == "recording":
            return self._session.receive(
                RecordingFinished(state.token, self._clock, posted.recorded), self._clock
            )
        if state.gives_up_at is not None:
            return self._put_through(posted)
        if posted.digits:
            return self._keys(posted.digits)
        return self._silence()

    def _put_through(self, posted: Posted) -> list[FlowCommand]:
        """The talk is over when it's told."""
        if not posted.was_taken:
            return self._session.receive(TransferFailed(posted.why), self._clock)
        talking = self._session.receive(PutThrough(), self._clock)
        return [*talking, *self._session.receive(TransferDone(), self._clock)]

    def _keys(self, digits: str) -> list[FlowCommand]:
        """A key, or a number as a whole: the key that ends it isn't told."""
        collect = self._session.flow.nodes[self._session.state.node].collect
        told: list[FlowCommand] = []
        for key in digits if collect else digits[0]:
            told += self._session.receive(Key(key, self._clock), self._clock)
            if any(isinstance(command, Play | HangUp) for command in told):
                return told
        if self._session.state.digits:  # fewer than there may be
            self._clock = max(self._clock, self._session.deadline or self._clock)
            told += self._session.receive(Timeout(), self._clock)
        return told

    def _silence(self) -> list[FlowCommand]:
        """The prompt was heard to its end, and then its time ran out."""
        state = self._session.state
        if state.playing:
            ended = state.ends_at or self._clock
            heard = self._session.receive(PromptFinished(state.token, ended), ended)
            if heard:
                return heard
        self._clock = max(self._clock, self._session.deadline or self._clock)
        return self._session.receive(Timeout(), self._clock)

    def _carry_out(self, commands: list[FlowCommand]) -> Turn:
        """What is said is taken as heard, until something is waited for or the call is over."""
        turn = Turn()
        for _ in range(_MOST_PLAYS):
            match self._sort(commands, turn):
                case Play() as play:
                    if (self._session.deadline or self._clock) <= self._clock:  # its time is up
                        commands = self._session.receive(Timeout(), self._clock)
                        continue
                    self._begin(play.token, seconds := self._length(play.prompts))
                    if (question := self._question(play.prompts)) is not None:
                        turn.waits = question
                        return turn
                    turn.said += play.prompts
                    commands = self._end(play.token, seconds)
                case Beep(token):  # the provider's own
                    self._begin(token, BEEP_SECONDS)
                    commands = self._end(token, BEEP_SECONDS)
                case waits:
                    turn.waits = waits
                    return turn
        raise AssertionError(f"{self._session.flow.name} says {_MOST_PLAYS} prompts and asks nothing")

    def _begin(self, token: str, seconds: float) -> None:
        self._session.receive(PromptStarted(token, self._clock, seconds), self._clock)

    def _end(self, token: str, seconds: float) -> list[FlowCommand]:
        self._clock += seconds
        return self._session.receive(PromptFinished(token, self._clock), self._clock)

    def _sort(self, commands: list[FlowCommand], turn: Turn) -> Play | Beep | Message | Ringing | None:
        """Notes the results; what the provider is to do next."""
        state, node = self._session.state, self._session.flow.nodes[self._session.state.node]
        todo: Play | Beep | Message | Ringing | None = None
        for command in commands:
            match command:
                case Play() | Beep():
                    todo = command
                case StartRecording(seconds=seconds) if node.record is not None:
                    todo = Message(state.case, seconds, node.record.ends)
                case Transfer(target):
                    todo = Ringing(target, node.wait or 0.0)
                case (
                    StoreRating()
                    | ChangeRating()
                    | StoreResolved()
                    | StoreReason()
                    | KeepMessage()
                    | SetVariable()
                    | HandOver()
                    | WrongPerson()
                    | HangUp()
                ):
                    turn.results.append(command)
                case _:  # the provider stops by itself, and what it can't do no flow asks of it
                    pass
        return todo

    def _question(self, prompts: tuple[Prompt, ...]) -> Question | None:
        """What the present node asks by `prompts`; None where it only says something."""
        state, node = self._session.state, self._session.flow.nodes[self._session.state.node]
        if not node.asks or state.after is not None:
            return None
        wait, collect = node.wait or 0.0, node.collect
        if collect is None:
            return Question(prompts, wait)
        return Question(prompts, wait, collect.most, collect.ends or "")
