"""The desk over rows that change under it: users switched off, units added, a list longer than a page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit
from callbacks.states import State
from callbacks.vocabulary import Disposition, Role
from scoring.models import User
from scoring.users import BadUser, add_user, verify
from scoring.web.permissions import ROLES, declared
from tests.integration.desk_data import NOW, PASSWORD, USERS, Town
from tests.integration.desk_pages import PAGES, SignIn, numbers_in, sign_in_to, walk


@pytest.fixture
def supervisor(app: Flask) -> FlaskClient:
    return sign_in_to(app, "supervisor")


def test_a_user_is_made_once_and_verified(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        add_user(session, "inspector", "某人", Role.INSPECTOR, PASSWORD, now=NOW)
    with sessions.begin() as session:
        with pytest.raises(BadUser, match="exists already"):
            add_user(session, "inspector", "某人", Role.INSPECTOR, PASSWORD, now=NOW)
        assert verify(session, " Inspector ", PASSWORD) is not None
        assert verify(session, "inspector", PASSWORD + "x") is None
        assert verify(session, "someone", PASSWORD) is None


@pytest.mark.parametrize("change", [{"active": False}, {"password_hash": "scrypt:1:1:1$x$0123456789abcdef0"}])
def test_a_user_switched_off_or_given_a_new_password_is_out_at_once(
    supervisor: FlaskClient, sessions: sessionmaker[Session], change: dict[str, object]
) -> None:
    assert supervisor.get("/").status_code == 200
    with sessions.begin() as session:
        user = session.scalars(select(User).where(User.login == "supervisor")).one()
        for name, value in change.items():
            setattr(user, name, value)
    assert supervisor.get("/").status_code == 302


def test_signing_in_and_exporting_are_in_the_audit(
    supervisor: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    supervisor.get("/dissatisfaction.csv?unit=D01")
    with sessions() as session:
        rows = [(row.actor, row.action) for row in session.scalars(select(Audit).order_by(Audit.id))]
    assert rows == [("supervisor", "login"), ("supervisor", "export")]


def test_each_role_reaches_what_its_permissions_say(app: Flask, sign_in: SignIn) -> None:
    adapter = app.url_map.bind("localhost")
    for login, _, role, _ in USERS:
        client = sign_in(login)
        for page in (*PAGES, "/dissatisfaction.csv"):
            endpoint, _ = adapter.match(page.partition("?")[0])
            allowed = declared(app.view_functions[endpoint]) in ROLES[role]
            status = client.get(page).status_code
            if role is Role.UNIT_USER and allowed:  # elsewhere it's told that there is nothing
                assert status in (200, 404), page
            else:
                assert status == (200 if allowed else 403), f"{login} {page}"


def test_a_unit_sees_the_units_below_it(sign_in: SignIn, town: Town, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        town.session = session
        case = town.case("LD-BELOW-1", "C0101", "water", "13803798888")
        town.callback(case, State.AGENT_QUEUE)
    assert sign_in("county").get("/cases/LD-BELOW-1").status_code == 200
    assert sign_in("city").get("/cases/LD-BELOW-1").status_code == 404


def test_keyset_pages_go_there_and_back_without_gap_or_double(
    supervisor: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        town.session = session
        for n in range(130):
            case = town.case(f"LD-MANY-{n:04d}", "D02", "water", f"1360379{n:04d}", 2, nodes=False)
            callback = town.callback(case, State.RATED)
            attempt = town.call(callback, f"1360379{n:04d}", NOW, Disposition.ANSWERED, talked=20)
            rating = town.rating(callback, 3, NOW, attempt=attempt)
            town.item(callback, rating, NOW - timedelta(minutes=n // 4))  # some of one instant
    forward = walk(supervisor, "/dissatisfaction?category=water&sort=oldest", "next")
    numbers = [number for page, _ in forward for number in page]
    assert [len(page) for page, _ in forward] == [50, 50, 31]
    assert len(set(numbers)) == 131
    back = walk(supervisor, forward[-1][1], "prev")
    assert [page for page, _ in back] == [page for page, _ in reversed(forward)]
    newest = walk(supervisor, "/dissatisfaction?category=water&sort=newest", "next")
    assert [number for page, _ in newest for number in page] == numbers[::-1]


def test_what_a_citizen_writes_is_text_and_nothing_else(
    supervisor: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    with sessions.begin() as session:
        town.session = session
        case = town.case("LD-SCRIPT-1", "D01", script[:40], "13603797777", 2, summary=script, reply=script)
        callback = town.callback(case, State.RATED)
        reply = town.reply(callback, "13603797777", NOW, f"3 {script}", 3, comment=script)
        town.item(callback, town.rating(callback, 3, NOW, reply=reply), NOW)
    for page in ("/cases/LD-SCRIPT-1", "/dissatisfaction", "/cases", "/callbacks"):
        html = supervisor.get(page).text
        assert "&lt;script&gt;" in html, page
        assert "<script>" not in html
        assert "<img src=x" not in html


def test_an_agents_days_run_out_before_the_rounds(
    supervisor: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        town.session = session
        callback = town.callback(town.case("LD-AGENT-1", "D01", "water", "13603796666", 2), State.AGENT_QUEUE)
        callback.next_at, callback.handed_over = NOW + timedelta(hours=2), "key_0"
    html = supervisor.get("/").text
    assert numbers_in(html)[0] == "LD-AGENT-1"
    assert "群众按0要求人工" in html
    assert "LD-AGENT-1" in numbers_in(supervisor.get("/callbacks?only=running_out").text)
