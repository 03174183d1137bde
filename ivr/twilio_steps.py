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
    ChangeRating,
    FlowCommand,
    HandOver,
    HangUp,
    Key,
    Play,
    Prompt,
    PromptFinished,
    PromptStarted,
    StoreRating,
    StoreReason,
    StoreResolved,
    Timeout,
    WrongPerson,
)

__all__ = ["Question", "StepResult", "Steps", "Turn"]

StepResult = StoreRating | ChangeRating | StoreResolved | StoreReason | HandOver | WrongPerson | HangUp
Length = Callable[[Sequence[Prompt]], float]
_MOST_PLAYS = 50  # of one step: the loader forbids a loop without a question
_LATER = 0.02  # a key comes after its prompt's first frame


@dataclass(frozen=True, slots=True)
class Question:
    """Prompts within which a key counts, and the seconds after them."""

    prompts: tuple[Prompt, ...]
    wait: float


@dataclass(slots=True)
class Turn:
    """What one step leads to; without a question the call is to be hung up."""

    said: list[Prompt] = field(default_factory=list)
    question: Question | None = None
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

    def go_on(self, digits: str, now: float) -> Turn:
        """After the question that was asked last: its key, or "" for none."""
        self._clock = max(now, self._clock + _LATER)
        return self._carry_out(self._key(digits[0]) if digits else self._silence())

    def _key(self, key: str) -> list[FlowCommand]:
        return self._session.receive(Key(key, self._clock), self._clock)

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
        """What is said is taken as heard, until a question waits or the call is over."""
        turn = Turn()
        for _ in range(_MOST_PLAYS):
            play = self._sort(commands, turn)
            if play is None:
                return turn
            if (self._session.deadline or self._clock) <= self._clock:  # the call's or the case's time is up
                commands = self._session.receive(Timeout(), self._clock)
                continue
            seconds = self._length(play.prompts)
            self._session.receive(PromptStarted(play.token, self._clock, seconds), self._clock)
            if (wait := self._waits()) is not None:
                turn.question = Question(play.prompts, wait)
                return turn
            turn.said += play.prompts
            self._clock += seconds
            commands = self._session.receive(PromptFinished(play.token, self._clock), self._clock)
        raise AssertionError(f"{self._session.flow.name} says {_MOST_PLAYS} prompts and asks nothing")

    def _sort(self, commands: list[FlowCommand], turn: Turn) -> Play | None:
        play = None
        for command in commands:
            match command:
                case Play():
                    play = command
                case (
                    StoreRating()
                    | ChangeRating()
                    | StoreResolved()
                    | StoreReason()
                    | HandOver()
                    | WrongPerson()
                    | HangUp()
                ):
                    turn.results.append(command)
                case _:  # the provider stops by itself, and what it can't do no flow asks of it
                    pass
        return play

    def _waits(self) -> float | None:
        """The seconds for which the present node waits for a key; None where it only says something."""
        state, node = self._session.state, self._session.flow.nodes[self._session.state.node]
        return (node.wait or 0.0) if node.asks and state.after is None else None
