"""The page of the policy: in words, played through before it's saved, of two who change it one is told."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit
from callbacks.models_office import PolicyVersion
from callbacks.preflight import Assumptions, Comparison, Forecast, Hour
from callbacks.privacy import Privacy
from callbacks.service.policy_versions import NewPolicy, save_policy
from scoring.web import policy_page
from scoring.web.policy_chart import HEIGHT, MOST, draw
from tests.integration.desk_data import NOW
from tests.integration.desk_pages import sign_in_to, token

TWICE = "[policy]\nattempts_per_round = 2\n"


@pytest.fixture
def privacy() -> Privacy:
    """Keys that stay, so that a sample by number is the same each time."""
    return Privacy(urlsafe_b64encode(b"k" * 32), b"i" * 32)


def send(client: FlaskClient, path: str, text: str = TWICE, instead_of: int = 0, **form: str) -> TestResponse:
    sent = {"csrf_token": token(client, "/policy"), "text": text, "instead_of": str(instead_of), **form}
    return client.post(path, data=sent)


def saved(sessions: sessionmaker[Session]) -> list[int]:
    with sessions() as session:
        return list(session.scalars(select(PolicyVersion.id).order_by(PolicyVersion.id)))


def test_the_policy_that_holds_is_told_in_words(head: FlaskClient) -> None:
    page = head.get("/policy").text
    for said in (
        "配置文件的设置，尚未在此修改",
        "办结后2小时开始，1天无回复改打电话，3天内可回复",
        "最多3次，分在两天、两个时段以上，其中一次在晚上或休息日",
        "半天1次，每天2次，30天10次，至少隔2小时",
        "09:30–12:00、14:00–20:30",
        "attempts_per_round = 3",
    ):
        assert said in unescape(page), said


def test_a_change_is_played_through_then_saved_then_told(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    looked = send(head, "/policy/check")
    assert looked.status_code == 200
    page = unescape(looked.text)
    assert "attempts_per_round" in page and "每小时打多少电话" in page and "全部结束" in page
    assert re.search(r"进行中\d+件", page) and "<svg" in page
    assert saved(sessions) == []  # looking changes nothing
    assert send(head, "/policy", reason="试行两次").status_code == 303
    page = unescape(head.get("/policy").text)
    assert "第1版，head，" in page and "试行两次" in page and "最多2次" in page
    assert re.search(r"<del>.*3</del> → <ins>.*2</ins>", page)
    with sessions() as session:
        audit = session.scalars(select(Audit).where(Audit.action == "save_policy")).one()
    assert (audit.actor, audit.subject, audit.detail["keys"]) == ("head", "policy:1", ["attempts_per_round"])


# What is wrong with the text, and what of it is named.
FAULTY = [
    ("[policy]\nattempts = 2\n", "policy.attempts"),
    ("[policy]\nattempts_per_round = 99\n", "policy.attempts_per_round"),
    ('[policy]\nscale = "cn5"\n', "policy.scale"),  # the survey asks on cn3
    ("[policy\n", "line 1"),
    ("", "[policy]"),
]


@pytest.mark.parametrize(("text", "named"), FAULTY)
def test_faults_are_named_and_the_text_is_kept(
    head: FlaskClient, sessions: sessionmaker[Session], text: str, named: str
) -> None:
    for path, form in (("/policy/check", {}), ("/policy", {"reason": "x"})):
        answer = send(head, path, text, **form)
        assert answer.status_code == 400
        page = unescape(answer.text)
        assert "这样的策略不能使用" in page and named in page and text.strip() in page
    assert saved(sessions) == []


@pytest.mark.parametrize("reason", ["", "  ", "长" * 201, "a\nb"])
def test_without_a_reason_nothing_is_saved(
    head: FlaskClient, sessions: sessionmaker[Session], reason: str
) -> None:
    answer = send(head, "/policy", reason=reason)
    assert answer.status_code == 400 and "请写明原因" in answer.text
    assert saved(sessions) == []


def test_of_two_who_change_it_the_second_is_told(
    app: Flask, head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    writer = app.extensions["desk"].writer
    three = "[policy]\nattempts_per_round = 4\n"
    assert send(head, "/policy/check").status_code == 200
    save_policy(writer, NewPolicy(three, "另一位", "chief", 0), "cn3", NOW)
    answer = send(head, "/policy", reason="试行两次")
    assert answer.status_code == 409
    page = unescape(answer.text)
    assert "chief 刚才已保存了第1版" in page and "最多4次" in page
    assert "attempts_per_round = 2" in page and "attempts_per_round = 4" in page  # both texts
    assert re.search(r"attempts_per_round</code> <del>.*4</del> → <ins>.*2</ins>", page)  # and what differs
    assert saved(sessions) == [1]
    assert send(head, "/policy", instead_of=1, reason="商量过了").status_code == 303
    assert saved(sessions) == [1, 2]


def test_a_version_that_this_program_cant_read_is_told_and_mended_here(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        row = PolicyVersion(id=1, body="[policy]\nlater = 1\n", by="chief", reason="新版", at=NOW)
        session.add(row)
    page = head.get("/policy")
    assert page.status_code == 200
    told = unescape(page.text)
    assert "最新的第1版由另一版本的程序保存" in told and "本程序读不懂这一版" in told and "最多3次" in told
    assert "+ [policy]\n+ later = 1</pre>" in told
    assert 'name="instead_of" value="1"' in told
    assert send(head, "/policy/check", instead_of=1).status_code == 200
    assert send(head, "/policy", reason="x").status_code == 409  # instead of what was before it
    assert send(head, "/policy", instead_of=1, reason="改回").status_code == 303
    told = unescape(head.get("/policy").text)
    assert saved(sessions) == [1, 2] and "第2版，head，" in told and "最新的第" not in told


def test_of_very_many_a_sample_is_played_and_said(head: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "按号码抽取" not in send(head, "/policy/check").text
    monkeypatch.setattr(policy_page, "_PLAYED", 3)
    page = unescape(send(head, "/policy/check").text)
    found = re.search(r"进行中(\d+)件.*按号码抽取(\d+)件预演", page, re.DOTALL)
    assert found is not None and 0 < int(found[2]) < int(found[1])


@pytest.mark.parametrize(
    ("login", "sees"),
    [("supervisor", 200), ("inspector", 200), ("admin", 200), ("agent", 200), ("city", 403)],
)
def test_others_may_look_or_not_but_change_nothing(
    app: Flask, sessions: sessionmaker[Session], login: str, sees: int
) -> None:
    client = sign_in_to(app, login)
    page = client.get("/policy")
    assert page.status_code == sees
    assert "下一步：预演" not in page.text
    form = {"csrf_token": token(client, "/"), "text": TWICE, "instead_of": "0", "reason": "x"}
    assert client.post("/policy", data=form).status_code == 403
    assert client.post("/policy/check", data=form).status_code == 403
    assert saved(sessions) == []


@pytest.mark.parametrize("form", [{"instead_of": "x"}, {"instead_of": "-1"}, {"text": "a" * 20_001}])
def test_a_form_that_no_page_sends_is_refused(head: FlaskClient, form: dict[str, str]) -> None:
    sent = {"csrf_token": token(head, "/policy"), "text": TWICE, "instead_of": "0", "reason": "x", **form}
    assert head.post("/policy", data=sent).status_code == 400


def test_the_chart_draws_hours_with_calls_to_its_height() -> None:
    hours = [Hour(NOW.replace(hour=hour), calls, 1) for hour, calls in ((9, 10), (10, 0), (11, 1))]
    now = Forecast(tuple(hours), {}, None, None)
    then = Forecast((Hour(NOW.replace(hour=11), 20, 0),), {}, None, None)
    chart = draw(Comparison(NOW, 1, 1, 0, 30, Assumptions(), now, then))
    assert [(bar.x, bar.now, bar.then, bar.day) for bar in chart.bars] == [
        (0, HEIGHT // 2, 0, True),
        (22, HEIGHT // 20, HEIGHT, False),
    ]
    assert (chart.most, chart.cut) == (20, False)
    empty = draw(Comparison(NOW, 0, 0, 0, 30, Assumptions(), Forecast((), {}, None, None), now))
    assert len(empty.bars) == 2 and MOST > 2
