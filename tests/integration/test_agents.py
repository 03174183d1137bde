"""The agents' queue: one person at a time, told who has it; each outcome goes its way, once."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from callbacks.events import Rated, ResolutionGiven
from callbacks.models import Audit, Callback, CallbackMove, CasePhone
from callbacks.models_office import AgentClaim, AgentContact, ContactOutcome
from callbacks.service.agents import (
    CLAIM,
    BadContact,
    Contact,
    ContactFault,
    Result,
    Told,
    claim,
    contact,
    newest_contact,
    release,
    reveal_number,
)
from callbacks.service.answers import Answer, rate
from callbacks.service.core import lock_callbacks
from callbacks.states import State
from callbacks.vocabulary import Channel
from tests.integration.office import LANDLINE, MOBILE, Desk, make_desk

SATISFIED = Contact(ContactOutcome.RATED, value=1)


@pytest.fixture
def desk(sessions, privacy):
    return make_desk(sessions, privacy)


def queued(desk: Desk, *numbers: str) -> int:
    """A sensitive case: it goes to a person at once."""
    callback = desk.close(*(numbers or (LANDLINE,)), sensitive=True)
    desk.plan()
    assert desk.state(callback) is State.AGENT_QUEUE
    return callback


def seen(desk: Desk, callback: int) -> int:
    with desk.session() as session:
        return newest_contact(session, callback)


def store(desk: Desk, callback: int, given: Contact, login: str = "ma", at: int | None = None) -> Result:
    newest = seen(desk, callback) if at is None else at
    return contact(desk.ctx, callback, login, given, desk.now, seen=newest)


def taken(desk: Desk) -> int:
    callback = queued(desk)
    assert claim(desk.ctx, callback, "ma", desk.now).told is Told.DONE
    return callback


def held_by(desk: Desk, callback: int) -> str | None:
    with desk.session() as session:
        row = session.get(AgentClaim, callback)
        return None if row is None else row.login


def contacts(desk: Desk, callback: int) -> list[tuple[str, ContactOutcome]]:
    with desk.session() as session:
        query = select(AgentContact).where(AgentContact.callback_id == callback).order_by(AgentContact.id)
        return [(row.login, row.outcome) for row in session.scalars(query)]


# Taking one


def test_one_agent_at_a_time_and_the_second_is_told_who(desk):
    callback = taken(desk)
    assert claim(desk.ctx, callback, "li", desk.later(minutes=5)) == Result(
        Told.HELD, "ma", desk.now + timedelta(minutes=10)
    )
    again = claim(desk.ctx, callback, "ma", desk.now)  # the first one's minutes begin anew
    assert again == Result(Told.DONE, "ma", desk.now + CLAIM)


def test_a_claim_ends_after_fifteen_minutes_or_when_it_is_given_back(desk):
    callback = taken(desk)
    assert claim(desk.ctx, callback, "li", desk.later(minutes=15)).told is Told.DONE
    assert not release(desk.ctx, callback, "ma")
    assert release(desk.ctx, callback, "li")
    assert held_by(desk, callback) is None


def test_two_who_take_it_in_the_same_instant(desk):
    callback = queued(desk)
    start, told = Barrier(2), {}

    def take(login: str) -> None:
        start.wait()
        told[login] = claim(desk.ctx, callback, login, desk.now)

    threads = [Thread(target=take, args=(login,)) for login in ("ma", "li")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.told for result in told.values()) == [Told.DONE, Told.HELD]
    assert {result.login for result in told.values()} == {held_by(desk, callback)}


def test_what_isnt_in_the_queue_cant_be_taken(desk):
    callback = desk.close(LANDLINE)
    assert claim(desk.ctx, callback, "ma", desk.now) == Result(Told.NOT_QUEUED, state=State.PENDING)
    assert claim(desk.ctx, 999, "ma", desk.now) == Result(Told.NOT_QUEUED)


# What came of it


# outcome, where it leads
@pytest.mark.parametrize(
    ("given", "state"),
    [
        (SATISFIED, State.RATED),
        (Contact(ContactOutcome.REFUSED), State.REFUSED),
        (Contact(ContactOutcome.NO_CONTACT), State.UNREACHED),  # the person's try was the last (§5)
        (Contact(ContactOutcome.WRONG_PERSON), State.WRONG_PERSON),
        (Contact(ContactOutcome.NOTE, note="占线，稍后再打"), State.AGENT_QUEUE),
    ],
)
def test_each_outcome_goes_its_way(desk, given, state):
    callback = taken(desk)
    assert store(desk, callback, given) == Result(Told.DONE, state=state)
    assert desk.state(callback) is state
    assert contacts(desk, callback) == [("ma", given.outcome)]
    assert held_by(desk, callback) == ("ma" if state is State.AGENT_QUEUE else None)


def test_a_rating_is_stored_as_every_other_one(desk):
    callback = taken(desk)
    given = Contact(
        ContactOutcome.RATED, "说话很急", 3, resolved=False, reason="too_slow", comment="拖了一个月"
    )
    store(desk, callback, given)
    [rating] = desk.ratings(callback)
    assert (rating.channel, rating.value, rating.raw, rating.counted) == (Channel.AGENT, 3, "3", True)
    assert (rating.resolved, rating.reason, rating.comment) == (False, "too_slow", "拖了一个月")
    assert [type(event) for event in desk.events if isinstance(event, Rated | ResolutionGiven)] == [
        Rated,
        ResolutionGiven,
    ]


def test_no_contact_says_so_in_the_story(desk):
    callback = taken(desk)
    store(desk, callback, Contact(ContactOutcome.NO_CONTACT))
    with desk.session() as session:
        last = session.scalars(select(CallbackMove).order_by(CallbackMove.id.desc())).first()
        assert last is not None and (last.to_state, last.detail) == (State.UNREACHED, "no_contact")


def test_a_wrong_persons_only_number_is_never_called_again(desk):
    one, two = queued(desk, MOBILE), queued(desk, LANDLINE, "13803790002")
    for callback in (one, two):
        claim(desk.ctx, callback, "ma", desk.now)
        store(desk, callback, Contact(ContactOutcome.WRONG_PERSON))
    with desk.session() as session:
        barred = {phone.number_masked: phone.barred_at is not None for phone in session.scalars(_PHONES)}
    assert barred == {"138****0001": True, "****0001": False, "138****0002": False}


_PHONES = select(CasePhone)


def test_an_appointment_waits_then_is_its_makers_for_fifteen_minutes(desk):
    callback = taken(desk)
    when = desk.now + timedelta(hours=3)
    store(desk, callback, Contact(ContactOutcome.LATER, when=when))
    desk.later(hours=3, minutes=1)
    desk.plan()
    assert desk.state(callback) is State.AGENT_QUEUE
    assert claim(desk.ctx, callback, "li", desk.now).told is Told.HELD
    assert claim(desk.ctx, callback, "li", desk.later(minutes=15)).told is Told.DONE


def test_a_citizen_who_rings_before_the_appointment_is_taken_by_anybody(desk):
    callback = taken(desk)
    store(desk, callback, Contact(ContactOutcome.LATER, when=desk.now + timedelta(hours=3)))
    assert claim(desk.ctx, callback, "li", desk.later(hours=1)).told is Told.DONE
    assert store(desk, callback, SATISFIED, "li").told is Told.DONE


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (Contact(ContactOutcome.RATED), ContactFault.VALUE),
        (Contact(ContactOutcome.RATED, value=4), ContactFault.VALUE),  # not of the scale in use
        (Contact(ContactOutcome.LATER), ContactFault.WHEN),
        (Contact(ContactOutcome.NOTE, note="  "), ContactFault.NOTE),
        (Contact(ContactOutcome.REFUSED, note="不" * 2001), ContactFault.NOTE),
        (Contact(ContactOutcome.REFUSED, note="a\0b"), ContactFault.NOTE),
    ],
)
def test_what_makes_no_sense_is_refused_and_stores_nothing(desk, given, fault):
    callback = taken(desk)
    with pytest.raises(BadContact) as refused:
        store(desk, callback, given)
    assert refused.value.fault is fault
    assert contacts(desk, callback) == [] and desk.state(callback) is State.AGENT_QUEUE


@pytest.mark.parametrize("hours", [-1, 0.1, 24 * 7, 24 * 30])  # past, at once, the agents' end, beyond
def test_an_appointment_is_before_the_deadline(desk, hours):
    callback = taken(desk)
    with pytest.raises(BadContact):
        store(desk, callback, Contact(ContactOutcome.LATER, when=desk.now + timedelta(hours=hours)))


# Two people on one item


def test_who_lost_the_item_is_told_and_overwrites_nothing(desk):
    callback = taken(desk)
    desk.later(minutes=20)  # a long call; the claim ran out and another took it
    claim(desk.ctx, callback, "li", desk.now)
    assert store(desk, callback, SATISFIED) == Result(Told.HELD, "li", desk.now + CLAIM)
    store(desk, callback, Contact(ContactOutcome.NO_CONTACT), "li")
    assert store(desk, callback, SATISFIED) == Result(Told.NOT_QUEUED, state=State.UNREACHED)
    assert contacts(desk, callback) == [("li", ContactOutcome.NO_CONTACT)]


def test_a_claim_that_ran_out_unnoticed_still_stores_what_was_said(desk):
    callback = taken(desk)
    desk.later(minutes=40)
    assert store(desk, callback, SATISFIED).told is Told.DONE


def test_anothers_appointment_isnt_undone(desk):
    callback = taken(desk)
    claim(desk.ctx, callback, "li", desk.later(minutes=20))
    later = Contact(ContactOutcome.LATER, when=desk.now + timedelta(hours=3))
    store(desk, callback, later, "li")
    assert store(desk, callback, SATISFIED) == Result(Told.CHANGED, "li")


def test_a_form_sent_twice_is_stored_once(desk):
    callback = taken(desk)
    note = Contact(ContactOutcome.NOTE, note="占线")
    assert store(desk, callback, note, at=0).told is Told.DONE
    assert store(desk, callback, note, at=0).told is Told.CHANGED
    assert len(contacts(desk, callback)) == 1


def test_without_a_claim_nothing_is_stored(desk):
    callback = queued(desk)
    assert store(desk, callback, SATISFIED).told is Told.NOT_CLAIMED
    assert desk.state(callback) is State.AGENT_QUEUE


def test_a_text_that_came_first_wins(desk):
    callback = taken(desk)

    def by_text(session):
        rate(desk.ctx, session, lock_callbacks(session, [callback])[0], Answer(2, Channel.SMS, "2"), desk.now)

    desk.ctx.run(by_text)
    assert store(desk, callback, SATISFIED) == Result(Told.NOT_QUEUED, state=State.RATED)
    assert [(rating.value, rating.channel) for rating in desk.ratings(callback)] == [(2, Channel.SMS)]


# The number


def test_a_whole_number_is_told_to_who_has_it_and_each_look_is_audited(desk):
    callback = taken(desk)
    other = queued(desk, MOBILE)
    with desk.session() as session:
        phones = {row.case_id: row.id for row in session.scalars(_PHONES)}
        mine = phones[session.get_one(Callback, callback).case_id]
        not_mine = phones[session.get_one(Callback, other).case_id]
    assert reveal_number(desk.ctx, callback, mine, "ma", desk.now) == (Result(Told.DONE), LANDLINE)
    assert reveal_number(desk.ctx, callback, not_mine, "ma", desk.now) == (Result(Told.CHANGED), "")
    assert reveal_number(desk.ctx, callback, mine, "li", desk.now)[1] == ""
    assert reveal_number(desk.ctx, other, not_mine, "ma", desk.now) == (Result(Told.NOT_CLAIMED), "")
    late = reveal_number(desk.ctx, callback, mine, "ma", desk.later(minutes=15))
    assert late == (Result(Told.NOT_CLAIMED), "")
    with desk.session() as session:
        looks = [row for row in session.scalars(select(Audit)) if row.action == "reveal_number"]
    assert [(row.actor, row.subject, row.detail) for row in looks] == [
        ("ma", f"callback:{callback}", {"phone": mine})
    ]
