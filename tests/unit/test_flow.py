"""The survey's dialogues as transcripts, re-read from JSON at every step; HUIFANG_UPDATE=1 rewrites them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow import FlowSession
from ivr.flow_events import (
    ChangeRating,
    FlowCommand,
    HangUp,
    HungUp,
    Key,
    Play,
    PromptFinished,
    PromptStarted,
    StopPlay,
    StoreRating,
    Timeout,
)
from ivr.flow_load import FLOWS, load_flow, prompt_version
from prompts.catalogue import load_catalogue

CATALOGUE = load_catalogue()
SURVEY = load_flow(FLOWS / "satisfaction_survey.toml", CATALOGUE)
TRANSCRIPTS = sorted((Path(__file__).parent.parent / "transcripts/flow").glob("*.txt"))
SECONDS = 5.0  # how long every prompt lasts


class Caller:
    """A driver in virtual time, and the citizen at the other end."""

    def __init__(self, cases: int = 1, in_hours: bool = False, **case: object) -> None:
        self.now = 100.0
        self.told: list[FlowCommand] = []
        one = {"month": 11, "day": 3, "category": "water", "round": 1, **case}
        self.token, self.started, self.ended = "", 0.0, 0.0
        variables = {"cases": [one] * cases, "in_hours": in_hours}
        self.session, commands = FlowSession.start(SURVEY, variables, self.now)
        self._take(commands)

    def _take(self, commands: list[FlowCommand]) -> None:
        for command in commands:
            if isinstance(command, Play):
                self.token, self.started = command.token, 0.0
            elif isinstance(command, HangUp):
                self.ended = self.now
        self.told += commands

    def give(self, event: object) -> None:
        data = json.loads(json.dumps(self.session.to_json()))
        self.session = FlowSession.from_json(SURVEY, data)
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


def shown(command: FlowCommand) -> str:
    if isinstance(command, Play):
        prompt = command.prompts[0]
        values = " ".join(f"{name}={value}" for name, value in prompt.variables)
        return f"play {prompt.id} ({values})"
    words = {"case": "case ", "ms_since_prompt_end": "ms "}
    fields = ", ".join(f"{words.get(n, n + ' ')}{getattr(command, n)}" for n in command.__slots__)
    return f"{type(command).__name__} {fields}".strip()


def run(text: str) -> str:
    """The transcript with what the engine really says."""
    head = [line for line in text.splitlines() if line and line[0] not in "<>"]
    options: dict[str, object] = {}
    for line in head:
        word, _, value = line.partition(" ")
        if word in ("cases", "round"):
            options[word] = int(value)
        elif line == "no category":
            options["category"] = None
        elif line == "in hours":
            options["in_hours"] = True
    caller = Caller(**options)
    out = [*head, *(f"< {shown(command)}" for command in caller.told)]
    for line in text.splitlines():
        if line.startswith("> "):
            before = len(caller.told)
            act(caller, line[2:])
            out += [line, *(f"< {shown(command)}" for command in caller.told[before:])]
    return "\n".join(out) + "\n"


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
        case ["hang", "up"]:
            caller.hang_up()
        case _:
            raise AssertionError(f"what is {line!r}?")


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()
    told = run(text)
    if os.environ.get("HUIFANG_UPDATE"):
        path.write_text(told)
    assert told == path.read_text()


steps = st.one_of(
    st.sampled_from("0123456789*#ABCD").map(lambda key: ("key", key)),
    st.sampled_from([1.0, SECONDS]).map(lambda seconds: ("hear", seconds)),
    st.just(("silence",)),
    st.floats(0.1, 200).map(lambda seconds: ("wait", seconds)),
    st.tuples(
        st.just("stray"),
        st.sampled_from(["started", "finished", "early key", "early timeout"]),
        st.sampled_from(["p1", "p2", "p9"]),
    ),
)


@settings(max_examples=200)
@given(st.integers(1, 3), st.lists(steps, max_size=60))
def test_any_caller_is_heard_out_and_rated_once_a_case(cases: int, script: list[tuple]) -> None:
    caller = Caller(cases)
    began = caller.now
    for name, *arguments in script:
        getattr(caller, name)(*arguments)
    caller.wait(1000)
    assert caller.session.over and caller.session.deadline is None
    ends = [command for command in caller.told if isinstance(command, HangUp)]
    assert len(ends) == 1
    for kind in (StoreRating, ChangeRating):
        stored = [command.case for command in caller.told if isinstance(command, kind)]
        assert len(stored) == len(set(stored))
    assert caller.told[-1] == ends[0] or isinstance(caller.told[-1], StopPlay)
    assert caller.ended - began <= SURVEY.call_seconds + SECONDS + 1  # the last prompt may be heard out


@settings(max_examples=50)
@given(st.lists(steps, max_size=20))
def test_after_the_hang_up_nothing_is_done(script: list[tuple]) -> None:
    caller = Caller()
    for name, *arguments in script:
        getattr(caller, name)(*arguments)
    caller.hang_up()
    told = len(caller.told)
    for step in ("hear", "silence", "hang_up"):
        getattr(caller, step)()
    caller.key("1")
    assert caller.session.over and caller.session.deadline is None
    assert len(caller.told) == told


def test_no_call_lasts_longer_than_480_seconds() -> None:
    caller = Caller(cases=9)
    began = caller.now
    while not caller.session.over:
        caller.hear()
        caller.key("*")
        caller.wait(1)
    assert caller.told[-1] == HangUp("too_long")
    assert caller.ended - began <= SURVEY.call_seconds + SECONDS + 2


def test_the_read_back_is_the_same_for_every_answer() -> None:
    """No extra key, prompt or question before the rating of the dissatisfied is stored."""
    stories = []
    for key in "123":
        caller = Caller()
        caller.hear()
        caller.hear()
        caller.key(key)
        stories.append([type(c).__name__ for c in caller.told])
    assert stories[0] == stories[1] == stories[2]


def test_a_session_goes_on_only_in_its_own_version() -> None:
    data = Caller().session.to_json()
    with pytest.raises(ValueError, match="satisfaction_survey 0"):
        FlowSession.from_json(SURVEY, {**data, "version": "0"})


def test_the_prompt_version_follows_the_words() -> None:
    other = load_catalogue.__wrapped__()
    other.spoken["q_rating"]["zh-CN"] = "别的"
    assert prompt_version(SURVEY, other, "zh-CN") != prompt_version(SURVEY, CATALOGUE, "zh-CN")


def test_a_call_on_another_scale_is_refused() -> None:
    """Key 3 is 不满意 in these words; stored on cn5 it would be 基本满意."""
    with pytest.raises(ValueError, match="asks on the scale cn3, not cn5"):
        FlowSession.start(SURVEY, {"scale": "cn5", "cases": []}, 0.0)
