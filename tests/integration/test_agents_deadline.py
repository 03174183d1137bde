"""A person at work when the time is over: the end waits for them, and what comes after it isn't lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from callbacks.ledger import read_ledger
from callbacks.models import CasePhone
from callbacks.models_office import AgentClaim, AgentContact, ContactOutcome
from callbacks.service.agent_calls import ask_for_call, begin_citizen, call_over, claim_agent_calls, talking
from callbacks.service.agents import (
    CLAIM,
    BadContact,
    Contact,
    Result,
    Told,
    claim,
    contact,
    newest_contact,
    release,
)
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ensure_lines
from callbacks.service.closing import reopen_case
from callbacks.settings import PolicySettings
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Disposition
from tests.integration.office import FREE, LANDLINE, Desk, make_desk

TARGETS = {"desk-1": TargetSettings(number="8001", logins=("ma",))}
WEEK, TEN_DAYS = timedelta(days=7), timedelta(days=10)
LATE_SENSITIVE = FREE.model_copy(update={"agent_deadline": timedelta(days=30)})  # the round's is nearer
SATISFIED = Contact(ContactOutcome.RATED, value=1, resolved=True)
# policy, when the callback's time is over: the agents' deadline, the round's
ENDS = [(FREE, WEEK), (LATE_SENSITIVE, TEN_DAYS)]


@pytest.fixture(params=ENDS, ids=["agents", "round"])
def desk(request, sessions, privacy) -> Desk:
    policy, end = request.param
    desk = make_desk(sessions, privacy, policy)
    desk.end = desk.now + end  # type: ignore[attr-defined]
    return desk


def taken(desk: Desk, before: timedelta) -> int:
    """A callback of the queue that `ma` takes so long before its time is over."""
    callback = desk.close(LANDLINE, sensitive=True)
    desk.plan()
    desk.now = desk.end - before
    desk.plan()
    assert claim(desk.ctx, callback, "ma", desk.now).told is Told.DONE
    return callback


def over(desk: Desk, callback: int) -> None:
    """The claim has ended, and then the callback."""
    desk.now = desk.end + CLAIM
    desk.plan()
    assert desk.state(callback) is State.UNREACHED


def store(desk: Desk, callback: int, given: Contact, login: str = "ma") -> Result:
    with desk.session() as session:
        seen = newest_contact(session, callback)
    return contact(desk.ctx, callback, login, given, desk.now, seen=seen)


def outcomes(desk: Desk) -> list[ContactOutcome]:
    with desk.session() as session:
        assert read_ledger(session).balanced
        return list(session.scalars(select(AgentContact.outcome).order_by(AgentContact.id)))


# The end waits


def test_the_end_waits_for_a_claim_that_was_taken_in_time(desk):
    callback = taken(desk, before=timedelta(minutes=5))
    desk.now = desk.end + timedelta(minutes=9)
    desk.plan()
    assert desk.state(callback) is State.AGENT_QUEUE
    assert store(desk, callback, SATISFIED).told is Told.DONE
    [rating] = desk.ratings(callback)
    assert not rating.late and outcomes(desk) == [ContactOutcome.RATED]


def test_but_no_longer_than_that(desk):
    callback = taken(desk, before=timedelta(minutes=5))
    desk.now = desk.end + timedelta(minutes=10)
    desk.plan()
    assert desk.state(callback) is State.UNREACHED


@pytest.mark.parametrize("again", [Contact(ContactOutcome.NOTE, note="占线"), None])
def test_a_claim_that_is_renewed_after_the_end_puts_it_off_no_more(desk, again):
    callback = taken(desk, before=timedelta(minutes=5))
    desk.now = desk.end + timedelta(minutes=1)
    desk.plan()
    if again:
        store(desk, callback, again)
    else:
        claim(desk.ctx, callback, "ma", desk.now)
    desk.now = desk.end + timedelta(minutes=10)  # the first claim's own end
    desk.plan()
    assert desk.state(callback) is State.UNREACHED


def test_a_claim_that_is_given_back_doesnt_hold_the_end(desk):
    callback = taken(desk, before=timedelta(minutes=5))
    release(desk.ctx, callback, "ma")
    desk.now = desk.end
    desk.plan()
    assert desk.state(callback) is State.UNREACHED


def test_the_end_waits_for_a_call_and_for_what_the_agent_says_of_it(desk):
    callback = taken(desk, before=timedelta(minutes=10))
    with desk.session() as session:
        [phone] = session.scalars(select(CasePhone.id))
    ask_for_call(desk.ctx, callback, phone, "ma", "desk-1", desk.now, TARGETS)
    ensure_lines(desk.ctx, "city", 2)
    [call] = claim_agent_calls(desk.ctx, "voice:test:1", ("city",), 1, desk.now, TARGETS).calls
    assert begin_citizen(desk.ctx, call.attempt_id, call.token, "c1", desk.now)
    talking(desk.ctx, call.attempt_id, call.token, desk.later(seconds=10))
    desk.later(minutes=29)  # the claim's minutes are over twice
    desk.plan()
    assert desk.state(callback) is State.AGENT_QUEUE
    told = CallOutcome(Disposition.ANSWERED, 200, 16)
    assert call_over(desk.ctx, call.attempt_id, call.token, told, None, desk.later(minutes=1))
    desk.later(minutes=14)
    desk.plan()
    assert desk.state(callback) is State.AGENT_QUEUE
    assert store(desk, callback, SATISFIED) == Result(Told.DONE, state=State.RATED)
    assert [rating.late for rating in desk.ratings(callback)] == [False]
    assert outcomes(desk) == [ContactOutcome.RATED]


# What comes after it


def test_a_rating_that_comes_after_the_end_is_a_late_answer(desk):
    callback = taken(desk, before=timedelta(minutes=5))
    over(desk, callback)
    desk.later(minutes=3)
    assert store(desk, callback, SATISFIED) == Result(Told.DONE, state=State.RATED)
    [rating] = desk.ratings(callback)
    assert (rating.late, rating.counted, rating.resolved, desk.callback(callback).late) == (
        True,
        True,
        True,
        True,
    )
    assert outcomes(desk) == [ContactOutcome.RATED]
    assert store(desk, callback, SATISFIED).told is Told.NOT_QUEUED  # a form sent twice


# what is said after the end
@pytest.mark.parametrize(
    "given",
    [
        Contact(ContactOutcome.REFUSED, note="不愿评价"),
        Contact(ContactOutcome.WRONG_PERSON),
        Contact(ContactOutcome.NO_CONTACT),
        Contact(ContactOutcome.NOTE, note="要求书面答复"),
    ],
)
def test_everything_else_is_kept_as_a_note_of_the_contact(desk, given):
    callback = taken(desk, before=timedelta(minutes=5))
    over(desk, callback)
    assert store(desk, callback, given) == Result(Told.DONE, state=State.UNREACHED)
    assert desk.state(callback) is State.UNREACHED
    assert outcomes(desk) == [given.outcome]
    with desk.session() as session:
        held = session.get(AgentClaim, callback)
        [phone] = session.scalars(select(CasePhone))
    assert (held is not None) == (given.outcome is ContactOutcome.NOTE)
    assert (phone.barred_at is not None) == (given.outcome is ContactOutcome.WRONG_PERSON)


def test_no_appointment_after_the_end(desk):
    callback = taken(desk, before=timedelta(minutes=5))
    over(desk, callback)
    with pytest.raises(BadContact):
        store(desk, callback, Contact(ContactOutcome.LATER, when=desk.now + timedelta(hours=1)))
    assert outcomes(desk) == []


def test_only_who_had_it_last_stores_anything_after_the_end(desk):
    callback = taken(desk, before=timedelta(minutes=5))
    over(desk, callback)
    assert store(desk, callback, SATISFIED, "li") == Result(Told.NOT_QUEUED, state=State.UNREACHED)
    assert outcomes(desk) == []


def test_a_case_that_was_opened_again_takes_no_answer(sessions, privacy):
    desk = make_desk(sessions, privacy, PolicySettings(first_step_delay=timedelta(0)))
    desk.end = desk.now + WEEK  # type: ignore[attr-defined]
    callback = taken(desk, before=timedelta(minutes=5))
    desk.ctx.run(lambda session: reopen_case(desk.ctx, session, session.get_one(CasePhone, 1).case, desk.now))
    assert store(desk, callback, SATISFIED) == Result(Told.NOT_QUEUED, state=State.CANCELLED)
