"""A driver of flows in virtual time with a citizen at the other end, and the transcripts of what they say."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ivr.flow import FlowSession
from ivr.flow_data import Branch, Choice, Flow, Node, Option, Way
from ivr.flow_events import (
    Beep,
    FlowCommand,
    HangUp,
    HungUp,
    Key,
    Play,
    PromptFinished,
    PromptStarted,
    PutThrough,
    QueueLeft,
    QueueMoved,
    RecordingFinished,
    StartRecording,
    Timeout,
    TransferDone,
    TransferFailed,
)
from ivr.flow_holds import Facts
from ivr.flow_load import FLOWS, load_flow
from prompts.catalogue import load_catalogue

SECONDS = 5.0  # how long every prompt lasts
Branches = set[tuple[str, ...]]


@cache
def shipped(name: str) -> Flow:
    return load_flow(FLOWS / f"{name}.toml", load_catalogue())


class _WatchedFacts(Facts):
    taken: Branches

    def option(self, options: tuple[Option, ...]) -> str:
        prompt = super().option(options)
        node = self._flow.nodes[self._state.node]
        self.taken.add((node.name, "says" if options is node.prompts else "again", prompt))
        return prompt

    def way(self, ways: tuple[Way, ...], node: str) -> Way:
        way = super().way(ways, node)
        here = self._flow.nodes[node]
        kind = "next" if ways is here.ways else "otherwise"
        self.taken.add((node, kind, str(ways.index(way))))
        return way


class Watched(FlowSession):
    """A session that notes each branch that it takes, in `taken`."""

    def watch(self, taken: Branches) -> None:
        self._facts = _WatchedFacts(self.flow, self.variables, self.state)
        self._facts.taken = taken

    @property
    def _taken(self) -> Branches:
        return getattr(self._facts, "taken", set())

    def receive(self, event: Any, now: float) -> list[FlowCommand]:
        node, gives_up = self._node, self.state.gives_up_at
        told = super().receive(event, now)
        if node.transfer or node.queue:
            if isinstance(event, Timeout) and gives_up is not None and now >= gives_up:
                self._taken.add((node.name, "gave up"))
            elif isinstance(event, TransferDone | TransferFailed):
                self._taken.add((node.name, type(event).__name__))
            elif isinstance(event, QueueLeft):
                self._taken.add((node.name, "served" if event.served else "let go"))
        if node.record and (isinstance(event, RecordingFinished) or (isinstance(event, Key) and told)):
            self._taken.add((node.name, type(event).__name__))
        return told

    def _able(self, node: Node) -> bool:
        able = super()._able(node)
        if not able:
            self._taken.add((node.name, "cannot"))
        return able

    def _take(self, choice: Choice, key: str, since_end: int) -> Any:
        self._taken.add((self.state.node, "key", key))
        return super()._take(choice, key, since_end)

    def _fail(self, branch: Branch | None, counts: dict[str, int], now: float) -> Any:
        node = self._node
        kind = "silent" if counts is self.state.silences else "invalid"
        before = counts.get(node.name, 0) + 1
        assert branch is not None
        then = branch.then is not None and before >= branch.most
        self._taken.add((node.name, kind, "then" if then else "next"))
        return super()._fail(branch, counts, now)


def branches(flow: Flow) -> Branches:
    """Every branch that a flow has: node, and key, silence, wrong key, condition, or what came of a wait."""
    return {(node.name, *branch) for node in flow.nodes.values() for branch in _of(node)}


def _of(node: Node) -> set[tuple[str, ...]]:
    found = {("says", option.prompt) for option in node.prompts}
    found |= {("next", str(index)) for index in range(len(node.ways))}
    found |= {("otherwise", str(index)) for index in range(len(node.otherwise))}
    found |= {("key", key) for key in node.keys}
    for kind, branch in (("silent", node.silent), ("invalid", node.invalid)):
        if branch is not None and (branch.then is None or branch.most > 1):
            found.add((kind, "next"))
        if branch is not None and branch.then is not None:
            found.add((kind, "then"))
    if node.again is not None:
        found |= {("again", option.prompt) for option in node.again.prompts}
    if node.record is not None:
        found |= {("RecordingFinished",), ("Key",)}
    if node.transfer is not None:
        found |= {("TransferDone",), ("TransferFailed",), ("cannot",)}
    if node.queue is not None:
        found |= {("served",), ("let go",), ("cannot",)}
    if (node.transfer or node.queue) and node.wait is not None:
        found.add(("gave up",))
    return found


class Caller:
    """`variables` beside the cases are the flow's (`flow_holds.Facts`)."""

    def __init__(
        self,
        cases: int = 1,
        in_hours: bool = False,
        *,
        flow: Flow | None = None,
        can: tuple[str, ...] = (),
        may_record: bool = False,
        rounds: tuple[int, ...] = (),
        **case: object,
    ) -> None:
        self.flow = flow or shipped("satisfaction_survey")
        self.now = 100.0
        self.told: list[FlowCommand] = []
        self.taken: Branches = set()
        one = {"month": 11, "day": 3, "category": "water", "round": 1, **case}
        all_cases = [{**one, "round": rounds[n] if n < len(rounds) else one["round"]} for n in range(cases)]
        self.token, self.started, self.ended = "", 0.0, 0.0
        self.recording = ""
        variables = {"cases": all_cases, "in_hours": in_hours, "may_record": may_record, "can": list(can)}
        self._begin(variables)

    def _begin(self, variables: dict[str, Any]) -> None:
        taken = self.taken

        class Begun(Watched):
            def __init__(self, *given: Any) -> None:
                super().__init__(*given)
                self.watch(taken)

        self._kind = Begun
        session, commands = Begun.start(self.flow, variables, self.now)
        self.session: FlowSession = session
        self._take(commands)

    def _take(self, commands: list[FlowCommand]) -> None:
        for command in commands:
            if isinstance(command, Play | Beep):
                self.token, self.started = command.token, 0.0
            elif isinstance(command, StartRecording):
                self.recording = command.token
            elif isinstance(command, HangUp):
                self.ended = self.now
        self.told += commands

    def give(self, event: Any) -> None:
        data = json.loads(json.dumps(self.session.to_json()))
        self.session = self._kind.from_json(self.flow, data)
        self._take(self.session.receive(event, self.now))

    def hear(self, seconds: float = SECONDS) -> None:
        if not self.started:
            self.now += 0.02
            self.started = self.now
            self.give(PromptStarted(self.token, self.now, SECONDS))
        self.now += seconds
        if seconds >= SECONDS:
            self.give(PromptFinished(self.token, self.now))

    def key(self, key: str) -> None:
        self.now += 0.5
        self.give(Key(key, self.now))

    def silence(self) -> None:
        self.now = max(self.now, self.session.deadline or self.now)
        self.give(Timeout())

    def wait(self, seconds: float) -> None:
        """Time goes by, with each deadline on its way."""
        end = self.now + seconds
        while (deadline := self.session.deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.give(Timeout())
        self.now = end

    def recorded(self, seconds: float) -> None:
        """The line has the whole message."""
        self.give(RecordingFinished(self.recording, self.now, seconds))

    def speak(self, seconds: float) -> None:
        self.now += seconds

    def hang_up(self) -> None:
        self.give(HungUp())

    def stray(self, kind: str, token: str) -> None:
        """An event twice, of an earlier prompt, or out of order."""
        match kind:
            case "started":
                self.give(PromptStarted(token, self.now, SECONDS))
            case "finished":
                self.give(PromptFinished(token, self.now))
            case "early key":
                self.give(Key("3", self.now - 60))
            case "early timeout":
                self.give(Timeout())
            case "recorded":
                self.give(RecordingFinished(token, self.now, 9.0))


def shown(command: FlowCommand) -> str:
    if isinstance(command, Play):
        prompt = command.prompts[0]
        values = " ".join(f"{name}={value}" for name, value in prompt.variables)
        return f"play {prompt.id} ({values})"
    if isinstance(command, Beep):
        return "beep"
    words = {"case": "case ", "ms_since_prompt_end": "ms "}
    fields = ", ".join(f"{words.get(n, n + ' ')}{getattr(command, n)}" for n in command.__slots__)
    return f"{type(command).__name__} {fields}".strip()


def head_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and line[0] not in "<>"]


def caller_of(head: list[str]) -> Caller:
    """The caller that a transcript's head describes."""
    options: dict[str, Any] = {}
    for line in head:
        match line.split():
            case ["flow", name]:
                options["flow"] = shipped(name)
            case ["cases" | "round" as word, value]:
                options[word] = int(value)
            case ["rounds", *values]:
                options["rounds"] = tuple(int(value) for value in values)
            case ["no", "category"]:
                options["category"] = None
            case ["in", "hours"]:
                options["in_hours"] = True
            case ["may", "record"]:
                options["may_record"] = True
            case ["can", *abilities]:
                options["can"] = tuple(abilities)
            case [word, *_] if not word.startswith("#"):
                raise AssertionError(f"what is {line!r}?")
    return Caller(**options)


def run(text: str) -> tuple[str, Caller]:
    """The transcript with what the engine really says, and the caller at its end."""
    head = head_of(text)
    caller = caller_of(head)
    out = [*head, *(f"< {shown(command)}" for command in caller.told)]
    for line in text.splitlines():
        if line.startswith("> "):
            before = len(caller.told)
            act(caller, line[2:])
            out += [line, *(f"< {shown(command)}" for command in caller.told[before:])]
    return "\n".join(out) + "\n", caller


def act(caller: Caller, line: str) -> None:
    match line.split():
        case ["hear"]:
            caller.hear()
        case ["hear", seconds]:
            caller.hear(float(seconds))
        case ["key", key]:
            caller.key(key)
        case ["silence"]:
            caller.silence()
        case ["wait", seconds]:
            caller.wait(float(seconds))
        case ["speak", seconds]:
            caller.speak(float(seconds))
        case ["recorded", seconds]:
            caller.recorded(float(seconds))
        case ["put", "through"]:
            caller.give(PutThrough())
        case ["transfer", "done"]:
            caller.give(TransferDone())
        case ["transfer", "failed"]:
            caller.give(TransferFailed("486"))
        case ["position", number]:
            caller.give(QueueMoved(int(number)))
        case ["queue", "served"]:
            caller.give(QueueLeft(True))
        case ["queue", "lets", "go"]:
            caller.give(QueueLeft(False))
        case ["hang", "up"]:
            caller.hang_up()
        case _:
            raise AssertionError(f"what is {line!r}?")
