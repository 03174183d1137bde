"""The satisfaction survey held with each citizen of the city: in virtual time, and over SIP and RTP."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from callbacks.vocabulary import Disposition, MachineSign
from ivr.call import CallResult, converse, place_call
from ivr.conversation import Conversation, Result, StoreMessage
from ivr.events import Answered, Ended, KeyPressed, LineEvent, MachineHeard
from ivr.flow import Flow, FlowSession
from ivr.flow_events import (
    ChangeRating,
    HandOver,
    HangUp,
    Prompt,
    StoreRating,
    StoreReason,
    StoreResolved,
    WrongPerson,
)
from ivr.flow_load import FLOWS, load_flow
from ivr.line import Dial
from ivr.media import g711
from ivr.media.audio import Audio
from ivr.settings import CitySettings
from ivr.simulated_line import SimulatedLine
from ivr.sip_line import SipLine
from ivr.speech import SpokenPrompts
from prompts.catalogue import load_catalogue
from prompts.store import PromptStore
from tests.loopback_city import PROMPT, quick_city, quick_voice, running_city

CASE: dict[str, Any] = {"month": 11, "day": 23, "category": "water", "round": 1}
VARIABLES: dict[str, Any] = {"scale": "cn3", "in_hours": True, "cases": [CASE]}

# last digit: keys, rating, solved, reason, how the dialogue ended
SURVEYS = [
    (1, "11", 1, True, None, "done"),
    (2, "21", 2, True, None, "done"),
    (3, "321", 3, False, "not_solved", "done"),
    (5, "711", 1, True, None, "done"),  # a wrong key is asked again
    (6, "", None, None, None, None),  # hung up: nothing more is said
    (7, "", None, None, None, "no_answer"),  # silent twice
]


class OneTone:
    """Every prompt is the same short tone: what is tested is the way of the keys."""

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        return PROMPT


@cache
def flow() -> Flow:
    return load_flow(FLOWS / "satisfaction_survey.toml", load_catalogue())


@cache
def speech(language: str = "zh-CN") -> SpokenPrompts:
    return SpokenPrompts(PromptStore(language))


Held = tuple[list[Result], Conversation, list[LineEvent]]


def hold(digit: int, variables: dict[str, Any] = VARIABLES) -> Held:
    """The survey in virtual time, with the real prompts; the session goes through JSON at every step."""
    line = SimulatedLine(CitySettings())
    conversation = Conversation("c1", flow(), variables, speech(), line)
    results: list[Result] = []
    told: list[LineEvent] = []
    line.dial(Dial("c1", f"1380379000{digit}", "city"))
    while not any(isinstance(event, Ended) for event in told):
        assert line.now < 600
        deadline = conversation.deadline
        for event in line.run_once(1.0 if deadline is None else max(0.0, deadline - line.now)):
            told.append(event)
            results += conversation.receive(event)
        results += conversation.tick(line.now)
        if conversation.session is not None:
            kept = json.loads(json.dumps(conversation.session.to_json()))
            conversation.session = FlowSession.from_json(flow(), kept)
    line.close()
    return results, conversation, told


def of(results: list[Result], kind: type, field: str) -> Any:
    return next((getattr(result, field) for result in results if isinstance(result, kind)), None)


@pytest.mark.parametrize(("digit", "keys", "rating", "solved", "reason", "outcome"), SURVEYS)
def test_each_citizen_in_virtual_time(
    digit: int, keys: str, rating: int | None, solved: bool | None, reason: str | None, outcome: str | None
) -> None:
    results, conversation, told = hold(digit)
    assert "".join(key.key for key in conversation.keys) == keys
    assert of(results, StoreRating, "value") == rating
    assert of(results, StoreResolved, "resolved") == solved
    assert of(results, StoreReason, "reason") == reason
    assert of(results, HangUp, "outcome") == outcome
    assert isinstance(told[-1], Ended)
    assert told[-1].by == ("them" if digit == 6 else "us")
    assert conversation.deadline is None
    for key in conversation.keys:  # the citizen waits for the prompt's end, and the pause
        assert key.ms_since_prompt_end is not None
        assert 900 <= key.ms_since_prompt_end <= 1300


@pytest.mark.parametrize(("digit", "rating"), [(1, 1), (2, 2), (3, 3)])
def test_two_cases_in_one_call(digit: int, rating: int) -> None:
    results, _, _ = hold(digit, {**VARIABLES, "cases": [CASE, {**CASE, "category": None}]})
    stored = [(result.case, result.value) for result in results if isinstance(result, StoreRating)]
    assert stored == [(0, rating), (1, rating)]
    assert of(results, HangUp, "outcome") == "done"


def test_messages_in_virtual_time() -> None:
    """Two dissatisfied cases, a message about each; what isn't said can't be kept."""
    results, conversation, _ = hold(3, {**VARIABLES, "cases": [CASE, CASE], "may_record": True})
    messages = [result for result in results if isinstance(result, StoreMessage)]
    assert [message.case for message in messages] == [0, 1]
    assert all(message.seconds == len(message.payload) / 8000 == 3.0 for message in messages)
    assert "".join(key.key for key in conversation.keys) == "321#321#"
    assert of(results, HangUp, "outcome") == "done"


def test_a_message_over_sip_and_rtp() -> None:
    """The citizen hears the beep, speaks for a second and presses #; what it said arrives."""
    with running_city(quick_city(message_seconds=1.2)) as city:
        line = SipLine(quick_voice(city.port))
        try:
            talk = Conversation("c3", flow(), {**VARIABLES, "may_record": True}, OneTone(), line)
            results: list[Result] = []
            line.dial(Dial("c3", "13803790003", "city"))
            deadline = time.monotonic() + 60
            ended = False
            while not ended:
                assert time.monotonic() < deadline, results
                for event in line.run_once(0.02):
                    results += talk.receive(event)
                    ended = ended or isinstance(event, Ended)
                results += talk.tick(time.monotonic())
        finally:
            line.close()
    assert "".join(key.key for key in talk.keys) == "321#"
    (message,) = (result for result in results if isinstance(result, StoreMessage))
    assert (message.case, message.codec) == (0, "pcma")
    voice = np.abs(g711.decode(message.payload, message.codec).astype(np.int32)) > 500
    assert 0.7 < np.count_nonzero(voice) / 8000 < 1.3  # 200 Hz is below 500 at its turns alone
    assert of(results, HangUp, "outcome") == "done"


def test_nothing_is_asked_before_the_answer_or_twice() -> None:
    line = SimulatedLine()
    conversation = Conversation("c1", flow(), VARIABLES, OneTone(), line)
    assert conversation.deadline is None
    assert conversation.tick(1e9) == []
    line.dial(Dial("c1", "13803790007", "city"))
    answer = next(event for _ in range(100) for event in line.run_once(1) if isinstance(event, Answered))
    conversation.receive(answer)
    session = conversation.session
    conversation.receive(answer)
    assert conversation.session is session
    assert conversation.tick(answer.at) == []  # not due yet
    line.close()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_prompt_of_the_flow_can_be_said(language: str) -> None:
    values = (("category", "water"), ("day", "23"), ("month", "11"), ("rating", "cn3.2"))
    spoken = speech(language)
    greeting = spoken.audio([Prompt("greeting", values)])
    both = spoken.audio([Prompt("greeting", values), Prompt("read_back", values)])
    assert 5 < greeting.seconds < 30
    assert len(both) == len(greeting) + len(spoken.audio([Prompt("read_back", values)]))


def test_each_citizen_over_sip_and_rtp() -> None:
    with running_city(quick_city(lines=16)) as city:
        line = SipLine(quick_voice(city.port, lines=16))
        try:
            talks = {
                call: Conversation(call, flow(), VARIABLES, OneTone(), line)
                for call in ("c0", "c1", "c2", "c3", "c4", "c5", "c6")
            }
            results: dict[str, list[Result]] = {call: [] for call in talks}
            ended: dict[str, Ended] = {}
            for call in talks:
                line.dial(Dial(call, f"1380379000{call[1:]}", "city", ring_timeout=1.0))
            deadline = time.monotonic() + 60
            while len(ended) < len(talks):
                assert time.monotonic() < deadline, (ended, results)
                for event in line.run_once(0.02):
                    results[event.call] += talks[event.call].receive(event)
                    if isinstance(event, Ended):
                        ended[event.call] = event
                for call, talk in talks.items():
                    results[call] += talk.tick(time.monotonic())
        finally:
            line.close()
    for digit, keys, rating, solved, reason, outcome in SURVEYS[:-1]:  # the silent one takes too long
        mine = results[f"c{digit}"]
        assert "".join(key.key for key in talks[f"c{digit}"].keys) == keys
        assert of(mine, StoreRating, "value") == rating
        assert of(mine, StoreResolved, "resolved") == solved
        assert of(mine, StoreReason, "reason") == reason
        assert of(mine, HangUp, "outcome") == outcome
    assert ended["c0"].disposition is Disposition.BUSY
    assert ended["c4"].disposition is Disposition.NO_ANSWER


def test_results_that_a_person_must_see_are_handed_over() -> None:
    """Keys that no citizen of the city presses: 0 for a person, 9 for the wrong one, * to change."""
    for keys, kinds in (
        ("0", [HandOver, HangUp]),
        ("9", [WrongPerson, HangUp]),
        ("3*111", [StoreRating, ChangeRating, StoreResolved, HangUp]),
    ):
        line = SimulatedLine()
        conversation = Conversation("c1", flow(), VARIABLES, OneTone(), line)
        line.dial(Dial("c1", "13803790007", "city"))
        results = press_after_each_question(line, conversation, keys)
        assert [type(result) for result in results] == kinds
        line.close()


def press_after_each_question(line: SimulatedLine, conversation: Conversation, keys: str) -> list[Result]:
    results: list[Result] = []
    left = list(keys)
    while True:
        session = conversation.session
        deadline = conversation.deadline
        for event in line.run_once(0.2 if deadline is None else min(0.2, max(0.0, deadline - line.now))):
            results += conversation.receive(event)
            if isinstance(event, Ended):
                return results
        waits = (
            session is not None and not session.state.playing and session.flow.nodes[session.state.node].asks
        )
        if waits and left:
            results += conversation.receive(KeyPressed("c1", line.now, left.pop(0), line.now))
        results += conversation.tick(line.now)


def is_question(session: FlowSession) -> bool:
    return session.flow.nodes[session.state.node].asks


@pytest.mark.parametrize("line", ["sip", "pyvoip"])
def test_place_call_tells_what_came_of_it(line: str) -> None:
    with running_city(quick_city()) as city:
        order = Dial("test", "13803790003", "city")
        voice = quick_voice(city.port, lines=1, line=line, codecs=("pcmu",))
        result = place_call(voice, order, flow(), VARIABLES, OneTone())
    assert (result.disposition, result.sip_status, result.answered) == (Disposition.ANSWERED, 200, True)
    assert [key.key for key in result.keys] == ["3", "2", "1"]
    assert all(key.ms_since_prompt_end is not None and key.ms_since_prompt_end > 0 for key in result.keys)
    assert (result.rating, result.codec) == (3, "pcmu")
    assert result.duration_ms > 1000
    assert result.call_id.endswith("@127.0.0.1")
    fields = "disposition sip_status q850 answered keys rating duration_ms call_id codec machine machine_sign"
    assert set(dataclasses.asdict(result)) == set(fields.split())
    assert (result.machine, result.machine_sign) == (False, None)  # a key proves a person


@pytest.mark.parametrize("line", ["sip", "pyvoip"])
def test_place_call_that_nobody_takes(line: str) -> None:
    with running_city(quick_city()) as city:
        order = Dial("test", "13803790008", "city")
        voice = quick_voice(city.port, lines=1, line=line)
        result = place_call(voice, order, flow(), VARIABLES, OneTone())
    assert result == CallResult(
        Disposition.UNALLOCATED, 404, 1, False, (), None, 0, call_id=result.call_id, codec=None
    )


def test_ctrl_c_hangs_up() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs us in the background ignores it
    with running_city(quick_city()) as city:
        order = Dial("test", "13803790004", "city")
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        result = place_call(quick_voice(city.port), order, flow(), VARIABLES, OneTone())
        deadline = time.monotonic() + 10
        while city.busy_lines and time.monotonic() < deadline:
            time.sleep(0.01)
        assert city.busy_lines == 0
    assert (result.disposition, result.sip_status) == (Disposition.CANCELLED, 487)


def test_converse_in_virtual_time() -> None:
    line = SimulatedLine()
    order = Dial("t", "13803790002", "city")
    result = converse(line, order, flow(), VARIABLES, speech(), lambda call: None, lambda: line.now)
    line.close()
    assert (result.rating, result.call_id, result.codec) == (2, "t", "pcma")
    assert 20_000 < result.duration_ms < 120_000


def test_a_machine_is_heard_and_the_dialogue_goes_on() -> None:
    line = SimulatedLine(CitySettings(machines=("77",)))
    order = Dial("t", "13803790077", "city", detect_machine=True)
    result = converse(line, order, flow(), VARIABLES, speech(), lambda call: None, lambda: line.now)
    line.close()
    assert (result.machine, result.machine_sign) == (True, MachineSign.SPEECH)
    assert (result.disposition, result.rating, result.keys) == (Disposition.ANSWERED, None, ())


@pytest.mark.parametrize("key_first", [True, False])
def test_a_key_wins_before_the_sign_and_after_it(key_first: bool) -> None:
    line = SimulatedLine()
    conversation = Conversation("c1", flow(), VARIABLES, OneTone(), line)
    assert conversation.is_machine is None
    conversation.receive(Answered("c1", 0.0, "pcma"))
    happens = [KeyPressed("c1", 3.0, "1", 2.9), MachineHeard("c1", 6.0, MachineSign.BEEP)]
    for event in happens if key_first else reversed(happens):
        conversation.receive(event)
    line.close()
    assert conversation.is_machine is False
    assert conversation.machine_heard is not None  # kept: a labelled set is made of such
