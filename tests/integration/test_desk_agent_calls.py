"""Click to call on the agents' page: the button, where the call is, why not, and the case's story."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Attempt, Audit, Callback, Case, CasePhone
from callbacks.models_office import AgentCall, AgentContact
from callbacks.privacy import Privacy
from callbacks.service import calls
from callbacks.service.agent_calls import (
    ClaimedAgentCall,
    NoCall,
    begin_citizen,
    call_over,
    claim_agent_calls,
    talking,
)
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ensure_lines
from callbacks.service.core import Context
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Disposition
from scoring.web.call_words import REASONS, STATES
from scoring.web.desk import create_desk
from tests.integration.desk_data import USERS, Town, add_users, build, desk_deps
from tests.integration.desk_pages import sign_in_to
from tests.integration.test_desk_agents import Clock, send, store

TARGETS = {
    "desk-1": TargetSettings(number="8001", logins=("agent",)),
    "desk-2": TargetSettings(number="8002", logins=("agent", "supervisor")),
}


class Office:
    """The desk, its clock, and a voice role that a test plays by hand."""

    def __init__(self, app: Flask, writer: Context, clock: Clock, item: int) -> None:
        self.app, self.writer, self.clock, self.item = app, writer, clock, item
        self.agent = sign_in_to(app, "agent")
        ensure_lines(writer, "city", 4)

    def page(self, client: FlaskClient | None = None) -> str:
        return (client or self.agent).get(f"/agents/{self.item}").text

    def click(self, client: FlaskClient | None = None, telephone: str = "desk-1") -> str:
        """Presses the first number's button; the page that follows."""
        client = client or self.agent
        [path] = set(re.findall(rf"/agents/{self.item}/call/\d+", self.page(client)))
        answer = send(client, path, telephone=telephone)
        assert (answer.status_code, answer.location) == (303, f"/agents/{self.item}")
        return self.page(client)

    def taken(self) -> ClaimedAgentCall:
        now = self.clock.now
        [claimed] = claim_agent_calls(self.writer, "voice:test:1", ("city",), 5, now, TARGETS).calls
        return claimed

    def after(self, seconds: float):
        self.clock.now += timedelta(seconds=seconds)
        return self.clock.now


@pytest.fixture
def office(sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy) -> Office:
    with sessions.begin() as session:
        town = build(session, privacy)
        add_users(town, {login for login, *_ in USERS})
        query = select(Callback.id).where(Callback.state == State.AGENT_QUEUE)
        item = session.scalars(query.order_by(Callback.next_at, Callback.id)).all()[0]
        unit = town_unit(town)
        callback = session.get_one(Callback, item)
        callback.unit_id = callback.case.lead_unit_id = unit
    clock = Clock()
    deps = replace(desk_deps(sessions, read_sessions, privacy, clock), targets=TARGETS)
    office = Office(create_desk(deps), deps.writer, clock, item)
    send(office.agent, f"/agents/{item}/take")
    return office


def town_unit(town: Town) -> int:
    return town.units["D01"].id


def test_a_call_from_the_button_to_the_story(office: Office, sessions: sessionmaker[Session]) -> None:
    before = office.page()
    assert "拨打电话" in before and "先响您的电话" in before and "data-live-control" not in before
    assert "等待空闲线路" in office.click()
    page = office.page()
    assert 'id="live"' in page and "data-live-control" in page and "live.js" in page
    assert "拨打电话</button>" not in page and "取消呼叫" in page  # one at a time
    claimed = office.taken()
    assert "正在呼叫您的电话，请接听" in office.page()
    attempt, token = claimed.attempt_id, claimed.token
    assert begin_citizen(office.writer, attempt, token, "c1", office.after(5))
    assert "您已接听，正在呼叫群众" in office.page()
    calls.ringing(office.writer, attempt, token, office.after(1))
    talking(office.writer, attempt, token, office.after(6))
    assert "正在通话" in office.page() and "挂断" in office.page()
    outcome = CallOutcome(Disposition.ANSWERED, 200, 16)
    call_over(office.writer, attempt, token, outcome, None, office.after(75))
    page = office.page()
    assert "通话75秒" in page and "拨打电话</button>" in page and "data-live-control" not in page
    assert store(office.agent, office.item, "rated", value="1", resolved="yes").status_code == 303
    with sessions() as session:
        assert session.scalars(select(AgentContact.attempt_id)).all() == [attempt]
        assert [row.actor for row in session.scalars(select(Audit)) if row.action == "call_citizen"] == [
            "agent"
        ]
        case = session.get_one(Case, session.get_one(Callback, office.item).case_id).number
    counts = re.sub(r"<[^>]+>", " ", office.agent.get("/progress").text)
    assert re.search(r"人工拨打\s+1\s", counts)  # beside the calls that the system made
    told = re.sub(r"<[^>]+>", " ", office.agent.get(f"/cases/{case}").text)
    assert re.search(r"第\d次电话\s+接通，正常结束\s+人工拨打\s+agent", told)
    assert re.search(r"振铃\s+6.0秒\s+通话\s+75.0秒", told)
    units = sign_in_to(office.app, "city").get(f"/cases/{case}").text
    assert "人工拨打" in units and "<small>agent</small>" not in units


def test_no_number_and_no_way_to_another_telephone_is_on_the_page(office: Office) -> None:
    page = office.click(telephone="desk-1")
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", page) and "8001" not in page


def test_the_last_telephone_is_offered_first(office: Office) -> None:
    assert "<option>desk-1</option><option>desk-2</option>" in office.page()
    office.click(telephone="desk-2")
    send(office.agent, f"/agents/{office.item}/call/cancel")
    page = office.page()
    assert "您取消了呼叫" in page
    assert "<option>desk-1</option><option selected>desk-2</option>" in page
    send(office.agent, f"/agents/{office.item}/call/cancel")
    assert "呼叫已经结束" in office.page()


def test_why_nobody_was_called_is_said(office: Office, sessions: sessionmaker[Session]) -> None:
    assert "没有呼叫：没有为您设置电话。" in office.click(telephone="8002")
    office.clock.now = office.clock.now.replace(hour=12, minute=30)
    send(office.agent, f"/agents/{office.item}/take")
    assert "没有呼叫：现在不在可以拨打的时段。11-23 14:00之后可以再试。" in office.click()
    with sessions() as session:
        assert session.scalars(select(AgentCall)).all() == []
        assert session.scalars(select(Attempt).where(Attempt.state != "ended")).all() == []


def test_who_has_no_telephone_or_hasnt_taken_it_sees_no_button(
    office: Office, sessions: sessionmaker[Session]
) -> None:
    head = sign_in_to(office.app, "head")
    with sessions() as session:
        case = session.get_one(Callback, office.item).case_id
        phone = session.scalars(select(CasePhone.id).where(CasePhone.case_id == case)).first()
    path = f"/agents/{office.item}/call/{phone}"
    assert path not in office.page(head)
    send(head, path, telephone="desk-1")
    assert "正在处理此件" in office.page(head)
    office.clock.now += timedelta(minutes=16)
    send(head, f"/agents/{office.item}/take")
    page = office.page(head)
    assert "没有为您设置电话" in page and path not in page
    assert office.agent.post(path, data={"telephone": "desk-1"}).status_code == 400  # without the token
    for wrong in (f"/agents/999999/call/{phone}", f"/agents/{2**40}/call/1", "/agents/999999/call/cancel"):
        assert send(office.agent, wrong).status_code == 404
    assert send(sign_in_to(office.app, "city"), path).status_code in (400, 403)


def test_every_end_has_words() -> None:
    assert set(REASONS) == set(NoCall)
    assert {state.value for state in STATES} == {"asked", "ringing_agent", "ringing_citizen", "talking"}
