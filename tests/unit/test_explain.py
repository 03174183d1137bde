"""What explains a callback decides nothing of its own: its conclusion is the policy's and the gate's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.explain import QueuedText, explain, explain_gate
from callbacks.explain_json import explanation_json
from callbacks.explain_terms import Words
from callbacks.explain_words import explanation_lines
from callbacks.gates import Check, Facts, Go, Hold, Never, PauseRule, may_begin
from callbacks.numbers import NumberKind
from callbacks.policy import Call, PastCall, Phone, Text, View, next_step
from callbacks.settings import CapSettings, PolicySettings, WindowSettings
from callbacks.states import ON_THE_LINE, OPEN, State
from callbacks.vocabulary import Channel, Disposition, Exclusion

CITY = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 9, 28, 2, tzinfo=UTC)  # the Monday before the National Day week
MASKED = {"a": "138****0001", "b": "****0002"}

lengths = st.integers(0, 15 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
moments = lengths.map(lambda length: START + length)
past_calls = st.builds(
    PastCall,
    at=moments,
    disposition=st.sampled_from([None, *Disposition]),
    rang=st.booleans(),
    number_index=st.sampled_from("ab"),
)
phones = st.builds(
    Phone,
    index=st.sampled_from("ab"),
    kind=st.sampled_from(NumberKind),
    barred=st.booleans(),
    texts_suppressed=st.booleans(),
    open_text=st.booleans(),
)
views = st.builds(
    View,
    state=st.sampled_from(sorted(OPEN)),
    state_since=moments,
    closed_at=moments,
    deadline=moments,
    next_at=moments,
    exclusion=st.sampled_from([None, None, None, *Exclusion]),
    sensitive=st.booleans(),
    has_platform=st.booleans(),
    phones=st.lists(phones, max_size=2, unique_by=lambda phone: phone.index),
    calls=st.lists(past_calls, max_size=4),
)
pauses = st.builds(
    PauseRule,
    reason=st.just("x"),
    until=st.one_of(st.none(), moments),
    unit_ids=st.sampled_from([None, frozenset({1}), frozenset({2})]),
    category=st.sampled_from([None, "water"]),
    number_index=st.sampled_from([None, "a"]),
)


def facts_for(number: str) -> st.SearchStrategy[Facts]:
    return st.builds(
        Facts,
        number_index=st.just(number),
        unit_id=st.just(1),
        category=st.just("water"),
        history=st.lists(past_calls, max_size=5),
        pauses=st.lists(pauses, max_size=2),
        suppressed=st.booleans(),
        deadline=st.one_of(st.none(), moments),
        attempts_left=st.integers(0, 2),
    )


policies = st.builds(
    PolicySettings,
    texts=st.booleans(),
    other_numbers=st.booleans(),
    exhausted=st.sampled_from(["agent", "unreached"]),
    sensitive=st.sampled_from(["agent", "exclude"]),
    windows=st.builds(WindowSettings, voice_holiday=st.sampled_from([None, ()])),
    caps=st.builds(CapSettings, enabled=st.booleans(), per_day=st.integers(1, 3)),
)
both = st.fixed_dictionaries(
    {(channel, number): facts_for(number) for channel in (Channel.VOICE, Channel.SMS) for number in "ab"}
)


@settings(max_examples=300)
@given(view=views, facts=both, now=moments, policy=policies, queued_at=moments)
def test_the_conclusion_is_always_the_policys_and_the_gates(
    view: View,
    facts: dict[tuple[Channel, str], Facts],
    now: datetime,
    policy: PolicySettings,
    queued_at: datetime,
) -> None:
    found = explain(view, facts, now, policy, QueuedText("a", queued_at))
    step = next_step(view, now, policy)
    assert found.step == step
    if isinstance(step, Call | Text) or view.state is State.SMS_QUEUED:
        assert found.gate is not None
    if found.gate is not None:
        note = found.gate
        which = facts[note.channel, note.number_index]
        assert note.answer == may_begin(note.channel, which, note.at, policy)
        if isinstance(note.answer, Go):
            assert note.earliest == note.at
        if isinstance(note.answer, Never):
            assert note.earliest is None
        if note.earliest is not None:  # what it promises is so
            assert note.earliest >= note.at
            assert may_begin(note.channel, which, note.earliest, policy) == Go()
    if view.state in ON_THE_LINE:
        assert found.gate is None
    # both languages have words for all of it, and no number is said whole
    for language in ("zh-CN", "en"):
        assert all(explanation_lines(found, Words(language, CITY, MASKED)))
    assert explanation_json(found, MASKED)["step"]["step"]


@settings(max_examples=150)
@given(facts=facts_for("a"), now=moments, policy=policies)
def test_nothing_may_begin_before_the_earliest(facts: Facts, now: datetime, policy: PolicySettings) -> None:
    note = explain_gate(Channel.VOICE, facts, now, policy)
    if note.earliest is not None:
        tried = now
        while tried < min(note.earliest, now + timedelta(days=4)):
            assert may_begin(Channel.VOICE, facts, tried, policy) != Go()
            tried += timedelta(minutes=90)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY).astimezone(UTC)


def lines(view: View, facts: Facts, now: datetime, language: str = "en") -> list[str]:
    both = dict.fromkeys(((Channel.VOICE, "a"), (Channel.SMS, "a")), facts)
    found = explain(view, both, now, PolicySettings())
    return list(explanation_lines(found, Words(language, CITY, MASKED)))  # type: ignore[arg-type]


WAITING = View(
    State.RETRY_WAIT,
    at("11-23 09:00"),
    at("11-23 08:00"),
    at("12-03 08:00"),
    at("11-23 09:00"),
    phones=(Phone("a", NumberKind.MOBILE), Phone("b", NumberKind.LANDLINE, barred=True)),
    calls=(PastCall(at("11-23 09:00"), Disposition.BUSY, True, "a"),),
)
CALLED = Facts(number_index="a", history=WAITING.calls, deadline=WAITING.deadline, attempts_left=2)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("number 138****0001: mobile, 1 calls in this round, the next one to try", "the number"),
        ("number ****0002: landline, barred for this case", "and the other"),
        ("attempts of the round: 1 of 3 used, 2 left", "the budget"),
        ("  window: passed; workday 09:00–12:00 14:00–20:30, open", "the span"),
        ("  apart: holds to 2026-11-23 11:00; last call 2026-11-23 09:00, 2 h apart", "the last call"),
        ("  per 30 days: passed; 1 of 10", "every cap, not only the first that holds"),
        ("  per day: passed; 1 of 2", "with its figures"),
        ("  per half-day: holds to 2026-11-23 14:00; 1 of 1", "and all that hold"),
        ("conclusion: not now (apart), asked again at 2026-11-23 11:00", "the gate's own answer"),
        ("by what is known now, at 2026-11-23 14:00 at the earliest", "when all are over"),
    ],
)
def test_it_says(line: str, why: str) -> None:
    said = lines(WAITING, CALLED, at("11-23 10:00"))
    assert any(each.startswith(line) for each in said), (why, said)


def test_a_holiday_is_named_and_where_it_ends() -> None:
    holidays = PolicySettings(windows=WindowSettings(voice_holiday=()))
    note = explain_gate(Channel.VOICE, CALLED, at("10-01 10:00"), holidays)
    assert (note.window.kind.value, list(note.window.slots)) == ("holiday", [])
    assert note.window.opens == at("10-08 09:00")


def test_a_pause_without_an_end_has_no_earliest() -> None:
    facts = Facts(number_index="a", pauses=[PauseRule("x", None)])
    note = explain_gate(Channel.VOICE, facts, at("11-23 10:00"), PolicySettings())
    assert note.earliest is None and isinstance(note.answer, Hold)
    assert dict(note.checks)[Check.WINDOW] is None
