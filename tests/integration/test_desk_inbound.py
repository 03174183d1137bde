"""The desk's page of calls to 110: who waits, who gave up and is rung back, what a caller's page tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_read_sessions
from callbacks.models import Audit
from callbacks.models_inbound import InboundCall
from callbacks.privacy import Privacy
from scoring.web.desk import create_desk
from tests.integration.desk_data import desk_deps
from tests.integration.desk_office import TARGETS, build_office
from tests.integration.desk_pages import sign_in_to, token


@pytest.fixture
def app(sessions: sessionmaker[Session], engine: Engine, privacy: Privacy) -> Iterator[Flask]:
    deps = replace(desk_deps(sessions, make_read_sessions(engine), privacy), targets=TARGETS)
    build_office(sessions, deps)
    yield create_desk(deps)


@pytest.fixture
def agent(app: Flask) -> FlaskClient:
    return sign_in_to(app, "agent")


def facts(html: str) -> dict[str, str]:
    pairs = re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", html, re.DOTALL)
    return {name: re.sub(r"<[^>]+>|\s+", " ", value).strip() for name, value in pairs}


def test_who_waits_talks_and_gave_up(agent: FlaskClient) -> None:
    html = agent.get("/inbound").text
    found = facts(html)
    assert (found["等候接听"], found["正在通话"], found["放弃待回拨"]) == ("1", "1", "1")
    assert "1/3" in found["15秒内接听"]  # of the one answered at once, the one later, the one that gave up
    assert "136****0003" in html and "13603790003" not in html
    assert "号码未知" in html and "要求隐藏号码" in html and "转至接警台" in html


def test_who_was_asked_by_the_callback_numbers_flow_counts_as_nobodys(
    agent: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        asked = session.scalars(select(InboundCall).where(InboundCall.token == "in-talks")).one()
        asked.service, asked.target, asked.talked_at = "callback", "callback_line", asked.came_at
    found = facts(agent.get("/inbound").text)
    assert (found["正在通话"], found["等候接听"]) == ("0", "1")
    assert "1/2" in found["15秒内接听"]  # a machine's answer isn't a person's


def test_who_gave_up_is_rung_back_once(
    agent: FlaskClient, app: Flask, sessions: sessionmaker[Session]
) -> None:
    with sessions() as session:
        call = session.scalars(select(InboundCall.id).where(InboundCall.token == "in-gave-up")).one()
    form = {"csrf_token": token(agent, "/inbound")}
    assert "已登记回拨" in agent.post(f"/inbound/{call}/rung-back", data=form, follow_redirects=True).text
    again = agent.post(f"/inbound/{call}/rung-back", data=form, follow_redirects=True).text
    assert "已有人回拨" in again and "agent已回拨" in again
    with sessions() as session:
        line = session.scalars(select(Audit).where(Audit.action == "ring_back")).one()
    assert (line.actor, line.subject) == ("agent", f"inbound:{call}")


def test_a_callers_page_leads_to_the_cases_of_the_number(agent: FlaskClient) -> None:
    html = agent.get("/inbound/in-gave-up").text
    assert 'href="/cases/LD20261118-0003"' in html
    assert "utran-cell-id-3gpp" in html and "网络已核实" in html
    assert "没有此号码的案件" in agent.get("/inbound/in-waits").text
    assert agent.get("/inbound/none").status_code == 404


def test_a_live_callers_page_tells_whom_to_bring_in_and_who_was(agent: FlaskClient) -> None:
    html = agent.get("/inbound/in-talks").text
    assert "<kbd>*12#</kbd>" in html and "<kbd>**12#</kbd>" in html
    rows = re.findall(r"<tr>.*?</tr>", html[html.index("振铃经过") :], re.DOTALL)
    told = [re.sub(r"<[^>]+>", " ", row) for row in rows]
    assert "unit-water" in told[2] and "三方通话" in told[2]
    assert "seat-2" in told[1] and "接听来电" in told[1]
    assert "转接与三方通话" not in agent.get("/inbound/in-answered").text  # it's over


@pytest.mark.parametrize(("login", "sees", "rings_back"), [
    ("supervisor", True, True), ("head", True, True), ("inspector", True, False), ("admin", True, False),
    ("city", False, False),  # a unit never learns who calls
])  # fmt: skip
def test_who_may(app: Flask, login: str, sees: bool, rings_back: bool) -> None:
    client = sign_in_to(app, login)
    assert (client.get("/inbound").status_code, client.get("/inbound/in-waits").status_code) == (
        (200, 200) if sees else (403, 403)
    )
    form = {"csrf_token": token(client, "/cases")}
    assert client.post("/inbound/1/rung-back", data=form).status_code == (303 if rings_back else 403)
