"""The agents' page: take one, see its number, store what came of it; the second agent is told."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit, Callback, Case, Rating
from callbacks.models_office import AgentContact
from callbacks.privacy import Privacy
from callbacks.service.policy_versions import NewPolicy, save_policy
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.models import ScoreEntry
from scoring.web.desk import create_desk
from tests.integration.desk_data import NOW, USERS, Town, add_users, build, desk_deps
from tests.integration.desk_pages import Shown, SignIn, numbers_in, sign_in_to, token


class Clock:
    """The office's clock, which a test may set."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def town(sessions: sessionmaker[Session], privacy: Privacy) -> Town:
    with sessions.begin() as session:
        town = build(session, privacy)
        add_users(town, {login for login, *_ in USERS})
    return town


@pytest.fixture
def app(
    town: Town,
    sessions: sessionmaker[Session],
    read_sessions: sessionmaker[Session],
    privacy: Privacy,
    clock: Clock,
) -> Flask:
    return create_desk(desk_deps(sessions, read_sessions, privacy, clock))


@pytest.fixture
def agent(app: Flask) -> FlaskClient:
    return sign_in_to(app, "agent")


@pytest.fixture
def item(town: Town, sessions: sessionmaker[Session]) -> int:
    """The first callback of the queue."""
    with sessions() as session:
        query = select(Callback.id).where(Callback.state == State.AGENT_QUEUE)
        return session.scalars(query.order_by(Callback.next_at, Callback.id)).all()[0]


def send(client: FlaskClient, path: str, **form: str) -> TestResponse:
    form["csrf_token"] = token(client, "/agents")
    return client.post(path, data=form)


def store(client: FlaskClient, item: int, outcome: str, **form: str) -> TestResponse:
    page = client.get(f"/agents/{item}").text
    seen = re.search(r'name="seen" value="(\d+)"', page)
    form["seen"] = seen.group(1) if seen else "0"
    return send(client, f"/agents/{item}/contact", outcome=outcome, **form)


def test_an_item_is_taken_its_number_seen_and_its_rating_stored(
    agent: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    before = agent.get(f"/agents/{item}").text
    assert "接手（15分钟）" in before and "登记评价" not in before
    assert not re.search(r"1[3-9]\d{9}", before)
    send(agent, f"/agents/{item}/take")
    page = agent.get(f"/agents/{item}").text
    assert "您好，这里是示例市110联动办" in page and "登记评价" in page
    [phone] = set(re.findall(rf"/agents/{item}/number/(\d+)", page))
    shown = send(agent, f"/agents/{item}/number/{phone}")
    assert len(re.findall(r"(?<!\d)1370379\d{4}(?!\d)", shown.text)) == 1
    assert shown.headers["Cache-Control"] == "no-store"
    assert not re.search(r"(?<!\d)1[3-9]\d{9}", agent.get(f"/agents/{item}").text)
    stored = store(
        agent, item, "rated", value="3", resolved="no", reason="too_slow", comment="太慢了", note="很生气"
    )
    assert stored.status_code == 303
    assert "已登记：已评价" in agent.get("/agents").text
    with sessions() as session:
        rating = session.scalars(select(Rating).where(Rating.callback_id == item)).one()
        assert (rating.channel, rating.value, rating.resolved, rating.comment) == (
            Channel.AGENT,
            3,
            False,
            "太慢了",
        )
        entries = session.scalars(select(ScoreEntry).where(ScoreEntry.callback_id == item)).all()
        assert {entry.kind for entry in entries} == {"due", "rated", "resolution"}  # the score knows it too
        assert [row.actor for row in session.scalars(select(Audit)) if row.action == "reveal_number"] == [
            "agent"
        ]


def test_the_next_one_is_the_most_urgent_that_nobody_has(
    agent: FlaskClient, sign_in: SignIn, item: int
) -> None:
    assert send(agent, "/agents/next").location == f"/agents/{item}"
    second = send(sign_in("supervisor"), "/agents/next").location
    assert second.startswith("/agents/") and second != f"/agents/{item}"
    for _ in range(10):
        last = send(agent, "/agents/next").location
    assert last == "/agents"
    assert "现在没有空闲的待办件" in agent.get("/agents").text


def test_the_second_agent_is_told_and_nothing_is_overwritten(
    agent: FlaskClient, sign_in: SignIn, item: int, clock: Clock, sessions: sessionmaker[Session]
) -> None:
    other = sign_in("supervisor")
    send(agent, f"/agents/{item}/take")
    page = other.get(f"/agents/{item}").text
    assert "坐席一 正在处理此件" in page and "登记评价" not in page
    assert "坐席一" in other.get("/agents").text
    assert send(other, f"/agents/{item}/take").status_code == 303
    clock.now += timedelta(minutes=16)
    send(other, f"/agents/{item}/take")
    refused = store(agent, item, "rated", value="1")
    assert refused.status_code == 409
    assert "supervisor 正在处理此件" in refused.text
    store(other, item, "wrong_person")
    gone = store(agent, item, "rated", value="1")
    assert gone.status_code == 409 and "此件已不在人工队列（非本人）" in gone.text
    with sessions() as session:
        assert [row.login for row in session.scalars(select(AgentContact))] == ["supervisor"]


def test_a_form_sent_twice_is_told_what_came_between(agent: FlaskClient, item: int) -> None:
    send(agent, f"/agents/{item}/take")
    form = {"outcome": "note", "note": "占线", "seen": "0"}
    assert send(agent, f"/agents/{item}/contact", **form).status_code == 303
    again = send(agent, f"/agents/{item}/contact", **form)
    assert again.status_code == 409 and "有了新的登记" in again.text


def test_an_appointment_leaves_the_queue_and_comes_back(
    agent: FlaskClient, item: int, clock: Clock, sessions: sessionmaker[Session]
) -> None:
    with sessions() as session:
        number = session.get_one(Case, session.get_one(Callback, item).case_id).number
    send(agent, f"/agents/{item}/take")
    bad = store(agent, item, "later", when="2026-11-23T10:05", note="在开会")
    assert bad.status_code == 400 and "至少15分钟之后" in bad.text and 'value="在开会"' in bad.text
    assert store(agent, item, "later", when="2026-11-23T15:00", note="在开会").status_code == 303
    assert number not in numbers_in(agent.get("/agents").text)
    assert number in numbers_in(agent.get("/agents?tab=agreed").text)
    assert "15:00" in agent.get(f"/agents/{item}").text
    clock.now += timedelta(hours=6)
    assert number in numbers_in(agent.get("/agents").text)
    assert numbers_in(agent.get("/agents?tab=come").text) == [number]
    assert "约定时间已到" in agent.get("/agents").text


@pytest.mark.parametrize("query", ["", "tab=mine", "tab=come", "group=dept", "unit=D03", "q=0002", "q=%25"])
def test_the_filters_counts_are_those_of_the_list(agent: FlaskClient, item: int, query: str) -> None:
    send(agent, f"/agents/{item}/take")
    page = agent.get(f"/agents?{query}").text
    shown = re.search(r'aria-current="true">[^<]+<b>(\d+)</b>', page)
    assert shown is not None
    assert len(numbers_in(page)) == int(shown.group(1))


def test_a_contact_stands_in_the_story_and_its_note_isnt_the_units(
    agent: FlaskClient, sign_in: SignIn, item: int, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        callback = session.get_one(Callback, item)
        callback.unit_id = callback.case.lead_unit_id = town.units["D01"].id
        number = callback.case.number
    send(agent, f"/agents/{item}/take")
    store(agent, item, "refused", note="家属说别再打13803790001")
    story = agent.get(f"/cases/{number}").text
    assert "拒绝评价" in story and "家属说别再打138****0001" in story
    units = sign_in("city").get(f"/cases/{number}").text
    assert "人工回访" in units and "家属说" not in units and "agent" not in Shown(units).text


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"outcome": "rated"}, 400),
        ({"outcome": "rated", "value": "9"}, 400),
        ({"outcome": "note", "note": " "}, 400),
        ({"outcome": "praised"}, 400),
        ({"outcome": "refused", "seen": "x"}, 303),  # no number: as if nothing was seen
    ],
)
def test_bad_input_stores_nothing(agent: FlaskClient, item: int, form: dict[str, str], status: int) -> None:
    send(agent, f"/agents/{item}/take")
    assert send(agent, f"/agents/{item}/contact", **form).status_code == status


@pytest.mark.parametrize("login", ["inspector", "admin", "city"])
def test_who_doesnt_ask_citizens_has_no_queue(sign_in: SignIn, item: int, login: str) -> None:
    client = sign_in(login)
    assert client.get("/agents").status_code == 403
    assert client.get(f"/agents/{item}").status_code == 403
    form = {"outcome": "rated", "value": "1", "csrf_token": token(client, "/")}
    assert client.post(f"/agents/{item}/contact", data=form).status_code == 403


def test_an_item_that_there_isnt(agent: FlaskClient) -> None:
    for path in ("/agents/999999", f"/agents/{2**40}"):
        assert agent.get(path).status_code == 404
        assert send(agent, f"{path}/take").status_code == 404


def test_of_a_sensitive_case_only_the_date_is_said(
    agent: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        case = session.get_one(Callback, item).case
        case.sensitive, case.category = True, "water"
    send(agent, f"/agents/{item}/take")
    script = agent.get(f"/agents/{item}").text.partition("通话用语")[2].partition("</section>")[0]
    assert "日反映的事项" in script and "供水" not in script


def test_a_category_that_a_saved_policy_makes_sensitive_isnt_said_from_then_on(
    app: Flask, agent: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    def script() -> str:
        return agent.get(f"/agents/{item}").text.partition("通话用语")[2].partition("</section>")[0]

    with sessions.begin() as session:
        session.get_one(Callback, item).case.category = "water"
    send(agent, f"/agents/{item}/take")
    assert "供水" in script()
    wanted = NewPolicy('[policy]\nsensitive_categories = ["water"]\n', "隐私", "head", 0)
    save_policy(app.extensions["desk"].writer, wanted, "cn3", NOW)
    assert "供水" not in script()
