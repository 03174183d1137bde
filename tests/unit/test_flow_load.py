"""What a flow's file must be: every fault is named by file and place, and what is let in can be held."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow import FlowSession
from ivr.flow_data import Flow
from ivr.flow_events import HangUp, Key, Play, PromptFinished, PromptStarted, Timeout
from ivr.flow_file import flow_of
from ivr.flow_load import FLOWS, FlowError, check_flow, load_flow
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

WRONG = [
    # what stands in node a, and the words that name the fault
    ('say = "no_such_prompt"\nnext = "z"', "nodes.a: prompt 'no_such_prompt' is not in the catalogue"),
    ('say = "invalid"\nnext = "q"', "nodes.a: leads to 'q', which is no node"),
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
        "nodes.a: offers the ratings [1]; cn3 has [1, 2, 3]",
    ),
    ('say = "invalid"\nnext = "z"\n[nodes.b]\nsay = "invalid"\nnext = "z"', "nodes.b: nothing leads here"),
    ('say = "invalid"\nnext = "z"\nsays = 1', "nodes.a.says: there is no such field"),
    ('say = [{ prompt = "invalid", when = ["moon"] }]\nnext = "z"', "unknown condition 'moon'"),
    ('say = [{ prompt = "invalid", when = ["rated"] }]\nnext = "z"', "the last prompt has a condition"),
    (
        QUESTION + 'invalid = { next = "z" }\nkeys = { 1 = { resolved = true, next = "z" } }',
        "nodes.a: offers only one answer to whether it's resolved",
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
    ('ask = "q_rating"\nsilent = { next = "z" }', "nodes.a: waits None s"),
    ('ask = "q_rating"\nwait = 31', "nodes.a: waits 31.0 s"),
    ('ask = "q_rating"\nwait = inf', "nodes.a.wait: Input should be a finite number"),
    (
        'say = "invalid"\nend = "well"',
        "nodes.a: end 'well'; one of done, handed_over, no_answer, wrong_person",
    ),
    ('say = "invalid"\nend = "done"\ndoes = "sing"', "nodes.a: does 'sing'; one of hand_over, wrong_person"),
    # two that can't both be
    ('say = "invalid"\nend = "done"\nnext = "z"', "nodes.a: has more than one of ask, next and end"),
    (QUESTION + 'say = "invalid"', "nodes.a: has say and ask"),
    ('say = "invalid"\nnext = "z"\nwait = 5', "nodes.a: keys, wait, silent and invalid are a question's"),
    (
        'next = [{ to = "z" }, { to = "a", when = ["rated"] }, { to = "z" }]',
        "nodes.a: a way on before the last has no condition",
    ),
    # the case after the last one
    ('next = [{ to = "z", advance = true }]', "nodes.a: advance needs the condition more_cases"),
    (QUESTION + 'keys = { x = { next = "z" } }', "nodes.a: key 'x'; one of #*0123456789"),
]


@pytest.mark.parametrize(("node", "fault"), WRONG)
def test_a_wrong_flow_is_named(tmp_path: Path, node: str, fault: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(FLOW + node)
    with pytest.raises(FlowError) as error:
        load_flow(path, CATALOGUE)
    assert fault in str(error.value) and str(path) in str(error.value)


TOP = [
    # a line of the head, what stands there instead, and the words that name the fault
    ("call_seconds = 60", "call_seconds = inf", "call_seconds: "),
    ("case_seconds = 60", "case_seconds = 0", "case_seconds: Input should be greater than 0"),
    ('version = "1"', "version = 1", "version: Input should be a valid string, not 1"),
    ('start = "a"', 'start = "b"', "start: there is no node 'b'"),
    ('case_over = "z"', "", "case_over: Field required"),
    ('name = "t"', 'name = "t"\nscale = "cn4"', "scale 'cn4'; one of cn3, cn5"),
]


@pytest.mark.parametrize(("line", "instead", "fault"), TOP)
def test_a_wrong_head_is_named(tmp_path: Path, line: str, instead: str, fault: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(FLOW.replace(line, instead) + 'say = "invalid"\nnext = "z"')
    with pytest.raises(FlowError) as error:
        load_flow(path, CATALOGUE)
    assert f"{path}: {fault}" in str(error.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    with pytest.raises(FlowError, match=r"wrong\.toml"):
        load_flow(path, CATALOGUE)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(FlowError, match=r"wrong\.toml"):
        load_flow(path, CATALOGUE)


SHIPPED = tomllib.loads((FLOWS / "satisfaction_survey.toml").read_text())


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of the file."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, each in entries:
        yield (*above, name)
        yield from places(each, (*above, name))


PLACES = list(places(SHIPPED))
VALUES = ["", "q_rating", "z", 0, 1, -1, True, float("inf"), [], ["rated"], {}, [{}], None]


def with_a_slip(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The shipped flow with another value at one place; None leaves it out."""
    data = copy.deepcopy(SHIPPED)
    table: Any = data
    for name in place[:-1]:
        table = table[name]
    if value is None:
        del table[place[-1]]
    else:
        table[place[-1]] = value
    return data


def let_in(data: dict[str, Any]) -> Flow | None:
    try:
        flow = flow_of(data)
    except FlowError:
        return None
    return None if check_flow(flow, CATALOGUE) else flow


def hold(flow: Flow, keys: list[str]) -> None:
    """A call whose citizen presses `keys`, one a prompt ("" is silence), and then nothing more."""
    cases = [{"month": 11, "day": 3, "category": None}] * 3
    now, pressed = 0.0, iter(keys)
    session, commands = FlowSession.start(flow, {"cases": cases}, now)
    while not session.over:
        plays = [command for command in commands if isinstance(command, Play)]
        now += 0.1
        if session.deadline is not None and now >= session.deadline:
            commands = session.receive(Timeout(), now)
        elif plays:
            session.receive(PromptStarted(plays[-1].token, now, 3.0), now)
            now += 3.0
            commands = session.receive(PromptFinished(plays[-1].token, now), now)
        elif key := next(pressed, ""):
            commands = session.receive(Key(key, now), now)
        else:
            now = max(now, session.deadline or now)
            commands = session.receive(Timeout(), now)
        assert now < flow.call_seconds + 10
    assert isinstance(commands[-1], HangUp)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(PLACES), st.sampled_from(VALUES), st.lists(st.sampled_from([*"01239*#", ""]), max_size=12)
)
def test_a_slip_of_the_pen_is_refused_or_holds(place: tuple[Any, ...], value: Any, keys: list[str]) -> None:
    """Whatever a city writes into a flow: named when it's loaded, never met in a call."""
    if (flow := let_in(with_a_slip(place, value))) is not None:
        hold(flow, keys)
