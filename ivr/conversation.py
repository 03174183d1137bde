"""One call's dialogue on its line: the line's events into the flow, the flow's commands back to the line.

What is to be stored, or done by a person, is handed to the driver as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ivr import events
from ivr.events import (
    Answered,
    Codec,
    Ended,
    KeyPressed,
    LineEvent,
    MachineHeard,
    PlaybackFinished,
    PlaybackStarted,
)
from ivr.flow import Flow, FlowSession
from ivr.flow_events import (
    Beep,
    DriverCommand,
    FlowCommand,
    FlowEvent,
    HangUp,
    HungUp,
    KeepMessage,
    Key,
    Play,
    Prompt,
    PromptFinished,
    PromptStarted,
    RecordingFinished,
    StartRecording,
    StopPlay,
    StopRecording,
    Timeout,
)
from ivr.line import Line
from ivr.media import tones
from ivr.media.audio import Audio

__all__ = ["Conversation", "HeardKey", "Prompts", "Result", "StoreMessage"]


@dataclass(frozen=True, slots=True)
class StoreMessage:
    """A message about that case of the call, None about none: octets of `codec` at 8 kHz, `seconds` long."""

    case: int | None
    payload: bytes
    codec: Codec
    seconds: float


Result = DriverCommand | StoreMessage


class Prompts(Protocol):
    """Where a prompt's audio comes from; `ivr.speech.SpokenPrompts` is one."""

    def audio(self, prompts: Sequence[Prompt]) -> Audio: ...


@dataclass(frozen=True, slots=True)
class HeardKey:
    """A key, and its time since the last prompt's end: negative within the prompt, None before any."""

    key: str
    ms_since_prompt_end: int | None


class Conversation:
    """Begins when the call is answered. Its session can be kept as JSON between events.

    The driver hands in every event of the call, and calls `tick` when `deadline` has passed. HangUp is
    already carried out when it is handed over; it tells how the dialogue ended. What the line can do of a
    flow it is asked for; transfers and queues are the driver's, which names those it can in the variable
    `can` and `tell`s what comes of them.
    """

    def __init__(
        self, call: str, flow: Flow, variables: Mapping[str, Any], prompts: Prompts, line: Line
    ) -> None:
        self.call = call
        self.session: FlowSession | None = None
        self.keys: list[HeardKey] = []
        self.machine_heard: MachineHeard | None = None
        self._flow, self._variables, self._prompts, self._line = flow, variables, prompts, line
        self._seconds: dict[str, float] = {}
        self._recorded: events.RecordingFinished | None = None
        self._prompt_end: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `tick` is due, by the line's clock; None before the answer and after the end."""
        return self.session.deadline if self.session is not None else None

    @property
    def is_machine(self) -> bool | None:
        """Whether a machine took the call, None where nothing tells. A key always wins."""
        if self.keys:
            return False
        return True if self.machine_heard is not None else None

    def receive(self, event: LineEvent) -> list[Result]:
        """What an event of this call leads to."""
        match event:
            case Answered(at=at):
                if self.session is not None:
                    return []
                self.session, commands = FlowSession.start(self._flow, self._known(), at)
                return self._carry_out(commands)
            case PlaybackStarted(at=at, token=token):
                seconds = self._seconds.get(token, 0.0)
                self._prompt_end = at + seconds
                return self._hear(PromptStarted(token, at, seconds), at)
            case PlaybackFinished(at=at, token=token):
                self._prompt_end = at
                return self._hear(PromptFinished(token, at), at)
            case KeyPressed(at=at, key=key, began_at=began_at):
                self.keys.append(HeardKey(key, self._since_prompt_end(began_at)))
                return self._hear(Key(key, began_at), at)
            case MachineHeard():
                self.machine_heard = event  # the dialogue goes on: it's advice
                return []
            case events.RecordingFinished(at=at, token=token, seconds=seconds):
                self._recorded = event
                return self._hear(RecordingFinished(token, at, seconds), at)
            case Ended(at=at):
                return self._hear(HungUp(), at)
            case _:
                return []

    def tick(self, now: float) -> list[Result]:
        """What the passing of `deadline` leads to; nothing before it."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._hear(Timeout(), now)

    def tell(self, event: FlowEvent, now: float) -> list[Result]:
        """What the driver's own event leads to: of a transfer, or of a queue."""
        return self._hear(event, now)

    def _known(self) -> dict[str, Any]:
        """The call's variables, and what its line can do."""
        able = self._line.capabilities
        can = {*self._variables.get("can", ())}
        can |= {name for name, given in (("record", able.recording), ("transfer", able.transfer)) if given}
        return {**self._variables, "can": sorted(can)}

    def _since_prompt_end(self, began_at: float) -> int | None:
        return None if self._prompt_end is None else round((began_at - self._prompt_end) * 1000)

    def _hear(self, event: FlowEvent, now: float) -> list[Result]:
        return [] if self.session is None else self._carry_out(self.session.receive(event, now))

    def _carry_out(self, commands: list[FlowCommand]) -> list[Result]:
        results: list[Result] = []
        for command in commands:
            match command:
                case Play(token, prompts):
                    self._play(token, self._prompts.audio(prompts))
                case Beep(token):
                    self._play(token, tones.beep())
                case StopPlay():
                    self._line.stop(self.call)
                case StartRecording(token, seconds):
                    self._line.record(self.call, token, seconds)
                case StopRecording():
                    self._line.stop_recording(self.call)
                case KeepMessage(case, token):
                    results += self._message(case, token)
                case HangUp():
                    self._line.hangup(self.call)
                    results.append(command)
                case _:
                    results.append(command)
        return results

    def _play(self, token: str, audio: Audio) -> None:
        self._seconds = {token: audio.seconds}
        self._line.play(self.call, token, audio)

    def _message(self, case: int | None, token: str) -> list[Result]:
        done, self._recorded = self._recorded, None
        if done is None or done.token != token:
            return []
        return [StoreMessage(case, done.payload, done.codec, done.seconds)]
