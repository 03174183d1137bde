"""How a dialogue moves from node to node: into one, through its prompt, and on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ivr.flow_data import Branch, Flow, Node, State, Way
from ivr.flow_events import (
    Beep,
    EnterQueue,
    FlowCommand,
    HandOver,
    HangUp,
    Play,
    Prompt,
    SetVariable,
    StartRecording,
    StopPlay,
    Transfer,
    WrongPerson,
)
from ivr.flow_holds import Facts

# A prompt that never starts or never ends isn't waited for longer than this, nor a recording's end.
START_GUARD = 5.0
END_GUARD = 2.0


class Moves:
    """A session's state, and what changes it by itself; what the citizen does is `FlowSession`'s."""

    def __init__(self, flow: Flow, variables: Mapping[str, Any], state: State) -> None:
        self.flow, self.variables, self.state = flow, variables, state
        self._facts = Facts(flow, variables, state)

    @property
    def _node(self) -> Node:
        return self.flow.nodes[self.state.node]

    def _enter(self, name: str, now: float) -> Iterator[FlowCommand]:
        node, state = self.flow.nodes[name], self.state
        state.node, state.after, state.deadline, state.gives_up_at = name, None, None, None
        state.stage, state.digits = "", ""
        self._mind_the_clock(node, now)
        yield from self._do(node)
        if not self._able(node):
            yield from self._go(node.otherwise or node.ways, now)
            return
        if node.queue is not None:  # before a word is said: nobody waits for a prompt's end to be in it
            state.gives_up_at = None if node.wait is None else now + node.wait
            state.position = 0
            yield EnterQueue(node.queue)
        if node.prompts:
            prompt = self._facts.option(node.prompts)
            state.asked[name] = state.asked.get(name, 0) + 1
            state.stage = "notice" if node.record is not None else ""
            yield self._play(prompt, now)
        else:
            yield from self._said(now)

    def _do(self, node: Node) -> Iterator[FlowCommand]:
        for name, value in node.sets.items():
            self.state.set[name] = value
            yield SetVariable(name, value)
        if node.does == "hand_over":
            yield HandOver()
        elif node.does == "wrong_person":
            yield WrongPerson()

    def _able(self, node: Node) -> bool:
        """Whether this line can do what the node is for."""
        needed = (("record", node.record), ("transfer", node.transfer), ("queue", node.queue))
        return all(what is None or self._facts.can(ability) for ability, what in needed)

    def _mind_the_clock(self, node: Node, now: float) -> None:
        """A message, a transfer and a queue have their own time: the call's and the case's stand still."""
        state = self.state
        if node.stops_the_clock:
            state.stopped_at = now if state.stopped_at is None else state.stopped_at
        elif state.stopped_at is not None:
            away = now - state.stopped_at
            state.began, state.case_began, state.stopped_at = (
                state.began + away,
                state.case_began + away,
                None,
            )

    def _said(self, at: float) -> Iterator[FlowCommand]:
        """What comes after the node's own prompt, if it has one."""
        node, state = self._node, self.state
        if node.asks:
            state.deadline = at + (node.wait or 0.0)
        elif node.record is not None:
            yield from self._message(node.record.seconds, at)
        elif node.transfer is not None:
            state.deadline, state.gives_up_at = None, at + (node.wait or 0.0)
            yield Transfer(node.transfer)
        elif node.queue is not None:
            state.deadline = None if node.again is None else at + node.again.every
        elif node.end is not None:
            state.over = True
            yield HangUp(node.end)
        else:
            yield from self._go(node.ways, at)

    def _message(self, seconds: float, at: float) -> Iterator[FlowCommand]:
        """After the notice the beep, after the beep the message."""
        state = self.state
        if state.stage == "notice":
            state.stage = "beep"
            yield Beep(self._token(at))
            return
        state.stage, state.plays = "recording", state.plays + 1
        state.token, state.deadline = f"r{state.plays}", at + seconds + END_GUARD
        yield StartRecording(state.token, seconds)

    def _go(self, ways: tuple[Way, ...], now: float) -> Iterator[FlowCommand]:
        way = self._facts.way(ways, self.state.node)
        if way.advance:
            self._next_case(now)
        yield from self._enter(way.to, now)

    def _next_case(self, now: float) -> None:
        state, facts = self.state, self._facts
        state.earlier_dissatisfied = facts.true("any_dissatisfied")
        state.earlier_to_verify = facts.true("to_verify")
        state.case += 1
        state.case_began = now
        state.rating, state.changed = None, False
        state.asked, state.silences, state.mistakes = {}, {}, {}

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

    # -- sound

    def _play(self, prompt: str, now: float) -> Play:
        self.state.prompt = prompt
        return Play(self._token(now), (Prompt(prompt, self._facts.values()),))

    def _token(self, now: float) -> str:
        state = self.state
        state.plays += 1
        state.token, state.playing = f"p{state.plays}", True
        state.started_at, state.ends_at, state.deadline = None, None, now + START_GUARD
        return state.token

    def _finished(self, at: float) -> Iterator[FlowCommand]:
        self.state.playing, self.state.ends_at = False, at
        if self.state.after is not None:
            yield from self._enter(self.state.after, at)
        else:
            yield from self._said(at)

    def _hush(self) -> Iterator[FlowCommand]:
        if self.state.playing:
            self.state.playing = False
            yield StopPlay()
