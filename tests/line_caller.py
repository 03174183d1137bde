"""A flow's transcript held on a line: the citizen does what it says, over SIP and RTP or in virtual time.

Time that nobody needs is leapt over: a prompt lasts a moment, and counts as long as the transcripts say;
nobody waits out a silence. So a dialogue of two minutes takes a second, and what it comes to is the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ivr.conversation import Conversation, Result, StoreMessage
from ivr.events import (
    Ended,
    KeyPressed,
    LineEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
)
from ivr.flow import Flow
from ivr.flow_data import Record
from ivr.flow_events import (
    Prompt,
    PutThrough,
    QueueLeft,
    QueueMoved,
    TransferDone,
    TransferFailed,
)
from ivr.line import Dial, Line
from ivr.media.audio import Audio
from ivr.simulated_line import SimulatedLine
from tests.flow_caller import SECONDS, caller_of, head_of, shown
from tests.line_ends import FarEnds

_MOMENT = Audio.silence(0.1)
_CUT = Audio.silence(6.0)  # somebody presses within it, or hangs up
_SHORT_MESSAGE, _MESSAGE, _FULL = 0.2, 1.2, 4.0  # seconds that are really recorded
_OURS = ("beep", "StopPlay", "StartRecording", "StopRecording")  # what a conversation does on its line itself


@dataclass
class Held:
    """What a dialogue said, and what it handed over, each in its order."""

    said: list[str] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)


def golden(text: str) -> Held:
    """What a transcript's dialogue comes to, without what its line does by itself."""
    told = [line[2:] for line in text.splitlines() if line.startswith("< ")]
    told = [_same(each) for each in told if each.split()[0] not in _OURS]
    return Held(
        [each for each in told if each.startswith("play ")],
        [each for each in told if not each.startswith("play ")],
    )


def _same(told: str) -> str:
    """Of a key's time, whether it's before or after the prompt's end; of a message, what it's about."""
    told = re.sub(r"ms -\d+", "ms before the end", told)
    told = re.sub(r"ms \d+", "ms after it", told)
    return re.sub(r"KeepMessage case (\w+),.*", r"message about case \1", told)


Waits = Iterator[Callable[[], object]]


class LineCaller:
    """One call of a line, driven by a transcript; `held` is what it came to."""

    def __init__(self, line: Line, far: FarEnds, number: str, text: str) -> None:
        self._line, self._far, self._number = line, far, number
        self._script = [each[2:] for each in text.splitlines() if each.startswith("> ")]
        self._at = -1
        self._skew = self._started = 0.0
        self._events: list[LineEvent] = []
        self._began: set[str] = set()
        self._finished: set[str] = set()
        self.held = Held()
        caller = caller_of(head_of(text))
        variables = dict(caller.session.variables)
        variables["can"] = [each for each in variables["can"] if each != "record"]  # the line tells that
        self._conversation = Conversation(number, _quick(caller.flow), variables, self, line)

    # -- prompts

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        values = " ".join(f"{name}={value}" for name, value in prompts[0].variables)
        self.held.said.append(f"play {prompts[0].id} ({values})")
        following = self._script[self._at + 1 : self._at + 2]
        return _MOMENT if following in (["hear"], ["silence"]) else _CUT

    # -- the call

    def run(self) -> Waits:
        """Hold it to the transcript's end: each yield waits until that is so."""
        self._line.dial(Dial(self._number, self._number, "city"))
        yield lambda: self._conversation.session is not None
        for at, action in enumerate(self._script):
            self._at = at
            yield from self._act(action)
        self._line.hangup(self._number)
        yield lambda: self._over

    def __repr__(self) -> str:
        return f"at {self._script[self._at]!r}, {self.held}, {self._events}"

    @property
    def _now(self) -> float:
        clock = self._line.now if isinstance(self._line, SimulatedLine) else time.monotonic()
        return clock + self._skew

    @property
    def _token(self) -> str:
        assert self._conversation.session is not None
        return self._conversation.session.state.token

    @property
    def _over(self) -> bool:
        return self._has(Ended)

    def _has(self, kind: type[LineEvent]) -> bool:
        return any(isinstance(event, kind) for event in self._events)

    def _count(self, kind: type[LineEvent]) -> int:
        return sum(isinstance(event, kind) for event in self._events)

    def take(self, event: LineEvent) -> None:
        self._events.append(event)
        at: dict[str, float] = {"at": event.at + self._skew}
        match event:
            case PlaybackStarted(token=token):
                self._began.add(token)
                self._started = at["at"]
            case PlaybackFinished(token=token):
                self._finished.add(token)
                self._leap(max(0.0, self._started + SECONDS - at["at"]))
                at["at"] = max(at["at"], self._started + SECONDS)
            case KeyPressed(began_at=began_at):
                at["began_at"] = began_at + self._skew
        self._note(self._conversation.receive(replace(event, **at)))

    def _note(self, results: list[Result]) -> None:
        for result in results:
            told = f"message about case {result.case}" if isinstance(result, StoreMessage) else shown(result)
            self.held.handed.append(_same(told))

    def _leap(self, seconds: float) -> None:
        self._skew += seconds

    # -- what the transcript says

    def _act(self, action: str) -> Waits:
        if self._over:
            return
        match action.split():
            case ["hear"]:
                token = self._token
                yield lambda: token in self._finished or self._over
            case ["hear", seconds]:
                token = self._token
                yield lambda: token in self._began
                self._leap(float(seconds))
            case ["key", key]:
                self._leap(0.5)
                pressed = self._count(KeyPressed)
                self._far.presses(self._number, key)
                yield lambda: self._count(KeyPressed) > pressed
            case ["silence"]:
                self._wait_until(self._conversation.deadline or self._now)
            case ["wait", seconds]:
                self._wait(float(seconds))
            case ["speak", seconds]:
                yield from self._speak(float(seconds))
            case ["recorded", _]:
                yield lambda: self._has(RecordingFinished)
            case ["hang", "up"]:
                self._far.hangs_up(self._number)
                yield lambda: self._over
            case _:
                self._tell(action)

    def _speak(self, seconds: float) -> Waits:
        really = _MESSAGE if seconds >= 1.0 else _SHORT_MESSAGE
        end, before = self._now + really, self._skew
        yield lambda: self._now >= end
        self._leap(max(0.0, seconds - really - (self._skew - before)))

    def _wait(self, seconds: float) -> None:
        """Time goes by, with each deadline on its way."""
        end = self._now + seconds
        while (deadline := self._conversation.deadline) is not None and deadline <= end:
            self._wait_until(deadline)
        self._leap(max(0.0, end - self._now))

    def _wait_until(self, deadline: float) -> None:
        self._leap(max(0.0, deadline - self._now))
        self._note(self._conversation.tick(max(self._now, deadline)))

    def _tell(self, action: str) -> None:
        events: dict[str, Any] = {
            "put through": PutThrough(),
            "transfer done": TransferDone(),
            "transfer failed": TransferFailed("486"),
            "queue served": QueueLeft(True),
            "queue lets go": QueueLeft(False),
        }
        if action.startswith("position "):
            self._note(self._conversation.tell(QueueMoved(int(action.split()[1])), self._now))
        else:
            self._note(self._conversation.tell(events[action], self._now))


def hold(line: Line, callers: dict[str, LineCaller], seconds: float = 40.0) -> None:
    """Every call at once, by number, to its end."""
    runs = {number: caller.run() for number, caller in callers.items()}
    waits = {number: next(run) for number, run in runs.items()}
    deadline = time.monotonic() + seconds
    while waits:
        assert time.monotonic() < deadline, [callers[number] for number in waits]
        for event in line.run_once(0.02):
            callers[event.call].take(event)
        for number in [number for number, holds in waits.items() if holds()]:
            _go_on(number, runs[number], waits)


def _go_on(number: str, run: Waits, waits: dict[str, Callable[[], object]]) -> None:
    """As far as it goes without an event of the line."""
    for holds in run:
        if not holds():
            waits[number] = holds
            return
    del waits[number]


def _quick(flow: Flow) -> Flow:
    """With messages of few seconds: they are the one time that is really spent."""
    nodes = {
        name: replace(node, record=Record(_FULL, node.record.ends)) if node.record is not None else node
        for name, node in flow.nodes.items()
    }
    return replace(flow, nodes=nodes)
