"""The page of pauses: looked at before it holds, told who and why, lifted once."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models_office import Pause
from tests.integration.desk_pages import SignIn, token


def send(client: FlaskClient, path: str, **form: str) -> TestResponse:
    form["csrf_token"] = token(client, "/pauses")
    return client.post(path, data=form)


UNIT = {"scope": "unit", "unit": "D03", "reason": "系统切换", "until": "2026-11-23T18:30"}


def test_a_pause_is_checked_then_holds_then_is_lifted(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    checked = send(head, "/pauses/check", **UNIT)
    assert "市水务集团" in checked.text and "件进行中的回访停下来等" in checked.text
    with sessions() as session:
        assert session.scalars(select(Pause)).all() == []  # looking changes nothing
    assert send(head, "/pauses", **UNIT).status_code == 303
    page = head.get("/pauses").text
    assert "已暂停。" in page and "系统切换" in page and "2026-11-23 18:30" in page
    assert "已暂停。" not in head.get("/pauses").text  # told once
    with sessions() as session:
        [pause] = session.scalars(select(Pause))
        assert (pause.by, f"{pause.until:%H:%M}") == ("head", "10:30")  # UTC
    asked = head.get(f"/pauses/{pause.id}/lift").text
    assert "恢复回访" in asked and "系统切换" in asked
    assert send(head, f"/pauses/{pause.id}/lift").status_code == 303
    page = head.get("/pauses").text
    assert "已恢复。" in page and "没有暂停。" in page
    assert head.get(f"/pauses/{pause.id}/lift").status_code == 404
    send(head, f"/pauses/{pause.id}/lift")
    assert "此暂停已经结束" in head.get("/pauses").text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"reason": ""}, "请写明原因"),
        ({"until": "2026-11-23T10:00"}, "晚于现在"),  # two minutes ago in the city
        ({"until": "tomorrow"}, "晚于现在"),
        ({"unit": ""}, "请选择承办单位"),
        ({"scope": "category"}, "请选择类别"),
        ({"scope": "number", "number": "110"}, "完整的手机号"),
    ],
)
def test_a_pause_that_makes_no_sense_comes_back_with_its_fields(
    head: FlaskClient, form: dict[str, str], said: str
) -> None:
    for path in ("/pauses/check", "/pauses"):
        response = send(head, path, **(UNIT | form))
        assert response.status_code == 400
        assert said in response.text
        assert 'aria-invalid="true"' in response.text
        assert form.get("reason", "系统切换") in response.text


def test_a_scope_that_there_isnt_is_refused(head: FlaskClient) -> None:
    assert send(head, "/pauses", scope="province", reason="x").status_code == 400


def test_a_number_is_masked_wherever_it_is_shown(head: FlaskClient) -> None:
    form = {"scope": "number", "number": "138 0379 0001", "reason": "本人来电13803790001要求"}
    checked = send(head, "/pauses/check", **form).text
    assert "138****0001" in checked
    send(head, "/pauses", **form)
    page = head.get("/pauses").text
    assert page.count("138****0001") == 2
    assert "13803790001" not in page


# who, sees the page, may pause
@pytest.mark.parametrize(
    ("login", "sees", "sets"),
    [
        ("agent", True, False),
        ("supervisor", True, True),
        ("head", True, True),
        ("inspector", True, False),
        ("admin", True, False),
        ("city", False, False),  # a unit doesn't decide who is asked about it
    ],
)
def test_who_may_pause(sign_in: SignIn, login: str, sees: bool, sets: bool) -> None:
    client = sign_in(login)
    page = client.get("/pauses")
    assert page.status_code == (200 if sees else 403)
    assert ("新的暂停" in page.text) is sets
    form = {**UNIT, "csrf_token": token(client, "/")}
    assert client.post("/pauses", data=form).status_code == (303 if sets else 403)
