"""Several cases of a citizen, several numbers of a case, and ends without a rating that are in the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbacks.ledger import read_ledger
from callbacks.models import Case
from callbacks.models_office import ContactOutcome
from callbacks.service import calls
from callbacks.service.agents import Contact, Told, claim, contact
from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ClaimedCall, begin_invite
from callbacks.settings import RetrySettings
from callbacks.states import State
from callbacks.vocabulary import Channel, Disposition
from tests.integration.office import FREE, LANDLINE, MOBILE, Desk, make_desk
from tests.integration.test_service_texts import asked, says

OTHER = "037963110002"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


def begun(desk: Desk) -> ClaimedCall:
    [call] = desk.claim()
    assert begin_invite(desk.ctx, call.attempt_id, call.token, f"c{call.attempt_id}", desk.now)
    return call


def over(desk: Desk, call: ClaimedCall, **outcome: bool) -> None:
    ended = CallOutcome(Disposition.ANSWERED, **outcome)
    assert calls.ended(desk.ctx, call.attempt_id, call.token, ended, desk.now)


def test_an_enterprise_that_waits_for_its_retry_is_asked_for_first_all_the_same(sessions, privacy) -> None:
    """An ordinary case's call takes it along: within the call the order is that of the queue."""
    retries = FREE.retries.model_copy(update={"answered": RetrySettings(delay=timedelta(hours=4))})
    desk = make_desk(sessions, privacy, FREE.model_copy(update={"retries": retries}))
    enterprise, call = desk.call(LANDLINE, enterprise=True)
    over(desk, call)
    desk.later(hours=1)
    ordinary = desk.close(LANDLINE)
    desk.plan()
    assert [case.callback_id for case in begun(desk).cases] == [enterprise, ordinary]


def test_key_9_bars_the_number_for_the_cases_of_the_call_alone(desk: Desk) -> None:
    """Each of them goes on by its other number, or to a person; a later case of the number is called."""
    with_other, alone = desk.close(LANDLINE, OTHER), desk.close(LANDLINE)
    desk.plan()
    call = begun(desk)
    assert [case.callback_id for case in call.cases] == [with_other, alone]
    over(desk, call, wrong_person=True)
    assert [desk.state(with_other), desk.state(alone)] == [State.CALL_QUEUED, State.AGENT_QUEUE]
    later = desk.close(LANDLINE)
    desk.plan()
    told = {call.number: [case.callback_id for case in call.cases] for call in desk.claim()}
    assert told == {OTHER: [with_other], LANDLINE: [later]}


def test_what_was_rated_before_key_9_stands(desk: Desk) -> None:
    first, second = desk.close(LANDLINE), desk.close(LANDLINE)
    desk.plan()
    call = begun(desk)
    answer = Answer(1, Channel.VOICE, "1", call.attempt_id)
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)
    assert calls.rated(desk.ctx, call.attempt_id, call.token, first, answer, desk.now)
    over(desk, call, wrong_person=True)
    assert [desk.state(first), desk.state(second)] == [State.RATED, State.AGENT_QUEUE]


def test_opt_outs_and_wrong_persons_are_in_the_ledger(desk: Desk) -> None:
    """They are closings that were followed up: done, and none is missing from the sum."""
    opted_out = asked(desk)
    assert says(desk, "TD") == "opted_out"
    wrong = desk.close(LANDLINE)
    desk.plan()
    over(desk, begun(desk), wrong_person=True)
    assert claim(desk.ctx, wrong, "ma", desk.now).told is Told.DONE
    contact(desk.ctx, wrong, "ma", Contact(ContactOutcome.WRONG_PERSON), desk.now, seen=0)
    assert [desk.state(opted_out), desk.state(wrong)] == [State.REFUSED, State.WRONG_PERSON]
    after = desk.close(MOBILE)  # no more texts to that number, but its next case is followed up
    desk.plan()
    assert desk.state(after) is State.CALL_QUEUED
    with desk.session() as session:
        ledger = read_ledger(session)
        assert session.query(Case).count() == 3
    assert ledger.balanced
    assert {name: ledger.total(name) for name in ("closed", "done", "open", "excluded")} == {
        "closed": 3,
        "done": 2,
        "open": 1,
        "excluded": 0,
    }
    assert ledger.outcomes == {"refused": 1, "wrong_person": 1, "call_queued": 1}
