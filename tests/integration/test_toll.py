"""Toll limits at the last moment: what isn't called then, what a seat is told, and what is counted."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from callbacks.alarms import AlarmKind, acknowledge_alarm
from callbacks.case_explained import case_lines, explain_case
from callbacks.database import dbnow
from callbacks.models import Attempt, Callback, CallbackMove, Case
from callbacks.models_office import Alarm
from callbacks.models_trunks import TollHour
from callbacks.service.agent_calls import NoCall, ask_for_call, begin_citizen, claim_agent_calls, talking
from callbacks.service.agents import claim
from callbacks.service.calls import CallOutcome, answered, ended
from callbacks.service.claims import ClaimedCall, begin_invite, ensure_lines
from callbacks.service.core import calls_of
from callbacks.service.leases import settle_leases
from callbacks.service.toll import toll_of
from callbacks.service.transfer_lines import take_lines
from callbacks.settings import RetrySettings
from callbacks.states import State, Trigger
from callbacks.target_settings import TargetSettings
from callbacks.toll_settings import NO_LIMITS, TollSettings
from callbacks.vocabulary import Disposition
from tests.integration.office import FREE, Desk, make_desk
from tests.integration.test_agent_calls import phones

CITY = ZoneInfo("Asia/Shanghai")
NUMBERS = [f"03796311{last:04}" for last in range(1, 9)]
TARGETS = {"desk-1": TargetSettings(number="8001", logins=("ma",))}
OWNER = "voice:test:1"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    """Who was talked with isn't called again for a day."""
    later = FREE.retries.model_copy(update={"answered": RetrySettings(delay=timedelta(days=1))})
    return make_desk(sessions, privacy, FREE.model_copy(update={"retries": later}))


def limit(desk: Desk, **given: object) -> None:
    toll = TollSettings.model_validate({**NO_LIMITS.model_dump(), **given})
    object.__setattr__(desk.ctx, "toll", toll)


def claimed(desk: Desk, number: str) -> tuple[int, ClaimedCall]:
    callback = desk.close(number)
    desk.plan()
    [call] = desk.claim()
    return callback, call


def invited(desk: Desk, call: ClaimedCall) -> bool:
    return bool(begin_invite(desk.ctx, call.attempt_id, call.token, call.key, desk.now))


def talk(desk: Desk, number: str, seconds: float) -> None:
    _, call = claimed(desk, number)
    assert invited(desk, call)
    answered(desk.ctx, call.attempt_id, call.token, desk.now)
    ended(
        desk.ctx, call.attempt_id, call.token, CallOutcome(Disposition.ANSWERED), desk.later(seconds=seconds)
    )


def alarms(desk: Desk) -> list[tuple[str, int]]:
    with desk.session() as session:
        query = select(Alarm.subject, Alarm.times).where(Alarm.kind == AlarmKind.TOLL).order_by(Alarm.id)
        return [tuple(row) for row in session.execute(query)]


def local(desk: Desk, clock: str, day: int = 23) -> datetime:
    desk.now = datetime.fromisoformat(f"2026-11-{day} {clock}").replace(tzinfo=CITY)
    return desk.now


def test_a_call_that_was_claimed_by_day_doesnt_begin_at_night(desk: Desk) -> None:
    """The policy's windows are open all day: the night is no matter of theirs."""
    limit(desk, night={"start": "21:30", "end": "08:00"})
    local(desk, "21:29")
    callback, call = claimed(desk, NUMBERS[0])
    local(desk, "21:30")
    assert not invited(desk, call)
    assert desk.attempt(call.attempt_id).invited_at is None
    row = desk.callback(callback)
    assert row.next_at == local(desk, "08:00", 24)
    with desk.session() as session:
        assert calls_of(session, row) == []  # it has cost nothing
        move = session.scalars(select(CallbackMove).order_by(CallbackMove.id.desc()).limit(1)).one()
    assert (move.trigger, move.detail) == (Trigger.NOT_INVITED, "toll_night")
    assert alarms(desk) == [("toll_night 2026-11-23", 1)]
    assert len(desk.claim()) == 1  # it's day


def test_who_is_explained_hears_of_the_limit(desk: Desk) -> None:
    limit(desk, night={"start": "21:30", "end": "08:00"}, calls_per_hour=5)
    local(desk, "21:00")
    callback = desk.close(NUMBERS[0])
    desk.plan()
    local(desk, "21:30")
    with desk.session() as session:
        number = session.get_one(Case, session.get_one(Callback, callback).case_id).number
        found = explain_case(desk.ctx, session, number, desk.now)
    assert found is not None
    english = "\n".join(case_lines(found, "en", "Asia/Shanghai"))
    assert "night: holds to 2026-11-24 08:00; no calls 21:30–08:00" in english
    assert "toll limit per hour: passed; 0 of 5 calls" in english
    assert "at 2026-11-24 08:00 at the earliest" in english
    assert "夜间不外呼：不行，到2026-11-24 08:00，21:30–08:00不拨打" in "\n".join(
        case_lines(found, "zh-CN", "Asia/Shanghai")
    )


def test_a_number_is_called_so_often_a_day_by_machine_and_people(desk: Desk) -> None:
    """What never reached it isn't a call to it."""
    limit(desk, calls_per_number_per_day=2)
    talk(desk, NUMBERS[0], 10)
    _, call = claimed(desk, NUMBERS[0])  # the same citizen's two cases
    assert invited(desk, call)
    failed = CallOutcome(Disposition.NETWORK_FAIL, 503)
    ended(desk.ctx, call.attempt_id, call.token, failed, desk.later(seconds=1))
    desk.later(minutes=5)
    [call] = desk.claim()
    assert invited(desk, call)
    ended(desk.ctx, call.attempt_id, call.token, CallOutcome(Disposition.BUSY, 486), desk.later(seconds=1))
    desk.later(minutes=5)
    assert desk.claim() == []
    assert alarms(desk) == [("toll_number 2026-11-23", 1)]
    sensitive = desk.close(NUMBERS[0], sensitive=True)  # a person is to ask
    desk.plan()
    claim(desk.ctx, sensitive, "ma", desk.now)
    phone = phones(desk, sensitive)[0]
    told = ask_for_call(desk.ctx, sensitive, phone, "ma", "desk-1", desk.now, TARGETS)
    assert told.why is NoCall.TOLL_NUMBER
    assert told.until == local(desk, "00:00", 24)
    assert len(alarms(desk)) == 1


def test_an_agents_call_is_refused_when_the_citizen_would_be_dialled(desk: Desk) -> None:
    callback = desk.close(NUMBERS[0], sensitive=True)
    desk.plan()
    claim(desk.ctx, callback, "ma", desk.now)
    ensure_lines(desk.ctx, "city", 4)
    phone = phones(desk, callback)[0]
    assert ask_for_call(desk.ctx, callback, phone, "ma", "desk-1", desk.now, TARGETS).why is None
    [call] = claim_agent_calls(desk.ctx, OWNER, ("city",), 2, desk.now, TARGETS).calls
    limit(desk, calls_per_hour=1)
    talk(desk, NUMBERS[1], 10)
    assert not begin_citizen(desk.ctx, call.attempt_id, call.token, call.key, desk.now)
    assert desk.attempt(call.attempt_id).invited_at is None
    assert alarms(desk) == [("toll_hour 2026-11-23", 1)]


def test_peoples_calls_are_counted_too(desk: Desk) -> None:
    limit(desk, seconds_per_day=3600, price_per_minute="0.06")
    callback = desk.close(NUMBERS[0], sensitive=True)
    desk.plan()
    claim(desk.ctx, callback, "ma", desk.now)
    ensure_lines(desk.ctx, "city", 4)
    ask_for_call(desk.ctx, callback, phones(desk, callback)[0], "ma", "desk-1", desk.now, TARGETS)
    [call] = claim_agent_calls(desk.ctx, OWNER, ("city",), 2, desk.now, TARGETS).calls
    assert begin_citizen(desk.ctx, call.attempt_id, call.token, call.key, desk.now)
    talking(desk.ctx, call.attempt_id, call.token, desk.now)
    desk.later(seconds=61)
    with desk.session() as session:
        spent = toll_of(desk.ctx, session, desk.now).spent
    assert (spent.seconds_in_day, spent.cost_in_day) == (61, 1200)  # while they still talk


SUMS = [
    # the limit, its name, calls before it's reached: each talks 61 s at 0.06 a minute
    ({"calls_per_hour": 2}, "toll_hour", 2),
    ({"seconds_per_day": 122}, "toll_seconds", 2),
    ({"seconds_per_day": 123}, "toll_seconds", 3),
    ({"spend_per_day": "0.24", "price_per_minute": "0.06"}, "toll_spend", 2),  # two minutes were begun
    ({"spend_per_day": "0.25", "price_per_minute": "0.06"}, "toll_spend", 3),
    ({"spend_per_day": "0.13", "price_per_minute": "0.06", "billing_increment": 6}, "toll_spend", 2),
]


@pytest.mark.parametrize(("given", "name", "most"), SUMS)
def test_when_a_sum_is_reached_no_callback_is_looked_at(desk: Desk, given, name: str, most: int) -> None:
    """Each waits where it stands: when there's room again, or more is allowed, it's called at once."""
    limit(desk, **given)
    for number in NUMBERS[:most]:
        talk(desk, number, 61)
    waiting = desk.close(NUMBERS[7])
    desk.plan()
    before = desk.callback(waiting).next_at
    assert desk.claim() == []
    assert desk.claim() == []
    assert (desk.state(waiting), desk.callback(waiting).next_at) == (State.CALL_QUEUED, before)
    assert alarms(desk) == [(f"{name} 2026-11-23", 1)]
    with desk.session() as session:
        alarm = session.scalars(select(Alarm)).one()
    assert acknowledge_alarm_of(desk, alarm.id)
    assert desk.claim() == []
    assert len(alarms(desk)) == 1  # seen is seen, for today
    if name == "toll_hour":
        desk.later(hours=1)
    else:
        local(desk, "12:00", 24)
    assert len(desk.claim()) > 0


def acknowledge_alarm_of(desk: Desk, alarm: int) -> bool:
    return desk.ctx.run(lambda session: acknowledge_alarm(session, alarm, "ma", desk.now))


def test_calls_that_were_claimed_together_dont_pass_the_limit(desk: Desk) -> None:
    limit(desk, calls_per_hour=2)
    for number in NUMBERS[:4]:
        desk.close(number)
    desk.plan()
    calls = desk.claim()
    assert [invited(desk, call) for call in calls] == [True, True, False, False]
    assert alarms(desk) == [("toll_hour 2026-11-23", 1)]
    desk.later(hours=1)
    assert len(desk.claim()) == 2


def test_a_citizen_who_is_talking_is_still_put_through(desk: Desk) -> None:
    """Telephones of ours aren't limited, nor is anything of who calls us."""
    limit(desk, calls_per_hour=1)
    talk(desk, NUMBERS[0], 10)
    assert desk.claim() == []
    assert take_lines(desk.ctx, OWNER, {"city"}) == {"city"}


def test_nobody_talked_while_the_machine_was_down(desk: Desk) -> None:
    """It went down in the evening amidst a call: in the morning twelve hours are no talk, and no bill."""
    limit(desk, seconds_per_day=3600, price_per_minute="0.06")
    _, call = claimed(desk, NUMBERS[0])
    assert invited(desk, call)
    answered(desk.ctx, call.attempt_id, call.token, desk.now)
    desk.later(seconds=12 * 3600)
    with desk.session() as session, session.begin():
        session.execute(update(Attempt).values(lease_expires_at=dbnow(30 - 12 * 3600)))
    with desk.session() as session:
        before = toll_of(desk.ctx, session, desk.now).spent
    assert settle_leases(desk.ctx, desk.now) == 1
    with desk.session() as session:
        after = toll_of(desk.ctx, session, desk.now).spent
    for spent in (before, after):
        assert spent.seconds_in_day <= 30
        assert spent.cost_in_day <= 600


def test_the_sums_are_what_the_attempts_say(desk: Desk) -> None:
    """Over midnight, with a call whose end nobody saw."""
    limit(desk, price_per_minute="0.06", prices=({"prefix": "03796311000", "per_minute": "0.12"},))
    local(desk, "23:50")
    for number in NUMBERS[:3]:
        talk(desk, number, 300)
    _, call = claimed(desk, NUMBERS[3])
    assert invited(desk, call)
    answered(desk.ctx, call.attempt_id, call.token, desk.now)
    settle_leases(desk.ctx, desk.later(seconds=30), owner=OWNER)
    with desk.session() as session:
        calls, seconds, cost = session.execute(
            select(func.sum(TollHour.calls), func.sum(TollHour.seconds), func.sum(TollHour.cost))
        ).one()
        hours = session.scalars(select(TollHour.hour).order_by(TollHour.hour)).all()
        attempts = session.scalars(select(Attempt)).all()
    assert hours == ["2026-11-23T23", "2026-11-24T00"]
    assert calls == len([each for each in attempts if each.invited_at]) == 4
    assert seconds == sum(each.talk_seconds or 0 for each in attempts) + 30
    assert {each.price for each in attempts} == {1200}
    assert cost == 3 * 5 * 1200 + 1200
    with desk.session() as session:
        limit(desk, seconds_per_day=1)
        assert toll_of(desk.ctx, session, desk.now).spent.seconds_in_day == 630  # one ended at midnight
