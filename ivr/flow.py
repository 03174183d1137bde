"""The dialogue engine: `receive(event, now)` gives commands; a wait is data, and a session is JSON. Pure.

The driver plays, stores and hangs up; the engine never calls a telephone. `now` and all times are monotonic
seconds of one clock. `deadline` is when the driver must hand in a Timeout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from callbacks.rating import SCALES
from ivr.flow_data import Branch, Choice, Flow, Node, State
from ivr.flow_events import (
    ChangeRating,
    FlowCommand,
    FlowEvent,
    HandOver,
    HangUp,
    HungUp,
    Key,
    Play,
    Prompt,
    PromptFinished,
    PromptStarted,
    StopPlay,
    StoreRating,
    StoreReason,
    StoreResolved,
    Timeout,
    WrongPerson,
)

__all__ = ["Flow", "FlowSession"]

# A prompt that never starts or never ends isn't waited for longer than this.
_START_GUARD = 5.0
_END_GUARD = 2.0


class FlowSession:
    """One call's dialogue. `variables`: scale, in_hours, and cases (month, day, category or None, round)."""

    def __init__(self, flow: Flow, variables: Mapping[str, Any], state: State) -> None:
        self.flow, self.variables, self.state = flow, variables, state

    @classmethod
    def start(
        cls, flow: Flow, variables: Mapping[str, Any], now: float
    ) -> tuple[FlowSession, list[FlowCommand]]:
        """A new session, and the first things to do. ValueError when the call is on another scale."""
        if (scale := variables.get("scale", flow.scale)) != flow.scale:
            raise ValueError(f"{flow.name} asks on the scale {flow.scale}, not {scale}")
        session = cls(flow, variables, State(flow.start, now, now))
        return session, list(session._enter(flow.start, now))

    @property
    def deadline(self) -> float | None:
        """When a Timeout is due; None when the dialogue is over."""
        if self.state.over:
            return None
        limits = [self._call_ends, self._case_ends, self.state.deadline]
        return min(limit for limit in limits if limit is not None)

    @property
    def over(self) -> bool:
        return self.state.over

    def receive(self, event: FlowEvent, now: float) -> list[FlowCommand]:
        """What to do about `event`. One that is too late or belongs to another prompt does nothing."""
        if self.state.over:
            return []
        match event:
            case PromptStarted(token, at, seconds) if token == self.state.token:
                self.state.started_at, self.state.ends_at = at, at + seconds
                self.state.deadline = at + seconds + _END_GUARD
                return []
            case PromptFinished(token, at) if token == self.state.token and self.state.playing:
                return list(self._finished(at))
            case Key(key, began_at):
                return list(self._key(key, began_at, now))
            case Timeout() if self.deadline is not None and now >= self.deadline:
                return list(self._timeout(now))
            case HungUp():
                self.state.over = True
        return []

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

    @property
    def _call_ends(self) -> float:
        return self.state.began + self.flow.call_seconds

    @property
    def _case_ends(self) -> float | None:
        """None where the call is ending anyway: a goodbye is neither cut off nor said twice."""
        return None if self._node.end is not None else self.state.case_began + self.flow.case_seconds

    # -- moving

    @property
    def _node(self) -> Node:
        return self.flow.nodes[self.state.node]

    def _enter(self, name: str, now: float) -> Iterator[FlowCommand]:
        node = self.flow.nodes[name]
        self.state.node, self.state.after = name, None
        if node.does == "hand_over":
            yield HandOver()
        elif node.does == "wrong_person":
            yield WrongPerson()
        if node.prompts:
            option = next(o for o in node.prompts if self._holds(o.when))
            self.state.asked[name] = self.state.asked.get(name, 0) + 1
            yield self._play(option.prompt, now)
        else:
            yield from self._leave(now)

    def _leave(self, now: float) -> Iterator[FlowCommand]:
        """On from a node that has said what it says."""
        node = self._node
        if node.end is not None:
            self.state.over = True
            yield HangUp(node.end)
            return
        way = next(w for w in node.ways if self._holds(w.when))
        if way.advance:
            self._next_case(now)
        yield from self._enter(way.to, now)

    def _next_case(self, now: float) -> None:
        self.state.earlier_dissatisfied = self._is("any_dissatisfied")
        self.state.case += 1
        self.state.case_began = now
        self.state.rating, self.state.changed = None, False
        self.state.asked, self.state.silences, self.state.mistakes = {}, {}, {}

    def _play(self, prompt: str, now: float) -> Play:
        state = self.state
        state.plays += 1
        state.token, state.prompt, state.playing = f"p{state.plays}", prompt, True
        state.started_at, state.ends_at, state.deadline = None, None, now + _START_GUARD
        return Play(state.token, (Prompt(prompt, self._values()),))

    def _finished(self, at: float) -> Iterator[FlowCommand]:
        self.state.playing, self.state.ends_at = False, at
        if self.state.after is not None:
            yield from self._enter(self.state.after, at)
        elif self._node.asks:
            self.state.deadline = at + (self._node.wait or 0.0)
        else:
            yield from self._leave(at)

    def _timeout(self, now: float) -> Iterator[FlowCommand]:
        state = self.state
        if now >= self._call_ends:
            state.over = True
            yield HangUp("too_long")
        elif self._case_ends is not None and now >= self._case_ends:
            state.case_began = now  # what is still to be said has its own time
            yield from self._hush()
            yield from self._enter(self.flow.case_over, now)
        elif state.playing:  # the line lost the prompt's end: go on as if it had come
            yield from self._finished(now)
        else:
            yield from self._fail(self._node.silent, state.silences, now)

    # -- keys

    def _key(self, key: str, began_at: float, now: float) -> Iterator[FlowCommand]:
        """A key belongs to a question if it began after that prompt's first frame left."""
        state, node = self.state, self._node
        if state.started_at is None or began_at <= state.started_at or node.end is not None:
            return
        if not node.asks or state.after is not None:  # greeting: skips ahead, doesn't count
            yield from self._hush()
            yield from self._finished(now)
            return
        choice = node.keys.get(key)
        since_end = round((began_at - (state.ends_at or began_at)) * 1000)
        yield from self._hush()
        if choice is None:
            yield from self._fail(node.invalid, state.mistakes, now)
            return
        yield from self._take(choice, key, since_end)
        yield from self._enter(choice.next, now)

    def _take(self, choice: Choice, key: str, since_end: int) -> Iterator[FlowCommand]:
        state = self.state
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

    def _fail(self, branch: Branch | None, counts: dict[str, int], now: float) -> Iterator[FlowCommand]:
        """A silence or a wrong key: once more with a word of help, or on."""
        assert branch is not None  # the loader checked it
        name = self.state.node
        counts[name] = counts.get(name, 0) + 1
        if branch.then is not None and counts[name] >= branch.most:
            yield from self._enter(branch.then, now)
        elif branch.say is not None:
            self.state.after = branch.next
            yield self._play(branch.say, now)
        else:
            yield from self._enter(branch.next, now)

    def _hush(self) -> Iterator[FlowCommand]:
        if self.state.playing:
            self.state.playing = False
            yield StopPlay()

    # -- what holds

    def _holds(self, conditions: tuple[str, ...]) -> bool:
        return all(self._is(condition) for condition in conditions)

    def _is(self, condition: str) -> bool:
        state, cases = self.state, self.variables["cases"]
        match condition:
            case "first_case":
                return state.case == 0
            case "more_cases":
                return state.case + 1 < len(cases)
            case "category":
                return cases[state.case].get("category") is not None
            case "second_round":
                return int(cases[state.case].get("round", 1)) > 1
            case "again":
                return state.asked.get(state.node, 0) > 0
            case "rated":
                return state.rating is not None
            case "dissatisfied":
                return state.rating in SCALES[self.flow.scale].dissatisfied
            case "any_dissatisfied":
                return state.earlier_dissatisfied or self._is("dissatisfied")
            case "in_hours":
                return bool(self.variables.get("in_hours", False))
        raise AssertionError(f"unknown condition {condition}")

    def _values(self) -> tuple[tuple[str, str], ...]:
        """What the present case's prompts are joined with."""
        case = self.variables["cases"][self.state.case]
        values = {
            "month": str(case["month"]),
            "day": str(case["day"]),
            "category": case.get("category") or "other",
        }
        if self.state.rating is not None:
            values["rating"] = f"{self.flow.scale}.{self.state.rating}"
        return tuple(sorted(values.items()))
