"""Click to call on the real tables: who may ask, what speaks against it; nothing stays live for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from callbacks.models import Attempt, AttemptState, Audit, Callback, CasePhone, Line, Rating
from callbacks.models_office import (
    AgentCall,
    AgentCallState,
    AgentClaim,
    AgentContact,
    Alarm,
    ContactOutcome,
    PauseScope,
)
from callbacks.service import calls
from callbacks.service.agent_calls import (
    PATIENCE,
    Asked,
    ClaimedAgentCall,
    NoCall,
    Taken,
    ask_for_call,
    begin_citizen,
    call_over,
    cancel_call,
    claim_agent_calls,
    end_untaken,
    talking,
)
from callbacks.service.agents import CLAIM, Contact, Result, Told, claim, contact, newest_contact, release
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import begin_invite, ensure_lines
from callbacks.service.leases import renew, settle_leases
from callbacks.service.pauses import NewPause, add_pause
from callbacks.settings import PolicySettings
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Channel, Disposition
from tests.integration.office import FREE, LANDLINE, MOBILE, Desk, make_desk

TARGETS = {
    "desk-1": TargetSettings(number="8001", logins=("ma",)),
    "desk-2": TargetSettings(number="8002", trunk="pbx", logins=("li", "ma")),
    "operator": TargetSettings(number="037963110009"),  # rung by other ways, by nobody's click
}
OTHER = "13803790002"
OWNER = "voice:test:1"
D, S = Disposition, AgentCallState


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


def held(desk: Desk, *numbers: str, login: str = "ma") -> int:
    """A callback of the agents' queue that `login` has taken."""
    callback = desk.close(*(numbers or (LANDLINE,)), sensitive=True)
    desk.plan()
    assert claim(desk.ctx, callback, login, desk.now).told is Told.DONE
    return callback


def ask(desk: Desk, callback: int, login: str = "ma", target: str = "desk-1", number: int = 0) -> Asked:
    return ask_for_call(desk.ctx, callback, phones(desk, callback)[number], login, target, desk.now, TARGETS)


def phones(desk: Desk, callback: int) -> list[int]:
    with desk.session() as session:
        case = session.get_one(Callback, callback).case_id
        query = select(CasePhone.id).where(CasePhone.case_id == case).order_by(CasePhone.position)
        return list(session.scalars(query))


def take(desk: Desk, lines: int = 5) -> list[ClaimedAgentCall]:
    return asked_for(desk, lines).calls


def asked_for(desk: Desk, lines: int = 5) -> Taken:
    ensure_lines(desk.ctx, "city", lines)
    ensure_lines(desk.ctx, "pbx", 1)
    return claim_agent_calls(desk.ctx, OWNER, ("city",), 5, desk.now, TARGETS)


def taken(desk: Desk, *numbers: str) -> tuple[int, ClaimedAgentCall]:
    """The agent's telephone rings."""
    callback = held(desk, *numbers)
    assert ask(desk, callback) == Asked(Result(Told.DONE))
    [claimed] = take(desk)
    return callback, claimed


def begun(desk: Desk, claimed: ClaimedAgentCall) -> bool:
    name = f"{claimed.attempt_id}-{claimed.token:x}"
    return begin_citizen(desk.ctx, claimed.attempt_id, claimed.token, name, desk.now)


def call(desk: Desk) -> AgentCall:
    """The newest one."""
    with desk.session() as session:
        return session.scalars(select(AgentCall).order_by(AgentCall.id.desc()).limit(1)).one()


def ended(desk: Desk) -> str | None:
    """Why the newest call ended, None while it's live; nothing of one that ended is taken any more."""
    found = call(desk)
    if found.state is not S.ENDED:
        return None
    assert found.ended_at is not None
    with desk.session() as session:
        taken = session.scalars(select(Line).where(Line.agent_call_id == found.id)).all()
        if found.attempt_id is not None:
            attempt = session.get_one(Attempt, found.attempt_id)
            assert attempt.state is AttemptState.ENDED and attempt.owner is None
            assert not any(link.live for link in attempt.links)
            taken += session.scalars(select(Line).where(Line.attempt_id == attempt.id)).all()
        assert taken == []
    return found.error


def lines_in_use(desk: Desk) -> list[tuple[str, bool]]:
    """Trunk and whether it is the agent's leg's."""
    with desk.session() as session:
        rows = session.scalars(select(Line).order_by(Line.trunk, Line.no))
        return [
            (row.trunk, row.agent_call_id is not None) for row in rows if row.attempt_id or row.agent_call_id
        ]


# From the click to the outcome


def test_a_call_from_the_click_to_the_rating(desk: Desk) -> None:
    callback, claimed = taken(desk)
    assert (claimed.target, claimed.number, claimed.masked) == ("desk-1", LANDLINE, "****0001")
    assert call(desk).state is S.RINGING_AGENT
    assert lines_in_use(desk) == [("city", True), ("city", False)]
    desk.later(seconds=8)
    assert begun(desk, claimed)
    attempt = desk.attempt(claimed.attempt_id)
    assert (attempt.channel, attempt.state, attempt.invited_at) == (
        Channel.AGENT,
        AttemptState.SUBMITTING,
        desk.now,
    )
    assert call(desk).state is S.RINGING_CITIZEN
    assert calls.ringing(desk.ctx, claimed.attempt_id, claimed.token, desk.later(seconds=2))
    assert talking(desk.ctx, claimed.attempt_id, claimed.token, desk.later(seconds=4))
    assert call(desk).state is S.TALKING
    outcome = CallOutcome(D.ANSWERED, 200, 16)
    assert call_over(desk.ctx, claimed.attempt_id, claimed.token, outcome, None, desk.later(minutes=14))
    assert ended(desk) == ""
    attempt = desk.attempt(claimed.attempt_id)
    assert (attempt.disposition, attempt.counts) == (D.ANSWERED, True)
    assert desk.state(callback) is State.AGENT_QUEUE  # the agent says what came of it
    with desk.session() as session:  # and has time for it: a long call doesn't cost the claim
        assert session.get_one(AgentClaim, callback).until == desk.now + CLAIM
    store(desk, callback, Contact(ContactOutcome.NOTE, note="要求书面答复"))
    store(desk, callback, Contact(ContactOutcome.RATED, value=2, resolved=True))
    with desk.session() as session:
        linked = session.scalars(select(AgentContact.attempt_id).order_by(AgentContact.id)).all()
        assert linked == [claimed.attempt_id, claimed.attempt_id]
        [rating] = session.scalars(select(Rating)).all()
        assert (rating.channel, rating.attempt_id) == (Channel.AGENT, claimed.attempt_id)
        rows = session.scalars(select(Audit).where(Audit.action == "call_citizen")).all()
        assert [(row.actor, row.subject, row.detail["target"]) for row in rows] == [
            ("ma", f"callback:{callback}", "desk-1")
        ]


def store(desk: Desk, callback: int, given: Contact) -> None:
    with desk.session() as session:
        seen = newest_contact(session, callback)
    assert contact(desk.ctx, callback, "ma", given, desk.now, seen=seen).told is Told.DONE


def test_an_outcome_links_the_call_since_the_last_one(desk: Desk) -> None:
    callback, claimed = taken(desk)
    begun(desk, claimed)
    call_over(desk.ctx, claimed.attempt_id, claimed.token, CallOutcome(D.BUSY, 486), None, desk.now)
    store(desk, callback, Contact(ContactOutcome.LATER, when=desk.now + timedelta(hours=1)))
    desk.later(hours=1)
    store(desk, callback, Contact(ContactOutcome.NO_CONTACT))  # without another call
    with desk.session() as session:
        linked = session.scalars(select(AgentContact.attempt_id).order_by(AgentContact.id)).all()
        assert linked == [claimed.attempt_id, None]


# What speaks against it


def test_only_who_holds_the_callback_may_ask(desk: Desk) -> None:
    callback = held(desk)
    assert ask(desk, callback, login="li", target="desk-2").result.told is Told.HELD
    desk.later(minutes=16)
    assert ask(desk, callback).result.told is Told.NOT_CLAIMED  # the minutes are over
    claim(desk.ctx, callback, "li", desk.now)
    assert ask(desk, callback).result.told is Told.HELD
    release(desk.ctx, callback, "li")
    assert ask(desk, callback).result.told is Told.NOT_CLAIMED
    other = desk.close(OTHER)
    assert ask(desk, other).result.told is Told.NOT_QUEUED
    assert take(desk) == []


def bar_it(desk: Desk, callback: int) -> None:
    with desk.ctx.sessions.begin() as session:
        session.execute(update(CasePhone).values(barred_at=desk.now))


def pause_all(desk: Desk, callback: int) -> None:
    add_pause(desk.ctx, NewPause(PauseScope.ALL, "110话务高峰"), "head", desk.now)


def call_its_number(desk: Desk, callback: int) -> None:
    desk.close(LANDLINE)
    desk.plan()
    assert desk.claim()


def night(desk: Desk, callback: int) -> None:
    desk.later(hours=11)
    claim(desk.ctx, callback, "ma", desk.now)


def called_already(disposition: D, ago: timedelta):
    """A call of this kind, so long ago, by a person, to the same number for another case."""

    def before(desk: Desk, callback: int) -> None:
        _, claimed = taken(desk, LANDLINE)
        begun(desk, claimed)
        calls.ringing(desk.ctx, claimed.attempt_id, claimed.token, desk.now)
        call_over(desk.ctx, claimed.attempt_id, claimed.token, CallOutcome(disposition), None, desk.now)
        desk.now += ago
        claim(desk.ctx, callback, "ma", desk.now)

    return before


def too_late(desk: Desk, callback: int) -> None:
    desk.later(days=11)
    claim(desk.ctx, callback, "ma", desk.now)


CAPPED = PolicySettings(first_step_delay=timedelta(0))
MINUTES = timedelta(minutes=1)
REFUSALS = [
    # policy, what happens first, the reason, minutes until it may be tried again
    (FREE, bar_it, NoCall.BARRED, None),  # somebody said that it's another's
    (FREE, pause_all, NoCall.PAUSE, 5),  # a pause holds back people, too
    (FREE, call_its_number, NoCall.NUMBER_BUSY, None),  # the machine is calling it
    (FREE, too_late, NoCall.DEADLINE, None),
    (FREE, called_already(D.UNKNOWN, 30 * MINUTES), NoCall.UNKNOWN, 90),  # it may have rung
    (CAPPED, night, NoCall.WINDOW, 475),  # 01:05: not before nine
    (CAPPED, called_already(D.NO_ANSWER, 30 * MINUTES), NoCall.APART, 90),
    (CAPPED, called_already(D.NO_ANSWER, 130 * MINUTES), NoCall.PER_HALF_DAY, None),
]


@pytest.mark.parametrize(("policy", "before", "why", "minutes"), REFUSALS)
def test_what_speaks_against_a_call(sessions, privacy, policy, before, why: NoCall, minutes) -> None:
    desk = make_desk(sessions, privacy, policy)
    if policy is CAPPED:
        desk.later(hours=2, minutes=5)  # the afternoon has begun
    callback = held(desk)
    before(desk, callback)
    told = ask(desk, callback)
    assert (told.result.told, told.why) == (Told.DONE, why)
    if minutes is not None:
        assert told.until == desk.now + timedelta(minutes=minutes)
    assert take(desk) == []


def test_what_is_never_dialled(desk: Desk) -> None:
    numbers = (
        "110",  # an emergency desk
        "12110379",
        "8001234",  # no landline without its area code
        "037963110110",  # our own
        "037963110009",  # a desk of [targets]
    )
    callback = held(desk, *numbers)
    told = {number: ask(desk, callback, number=at).why for at, number in enumerate(numbers)}
    assert told == dict.fromkeys(numbers, NoCall.NEVER_DIALLED)


def test_without_a_telephone_of_ones_own_nobody_is_called(desk: Desk) -> None:
    callback = held(desk)
    for target in ("operator", "nobody", ""):
        assert ask(desk, callback, target=target).why is NoCall.NO_TELEPHONE


def test_the_rounds_budget_is_the_machines(desk: Desk) -> None:
    callback = desk.close(LANDLINE)
    desk.plan()
    for day in range(3):
        [claimed] = desk.claim()
        begin_invite(desk.ctx, claimed.attempt_id, claimed.token, f"c{day}", desk.now)
        calls.ended(desk.ctx, claimed.attempt_id, claimed.token, CallOutcome(D.BUSY, 486), desk.now)
        desk.later(days=1)
    assert desk.callback(callback).handed_over == "exhausted"
    claim(desk.ctx, callback, "ma", desk.now)
    assert ask(desk, callback) == Asked(Result(Told.DONE))
    [mine] = take(desk)
    assert begun(desk, mine)


def test_one_call_of_a_callback_and_of_a_telephone(desk: Desk) -> None:
    callback = held(desk, LANDLINE, MOBILE)
    ask(desk, callback)
    assert ask(desk, callback, number=1, target="desk-2").why is NoCall.LIVE
    other = held(desk, OTHER)
    assert ask(desk, other).why is NoCall.LIVE  # the agent's telephone is in use
    assert ask(desk, other, target="desk-2").why is None
    with desk.session() as session:  # whoever forgets to ask meets the indexes
        first = session.scalars(select(AgentCall)).first()
        session.add(
            AgentCall(
                callback_id=first.callback_id,
                phone_id=first.phone_id,
                login="li",
                target="desk-9",
                state=S.ASKED,
                asked_at=desk.now,
            )
        )
        with pytest.raises(Exception, match=r"(?i)unique"):
            session.flush()


# Lines


def test_both_legs_have_a_line_or_the_call_waits(desk: Desk) -> None:
    ask(desk, held(desk))
    assert asked_for(desk, lines=1) == Taken([], waiting=True)
    assert call(desk).state is S.ASKED
    [claimed] = take(desk, lines=2)
    ensure_lines(desk.ctx, "city", 1)  # a line in use isn't taken away
    assert lines_in_use(desk) == [("city", True), ("city", False)]
    call_over(desk.ctx, claimed.attempt_id, claimed.token, None, NoCall.AGENT_BUSY, desk.now)
    assert ended(desk) == "agent_busy"


def test_a_telephone_may_have_a_trunk_of_its_own(desk: Desk) -> None:
    ask(desk, held(desk), target="desk-2")
    assert len(take(desk, lines=1)) == 1
    assert lines_in_use(desk) == [("city", False), ("pbx", True)]
    ask(desk, held(desk, OTHER), login="ma", target="desk-1")
    assert asked_for(desk, lines=1) == Taken([], waiting=True)


def test_where_a_trunk_has_no_two_lines_the_next_is_taken(desk: Desk) -> None:
    ask(desk, held(desk))
    for trunk, lines in (("first", 1), ("second", 2)):
        ensure_lines(desk.ctx, trunk, lines)
    [claimed] = claim_agent_calls(desk.ctx, OWNER, ("first", "second"), 5, desk.now, TARGETS).calls
    assert claimed.trunk == "second"
    assert lines_in_use(desk) == [("second", True), ("second", False)]


def test_the_machine_doesnt_wait_for_a_trunk_of_the_agents(desk: Desk) -> None:
    ask(desk, held(desk), target="desk-2")
    ensure_lines(desk.ctx, "city", 5)
    assert claim_agent_calls(desk.ctx, OWNER, ("city",), 5, desk.now, TARGETS) == Taken([], waiting=False)


def test_the_machine_takes_no_line_of_an_agents_call(desk: Desk) -> None:
    taken(desk)
    for number in ("037963110002", "037963110003", "037963110004", "037963110005"):
        desk.close(number)
    desk.plan()
    assert len(desk.claim()) == 3  # five lines


# Asked again when the citizen is dialled


def give_back(desk: Desk, callback: int) -> None:
    release(desk.ctx, callback, "ma")


def answer_meanwhile(desk: Desk, callback: int) -> None:
    store(desk, callback, Contact(ContactOutcome.REFUSED))


def cancel(desk: Desk, callback: int) -> None:
    assert cancel_call(desk.ctx, callback, "ma", desk.now)


CHANGES = [
    (pause_all, NoCall.PAUSE),
    (bar_it, NoCall.BARRED),
    (give_back, NoCall.LEFT_QUEUE),
    (answer_meanwhile, NoCall.LEFT_QUEUE),
    (cancel, NoCall.CANCELLED),
]


@pytest.mark.parametrize(("change", "why"), CHANGES)
def test_the_gate_is_asked_again_when_the_agent_has_answered(desk: Desk, change, why: NoCall) -> None:
    callback, claimed = taken(desk)
    change(desk, callback)
    assert not begun(desk, claimed)
    assert ended(desk) == why.value
    attempt = desk.attempt(claimed.attempt_id)
    assert (attempt.invited_at, attempt.counts) == (None, False)
    assert not call_over(desk.ctx, claimed.attempt_id, claimed.token, None, None, desk.now)


def test_a_number_that_is_called_meanwhile_is_not_called_twice(desk: Desk) -> None:
    callback = held(desk)
    ask(desk, callback)
    call_its_number(desk, callback)
    assert take(desk) == []
    assert ended(desk) == "number_busy"


def test_the_machine_leaves_a_number_alone_that_an_agent_calls(desk: Desk) -> None:
    taken(desk)
    desk.close(LANDLINE)
    desk.plan()
    assert desk.claim() == []


# Giving up, and what dies


def test_an_agent_gives_up_before_anybody_took_it(desk: Desk) -> None:
    callback = held(desk)
    ask(desk, callback)
    assert not cancel_call(desk.ctx, callback, "li", desk.now)
    assert cancel_call(desk.ctx, callback, "ma", desk.now)
    assert ended(desk) == "cancelled"
    assert not cancel_call(desk.ctx, callback, "ma", desk.now)
    assert take(desk) == []


def test_giving_up_reaches_the_voice_role_with_the_lease(desk: Desk) -> None:
    callback, claimed = taken(desk)
    begun(desk, claimed)
    cancel(desk, callback)
    assert renew(desk.ctx, OWNER, [claimed.attempt_id]).cancel == {claimed.attempt_id}
    assert ended(desk) is None
    outcome = CallOutcome(D.CANCELLED)
    call_over(desk.ctx, claimed.attempt_id, claimed.token, outcome, NoCall.CANCELLED, desk.now)
    assert ended(desk) == "cancelled"


def test_what_nobody_takes_ends_within_a_minute(desk: Desk) -> None:
    ask(desk, held(desk))
    assert end_untaken(desk.ctx, desk.now + PATIENCE - timedelta(seconds=1)) == 0
    assert end_untaken(desk.ctx, desk.later(seconds=PATIENCE.total_seconds())) == 1
    assert ended(desk) == "not_taken"


def test_a_voice_role_that_dies_before_the_citizen_is_invited_costs_nothing(desk: Desk) -> None:
    callback, claimed = taken(desk)
    assert settle_leases(desk.ctx, desk.now, owner=OWNER) == 1
    assert ended(desk) == "lost"
    attempt = desk.attempt(claimed.attempt_id)
    assert (attempt.disposition, attempt.counts) == (None, False)
    assert not begun(desk, claimed)  # it wakes again: its token is stale
    assert desk.state(callback) is State.AGENT_QUEUE
    assert ask(desk, callback) == Asked(Result(Told.DONE))  # at once, if the agent likes


def test_one_that_dies_after_it_is_unknown_and_the_number_rests(desk: Desk) -> None:
    callback, claimed = taken(desk)
    begun(desk, claimed)
    with desk.ctx.sessions.begin() as session:
        session.execute(update(Attempt).values(lease_expires_at=desk.now - timedelta(days=9)))
    assert settle_leases(desk.ctx, desk.now) == 1
    assert ended(desk) == "lost"
    attempt = desk.attempt(claimed.attempt_id)
    assert (attempt.disposition, attempt.counts) == (D.UNKNOWN, True)
    with desk.session() as session:
        assert [alarm.kind for alarm in session.scalars(select(Alarm))] == ["attempt_unknown"]
    assert not talking(desk.ctx, claimed.attempt_id, claimed.token, desk.now)
    assert not call_over(desk.ctx, claimed.attempt_id, claimed.token, None, None, desk.now)
    assert ask(desk, callback).why is NoCall.UNKNOWN
