"""What holds of every dialogue of the survey; the session is re-read from JSON at every step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow import FlowSession
from ivr.flow_events import ChangeRating, HangUp, KeepMessage, StartRecording, StopPlay, StoreRating
from ivr.flow_load import prompt_version
from prompts.catalogue import load_catalogue
from tests.flow_caller import SECONDS, Caller, act, shipped

CATALOGUE = load_catalogue()
SURVEY = shipped("satisfaction_survey")


steps = st.one_of(
    st.sampled_from("0123456789*#ABCD").map(lambda key: ("key", key)),
    st.sampled_from([1.0, SECONDS]).map(lambda seconds: ("hear", seconds)),
    st.just(("silence",)),
    st.floats(0.1, 200).map(lambda seconds: ("wait", seconds)),
    st.tuples(
        st.just("stray"),
        st.sampled_from(["started", "finished", "early key", "early timeout", "recorded"]),
        st.sampled_from(["p1", "p2", "p9", "r9"]),
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


def test_messages_are_apart_from_the_calls_480_seconds() -> None:
    """Three cases of nearly 120 s each, and a message of 60 s about each: the call isn't cut off."""
    caller = Caller(cases=3, may_record=True, can=("record",))
    began = caller.now
    for _ in range(3):
        for step in ("hear", "hear"):
            getattr(caller, step)()
        for _ in range(13):  # once more, and once more
            caller.key("*")
            caller.hear()
        for key in ("3", "5", "2", "1"):
            caller.key(key)
            caller.hear()
        caller.hear()
        caller.speak(59.0)
        caller.key("#")
        caller.recorded(59.0)
    caller.hear()
    assert [command.case for command in caller.told if isinstance(command, KeepMessage)] == [0, 1, 2]
    assert caller.told[-1] == HangUp("done")
    assert caller.ended - began > SURVEY.call_seconds


others = st.one_of(
    steps,
    st.sampled_from(["put through", "transfer done", "transfer failed", "queue served", "queue lets go"]).map(
        lambda words: ("told", words)
    ),
    st.integers(-1, 50).map(lambda number: ("told", f"position {number}")),
    st.floats(0, 60).map(lambda seconds: ("recorded", seconds)),
)


@settings(max_examples=200)
@given(
    st.sampled_from(["satisfaction_survey", "callback_line", "inbound_110"]),
    st.integers(0, 3),
    st.booleans(),
    st.sets(st.sampled_from(["record", "transfer", "queue"])),
    st.lists(others, max_size=60),
)
def test_whoever_calls_whatever_flow_is_let_go_at_last(
    name: str, cases: int, in_hours: bool, can: set[str], script: list[tuple]
) -> None:
    """Only a talk and an open queue last; when they are over, so is the call."""
    flow = shipped(name)
    if name == "satisfaction_survey":
        cases = max(1, cases)
    caller = Caller(cases, in_hours, flow=flow, can=tuple(can), may_record=True)
    for step, *arguments in script:
        act(caller, *arguments) if step == "told" else getattr(caller, step)(*arguments)
    for _ in range(20):
        caller.wait(500)
        act(caller, "queue lets go")
        act(caller, "transfer done")
    assert caller.session.over
    assert len([command for command in caller.told if isinstance(command, HangUp)]) == 1
    stored = [command.case for command in caller.told if isinstance(command, StoreRating)]
    assert len(stored) == len(set(stored))
    started = [command.token for command in caller.told if isinstance(command, StartRecording)]
    kept = [command.token for command in caller.told if isinstance(command, KeepMessage)]
    assert set(kept) <= set(started) and len(kept) == len(set(kept))


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
