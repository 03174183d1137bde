"""The policy, row by row. Times are local (Asia/Shanghai) and written as they'd be said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.gates import Facts, Go, Hold, Never, PauseRule, may_begin
from callbacks.numbers import NumberKind
from callbacks.policy import (
    AwaitWeb,
    Call,
    Exclude,
    GiveUp,
    HandOver,
    PastCall,
    Phone,
    Text,
    View,
    Wait,
    attempts_left,
    next_step,
    retry_at,
)
from callbacks.settings import CapSettings, PolicySettings
from callbacks.states import State
from callbacks.vocabulary import Channel, Disposition, Exclusion
from callbacks.windows import day_part, is_evening_or_rest_day, is_open, local_day, next_open

CITY = ZoneInfo("Asia/Shanghai")
POLICY = PolicySettings()
D = Disposition


def at(text: str) -> datetime:
    """`"11-23 10:00"` in the city's time; 2026-11-23 is a Monday."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY).astimezone(UTC)


MOBILE = Phone("m", NumberKind.MOBILE)
LANDLINE = Phone("l", NumberKind.LANDLINE)
CLOSED = at("11-23 10:00")


def view(state: State = State.PENDING, **changes: object) -> View:
    fields: dict[str, object] = {
        "state": state,
        "state_since": CLOSED,
        "closed_at": CLOSED,
        "deadline": CLOSED + timedelta(days=10),
        "next_at": CLOSED,
        "phones": (MOBILE,),
    }
    return View(**{**fields, **changes})  # type: ignore[arg-type]


NOON = at("11-23 12:00")

STEPS = [
    # a mobile is texted two hours after closing
    (view(), NOON, Text("m", NOON)),
    # not before the two hours
    (view(), at("11-23 11:59"), Wait(NOON)),
    # a text falls due at night: it waits for the morning
    (view(closed_at=at("11-23 20:00")), at("11-23 22:00"), Text("m", at("11-24 08:00"))),
    # a landline is called
    (view(phones=(LANDLINE,)), NOON, Call("l", NOON)),
    # a mobile that opted out of texts is called
    (view(phones=(Phone("m", NumberKind.MOBILE, texts_suppressed=True),)), NOON, Call("m", NOON)),
    # another question is open on the mobile: it waits for it …
    (view(phones=(Phone("m", NumberKind.MOBILE, open_text=True),)), NOON, Wait(at("11-24 12:00"))),
    # … at most 24 h, then the call
    (
        view(phones=(Phone("m", NumberKind.MOBILE, open_text=True),)),
        at("11-24 12:00"),
        Call("m", at("11-24 12:00")),
    ),
    # the first number is barred: the second is taken
    (view(phones=(Phone("m", NumberKind.MOBILE, barred=True), LANDLINE)), NOON, Call("l", NOON)),
    # no usable number: a person
    (view(phones=(Phone("x", NumberKind.UNUSABLE),)), NOON, HandOver("no_usable_number")),
    # no number, but a platform that carries a code
    (view(phones=(), has_platform=True), NOON, AwaitWeb()),
    # neither: excluded with that reason, at once
    (view(phones=()), CLOSED, Exclude(Exclusion.NO_CONTACT)),
    # in litigation: never asked
    (view(exclusion=Exclusion.LITIGATION), CLOSED, Exclude(Exclusion.LITIGATION)),
    # an informant's case goes to a person, not to a machine
    (view(sensitive=True), CLOSED, HandOver("sensitive")),
    # no answer to the text for 24 h: the call
    (view(State.AWAIT_REPLY), at("11-24 10:00"), Call("m", at("11-24 10:00"))),
    # before that: wait
    (view(State.AWAIT_REPLY), NOON, Wait(at("11-24 10:00"))),
    # only the web can answer: it waits to the round's deadline
    (view(State.AWAIT_REPLY, phones=()), at("11-26 10:00"), Wait(CLOSED + timedelta(days=10))),
    # the round's deadline is over, whatever it waits for
    (view(State.AWAIT_REPLY), CLOSED + timedelta(days=10), GiveUp("deadline")),
    # three calls counted: a person
    (
        view(State.RETRY_WAIT, calls=[PastCall(CLOSED, D.BUSY)] * 3),
        NOON,
        HandOver("exhausted"),
    ),
    # two counted and two that the network lost: one more call
    (
        view(State.RETRY_WAIT, calls=[PastCall(CLOSED, D.BUSY), PastCall(CLOSED, D.NETWORK_FAIL)] * 2),
        NOON,
        Call("m", NOON),
    ),
    # the agents have seven days
    (view(State.AGENT_QUEUE), at("11-30 09:59"), Wait(at("11-30 10:00"))),
    (view(State.AGENT_QUEUE), at("11-30 10:00"), GiveUp("deadline")),
]


@pytest.mark.parametrize(("seen", "now", "step"), STEPS)
def test_next_step(seen: View, now: datetime, step: object) -> None:
    assert next_step(seen, now, POLICY) == step


def test_exhausted_can_mean_unreached_by_setting() -> None:
    policy = PolicySettings(exhausted="unreached")
    seen = view(State.RETRY_WAIT, calls=[PastCall(CLOSED, D.BUSY)] * 3)
    assert next_step(seen, NOON, policy) == GiveUp("exhausted")


WINDOWS = [
    # channel, time, open?
    (Channel.VOICE, "11-23 08:59", False),  # Monday: not before nine
    (Channel.VOICE, "11-23 09:00", True),
    (Channel.VOICE, "11-23 11:59", True),
    (Channel.VOICE, "11-23 12:00", False),  # the noon rest
    (Channel.VOICE, "11-23 14:00", True),
    (Channel.VOICE, "11-23 20:29", True),
    (Channel.VOICE, "11-23 20:30", False),  # evening
    (Channel.VOICE, "11-28 09:00", False),  # Saturday: from half past nine
    (Channel.VOICE, "11-28 09:30", True),
    (Channel.SMS, "11-23 07:59", False),
    (Channel.SMS, "11-23 08:00", True),
    (Channel.SMS, "11-23 20:59", True),
    (Channel.SMS, "11-23 21:00", False),
]


@pytest.mark.parametrize(("channel", "when", "opened"), WINDOWS)
def test_windows(channel: Channel, when: str, opened: bool) -> None:
    assert is_open(at(when), channel, POLICY.windows) is opened
    gate = may_begin(channel, Facts(), at(when), POLICY)
    assert isinstance(gate, Go) is opened


def test_an_answer_to_a_citizens_own_text_is_not_gated() -> None:
    assert may_begin(Channel.SMS, Facts(), at("11-23 23:00"), POLICY, gated=False) == Go()


CAPS = [
    # past calls (time, disposition, rang), now, gate
    # nobody called yet
    ([], "11-23 10:00", Go()),
    # called at nine: the half-day is used up until the afternoon window
    ([("11-23 09:00", D.BUSY, False)], "11-23 11:30", Hold(at("11-23 14:00"), "per_half_day")),
    # … and two hours must lie between in any case
    ([("11-23 11:50", D.BUSY, False)], "11-23 14:00", Go()),
    ([("11-23 14:00", D.BUSY, False)], "11-23 15:59", Hold(at("11-23 16:00"), "apart")),
    # two on one day are enough
    (
        [("11-23 09:00", D.BUSY, False), ("11-23 14:00", D.NO_ANSWER, True)],
        "11-23 18:30",
        Hold(at("11-24 09:00"), "per_day"),
    ),
    # the network lost it without a ring: nobody noticed, it's in no cap
    ([("11-23 09:00", D.NETWORK_FAIL, False)], "11-23 09:15", Go()),
    # the network lost it after a 18x: it rang, so it's in the caps
    ([("11-23 09:00", D.NETWORK_FAIL, True)], "11-23 09:15", Hold(at("11-23 11:00"), "apart")),
    # unknown may have rung: never again within two hours
    ([("11-23 09:00", D.UNKNOWN, False)], "11-23 10:59", Hold(at("11-23 11:00"), "unknown")),
    # a live call (no disposition yet) counts as well
    ([("11-23 09:00", None, False)], "11-23 09:15", Hold(at("11-23 11:00"), "apart")),
]


@pytest.mark.parametrize(("past", "now", "gate"), CAPS)
def test_caps(past: list[tuple[str, Disposition | None, bool]], now: str, gate: object) -> None:
    history = [PastCall(at(when), disposition, rang) for when, disposition, rang in past]
    assert may_begin(Channel.VOICE, Facts(history=history), at(now), POLICY) == gate


def test_ten_in_thirty_days() -> None:
    history = [PastCall(at("11-01 10:00") + timedelta(days=2 * n), D.BUSY) for n in range(10)]
    assert may_begin(Channel.VOICE, Facts(history=history), at("11-23 10:00"), POLICY) == Hold(
        at("12-01 10:00"), "per_30_days"
    )


def test_without_caps_unknown_still_rests() -> None:
    policy = PolicySettings(caps=CapSettings(enabled=False))
    assert isinstance(
        may_begin(
            Channel.VOICE, Facts(history=[PastCall(at("11-23 09:00"), D.BUSY)]), at("11-23 09:01"), policy
        ),
        Go,
    )
    unknown = [PastCall(at("11-23 09:00"), D.UNKNOWN)]
    assert may_begin(Channel.VOICE, Facts(history=unknown), at("11-23 09:01"), policy) == Hold(
        at("11-23 11:00"), "unknown"
    )


TEN = at("11-23 10:00")
SOON = at("11-23 10:05")

GATES = [
    # nothing is paused
    (Channel.VOICE, Facts(), Go()),
    # all is paused until lifted: asked again in five minutes
    (Channel.VOICE, Facts(pauses=[PauseRule("drill")]), Hold(SOON, "pause")),
    (Channel.SMS, Facts(pauses=[PauseRule("drill")]), Hold(SOON, "pause")),
    # … for two minutes more
    (Channel.VOICE, Facts(pauses=[PauseRule("drill", at("11-23 10:02"))]), Hold(at("11-23 10:02"), "pause")),
    # … and it's over
    (Channel.VOICE, Facts(pauses=[PauseRule("drill", TEN)]), Go()),
    # a unit's pause holds its own cases alone
    (
        Channel.VOICE,
        Facts(unit_id=7, pauses=[PauseRule("audit", unit_ids=frozenset({6, 7}))]),
        Hold(SOON, "pause"),
    ),
    (Channel.VOICE, Facts(unit_id=8, pauses=[PauseRule("audit", unit_ids=frozenset({6, 7}))]), Go()),
    # a category's, a number's
    (
        Channel.VOICE,
        Facts(category="water", pauses=[PauseRule("burst main", category="water")]),
        Hold(SOON, "pause"),
    ),
    (Channel.VOICE, Facts(category="power", pauses=[PauseRule("burst main", category="water")]), Go()),
    (Channel.VOICE, Facts("m", pauses=[PauseRule("threats", number_index="m")]), Hold(SOON, "pause")),
    (Channel.VOICE, Facts("n", pauses=[PauseRule("threats", number_index="m")]), Go()),
    # the round's deadline came while it waited in a worker's hand
    (Channel.VOICE, Facts(deadline=TEN), Never("deadline")),
    # the budget was used up by another number of the case
    (Channel.VOICE, Facts(attempts_left=0), Never("budget")),
    # the number takes no texts, but calls
    (Channel.SMS, Facts(suppressed=True), Never("suppressed")),
    (Channel.VOICE, Facts(suppressed=True), Go()),
]


@pytest.mark.parametrize(("channel", "facts", "gate"), GATES)
def test_gates(channel: Channel, facts: Facts, gate: object) -> None:
    assert may_begin(channel, facts, TEN, POLICY) == gate


def test_an_answer_to_a_citizens_own_text_is_not_paused() -> None:
    assert may_begin(Channel.SMS, Facts(pauses=[PauseRule("drill")]), TEN, POLICY, gated=False) == Go()


SECOND = Phone("s", NumberKind.MOBILE)

NUMBERS = [
    # nobody was called: the case's own order
    ([], "m"),
    # the first was busy: the second's turn
    ([PastCall(CLOSED, D.BUSY, number_index="m")], "s"),
    # both were: the first again
    ([PastCall(CLOSED, D.BUSY, number_index="m"), PastCall(CLOSED, D.BUSY, number_index="s")], "m"),
    # what the network lost isn't the number's turn
    ([PastCall(CLOSED, D.NETWORK_FAIL, number_index="m")], "m"),
]


@pytest.mark.parametrize(("calls", "index"), NUMBERS)
def test_the_numbers_of_a_case_take_turns(calls: list[PastCall], index: str) -> None:
    seen = view(State.RETRY_WAIT, phones=(MOBILE, SECOND), calls=calls)
    assert next_step(seen, NOON, POLICY) == Call(index, NOON)


def test_by_setting_only_the_first_number_is_called() -> None:
    calls = [PastCall(CLOSED, D.BUSY, number_index="m")]
    seen = view(State.RETRY_WAIT, phones=(MOBILE, SECOND), calls=calls)
    assert next_step(seen, NOON, PolicySettings(other_numbers=False)) == Call("m", NOON)


RETRIES = [
    # what came at nine on Monday, share of the jitter, when again
    # busy: the afternoon (another day-part), not before two hours
    ([D.BUSY], 0.0, "11-23 14:00"),
    # … spread over half an hour, so that not all are called at two sharp
    ([D.BUSY], 0.5, "11-23 14:15"),
    # unallocated: another day
    ([D.UNALLOCATED], 0.0, "11-24 14:00"),
    # declined: not on the same day again
    ([D.REJECTED], 0.0, "11-24 14:00"),
    # the network lost it: ten minutes, then twenty, forty …
    ([D.NETWORK_FAIL], 0.0, "11-23 09:10"),
    ([D.NETWORK_FAIL, D.NETWORK_FAIL], 0.0, "11-23 09:20"),
    # … four hours at most
    ([D.NETWORK_FAIL] * 9, 0.0, "11-23 14:00"),
]


@pytest.mark.parametrize(("dispositions", "luck", "when"), RETRIES)
def test_retries_by_cause(dispositions: list[Disposition], luck: float, when: str) -> None:
    calls = [PastCall(at("11-23 09:00"), disposition) for disposition in dispositions]
    assert retry_at(calls, at("11-23 09:00"), POLICY, luck) == at(when)


times = st.integers(0, 30 * 24 * 60).map(lambda minutes: at("11-01 00:00") + timedelta(minutes=minutes))
counted = st.sampled_from([D.BUSY, D.NO_ANSWER, D.UNALLOCATED, D.UNKNOWN, D.POWERED_OFF])


@settings(max_examples=150)
@given(first=times, dispositions=st.lists(counted, min_size=2, max_size=2), luck=st.floats(0, 1))
def test_a_round_lies_on_two_days_and_day_parts_with_an_evening_or_weekend(
    first: datetime, dispositions: list[Disposition], luck: float
) -> None:
    calls = [PastCall(next_open(first, Channel.VOICE, POLICY.windows), dispositions[0])]
    for disposition in [*dispositions[1:], D.BUSY]:
        now = calls[-1].at + timedelta(minutes=1)
        when = retry_at(calls, now, POLICY, luck)
        assert when >= now
        assert is_open(when, Channel.VOICE, POLICY.windows)
        calls.append(PastCall(when, disposition))
    assert attempts_left(calls, POLICY) == 0
    assert len({local_day(call.at, POLICY.windows) for call in calls}) >= 2
    assert len({day_part(call.at, POLICY.windows) for call in calls}) >= 2
    assert any(is_evening_or_rest_day(call.at, POLICY.windows) for call in calls)


@settings(max_examples=150)
@given(now=times, ages=st.lists(st.integers(0, 40 * 24 * 60), max_size=15), rang=st.booleans())
def test_the_gate_lets_nothing_through_against_window_or_caps(
    now: datetime, ages: list[int], rang: bool
) -> None:
    history = [PastCall(now - timedelta(minutes=age), D.NO_ANSWER, rang) for age in ages]
    gate = may_begin(Channel.VOICE, Facts(history=history), now, POLICY)
    if isinstance(gate, Hold):
        assert gate.until > now
        return
    assert is_open(now, Channel.VOICE, POLICY.windows)
    assert all(now - call.at >= timedelta(hours=2) for call in history)
    assert sum(local_day(call.at, POLICY.windows) == local_day(now, POLICY.windows) for call in history) < 2
    assert sum(call.at > now - timedelta(days=30) for call in history) < 10
