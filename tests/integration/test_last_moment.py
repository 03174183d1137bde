"""Every way in which something begins, and all that may hold it back at the last moment (domain.md §1).

All is open while it is queued, claimed or asked for. Then one thing changes, and only the beginning is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from callbacks.ledger import read_ledger
from callbacks.models import (
    Attempt,
    AttemptCallback,
    AttemptState,
    Callback,
    CasePhone,
    Closing,
    Suppression,
    TextKind,
    Unit,
)
from callbacks.models_office import PauseScope
from callbacks.service.agent_calls import ask_for_call, begin_citizen, claim_agent_calls
from callbacks.service.agents import claim
from callbacks.service.answers import Answer, rate
from callbacks.service.claims import begin_invite, ensure_lines
from callbacks.service.closing import reopen_case
from callbacks.service.core import lock_callbacks
from callbacks.service.pauses import NewPause, add_pause
from callbacks.service.planning import settle_due
from callbacks.service.reminders import remind_due
from callbacks.service.replies import IncomingReply, reply_came
from callbacks.service.submits import submitted
from callbacks.service.texts import claim_texts
from callbacks.settings import PolicySettings, Span, WindowSettings
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Channel, Disposition, UnitGroup, UnitLevel
from tests.integration.office import ALWAYS, LANDLINE, MOBILE, OFFICE, make_desk
from tests.integration.test_reminders import Yard

NIGHT = (Span(start="22:00", end="23:00"),)
OPEN = WindowSettings(voice=ALWAYS, voice_weekend=ALWAYS, sms=ALWAYS)
SHUT = WindowSettings(voice=NIGHT, voice_weekend=NIGHT, sms=NIGHT)
TODAY = date(2026, 11, 24)
HOLIDAY = WindowSettings(
    voice=ALWAYS, voice_weekend=ALWAYS, sms=ALWAYS, voice_holiday=(), sms_holiday=(), holidays={TODAY}
)
POLICY = PolicySettings(windows=OPEN, first_step_delay=timedelta(0))
TARGETS = {"desk-1": TargetSettings(number="8001", logins=("ma",))}


@pytest.fixture
def desk(sessions, privacy) -> Yard:
    plain = make_desk(sessions, privacy, POLICY)
    desk = Yard(plain.ctx, events=plain.events)
    desk.later(days=1, hours=2)  # Tuesday, 14:00
    return desk


# -- the ways: each goes as far as it can, and returns what begins it


@dataclass
class Way:
    """`begins` is the last moment; `callback` is whom it's about, 0 for a handler's text."""

    begins: Callable[[], bool]
    callback: int
    number: str


def a_call(desk: Yard) -> Way:
    callback = desk.close(LANDLINE)
    desk.plan()
    [call] = desk.claim()
    return Way(
        lambda: bool(begin_invite(desk.ctx, call.attempt_id, call.token, "c", desk.now)), callback, LANDLINE
    )


def a_persons_call(desk: Yard) -> Way:
    callback = desk.close(LANDLINE, sensitive=True)
    desk.plan()
    claim(desk.ctx, callback, "ma", desk.now)
    with desk.session() as session:
        phone = session.scalars(select(CasePhone.id)).one()
    asked = ask_for_call(desk.ctx, callback, phone, "ma", "desk-1", desk.now, TARGETS)
    assert asked.why is None
    ensure_lines(desk.ctx, "city", 2)
    [call] = claim_agent_calls(desk.ctx, "voice:test:1", ("city",), 1, desk.now, TARGETS).calls
    return Way(
        lambda: begin_citizen(desk.ctx, call.attempt_id, call.token, "c", desk.now), callback, LANDLINE
    )


def texts(desk: Yard) -> list[TextKind]:
    return [each.kind for each in claim_texts(desk.ctx, "sms:test:1", "smpp", 5, 15.0, desk.now)]


def a_question(desk: Yard) -> Way:
    callback = desk.close(MOBILE)
    desk.plan()
    return Way(lambda: texts(desk) == [TextKind.EVAL], callback, MOBILE)


def _answered_by_text(desk: Yard, value: int) -> int:
    callback = desk.close(MOBILE)
    desk.plan()
    [text] = claim_texts(desk.ctx, "sms:test:1", "smpp", 5, 15.0, desk.now)
    submitted(desk.ctx, text.text_id, text.token, "smpp", ["id1"], desk.now)
    reply = IncomingReply("smpp", "d", MOBILE, OFFICE.sender_code, str(value), rating=value)
    assert reply_came(desk.ctx, reply, desk.now) == "rated"
    return callback


def an_answer_that_was_held_up(desk: Yard) -> Way:
    """Its ten minutes are over: the gateway was away."""
    callback = _answered_by_text(desk, 1)
    desk.later(minutes=11)
    return Way(lambda: texts(desk) == [TextKind.THANKS], callback, MOBILE)


def what_follows_the_thirty_minutes(desk: Yard) -> Way:
    """That a dissatisfied citizen will be called: no answer to what the citizen just sent."""
    callback = _answered_by_text(desk, 3)
    assert texts(desk) == [TextKind.REASON]
    desk.later(minutes=31)
    assert settle_due(desk.ctx, desk.now) == 1
    return Way(lambda: texts(desk) == [TextKind.VERIFYING], callback, MOBILE)


def a_reminder(desk: Yard) -> Way:
    desk.open_case(MOBILE, assigned=desk.now, due_at=desk.now + timedelta(days=7))
    assert remind_due(desk.ctx, desk.now) == 1
    return Way(lambda: texts(desk) == [TextKind.HANDLER_TODO], 0, MOBILE)


# -- what may change


def pause(scope: PauseScope):
    def change(desk: Yard, way: Way) -> None:
        wanted = NewPause(scope, "演练", unit="u1", category="water", number=way.number)
        add_pause(desk.ctx, wanted, "head", desk.now)

    return change


def windows(shut: WindowSettings):
    def change(desk: Yard, way: Way) -> None:
        desk.ctx.take_policy(desk.ctx.policy.model_copy(update={"windows": shut}), 1)

    return change


def another_call(ago: timedelta, times: int = 1, disposition: Disposition = Disposition.NO_ANSWER):
    """Calls to the number for others' cases that are known only now; the last so long ago, a day apart."""

    def change(desk: Yard, way: Way) -> None:
        with desk.ctx.sessions.begin() as session:
            session.add_all(
                _past(desk, way.number, ago + timedelta(days=day), disposition) for day in range(times)
            )

    return change


def _past(desk: Yard, number: str, ago: timedelta, disposition: Disposition) -> Attempt:
    return Attempt(
        channel=Channel.VOICE,
        state=AttemptState.ENDED,
        number_encrypted=desk.ctx.privacy.encrypt(number),
        number_index=desk.ctx.privacy.index(number),
        number_masked="",
        trunk="city",
        token=1,
        claimed_at=desk.now - ago,
        invited_at=desk.now - ago,
        disposition=disposition,
        counts=True,
    )


def deadline(desk: Yard, way: Way) -> None:
    with desk.ctx.sessions.begin() as session:
        session.execute(update(Callback).values(deadline=desk.now))


def opted_out(desk: Yard, way: Way) -> None:
    with desk.ctx.sessions.begin() as session:
        index = desk.ctx.privacy.index(way.number)
        session.add(Suppression(number_index=index, channel=Channel.SMS, reason="opt_out", at=desk.now))


def answered_elsewhere(desk: Yard, way: Way) -> None:
    with desk.ctx.sessions.begin() as session:
        [callback] = lock_callbacks(session, [way.callback])
        rate(desk.ctx, session, callback, Answer(1, Channel.WEB, "1"), desk.now)


CALLS = (a_call, a_persons_call)
TEXTS = (a_question, an_answer_that_was_held_up, what_follows_the_thirty_minutes, a_reminder)
HOURS = timedelta(hours=1)
STOPS = [
    # what changes, and whom it stops
    ("pause all", pause(PauseScope.ALL), (*CALLS, *TEXTS)),
    ("pause number", pause(PauseScope.NUMBER), (*CALLS, *TEXTS)),
    # an answer is about what the citizen said, not about the unit: only what asks is held back
    ("pause unit", pause(PauseScope.UNIT), (*CALLS, a_question, a_reminder)),
    ("pause category", pause(PauseScope.CATEGORY), (*CALLS, a_question, a_reminder)),
    (
        "window",
        windows(SHUT),
        (*CALLS, a_question, an_answer_that_was_held_up, what_follows_the_thirty_minutes),
    ),
    ("holiday", windows(HOLIDAY), (*CALLS, *TEXTS)),
    ("apart", another_call(timedelta(minutes=30)), CALLS),
    ("half-day", another_call(timedelta(0)), CALLS),
    ("30 days", another_call(24 * HOURS, times=10), CALLS),
    ("unknown rests", another_call(HOURS, disposition=Disposition.UNKNOWN), CALLS),
    ("deadline", deadline, (*CALLS, a_question)),
    ("opt-out", opted_out, (a_question,)),
    ("answered elsewhere", answered_elsewhere, (*CALLS, a_question)),
]


@pytest.mark.parametrize("way", [*CALLS, *TEXTS])
def test_with_all_open_it_begins(desk: Yard, way) -> None:
    assert way(desk).begins()


@pytest.mark.parametrize(
    ("change", "way"),
    [pytest.param(change, way, id=f"{name}-{way.__name__}") for name, change, ways in STOPS for way in ways],
)
def test_what_changes_at_the_last_moment_stops_it(desk: Yard, change, way) -> None:
    begun = way(desk)
    change(desk, begun)
    assert not begun.begins()
    if way in CALLS:
        with desk.session() as session:
            attempt = session.scalars(
                select(Attempt).where(Attempt.trunk == "city", Attempt.token != 1)
            ).one()
            assert (attempt.invited_at, attempt.counts, attempt.state) == (None, False, AttemptState.ENDED)


# -- several cases of a citizen in one call: what stops one leaves the others in it


def alone(scope: PauseScope):
    """A pause for the second case's own unit or category."""

    def change(desk: Yard, way: Way) -> None:
        with desk.ctx.sessions.begin() as session:
            second = session.get_one(Callback, way.callback)
            unit = Unit(
                code="u2", name="供热", level=UnitLevel.CITY, group=UnitGroup.DEPT, valid_from=desk.now
            )
            session.add(unit)
            session.flush()
            second.unit_id, second.case.category = unit.id, "heating"
            session.execute(update(Closing).where(Closing.case_id == second.case_id).values(unit_id=unit.id))
        add_pause(desk.ctx, NewPause(scope, "演练", unit="u2", category="heating"), "head", desk.now)

    return change


def its_deadline(desk: Yard, way: Way) -> None:
    with desk.ctx.sessions.begin() as session:
        session.get_one(Callback, way.callback).deadline = desk.now


def opened_again(desk: Yard, way: Way) -> None:
    with desk.ctx.sessions.begin() as session:
        reopen_case(desk.ctx, session, session.get_one(Callback, way.callback).case, desk.now)


ONE_LEFT_OUT = [
    # what changes for one of three, where it is then
    (alone(PauseScope.UNIT), State.RETRY_WAIT),
    (alone(PauseScope.CATEGORY), State.RETRY_WAIT),
    (its_deadline, State.RETRY_WAIT),  # the clock ends it in its next look
    (answered_elsewhere, State.RATED),
    (opened_again, State.CANCELLED),
]


@pytest.mark.parametrize("position", [0, 1])  # of the one for whom the call was begun, and of another
@pytest.mark.parametrize(("change", "state"), ONE_LEFT_OUT)
def test_one_of_three_is_left_out_and_the_others_are_asked(desk: Yard, change, state, position) -> None:
    ids = [desk.close(LANDLINE) for _ in range(3)]
    desk.plan()
    [call] = desk.claim()
    assert [case.callback_id for case in call.cases] == ids
    left_out = ids.pop(position)
    change(desk, Way(lambda: True, left_out, LANDLINE))
    asked = begin_invite(desk.ctx, call.attempt_id, call.token, "c", desk.now)
    assert asked == frozenset(ids)
    assert desk.state(left_out) is state
    assert {desk.state(each) for each in ids} == {State.DIALING}
    with desk.session() as session:  # and the call costs the one that was left out nothing
        links = session.scalars(select(AttemptCallback.callback_id))
        assert set(links) == set(ids)
        assert read_ledger(session).balanced


def test_when_none_of_three_is_left_nobody_is_dialled(desk: Yard) -> None:
    ids = [desk.close(LANDLINE) for _ in range(3)]
    desk.plan()
    [call] = desk.claim()
    answered_elsewhere(desk, Way(lambda: True, ids[0], LANDLINE))
    pause(PauseScope.UNIT)(desk, Way(lambda: True, 0, LANDLINE))
    assert not begin_invite(desk.ctx, call.attempt_id, call.token, "c", desk.now)
    assert [desk.state(each) for each in ids] == [State.RATED, State.RETRY_WAIT, State.RETRY_WAIT]
    assert desk.callback(ids[1]).next_at == desk.now + timedelta(minutes=5)


def test_enterprises_are_asked_for_first_then_the_oldest(desk: Yard) -> None:
    """Within a call as between calls; the fourth waits."""
    young = [desk.close(LANDLINE)]
    desk.later(hours=1)
    young.append(desk.close(LANDLINE))
    desk.later(hours=1)
    enterprises = [desk.close(LANDLINE, enterprise=True)]
    desk.later(hours=1)
    enterprises.append(desk.close(LANDLINE, enterprise=True))
    desk.plan()
    [call] = desk.claim()
    assert [case.callback_id for case in call.cases] == [*enterprises, young[0]]
    assert begin_invite(desk.ctx, call.attempt_id, call.token, "c", desk.now)
    assert desk.state(young[1]) is State.CALL_QUEUED
