"""Callbacks and who calls us share lines: the reserve, who holds what, who gives way; on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from callbacks.models import Attempt, Line
from callbacks.service.agent_calls import claim_agent_calls
from callbacks.service.claims import begin_invite, claim_calls, ensure_lines
from callbacks.service.inbound_lines import do_callbacks_wait, hold_lines
from callbacks.states import State
from tests.integration.office import LANDLINE, Desk, make_desk

FLOW = ("satisfaction_survey", "1", "x")
US = "inbound:here:1"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


def held(desk: Desk, owner: str = US) -> list[int]:
    with desk.session() as session:
        query = select(Line.no).where(Line.inbound_owner == owner).order_by(Line.no)
        return list(session.scalars(query))


def claimed(desk: Desk, limit: int = 10) -> int:
    return len(claim_calls(desk.ctx, "voice:test:1", {"city": limit}, desk.now, FLOW))


def cases(desk: Desk, number: int) -> None:
    for last in range(number):
        desk.close(f"0379631100{last:02}")
    desk.plan()


def test_callbacks_leave_the_reserve_free(desk: Desk) -> None:
    ensure_lines(desk.ctx, "city", 5, reserve=2)
    cases(desk, 6)
    assert claimed(desk) == 3
    ensure_lines(desk.ctx, "city", 5, reserve=1)  # the settings have changed
    assert claimed(desk) == 1


def test_who_calls_us_takes_the_reserve_first_and_gives_back_what_isnt_used(desk: Desk) -> None:
    ensure_lines(desk.ctx, "city", 5, reserve=2)
    hold_lines(desk.ctx, US, {"city": 3}, 0)
    assert held(desk) == [1, 4, 5]
    cases(desk, 5)
    assert claimed(desk) == 2  # lines 2 and 3
    hold_lines(desk.ctx, US, {"city": 1}, 0)
    assert len(held(desk)) == 1
    hold_lines(desk.ctx, US, {}, 0)
    assert held(desk) == []


def test_more_callers_than_lines_are_served_all_the_same(desk: Desk) -> None:
    ensure_lines(desk.ctx, "city", 2)
    hold_lines(desk.ctx, US, {"city": 7, "operators": 3}, 1)
    assert held(desk) == [1, 2]
    cases(desk, 1)
    assert claimed(desk) == 0


def test_a_process_that_is_silent_holds_nothing_and_nobody_waits_there(desk: Desk) -> None:
    ensure_lines(desk.ctx, "city", 2)
    hold_lines(desk.ctx, US, {"city": 2}, 1)
    assert do_callbacks_wait(desk.ctx)
    with desk.ctx.sessions.begin() as session:  # the database's clock, moved on
        session.execute(text("UPDATE line SET inbound_until = '2020-01-01 00:00:00+00:00'"))
        session.execute(text("UPDATE inbound_pressure SET until = '2020-01-01 00:00:00+00:00'"))
    assert not do_callbacks_wait(desk.ctx)
    cases(desk, 2)
    assert claimed(desk) == 2
    hold_lines(desk.ctx, "inbound:here:2", {"city": 1}, 0)  # its lines are in use now
    assert held(desk, "inbound:here:2") == []


def test_while_a_caller_waits_no_callback_is_begun_and_it_costs_nothing(desk: Desk) -> None:
    callback = desk.close(LANDLINE)
    desk.plan()
    [call] = desk.claim()
    hold_lines(desk.ctx, US, {}, 1)
    assert not begin_invite(desk.ctx, call.attempt_id, call.token, "c1", desk.now)
    assert desk.state(callback) is State.RETRY_WAIT  # due at once
    desk.plan()
    with desk.session() as session:
        assert session.get_one(Attempt, call.attempt_id).counts is False
    assert claimed(desk) == 0
    assert claim_agent_calls(desk.ctx, "voice:test:1", ("city",), 5, desk.now, {}).calls == []
    hold_lines(desk.ctx, US, {}, 0)
    assert claimed(desk) == 1  # at once: nothing was lost, nothing waits for a rest
