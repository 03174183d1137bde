"""What a flow's file must be: every fault is named by file and place, and what is let in can be held."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow import FlowSession
from ivr.flow_data import Flow
from ivr.flow_events import (
    Beep,
    HangUp,
    Key,
    Play,
    PromptFinished,
    PromptStarted,
    QueueLeft,
    RecordingFinished,
    StartRecording,
    Timeout,
    Transfer,
    TransferFailed,
)
from ivr.flow_file import flow_of
from ivr.flow_load import FLOWS, FlowError, check_flow, load_flow, read_flow
from prompts.catalogue import load_catalogue

CATALOGUE = load_catalogue()


FLOW = """
name = "t"
version = "1"
start = "a"
case_over = "z"
call_seconds = 60
case_seconds = 60
[nodes.z]
say = "thanks_good"
end = "done"
[nodes.a]
"""
QUESTION = 'ask = "q_rating"\nwait = 5\nsilent = { next = "z" }\n'
NUMBER = QUESTION + 'invalid = { next = "z" }\n'

WRONG = [
    # what stands in node a, and the words that name the fault
    ('say = "no_such_prompt"\nnext = "z"', "nodes.a.say.0: prompt 'no_such_prompt' is not in the catalogue"),
    ('say = "invalid"\nnext = "q"', "nodes.a.next.0: leads to 'q', which is no node"),
    ('say = "invalid"', "nodes.a: has no way out"),
    (QUESTION + 'keys = { 1 = { next = "z" } }', "nodes.a: a question needs the branches silent and invalid"),
    (QUESTION + 'invalid = { next = "z" }', "nodes.a: a question needs keys"),
    (
        QUESTION + 'invalid = { next = "a", most = 2 }\nkeys = { 1 = { next = "z" } }',
        "invalid: most = 2 needs then",
    ),
    ('say = "invalid"\nnext = "a"', "nodes.a: a loop that goes on without an answer"),
    (
        'ask = "q_rating"\nwait = 5\nsilent = { next = "a" }\ninvalid = { next = "z" }\n'
        'keys = { "*" = { next = "a" } }',
        "nodes.a: a loop that goes on without an answer",
    ),
    (
        QUESTION + 'invalid = { next = "b", most = 2, then = "b" }\nkeys = { "*" = { next = "z" } }\n'
        '[nodes.b]\nnext = "a"',
        "nodes.a: a loop that goes on without an answer",
    ),
    (
        QUESTION + 'invalid = { next = "z" }\nkeys = { 1 = { rating = 1, next = "z" } }',
        "nodes.a.keys: offers the ratings [1]; cn3 has [1, 2, 3]",
    ),
    ('say = "invalid"\nnext = "z"\n[nodes.b]\nsay = "invalid"\nnext = "z"', "nodes.b: nothing leads here"),
    ('say = "invalid"\nnext = "z"\nsays = 1', "nodes.a.says: there is no such field"),
    ('say = [{ prompt = "invalid", when = ["moon"] }]\nnext = "z"', "unknown condition 'moon'"),
    ('say = [{ prompt = "invalid", when = ["rated"] }]\nnext = "z"', "the last prompt has a condition"),
    (
        QUESTION + 'invalid = { next = "z" }\nkeys = { 1 = { resolved = true, next = "z" } }',
        "nodes.a.keys: offers only one answer to whether it's resolved",
    ),
    ("say = ", "Invalid value"),
    # a value of the wrong kind is named by its place, before anything is asked of it
    ('say = []\nnext = "z"', "nodes.a.say: List should have at least 1 item"),
    ('say = "invalid"\nnext = ["z"]', "nodes.a.next.0: "),
    (
        QUESTION + 'keys = { 1 = { rating = "1", next = "z" } }',
        "nodes.a.keys.1.rating: Input should be a valid integer",
    ),
    (
        QUESTION + 'keys = { 1 = { resolved = 1, next = "z" } }',
        "nodes.a.keys.1.resolved: Input should be a valid bool",
    ),
    (QUESTION + 'keys = { 1 = { reason = "Too slow", next = "z" } }', "nodes.a.keys.1.reason: "),
    (QUESTION + 'keys = { 1 = { to = "z" } }', "nodes.a.keys.1.next: Field required"),
    (QUESTION + 'invalid = { next = "z", most = 0 }', "nodes.a.invalid.most: "),
    # a wait or an end that isn't one
    ('ask = "q_rating"\nsilent = { next = "z" }', "nodes.a.wait: waits None s"),
    ('ask = "q_rating"\nwait = 31', "nodes.a.wait: waits 31.0 s"),
    ('ask = "q_rating"\nwait = inf', "nodes.a.wait: Input should be a finite number"),
    (
        'say = "invalid"\nend = "well"',
        "nodes.a.end: end 'well'; one of done, handed_over, no_answer, transferred, wrong_person",
    ),
    (
        'say = "invalid"\nend = "done"\ndoes = "sing"',
        "nodes.a.does: does 'sing'; one of hand_over, wrong_person",
    ),
    # two that can't both be
    ('say = "invalid"\nend = "done"\nnext = "z"', "nodes.a: has more than one of ask, next and end"),
    (QUESTION + 'say = "invalid"', "nodes.a.say: has say and ask"),
    ('say = "invalid"\nnext = "z"\nwait = 5', "nodes.a.wait: wait is a question's"),
    (
        'next = [{ to = "z" }, { to = "a", when = ["rated"] }, { to = "z" }]',
        "nodes.a.next.0: a way on before the last has no condition",
    ),
    (
        QUESTION + 'invalid = { next = "z" }\nkeys = { "*" = { next = "z" } }\notherwise = "z"',
        "otherwise is a recording's",
    ),
    # a number that is collected
    (NUMBER + 'collect = { into = "n", most = 4 }', "nodes.a: has no way out"),
    (
        NUMBER + 'collect = { into = "n", most = 4, least = 5 }\nnext = "z"',
        "collects at least 5 digits, but at most 4",
    ),
    (NUMBER + 'collect = { into = "n", most = 4, ends = "5" }\nnext = "z"', "ends '5'; # or *"),
    (
        NUMBER + 'collect = { into = "n", most = 4 }\nnext = "z"\nkeys = { 0 = { next = "z" } }',
        "key '0' is one of the number",
    ),
    (NUMBER + 'collect = { into = "n" }\nnext = "z"', "nodes.a.collect.most: Field required"),
    # a message
    ('record = {}\nnext = "z"', "a recording needs say: the notice that it is one"),
    ('say = "invalid"\nrecord = { ends = "##" }\nnext = "z"', "ends '##'; one of #*0123456789"),
    ('say = "invalid"\nrecord = { seconds = 61 }\nnext = "z"', "nodes.a.record.seconds: "),
    ('say = "invalid"\nrecord = {}', "nodes.a: has no way out"),
    ('say = "invalid"\nrecord = {}\nnext = "a"', "nodes.a: a loop that goes on without an answer"),
    # a transfer and a queue
    ('transfer = "t"\nwait = 9\nnext = "z"', "needs next, after the talk, and otherwise"),
    ('queue = "q"\notherwise = "z"\nend = "done"', "needs next, after the talk, and otherwise"),
    ('transfer = "t"\nnext = "z"\notherwise = "z"', "a transfer needs wait"),
    ('transfer = "t"\nwait = 121\nnext = "z"\notherwise = "z"', "waits 121.0 s; more than 0 and at most 120"),
    ('transfer = "t"\nqueue = "q"\nwait = 9\nnext = "z"\notherwise = "z"', "is transfer and queue at once"),
    ('transfer = "t"\nwait = 9\nnext = "z"\notherwise = "b"', "leads to 'b', which is no node"),
    ('queue = "q"\nnext = "z"\notherwise = "a"', "nodes.a: a loop that goes on without an answer"),
    ('queue = "q"\nnext = "z"\notherwise = [{ to = "a", most = 3 }]', "the last way on has a condition"),
    (
        'queue = "q"\nnext = "z"\notherwise = "z"\nagain = { every = 1, say = "invalid" }',
        "nodes.a.again.every: ",
    ),
    ('queue = "q"\nnext = "z"\notherwise = "z"\nagain = { every = 9, say = "hm" }', "prompt 'hm' is not"),
    ('say = "invalid"\nnext = "z"\nagain = { every = 9, say = "invalid" }', "again is a queue's"),
    ('say = "invalid"\nnext = "z"\nkeys = { 1 = { next = "z" } }', "keys, collect, silent and invalid are"),
    # a variable
    ('set = { rated = true }\nnext = "z"', "'rated' is a condition of its own"),
    ('set = { moon = 1.5 }\nnext = "z"', "nodes.a.set.moon"),
    ('set = { moon = true }\nnext = [{ to = "z", when = ["sun"] }, { to = "z" }]', "unknown condition 'sun'"),
    ('next = [{ to = "z", when = ["rated=1"] }, { to = "z" }]', "unknown condition 'rated=1'"),
    # no way out
    ('say = "invalid"\nnext = "b"\n[nodes.b]\nsay = "invalid"\nnext = "a"', "nodes.b: no way from here ends"),
    ('say = "invalid"\nnext = "z"\n[nodes.B]\nend = "done"', "nodes.B: String should match pattern"),
    # the case after the last one
    ('next = [{ to = "z", advance = true }]', "nodes.a.next.0: advance needs the condition more_cases"),
    (QUESTION + 'keys = { x = { next = "z" } }', "nodes.a.keys.x: key 'x'; one of #*0123456789"),
]


@pytest.mark.parametrize(("node", "fault"), WRONG)
def test_a_wrong_flow_is_named(tmp_path: Path, node: str, fault: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(FLOW + node)
    with pytest.raises(FlowError) as error:
        load_flow(path, CATALOGUE)
    assert any(
        re.match(rf"{re.escape(str(path))}:\d+: .*{re.escape(fault)}", each) for each in error.value.faults
    )


TOP = [
    # a line of the head, what stands there instead, and the words that name the fault
    ("call_seconds = 60", "call_seconds = inf", "6: call_seconds: "),
    ("case_seconds = 60", "case_seconds = 0", "7: case_seconds: Input should be greater than 0"),
    ('version = "1"', "version = 1", "3: version: Input should be a valid string, not 1"),
    ('start = "a"', 'start = "b"', "4: start: there is no node 'b'"),
    ('case_over = "z"', "", "1: case_over: Field required"),
    ('name = "t"', 'name = "t"\nscale = "cn4"', "3: scale: scale 'cn4'; one of cn3, cn5"),
]


@pytest.mark.parametrize(("line", "instead", "fault"), TOP)
def test_a_wrong_head_is_named(tmp_path: Path, line: str, instead: str, fault: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(FLOW.replace(line, instead) + 'say = "invalid"\nnext = "z"')
    with pytest.raises(FlowError) as error:
        load_flow(path, CATALOGUE)
    assert any(each.startswith(f"{path}:{fault}") for each in error.value.faults)


SEVERAL = """name = "t"
version = "1"
start = "a"
case_over = "z"
call_seconds = 60
case_seconds = "long"

# a comment with [nodes.z] in it
[nodes.z]
say = "thanks_good"
end = "done"

[nodes.a]
ask = "q_rating"
wait = 5
silent = { next = "nowhere" }
invalid = { next = "z" }
[nodes.a.keys]
1 = { next = "z" }
"*" = { next = "moon", more = 1 }

[nodes.b]
next = [
    { to = "z", when = ["rated"] },
    # of two
    { to = "c", when = ["sun"] },
    { to = "z" },
]

[nodes.c]
say = "no_such_prompt"
end = "well"
"""


def test_all_faults_are_told_with_their_lines() -> None:
    with pytest.raises(FlowError) as error:
        read_flow(SEVERAL, "f.toml", CATALOGUE)
    assert [fault.partition(" Input")[0][:60] for fault in error.value.faults] == [
        "f.toml:6: case_seconds:",
        "f.toml:20: nodes.a.keys.*.more: there is no such field",
    ]
    right = SEVERAL.replace('"long"', "60").replace(", more = 1", "")
    with pytest.raises(FlowError) as error:
        read_flow(right, "f.toml", CATALOGUE)
    assert [fault.partition(";")[0] for fault in error.value.faults] == [
        "f.toml:16: nodes.a.silent: leads to 'nowhere', which is no node",
        "f.toml:20: nodes.a.keys.*: leads to 'moon', which is no node",
        "f.toml:26: nodes.b.next.1: unknown condition 'sun'",
        "f.toml:31: nodes.c.say.0: prompt 'no_such_prompt' is not in the catalogue",
        "f.toml:32: nodes.c.end: end 'well'",
    ]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    with pytest.raises(FlowError, match=r"wrong\.toml"):
        load_flow(path, CATALOGUE)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(FlowError, match=r"wrong\.toml"):
        load_flow(path, CATALOGUE)


SHIPPED = {path.stem: path.read_text() for path in sorted(FLOWS.glob("*.toml"))}
DATA = {name: tomllib.loads(text) for name, text in SHIPPED.items()}


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of the file."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, each in entries:
        yield (*above, name)
        yield from places(each, (*above, name))


PLACES = [(flow, place) for flow, data in DATA.items() for place in places(data)]
VALUES = ["", "q_rating", "z", 0, 1, -1, True, float("inf"), [], ["rated"], {}, [{}], None]
ABILITIES = st.sets(st.sampled_from(["record", "transfer", "queue"]))


def with_a_slip(flow: str, place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A shipped flow with another value at one place; None leaves it out."""
    data = copy.deepcopy(DATA[flow])
    table: Any = data
    for name in place[:-1]:
        table = table[name]
    if value is None:
        del table[place[-1]]
    else:
        table[place[-1]] = value
    return data


def let_in(data: dict[str, Any]) -> Flow | None:
    flow, faults = flow_of(data)
    if flow is None or faults or check_flow(flow, frozenset(data["nodes"]), CATALOGUE):
        return None
    return flow


def hold(flow: Flow, keys: list[str], can: set[str]) -> None:
    """A call whose citizen presses `keys`, one a prompt ("" is silence), and then nothing more.

    Who waits in a queue may stay as long as it goes on: it lets go of them, if only at the fiftieth time.
    """
    cases = [{"month": 11, "day": 3, "category": None}] * 3
    now, waits, pressed = 0.0, 0, iter(keys)
    variables = {"cases": cases, "can": list(can), "may_record": True, "in_hours": True}
    session, commands = FlowSession.start(flow, variables, now)
    for _ in range(2000):
        if session.over:
            break
        now += 0.1
        told = answer(session, commands, now)
        if told is None and (key := next(pressed, "")):
            commands = session.receive(Key(key, now), now)
        elif told is None:
            now = max(now, session.deadline or now + 60)
            waits += 1
            lets_go = session.deadline is None or waits % 50 == 0
            commands = session.receive(QueueLeft(False) if lets_go else Timeout(), now)
        else:
            now, commands = told
    assert session.over and isinstance(commands[-1], HangUp)


def answer(session: FlowSession, commands: list[Any], now: float) -> tuple[float, list[Any]] | None:
    """What a line and those behind it tell of the last command, and when; None where they tell nothing."""
    if session.deadline is not None and now >= session.deadline:
        return now, session.receive(Timeout(), now)
    match commands:
        case [*_, Play(token=token) | Beep(token=token)]:
            session.receive(PromptStarted(token, now, 3.0), now)
            return now + 3.0, session.receive(PromptFinished(token, now + 3.0), now + 3.0)
        case [*_, StartRecording(token, seconds)]:
            return now + seconds, session.receive(RecordingFinished(token, now, seconds), now + seconds)
        case [*_, Transfer()]:
            return now + 2.0, session.receive(TransferFailed(), now + 2.0)
    return None


@settings(max_examples=300)
@given(
    st.sampled_from(PLACES),
    st.sampled_from(VALUES),
    st.lists(st.sampled_from([*"01239*#", ""]), max_size=12),
    ABILITIES,
)
def test_a_slip_of_the_pen_is_refused_or_holds(
    at: tuple[str, tuple[Any, ...]], value: Any, keys: list[str], can: set[str]
) -> None:
    """Whatever a city writes into a flow: named when it's loaded, never met in a call."""
    if (flow := let_in(with_a_slip(*at, value))) is not None:
        hold(flow, keys, can)


PIECES = [
    "",
    "\n",
    "=",
    "[",
    "]",
    "{",
    '"',
    "next",
    "[nodes.z]",
    "9" * 5000,
    "1979-99-99",
    "\0",
    "'" * 3,
    "[[nodes]]",
]


@settings(max_examples=300)
@given(st.sampled_from(sorted(SHIPPED)), st.data())
def test_a_mutilated_file_loads_or_is_refused_with_a_line(name: str, data: st.DataObject) -> None:
    text = SHIPPED[name]
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 60)))
        piece = data.draw(st.sampled_from(PIECES) | st.text(max_size=5) | st.just(text[begin:end] * 2))
        text = text[:begin] + piece + text[end:]
    try:
        read_flow(text, "f.toml", CATALOGUE)
    except FlowError as error:
        assert error.faults
        lines = len(text.splitlines())
        for fault in error.faults:
            told = re.match(r"f\.toml:(\d+): ", fault)
            assert told and 1 <= int(told[1]) <= max(1, lines), fault


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "n = " + "9" * 5000, "", "version = 0x" + "f" * 6000, "name = 'x'\r\nend"],
    ids=["deep", "long number", "nothing", "long hexadecimal", "carriage return"],
)
def test_a_text_that_the_parser_breaks_on_is_refused(text: str) -> None:
    with pytest.raises(FlowError, match=r"f\.toml:\d+: "):
        read_flow(text, "f.toml", CATALOGUE)
