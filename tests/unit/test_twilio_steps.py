"""The flows as TwiML: their transcripts by webhooks, re-read from JSON at every step.

What is stored must be what the other lines store, but for what the line can't tell: when a key went down, and
keys pressed while something is said, not asked. HUIFANG_UPDATE=1 rewrites the documents.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from xml.dom import minidom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.conversation import Conversation
from ivr.events import Ended, KeyPressed
from ivr.flow import Flow, FlowSession
from ivr.flow_events import FlowCommand, HangUp, Prompt
from ivr.flow_load import FLOWS as SHIPPED
from ivr.flow_load import load_flow
from ivr.line import Dial
from ivr.media.audio import Audio
from ivr.settings import CitySettings
from ivr.simulated_line import SimulatedLine
from ivr.twilio_steps import Message, Posted, Question, Ringing, StepResult, Steps, Turn
from ivr.twilio_twiml import Asked, Dialled, HungUp, Recorded, Sent, Then, document
from prompts.catalogue import load_catalogue
from tests.flow_caller import (
    SECONDS,
    Branches,
    Caller,
    act,
    branches,
    caller_of,
    head_of,
    run,
    shipped,
)
from tests.unit.test_flow import SURVEY

FLOWS = Path(__file__).parent.parent / "transcripts/flow"
DOCUMENTS = FLOWS.parent / "twilio"


QUEUES = "keep callers in a queue"


def left_out(text: str) -> str:
    """Why a transcript isn't of this line; empty where it is."""
    abilities = [line.split()[1:] for line in head_of(text) if line.startswith("can ")]
    return QUEUES if any("queue" in each for each in abilities) else ""


NAMES = sorted(path.stem for path in FLOWS.glob("*.txt") if not left_out(path.read_text()))


def length(prompts: Sequence[Prompt]) -> float:
    return SECONDS * len(prompts)


class ByWebhooks:
    """A provider that posts what was pressed, said or rung, and reads what comes back."""

    def __init__(self, variables: dict[str, object], now: float, flow: Flow = SURVEY) -> None:
        self.turns: list[Turn] = []
        self.out: list[str] = []
        self._flow = flow
        self.steps, turn = Steps.begin(flow, variables, now, length)
        self._read("begin", turn)

    @property
    def over(self) -> bool:
        return self.turns[-1].waits is None

    @property
    def waits(self) -> Question | Message | Ringing | None:
        return self.turns[-1].waits

    def post(self, digits: str, now: float) -> None:
        self.tell(f"key {digits}" if digits else "silence", Posted(digits), now)

    def tell(self, heading: str, posted: Posted, now: float) -> None:
        if self.over:
            return
        kept = json.loads(json.dumps(self.steps.to_json()))
        self.steps = Steps.from_json(self._flow, kept, length)
        self._read(heading, self.steps.go_on(posted, now))

    def _read(self, heading: str, turn: Turn) -> None:
        self.turns.append(turn)
        action = f"/{len(self.turns)}"
        then: Then = HungUp()
        match turn.waits:
            case Question(prompts, wait):
                then = Asked(tuple(map(_sound, prompts)), wait, action)
            case Message(case, seconds, ends):
                then = Recorded(seconds, ends, action, f"/message/{case}")
            case Ringing(target, seconds):
                then = Dialled((f"+86379{len(target)}",), "+15005550006", seconds, action)
        text = document([_sound(prompt) for prompt in turn.said], then)
        pretty = minidom.parseString(text).documentElement.toprettyxml(indent="  ").strip()
        self.out += [f"> {heading}", *pretty.splitlines(), *(f"< {result}" for result in _told(turn.results))]

    @property
    def results(self) -> list[str]:
        return [told for turn in self.turns for told in _told(turn.results)]


def _sound(prompt: Prompt) -> str:
    return f"/{prompt.id}.wav"


def _told(commands: Sequence[FlowCommand]) -> list[str]:
    """What is to be stored or done, without the time of the key and the line's name of a recording."""
    told = []
    for command in commands:
        if isinstance(command, StepResult):
            names = [name for name in command.__slots__ if name not in ("ms_since_prompt_end", "token")]
            told.append(" ".join([type(command).__name__, *(f"{n}={getattr(command, n)}" for n in names)]))
    return told


def is_asked(session: FlowSession) -> bool:
    state, node = session.state, session.flow.nodes[session.state.node]
    return node.asks and state.after is None


def both(name: str) -> tuple[Caller, ByWebhooks, bool]:
    """The same citizen on both; whether they hung up themselves."""
    text = (FLOWS / f"{name}.txt").read_text()
    lines, caller = text.splitlines(), caller_of(head_of(text))
    provider = ByWebhooks(dict(caller.session.variables), caller.now, caller.flow)
    for line in lines:
        if line.startswith("> "):
            away = is_away(provider)
            if line.startswith("> wait ") and not away:
                wait(caller, provider, float(line.split()[2]))
            elif not away:
                step(caller, provider, line[2:])
            else:
                act(caller, line[2:])
                come_back(caller, provider, line[2:])
    return caller, provider, "> hang up" in lines


def is_away(provider: ByWebhooks) -> bool:
    """Whether the provider records or rings somebody: it tells what came of it when that's over."""
    return isinstance(provider.waits, Message | Ringing)


def come_back(caller: Caller, provider: ByWebhooks, action: str) -> None:
    """Told when the dialogue of the other lines has gone on, too; of who hung up nothing is asked again."""
    node = caller.session.flow.nodes[caller.session.state.node]
    if node.record is not None or node.transfer is not None or action == "hang up":
        return
    if isinstance(provider.waits, Message):
        seconds = float(int(float(action.split()[1]))) if action.startswith("recorded ") else 0.0
        provider.tell(f"recorded {seconds:g}", Posted(recorded=seconds), caller.now)
    else:
        taken = action == "transfer done"
        provider.tell("taken" if taken else "not taken", Posted(was_taken=taken), caller.now)


def step(caller: Caller, provider: ByWebhooks, action: str) -> None:
    asked = is_asked(caller.session) and not caller.session.over
    started = caller.session.state.started_at is not None
    act(caller, action)
    if action == "silence" and asked:
        provider.post("", caller.now)
    elif action.startswith("key ") and asked and started:
        provider.post(action[4:], caller.now)
    if is_away(provider):
        at = caller.session.flow.nodes[caller.session.state.node]
        if at.record is None and at.transfer is None:  # they skipped what this line has them hear out
            come_back(caller, provider, action)


def wait(caller: Caller, provider: ByWebhooks, seconds: float) -> None:
    """A question whose time runs out is posted; what a line's lost events lead to isn't."""
    end = caller.now + seconds
    while (deadline := caller.session.deadline) is not None and deadline <= end:
        before, asked = len(caller.told), is_asked(caller.session)
        caller.wait(deadline - caller.now)
        if asked and len(caller.told) > before:
            provider.post("", caller.now)
    caller.now = end


@pytest.mark.parametrize("name", NAMES)
def test_the_same_citizen_comes_to_the_same(name: str) -> None:
    caller, provider, hung_up = both(name)
    wanted, got = _told(caller.told), provider.results
    if hung_up or not caller.session.over:  # what is said is taken as heard: a goodbye is over at once
        wanted, got = ([t for t in each if not t.startswith("HangUp")] for each in (wanted, got))
    assert got == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_documents(name: str) -> None:
    _, provider, _ = both(name)
    text, path = "\n".join([*provider.out, ""]), DOCUMENTS / f"{name}.txt"
    if os.environ.get("HUIFANG_UPDATE"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("flow", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_every_branch_is_taken_but_those_of_queues(flow: str) -> None:
    by_webhooks, in_queues = Branches(), Branches()
    for path in FLOWS.glob("*.txt"):
        _, caller = run(path.read_text())
        if caller.flow.name == flow:
            (by_webhooks if path.stem in NAMES else in_queues).update(caller.taken)
    missing = branches(shipped(flow)) - by_webhooks
    assert missing <= in_queues, "\n".join(" ".join(each) for each in sorted(missing - in_queues))
    if all(node.queue is None for node in shipped(flow).nodes.values()):
        assert not missing


def test_no_document_without_a_flow() -> None:
    assert sorted(path.stem for path in DOCUMENTS.glob("*.txt")) == NAMES


@pytest.mark.contract("the total time ends it too")
def test_a_call_is_over_after_its_longest_time() -> None:
    caller = Caller()
    provider = ByWebhooks(dict(caller.session.variables), 100.0)
    provider.post("1", 100.0 + SURVEY.call_seconds + 1)
    assert _told(provider.turns[-1].results)[-1] == _told([HangUp("too_long")])[0]
    assert any(told.startswith("StoreRating") for told in provider.results)  # they pressed it


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (Sent("/k/1"), "<Redirect>/k/1</Redirect>"),
        (HungUp(), "<Hangup />"),
        (
            Recorded(59.2, "#", "/k/2", "/k/message/0"),
            '<Record action="/k/2" finishOnKey="#" maxLength="60" playBeep="true" '
            'recordingStatusCallback="/k/message/0" timeout="60" trim="do-not-trim" />'
            "<Redirect>/k/2</Redirect>",  # of an empty one the action isn't told
        ),
        (
            Dialled(("+8637912345", "+8637912346"), "+15005550006", 20, "/k/3"),
            '<Dial action="/k/3" callerId="+15005550006" timeout="20">'
            "<Number>+8637912345</Number><Number>+8637912346</Number></Dial>",
        ),
        (
            Asked(("/a.wav",), 5, "/k/5", 6, "#"),  # a number
            '<Gather action="/k/5" actionOnEmptyResult="true" finishOnKey="#" input="dtmf" numDigits="6" '
            'timeout="5"><Play>/a.wav</Play></Gather>',
        ),
        (
            Asked(("/a.wav?x=1&y=2",), 0.2, "/k/4"),  # a wait of no time isn't one of Twilio's
            '<Gather action="/k/4" actionOnEmptyResult="true" finishOnKey="" input="dtmf" numDigits="1" '
            'timeout="1"><Play>/a.wav?x=1&amp;y=2</Play></Gather>',
        ),
    ],
)
def test_what_comes_next(then: object, told: str) -> None:
    text = document(["/said.wav"], then)  # type: ignore[arg-type]
    head = '<?xml version="1.0" encoding="UTF-8"?><Response><Play>/said.wav</Play>'
    assert text == f"{head}{told}</Response>"


EVERY_KIND = load_flow(Path(__file__).parent.parent / "data/every_kind.toml", load_catalogue())


@pytest.mark.parametrize(
    ("posts", "said", "outcome"),
    [
        (["0823"], "thanks_good", "done"),
        (["78"], "invalid", "no_answer"),  # shorter: the key after it isn't told
        (["7", ""], "bye", "no_answer"),  # too few, then none
        (["*", "0823"], "thanks_good", "done"),
    ],
)
def test_a_number_is_collected_as_a_whole(posts: list[str], said: str, outcome: str) -> None:
    provider = ByWebhooks({"cases": [], "can": []}, 100.0, EVERY_KIND)
    assert isinstance(provider.waits, Question)
    assert (provider.waits.most, provider.waits.ends) == (4, "#")
    for digits in posts:
        provider.post(digits, 100.0)
    for _ in range(3):
        provider.post("", 100.0)
    assert provider.turns[-1].said[-1].id == said
    assert provider.results[-1] == f"HangUp outcome={outcome}"


class Silence:
    """Prompts of the harness's length."""

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        return Audio.silence(length(prompts))


@pytest.mark.parametrize("digit", range(1, 10))
def test_the_citizens_of_the_simulated_line_come_to_the_same(digit: int) -> None:
    """By the last digit of their number: pleased, displeased, wrong key first, hanging up, silent …"""
    line = SimulatedLine(CitySettings(silent_for=60))
    variables = {"cases": [{"month": 11, "day": 3, "category": "water", "round": 1}], "in_hours": False}
    conversation = Conversation("c1", SURVEY, variables, Silence(), line)
    results, posted = [], []
    line.dial(Dial("c1", f"1380379123{digit}", "city"))
    ended: Ended | None = None
    while ended is None:
        deadline = conversation.deadline
        told = line.run_once(1.0 if deadline is None else max(0.0, deadline - line.now))
        for event in told:
            if isinstance(event, KeyPressed) and conversation.session and is_asked(conversation.session):
                posted.append((event.key, event.at))
            results += conversation.receive(event)
            ended = event if isinstance(event, Ended) else ended
        if conversation.session is not None and deadline is not None and line.now >= deadline:
            asked, token = is_asked(conversation.session), conversation.session.state.token
            results += conversation.tick(line.now)
            if asked and (token != conversation.session.state.token or conversation.session.over):
                posted.append(("", line.now))
    provider = ByWebhooks(variables, 0.0) if conversation.session is not None else None
    for digits, now in posted:
        assert provider is not None
        provider.post(digits, now)
    wanted, got = _told(results), provider.results if provider is not None else []
    if ended.by == "them":
        wanted, got = ([t for t in each if not t.startswith("HangUp")] for each in (wanted, got))
    assert got == wanted


@settings(max_examples=100)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(["", *"0123456789*#"]), st.floats(0, 60)), max_size=60),
)
def test_any_caller_is_rated_once_a_case_and_hung_up_on(cases: int, posts: list[tuple[str, float]]) -> None:
    """Each step asks or ends; once it has ended nothing more is done."""
    one = {"month": 11, "day": 3, "category": "water", "round": 1}
    now = 100.0
    provider = ByWebhooks({"cases": [one] * cases, "in_hours": False}, now)
    for digits, seconds in posts:
        now += seconds
        provider.post(digits, now)
    for _ in range(400):
        provider.post("", now)
    assert provider.over
    for kind in ("StoreRating", "ChangeRating"):
        stored = [told.split()[1] for told in provider.results if told.startswith(kind)]
        assert len(stored) == len(set(stored))
    assert sum(told.startswith("HangUp") for told in provider.results) == 1
    for turn in provider.turns[:-1]:
        assert turn.waits is not None
