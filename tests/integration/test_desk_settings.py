"""Users, units and the audit at the desk: who may, who was faster, what stays in the audit."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit, Unit
from callbacks.service.audit_links import link_all
from callbacks.service.units import BadUnit, UnitFault, UnitWords, change_unit
from callbacks.service.units import stamp as unit_stamp
from callbacks.vocabulary import Role
from scoring.models import User
from scoring.people import BadPerson, PersonFault, change_person, stamp
from scoring.web.context import DeskDeps
from scoring.web.permissions import ROLES, Permission
from tests.integration.desk_data import NOW, PASSWORD, USERS, Town
from tests.integration.desk_pages import sign_in_to, token, try_login


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    return sign_in_to(app, "admin")


def seen(client: FlaskClient, page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', client.get(page).text)
    assert found is not None
    return found.group(1)


def post(client: FlaskClient, page: str, **form: str) -> TestResponse:
    return client.post(page, data={**form, "csrf_token": token(client, "/me")})


def person(sessions: sessionmaker[Session], login: str) -> User:
    with sessions() as session:
        return session.scalars(select(User).where(User.login == login)).one()


def unit(sessions: sessionmaker[Session], code: str) -> Unit:
    with sessions() as session:
        return session.scalars(select(Unit).where(Unit.code == code)).one()


def deeds(sessions: sessionmaker[Session]) -> list[tuple[str, str, str]]:
    with sessions() as session:
        rows = session.scalars(select(Audit).where(Audit.action != "login").order_by(Audit.id))
        return [(row.actor, row.action, row.subject) for row in rows]


POSTS = (
    ("/people", Permission.CHANGE_PEOPLE),
    ("/people/city", Permission.CHANGE_PEOPLE),
    ("/people/city/active", Permission.CHANGE_PEOPLE),
    ("/people/city/password", Permission.CHANGE_PEOPLE),
    ("/units", Permission.CHANGE_UNITS),
    ("/units/D03/edit", Permission.CHANGE_UNITS),
    ("/audit/verify", Permission.SEE_AUDIT),
)


def test_who_may_not_is_refused_and_no_form_goes_without_its_token(
    app: Flask, sessions: sessionmaker[Session]
) -> None:
    for login, _, role, _ in USERS:
        client = sign_in_to(app, login)
        for page, permission in POSTS:
            if permission not in ROLES[role]:
                assert post(client, page).status_code == 403, (login, page)
            assert client.post(page).status_code == 400, (login, page)
        for name in ("units", "people", "audit"):
            shown = f'href="/{name}"' in client.get("/me").text
            assert shown == (Permission(f"see_{name}") in ROLES[role]), (login, name)
    assert deeds(sessions) == []


def test_a_person_is_added_with_a_password_that_is_shown_once(
    app: Flask, admin: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    form = {"login": "wang.li", "name": "王丽", "role": "unit_user", "unit": "D03"}
    answer = post(admin, "/people", **form)
    found = re.search(r'<code class="whole">([^<]+)</code>', answer.text)
    assert found is not None
    assert try_login(app.test_client(), "wang.li", found.group(1)).status_code == 302
    assert found.group(1) not in admin.get("/people/wang.li").text
    again = post(admin, "/people", **form)
    assert (again.status_code, "这个用户名已有人使用" in again.text) == (400, True)
    for wrong in ({"login": "Wang"}, {"login": "li", "unit": ""}, {"login": "li", "name": " "}):
        assert post(admin, "/people", **{**form, **wrong}).status_code == 400
    assert deeds(sessions) == [("admin", "add_user", "user:wang.li")]


def test_a_person_is_changed_and_switched_off_at_once(
    app: Flask, admin: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    other = sign_in_to(app, "supervisor")
    form = {"name": "督办一", "role": "agent", "unit": ""}
    mark = seen(admin, "/people/supervisor")
    assert post(admin, "/people/supervisor", seen=mark, **form).status_code == 303
    assert other.get("/").status_code == 302  # the session ended with the role
    other = sign_in_to(app, "supervisor")
    assert other.get("/templates").status_code == 403
    stale = post(admin, "/people/supervisor", seen=mark, **{**form, "name": "改名"})
    assert stale.status_code == 409
    assert "admin: 修改用户" in stale.text
    assert 'value="改名"' in stale.text
    assert person(sessions, "supervisor").name == "督办一"
    off = post(admin, "/people/supervisor/active", seen=seen(admin, "/people/supervisor"), active="no")
    assert off.status_code == 303
    assert other.get("/").status_code == 302
    mark = seen(admin, "/people/supervisor")
    shown = post(admin, "/people/supervisor/password", seen=mark)
    assert '<code class="whole">' in shown.text
    assert post(admin, "/people/supervisor/password", seen=mark).status_code == 409
    assert [action for _, action, _ in deeds(sessions)] == ["change_user", "switch_user_off", "give_password"]


def test_a_session_ends_with_the_unit_and_goes_on_with_another_name(app: Flask, admin: FlaskClient) -> None:
    for form, status in (
        ({"name": "换了名字", "role": "unit_user", "unit": "D01"}, 200),
        ({"name": "换了名字", "role": "unit_user", "unit": "D03"}, 302),
    ):
        other = sign_in_to(app, "city")
        assert post(admin, "/people/city", seen=seen(admin, "/people/city"), **form).status_code == 303
        assert other.get("/").status_code == status


def test_the_last_administrator_stays(
    app: Flask, admin: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    """A second administrator switches off the first, and then is the last: nobody takes that one away."""
    form = {"name": "管理二", "role": "administrator", "unit": ""}
    assert post(admin, "/people/head", seen=seen(admin, "/people/head"), **form).status_code == 303
    second = sign_in_to(app, "head")
    mark = seen(second, "/people/admin")
    assert post(second, "/people/admin/active", seen=mark, active="no").status_code == 303
    assert post(admin, "/people/head/active", seen="", active="no").status_code == 302  # out already
    for page, form in (
        ("/people/head", {"name": "x", "role": "agent"}),
        ("/people/head/active", {"active": "no"}),
    ):
        mark = stamp(person(sessions, "head"))
        assert post(second, page, seen=mark, **form).status_code == 400
    assert person(sessions, "head").role is Role.ADMINISTRATOR and person(sessions, "head").active


def test_nobody_changes_himself_and_who_is_none_any_more_changes_nobody(
    admin: FlaskClient, sessions: sessionmaker[Session], app: Flask
) -> None:
    deps: DeskDeps = app.extensions["desk"]
    mark = stamp(person(sessions, "admin"))
    for page, form in (
        ("/people/admin", {"name": "x", "role": "agent"}),
        ("/people/admin/active", {"active": "no"}),
        ("/people/admin/password", {}),
    ):
        answer = post(admin, page, seen=mark, **form)
        assert (answer.status_code, "由另一位系统管理员" in answer.text) == (400, True)
    assert 'name="seen"' not in admin.get("/people/admin").text
    with pytest.raises(BadPerson) as refused:
        change_person(
            deps.writer,
            "city",
            stamp(person(sessions, "city")),
            "supervisor",
            NOW,
            name="x",
            role=Role.AGENT,
            unit="",
        )
    assert refused.value.fault is PersonFault.NO_RIGHT
    assert deeds(sessions) == []


def test_everybody_changes_the_own_password(app: Flask, sessions: sessionmaker[Session]) -> None:
    here, elsewhere = sign_in_to(app, "city"), sign_in_to(app, "city")
    new = "another-password"
    for old, wanted, again, said in (
        ("wrong", new, new, "现在的密码不对"),
        (PASSWORD, "short", "short", "至少10个字符"),
        (PASSWORD, new, new + "x", "不一样"),
        (PASSWORD, PASSWORD, PASSWORD, "不能与现在的相同"),
    ):
        answer = post(here, "/me", old=old, new=wanted, again=again)
        assert (answer.status_code, said in answer.text) == (400, True)
    assert post(here, "/me", old=PASSWORD, new=new, again=new).status_code == 303
    assert here.get("/me").status_code == 200
    assert elsewhere.get("/me").status_code == 302
    assert try_login(app.test_client(), "city", PASSWORD).status_code == 401
    assert try_login(app.test_client(), "city", new).status_code == 302
    assert deeds(sessions) == [("city", "change_own_password", "user:city")]


def test_a_unit_is_added_changed_and_never_above_itself(
    admin: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    form = {"name": "涧东街道", "name_en": "Jiandong Street", "parent": "C01"}
    added = post(admin, "/units", code="C01-1", group="county", level="township", **form)
    assert added.status_code == 303
    assert post(admin, "/units", code="C01-1", group="county", level="township", **form).status_code == 400
    assert post(admin, "/units", code="no/slash", group="county", level="city", name="x").status_code == 400
    tree = admin.get("/units").text
    assert tree.index(">C01<") < tree.index(">C01-1<") < tree.index(">C02<")
    mark = seen(admin, "/units/C01/edit")
    cycle = post(admin, "/units/C01/edit", seen=mark, name="涧东区", parent="C01-1")
    assert (cycle.status_code, "不能是本单位或其下级" in cycle.text) == (400, True)
    taken = post(admin, "/units/C01/edit", seen=mark, name="伊阳县")
    assert (taken.status_code, "已有单位使用" in taken.text) == (400, True)
    ended = post(admin, "/units/C01/edit", seen=mark, name="涧东区", last_day="2026-12-31")
    assert ended.status_code == 303
    assert unit(sessions, "C01").valid_to is not None
    assert str(unit(sessions, "C01").valid_to)[:16] == "2026-12-31 16:00"
    stale = post(admin, "/units/C01/edit", seen=mark, name="新名")
    assert (stale.status_code, "admin: 修改单位" in stale.text, 'value="新名"' in stale.text) == (
        409,
        True,
        True,
    )
    early = post(
        admin, "/units/C01/edit", seen=seen(admin, "/units/C01/edit"), name="涧东区", last_day="2001-01-01"
    )
    assert early.status_code == 400
    assert [(action, subject) for _, action, subject in deeds(sessions)] == [
        ("add_unit", "unit:C01-1"),
        ("change_unit", "unit:C01"),
    ]


def test_two_units_dont_become_one_anothers_parent(
    app: Flask, town: Town, sessions: sessionmaker[Session]
) -> None:
    ctx = app.extensions["desk"].writer
    marks = {code: unit_stamp(unit(sessions, code)) for code in ("C01", "C02")}
    change_unit(ctx, "C01", marks["C01"], UnitWords("涧东区", parent="C02"), "admin", NOW)
    with pytest.raises(BadUnit) as refused:
        change_unit(ctx, "C02", marks["C02"], UnitWords("伊阳县", parent="C01"), "admin", NOW)
    assert refused.value.fault is UnitFault.CYCLE


def test_a_unit_sees_its_own_tree_alone(app: Flask) -> None:
    tree = sign_in_to(app, "county").get("/units").text
    assert ">C01<" in tree
    assert ">C02<" not in tree
    assert "新增单位" not in tree


def test_the_audit_is_narrowed_paged_exported_and_verified(
    app: Flask, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        for number in range(60):
            at = NOW - timedelta(days=40) + timedelta(seconds=number)
            session.add(
                Audit(
                    at=at,
                    actor="head",
                    action="pause",
                    subject=f"pause:{number}",
                    detail={"reason": "打13803790009"},
                )
            )
    head = sign_in_to(app, "head")
    with sessions.begin() as session:
        link_all(session, NOW)
    first = head.get("/audit?action=pause&month=2026-10").text
    assert "60条记录" in first
    assert first.index("pause:59") < first.index("pause:10")
    assert "13803790009" not in first
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    assert "pause:9" in head.get(following.group(1).replace("&amp;", "&")).text
    assert "没有这样的记录" in head.get("/audit?actor=nobody").text
    assert head.get("/audit?day=2026-13-01").status_code == 400
    assert "1条记录" in head.get("/audit?subject=pause:33&day=2026-10-14").text
    exported = head.get("/audit.csv?action=pause&month=2026-10").text
    assert exported.count("pause:") == 60
    assert "还没有核对过" in first
    assert post(head, "/audit/verify").status_code == 303
    shown = head.get("/audit").text
    assert "核对61条，没有改动" in shown


@pytest.mark.parametrize("page", ["/people/nobody", "/units/nope/edit", "/people/%00", "/units/%00/edit"])
def test_what_there_isnt_is_told(admin: FlaskClient, page: str) -> None:
    assert admin.get(page).status_code == 404
