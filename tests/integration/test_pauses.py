"""Pauses: who may be held back, for how long, and what wakes when one is lifted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Audit, Callback, Unit
from callbacks.models_office import Pause, PauseScope
from callbacks.service.calls import CallOutcome, ended
from callbacks.service.pauses import (
    BadPause,
    NewPause,
    PauseFault,
    add_pause,
    held_back,
    lift_pause,
    list_pauses,
)
from callbacks.service.texts import claim_texts
from callbacks.settings import RetrySettings
from callbacks.states import State
from callbacks.vocabulary import Disposition, UnitGroup, UnitLevel
from scoring.queries_filter import Filter
from scoring.queries_pauses import read_past_pauses
from tests.integration.office import FREE, LANDLINE, MOBILE, NOON, Desk, make_desk

OTHER = "037963110002"
ALL = NewPause(PauseScope.ALL, "110话务高峰")


@pytest.fixture
def desk(sessions, privacy):
    return make_desk(sessions, privacy)


def listed(session: Session, now: datetime) -> tuple[list[Pause], list[Pause]]:
    """Those that hold, and those that are over, as the desk shows them."""
    return list(list_pauses(session, now)), list(read_past_pauses(session, Filter(), now).rows)


def other_unit(desk: Desk, callback_id: int, parent: bool) -> str:
    """Moves the callback to a unit of its own, below the first one or beside it."""
    with desk.ctx.sessions.begin() as session:
        first = session.scalars(select(Unit)).first()
        assert first is not None
        unit = Unit(
            code="u2",
            name="涧东区",
            level=UnitLevel.COUNTY,
            group=UnitGroup.COUNTY,
            parent_id=first.id if parent else None,
            valid_from=desk.now,
        )
        session.add(unit)
        session.flush()
        session.get_one(Callback, callback_id).unit_id = unit.id
    return "u2"


def test_a_pause_for_all_holds_every_call_until_it_is_lifted(desk):
    callback = desk.close(LANDLINE)
    desk.plan()
    pause = add_pause(desk.ctx, ALL, "head", desk.now)
    assert desk.claim() == []
    desk.later(minutes=1)
    assert lift_pause(desk.ctx, pause, "supervisor", desk.now)
    assert desk.callback(callback).next_at == desk.now  # not in five minutes
    assert [call.cases[0].callback_id for call in desk.claim()] == [callback]


def test_a_pause_ends_by_itself(desk):
    desk.close(LANDLINE)
    desk.plan()
    add_pause(desk.ctx, replace(ALL, until=NOON + timedelta(minutes=3)), "head", desk.now)
    assert desk.claim() == []
    desk.later(minutes=3)
    assert len(desk.claim()) == 1


# scope, whether the pause is asked for the second case's own: who is called all the same
@pytest.mark.parametrize("scope", [PauseScope.UNIT, PauseScope.CATEGORY, PauseScope.NUMBER])
def test_a_pause_holds_only_what_it_names(desk, scope):
    first, second = desk.close(LANDLINE), desk.close(OTHER)
    unit = other_unit(desk, second, parent=False)
    with desk.ctx.sessions.begin() as session:
        session.get_one(Callback, second).case.category = "heating"
    desk.plan()
    wanted = NewPause(scope, "核对号码", unit=unit, category="heating", number="0379-63110002")
    with desk.session() as session:
        assert held_back(desk.ctx, session, wanted, desk.now) == 1
    add_pause(desk.ctx, wanted, "head", desk.now)
    assert [call.cases[0].callback_id for call in desk.claim()] == [first]


def test_a_units_pause_covers_the_units_below_it(desk):
    callback = desk.close(LANDLINE)
    other_unit(desk, callback, parent=True)
    desk.plan()
    add_pause(desk.ctx, NewPause(PauseScope.UNIT, "系统切换", unit="u1"), "head", desk.now)
    assert desk.claim() == []


def test_a_number_is_kept_as_its_index_and_masked(desk):
    pause = add_pause(desk.ctx, NewPause(PauseScope.NUMBER, "本人要求", number=MOBILE), "head", desk.now)
    with desk.session() as session:
        row = session.get_one(Pause, pause)
        assert (row.number_index, row.number_masked) == (desk.ctx.privacy.index(MOBILE), "138****0001")


def test_texts_wake_too_but_a_throttled_one_keeps_its_rest(desk):
    desk.close(MOBILE)
    desk.plan()
    pause = add_pause(desk.ctx, ALL, "head", desk.now)
    assert claim_texts(desk.ctx, "sms:test:1", "smpp", 5, 15, desk.now) == []
    lift_pause(desk.ctx, pause, "head", desk.later(seconds=5))
    assert len(claim_texts(desk.ctx, "sms:test:1", "smpp", 5, 15, desk.now)) == 1


def test_a_retry_isnt_brought_forward(sessions, privacy):
    retries = FREE.retries.model_copy(update={"busy": RetrySettings(delay=timedelta(minutes=4))})
    desk = make_desk(sessions, privacy, FREE.model_copy(update={"retries": retries}))
    callback, call = desk.call(LANDLINE)
    ended(desk.ctx, call.attempt_id, call.token, CallOutcome(Disposition.BUSY), desk.now)
    before = desk.callback(callback).next_at
    pause = add_pause(desk.ctx, ALL, "head", desk.now)
    lift_pause(desk.ctx, pause, "head", desk.later(seconds=30))
    assert desk.state(callback) is State.RETRY_WAIT
    assert desk.callback(callback).next_at == before > desk.now


PAST = NOON - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        (NewPause(PauseScope.ALL, "  "), PauseFault.REASON),  # who and why are always told
        (NewPause(PauseScope.ALL, "因" * 201), PauseFault.REASON),
        (NewPause(PauseScope.ALL, "a\0b"), PauseFault.REASON),
        (NewPause(PauseScope.ALL, "高峰", until=PAST), PauseFault.UNTIL),
        (NewPause(PauseScope.ALL, "高峰", until=NOON), PauseFault.UNTIL),
        (NewPause(PauseScope.UNIT, "切换"), PauseFault.UNIT),
        (NewPause(PauseScope.UNIT, "切换", unit="nowhere\0"), PauseFault.UNIT),
        (NewPause(PauseScope.CATEGORY, "停水"), PauseFault.CATEGORY),
        (NewPause(PauseScope.NUMBER, "本人要求", number="110"), PauseFault.NUMBER),
        (NewPause(PauseScope.NUMBER, "本人要求", number="1380379"), PauseFault.NUMBER),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(desk, wanted, fault):
    with pytest.raises(BadPause) as refused:
        add_pause(desk.ctx, wanted, "head", desk.now)
    assert refused.value.fault is fault
    with desk.session() as session:
        assert listed(session, desk.now) == ([], [])


def test_two_who_lift_it_are_told_apart_and_all_is_audited(desk):
    pause = add_pause(desk.ctx, ALL, "head", desk.now)
    assert lift_pause(desk.ctx, pause, "supervisor", desk.later(minutes=1))
    assert not lift_pause(desk.ctx, pause, "head", desk.later(minutes=1))
    assert not lift_pause(desk.ctx, pause + 99, "head", desk.now)
    with desk.session() as session:
        lines = [(row.actor, row.action) for row in session.scalars(select(Audit).order_by(Audit.id))]
        holds, over = listed(session, desk.now)
    assert lines == [("head", "pause"), ("supervisor", "lift_pause")]
    assert holds == [] and [(row.id, row.lifted_by) for row in over] == [(pause, "supervisor")]


def test_the_list_tells_what_holds_now(desk):
    short = add_pause(desk.ctx, replace(ALL, until=desk.now + timedelta(hours=1)), "head", desk.now)
    long = add_pause(desk.ctx, NewPause(PauseScope.CATEGORY, "停水", category="water"), "head", desk.now)

    def ids(at: datetime) -> tuple[list[int], list[int]]:
        with desk.session() as session:
            holds, over = listed(session, at)
            return [row.id for row in holds], [row.id for row in over]

    assert ids(desk.now) == ([long, short], [])
    assert ids(desk.later(hours=1)) == ([long], [short])
