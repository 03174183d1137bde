"""Calls on the real tables: claims, fencing, outcomes and what each leads to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from callbacks.events import Rated
from callbacks.ledger import read_ledger
from callbacks.models import Attempt, Line
from callbacks.service import calls
from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import begin_invite
from callbacks.service.leases import renew, settle_leases
from callbacks.states import State
from callbacks.vocabulary import Channel, Disposition
from tests.integration.office import FREE, LANDLINE, Desk, Exclusion, make_desk

D = Disposition


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


def key(value: int, call) -> Answer:
    return Answer(
        value, Channel.VOICE, str(value), call.attempt_id, prompt_id="q_rating", ms_since_prompt_end=900
    )


def test_a_call_from_closing_to_rating(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE)
    assert call.number == LANDLINE and call.masked == "****0001"
    assert call.cases[0].category is None  # a landline hears the date alone
    assert desk.state(callback_id) is State.DIALING
    assert calls.ringing(desk.ctx, call.attempt_id, call.token, desk.later(seconds=1))
    assert calls.answered(desk.ctx, call.attempt_id, call.token, desk.later(seconds=5))
    assert desk.state(callback_id) is State.IN_IVR
    assert calls.rated(
        desk.ctx, call.attempt_id, call.token, callback_id, key(2, call), desk.later(seconds=9)
    )
    assert desk.state(callback_id) is State.RATED  # stored at the key press, not at the hang-up
    assert calls.resolved(desk.ctx, call.attempt_id, call.token, callback_id, True, desk.later(seconds=5))
    assert calls.ended(
        desk.ctx, call.attempt_id, call.token, CallOutcome(D.ANSWERED, 200), desk.later(seconds=5)
    )
    [rating] = desk.ratings(callback_id)
    assert (rating.value, rating.counted, rating.resolved, rating.channel) == (2, True, True, Channel.VOICE)
    attempt = desk.attempt(call.attempt_id)
    assert (attempt.disposition, attempt.counts, attempt.flow) == (D.ANSWERED, True, "satisfaction_survey")
    assert [type(event) for event in desk.events].count(Rated) == 1
    with desk.session() as session:
        assert session.scalar(select(Line.no).where(Line.attempt_id.is_not(None))) is None
        assert read_ledger(session).balanced


OUTCOMES = [
    # disposition, times, state afterwards
    (D.BUSY, 1, State.RETRY_WAIT),  # tried again
    (D.BUSY, 3, State.AGENT_QUEUE),  # the budget of three is used up: a person
    (D.NETWORK_FAIL, 4, State.RETRY_WAIT),  # costs nothing, however often
    (D.UNALLOCATED, 1, State.RETRY_WAIT),  # once may be a fault of the network
    (D.UNALLOCATED, 2, State.INVALID_NUMBER),  # twice is the number
    (D.ANSWERED, 1, State.RETRY_WAIT),  # answered, but silent or hung up: an attempt
    (D.CANCELLED, 1, State.RETRY_WAIT),  # given up before it rang: costs nothing
]


@pytest.mark.parametrize(("disposition", "times", "state"), OUTCOMES)
def test_what_an_outcome_leads_to(desk: Desk, disposition: Disposition, times: int, state: State) -> None:
    callback_id, call = desk.call(LANDLINE)
    calls.ended(desk.ctx, call.attempt_id, call.token, CallOutcome(disposition), desk.now)
    for _ in range(times - 1):
        desk.later(days=1)
        [call] = desk.claim()
        assert begin_invite(desk.ctx, call.attempt_id, call.token, f"c{call.attempt_id}", desk.now)
        calls.ended(desk.ctx, call.attempt_id, call.token, CallOutcome(disposition), desk.now)
    assert desk.state(callback_id) is state


def test_not_the_person_tries_the_cases_other_number(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE, "037963110002")
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)
    outcome = CallOutcome(D.ANSWERED, wrong_person=True)
    calls.ended(desk.ctx, call.attempt_id, call.token, outcome, desk.later(seconds=20))
    assert desk.state(callback_id) is State.CALL_QUEUED
    [second] = desk.claim()
    assert second.number == "037963110002"
    begin_invite(desk.ctx, second.attempt_id, second.token, "second", desk.now)
    calls.ended(desk.ctx, second.attempt_id, second.token, outcome, desk.now)
    assert desk.state(callback_id) is State.AGENT_QUEUE  # no number left: a person


def test_key_0_hands_over(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE)
    calls.ended(desk.ctx, call.attempt_id, call.token, CallOutcome(D.ANSWERED, handed_over=True), desk.now)
    assert desk.state(callback_id) is State.AGENT_QUEUE
    assert desk.callback(callback_id).handed_over == "key_0"


def test_one_call_asks_for_up_to_three_cases(desk: Desk) -> None:
    ids = [desk.close(LANDLINE) for _ in range(4)]
    desk.plan()
    [call] = desk.claim()
    assert [case.callback_id for case in call.cases] == ids[:3]
    assert desk.claim() == []  # the number is on the line: the fourth waits
    assert desk.state(ids[3]) is State.CALL_QUEUED


def test_enterprise_first_then_age(desk: Desk) -> None:
    old = desk.close("037963110001")
    desk.later(hours=1)
    young = desk.close("037963110002")
    enterprise = desk.close("037963110003", enterprise=True)
    desk.plan()
    order = [call.cases[0].callback_id for call in desk.claim()]
    assert order == [enterprise, old, young]


def test_no_more_calls_than_lines(desk: Desk) -> None:
    for last in range(8):
        desk.close(f"03796311000{last}")
    desk.plan()
    assert len(desk.claim(limit=100)) == 5
    assert desk.claim(limit=100) == []


def test_a_lease_lost_before_invited_at_costs_nothing(desk: Desk) -> None:
    callback_id = desk.close(LANDLINE)
    desk.plan()
    [call] = desk.claim()
    settle_leases(desk.ctx, desk.now, owner="voice:test:1")
    assert desk.state(callback_id) is State.RETRY_WAIT
    assert not desk.attempt(call.attempt_id).counts
    assert not begin_invite(desk.ctx, call.attempt_id, call.token, "x", desk.now)  # the sleeper wakes: stale
    assert len(desk.claim()) == 1  # at once again


def test_a_lease_lost_after_invited_at_is_unknown_and_rests_two_hours(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE)
    settle_leases(desk.ctx, desk.now, owner="voice:test:1")
    attempt = desk.attempt(call.attempt_id)
    assert (attempt.disposition, attempt.counts) == (D.UNKNOWN, True)
    assert desk.state(callback_id) is State.RETRY_WAIT
    assert not calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)  # stale: writes nothing
    desk.later(minutes=119)
    assert desk.claim() == []
    desk.later(minutes=1)
    assert len(desk.claim()) == 1


def test_leases_expire_by_the_databases_clock(desk: Desk) -> None:
    _, call = desk.call(LANDLINE)
    assert settle_leases(desk.ctx, desk.now + timedelta(days=1)) == 0  # our clock says nothing
    with desk.ctx.sessions.begin() as session:
        expired = desk.now - timedelta(days=1000)
        session.execute(update(Attempt).values(lease_expires_at=expired))
    assert settle_leases(desk.ctx, desk.now) == 1
    assert renew(desk.ctx, "voice:test:1", [call.attempt_id]).lost == {call.attempt_id}


def test_an_answer_elsewhere_asks_the_worker_to_hang_up(desk: Desk) -> None:
    from callbacks.service.answers import rate
    from callbacks.service.core import lock_callbacks

    callback_id, call = desk.call(LANDLINE)
    with desk.ctx.sessions.begin() as session:
        [callback] = lock_callbacks(session, [callback_id])
        assert rate(desk.ctx, session, callback, Answer(1, Channel.SMS, "1"), desk.now)
    assert renew(desk.ctx, "voice:test:1", [call.attempt_id]).cancel == {call.attempt_id}
    assert calls.rated(desk.ctx, call.attempt_id, call.token, callback_id, key(3, call), desk.now)
    assert [(r.value, r.counted) for r in desk.ratings(callback_id)] == [(1, True), (3, False)]


def test_the_star_changes_once(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE)
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)
    for value in (3, 1, 2):
        calls.rated(
            desk.ctx, call.attempt_id, call.token, callback_id, key(value, call), desk.later(seconds=5)
        )
    assert [(r.value, r.counted) for r in desk.ratings(callback_id)] == [(3, False), (1, True), (2, False)]


def test_the_gate_is_asked_again_at_dialling(sessions, privacy) -> None:
    policy = FREE.model_copy(update={"windows": type(FREE.windows)()})
    desk = make_desk(sessions, privacy, policy)
    desk.later(hours=-1)  # 11:00
    callback_id = desk.close(LANDLINE)
    desk.plan()
    [call] = desk.claim()
    desk.later(hours=1)  # the worker was stopped for an hour: it's noon
    assert not begin_invite(desk.ctx, call.attempt_id, call.token, "x", desk.now)
    assert desk.state(callback_id) is State.RETRY_WAIT
    assert desk.callback(callback_id).next_at == desk.now + timedelta(hours=2)


def test_the_ledger_names_what_breaks_it(desk: Desk) -> None:
    desk.close(LANDLINE, exclusion=Exclusion.LITIGATION)
    good = desk.close("037963110002")
    desk.plan()
    with desk.session() as session:
        assert read_ledger(session).balanced
    with desk.ctx.sessions.begin() as session:
        desk_row = session.get_one(type(desk.callback(good)), good)
        desk_row.state = State.RATED  # by hand, without a rating
        desk_row.ended_at = desk.now
    with desk.session() as session:
        ledger = read_ledger(session)
    assert not ledger.balanced
    assert [(b.case, b.fault) for b in ledger.breaches] == [("110-0002", "rated without a counted rating")]
    assert ledger.as_json()["excluded"] == 1
