"""The dialogue engine: `receive(event, now)` gives commands; a wait is data, and a session is JSON. Pure.

The driver plays, records, puts through, stores and hangs up; the engine never calls a telephone. `now` and
all times are monotonic seconds of one clock. `deadline` is when the driver must hand in a Timeout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ivr.flow_data import Choice, Collect, Flow, State
from ivr.flow_events import (
    ChangeRating,
    FlowCommand,
    FlowEvent,
    HangUp,
    HungUp,
    KeepMessage,
    Key,
    LeaveQueue,
    PromptFinished,
    PromptStarted,
    PutThrough,
    QueueLeft,
    QueueMoved,
    RecordingFinished,
    SetVariable,
    StopRecording,
    StopTransfer,
    StoreRating,
    StoreReason,
    StoreResolved,
    Timeout,
    TransferDone,
    TransferFailed,
)
from ivr.flow_moves import END_GUARD, Moves

__all__ = ["LEAST_MESSAGE", "Flow", "FlowSession"]

LEAST_MESSAGE = 1.0  # seconds; less is a key pressed at once, or a breath


class FlowSession(Moves):
    """One call's dialogue. `variables` are those of `flow_holds.Facts`."""

    @classmethod
    def start(
        cls, flow: Flow, variables: Mapping[str, Any], now: float
    ) -> tuple[FlowSession, list[FlowCommand]]:
        """A new session, and the first things to do. ValueError when the call is on another scale."""
        if flow.rates and (scale := variables.get("scale", flow.scale)) != flow.scale:
            raise ValueError(f"{flow.name} asks on the scale {flow.scale}, not {scale}")
        session = cls(flow, variables, State(flow.start, now, now))
        return session, list(session._enter(flow.start, now))

    @property
    def deadline(self) -> float | None:
        """When a Timeout is due; None when the dialogue is over, or others talk."""
        if self.state.over:
            return None
        limits = [self._call_ends, self._case_ends, self.state.deadline, self.state.gives_up_at]
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def over(self) -> bool:
        return self.state.over

    def receive(self, event: FlowEvent, now: float) -> list[FlowCommand]:
        """What to do about `event`. One that is too late or belongs to another prompt does nothing."""
        if self.state.over:
            return []
        match event:
            case PromptStarted(token, at, seconds) if token == self.state.token and self.state.playing:
                self.state.started_at, self.state.ends_at = at, at + seconds
                self.state.deadline = at + seconds + END_GUARD
                return []
            case PromptFinished(token, at) if token == self.state.token and self.state.playing:
                return list(self._finished(at))
            case Key(key, began_at):
                return list(self._key(key, began_at, now))
            case Timeout() if self.deadline is not None and now >= self.deadline:
                return list(self._timeout(now))
            case RecordingFinished(token, _, seconds) if token == self.state.token:
                return list(self._recorded(seconds, now))
            case HungUp():
                self.state.over = True
                return []
        return list(self._others(event, now))

    def to_json(self) -> dict[str, Any]:
        """All of the session but its flow; `from_json` of the same flow goes on with it."""
        return {
            "flow": self.flow.name,
            "version": self.flow.version,
            "variables": dict(self.variables),
            "state": asdict(self.state),
        }

    @classmethod
    def from_json(cls, flow: Flow, data: Mapping[str, Any]) -> FlowSession:
        """ValueError when the data is of another flow or version."""
        if (data["flow"], data["version"]) != (flow.name, flow.version):
            raise ValueError(f"a session of {data['flow']} {data['version']}, not {flow.name} {flow.version}")
        return cls(flow, data["variables"], State(**data["state"]))

    # -- time

    @property
    def _call_ends(self) -> float | None:
        """None while the clock stands still."""
        return None if self.state.stopped_at is not None else self.state.began + self.flow.call_seconds

    @property
    def _case_ends(self) -> float | None:
        """None where the call is ending anyway: a goodbye is neither cut off nor said twice."""
        seconds = self.flow.case_seconds
        if seconds is None or self.state.stopped_at is not None or self._node.end is not None:
            return None
        return self.state.case_began + seconds

    def _timeout(self, now: float) -> Iterator[FlowCommand]:
        state, node = self.state, self._node
        if self._call_ends is not None and now >= self._call_ends:
            state.over = True
            yield HangUp("too_long")
        elif self._case_ends is not None and now >= self._case_ends and self.flow.case_over is not None:
            state.case_began = now  # what is still to be said has its own time
            yield from self._hush()
            yield from self._enter(self.flow.case_over, now)
        elif state.gives_up_at is not None and now >= state.gives_up_at:
            yield from self._hush()
            yield StopTransfer() if node.queue is None else LeaveQueue(node.queue)
            yield from self._go(node.otherwise, now)
        elif state.playing:  # the line lost the prompt's end: go on as if it had come
            yield from self._finished(now)
        elif node.record is not None:  # or the recording's
            if state.stage == "recording":
                yield StopRecording()
            yield from self._go(node.ways, now)
        elif node.queue is not None and node.again is not None:
            yield self._play(self._facts.option(node.again.prompts), now)
        elif node.collect is not None and state.digits:
            yield from self._collected(node.collect, now)
        else:
            yield from self._fail(node.silent, state.silences, now)

    # -- keys

    def _key(self, key: str, began_at: float, now: float) -> Iterator[FlowCommand]:
        """A key belongs to a question if it began after that prompt's first frame left."""
        state, node = self.state, self._node
        if state.started_at is None or began_at <= state.started_at or node.end is not None:
            return
        if node.stops_the_clock:
            if node.record is not None and key == node.record.ends:
                yield from self._end_message(now)
        elif not node.asks or state.after is not None:  # greeting: skips ahead, doesn't count
            yield from self._hush()
            yield from self._finished(now)
        elif node.collect is not None and (key == node.collect.ends or key.isdigit()):
            yield from self._hush()
            yield from self._digit(node.collect, key, now)
        elif (choice := node.keys.get(key)) is None:
            yield from self._hush()
            yield from self._fail(node.invalid, state.mistakes, now)
        else:
            since_end = round((began_at - (state.ends_at or began_at)) * 1000)
            yield from self._hush()
            yield from self._take(choice, key, since_end)
            yield from self._enter(choice.next, now)

    def _take(self, choice: Choice, key: str, since_end: int) -> Iterator[FlowCommand]:
        state = self.state
        if not self._facts.case:  # of a call about none there is nothing to store
            return
        if choice.rating is not None:
            if state.rating is None:
                yield StoreRating(state.case, choice.rating, key, state.prompt, since_end)
                state.rating = choice.rating
            elif not state.changed:
                state.changed = True
                if choice.rating != state.rating:
                    yield ChangeRating(state.case, choice.rating, key, state.prompt, since_end)
                    state.rating = choice.rating
        if choice.resolved is not None:
            yield StoreResolved(state.case, choice.resolved)
        if choice.reason is not None:
            yield StoreReason(state.case, choice.reason)

    def _digit(self, collect: Collect, key: str, now: float) -> Iterator[FlowCommand]:
        state = self.state
        if key != collect.ends:
            state.digits += key
            state.deadline = now + collect.between
        if key == collect.ends or len(state.digits) == collect.most:
            yield from self._collected(collect, now)

    def _collected(self, collect: Collect, now: float) -> Iterator[FlowCommand]:
        digits, self.state.digits = self.state.digits, ""
        if len(digits) < collect.least:
            yield from self._fail(self._node.invalid, self.state.mistakes, now)
            return
        self.state.set[collect.into] = digits
        yield SetVariable(collect.into, digits)
        yield from self._go(self._node.ways, now)

    # -- messages

    def _end_message(self, now: float) -> Iterator[FlowCommand]:
        """The key after a message; before there is one, it says that there won't be one."""
        if self.state.stage == "recording":
            self.state.stage, self.state.deadline = "ending", now + END_GUARD
            yield StopRecording()
        elif self.state.playing:
            yield from self._hush()
            yield from self._go(self._node.ways, now)

    def _recorded(self, seconds: float, now: float) -> Iterator[FlowCommand]:
        if self.state.stage not in ("recording", "ending"):
            return
        if seconds >= LEAST_MESSAGE:
            yield KeepMessage(self.state.case if self._facts.case else None, self.state.token, seconds)
        yield from self._go(self._node.ways, now)

    # -- queues and transfers

    def _others(self, event: FlowEvent, now: float) -> Iterator[FlowCommand]:
        """What whoever puts calls through tells; to a node that waits for none of it, nothing."""
        state, node = self.state, self._node
        match event:
            case QueueMoved(position):
                state.position = max(0, position)
            case PutThrough() if node.queue is not None or state.gives_up_at is not None:
                state.stage, state.deadline, state.gives_up_at = "talking", None, None
                yield from self._hush()
            case TransferDone() if self._transferring:
                yield from self._go(node.ways, now)
            case TransferFailed() if self._transferring:
                yield from self._go(node.otherwise, now)
            case QueueLeft(served) if node.queue is not None:
                yield from self._hush()
                yield from self._go(node.ways if served else node.otherwise, now)

    @property
    def _transferring(self) -> bool:
        """Asked for, and neither done nor failed."""
        waits = self.state.gives_up_at is not None or self.state.stage == "talking"
        return self._node.transfer is not None and waits
