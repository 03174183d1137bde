"""The page of the texts' templates: faults by their places, the text as it leaves, one change at a time."""

from __future__ import annotations

import html
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit, TextKind
from callbacks.models_office import TextTemplate
from callbacks.service.templates import current
from callbacks.wording import stock_template
from tests.integration.desk_pages import WHO_SETS_WORDS, SignIn, token

OWN = "您{month}月{day}日反映的{tail}已办结，请回复1满意、2基本满意、3不满意。"


def send(client: FlaskClient, path: str, **form: str) -> TestResponse:
    form = {"instead_of": "0", "csrf_token": token(client, "/pauses")} | form
    return client.post(f"/templates{path}", data=form)


def holds(sessions: sessionmaker[Session], kind: TextKind = TextKind.EVAL) -> str:
    with sessions() as session:
        return current(session, kind)


def text_of(answer: TestResponse) -> str:
    spaced = re.sub(r"</t[dh]>", " ", answer.text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", spaced)).split())


def test_a_change_is_looked_at_then_holds_then_is_taken_back(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    page = text_of(head.get("/templates"))
    assert page.count("系统自带") == len(TextKind) and "67单位 · 1条" in page
    checked = send(head, "/eval/check", body=OWN)
    assert checked.status_code == 200
    assert "【示例市110联动】您12月20日反映的0823已办结" in checked.text
    assert holds(sessions) == stock_template(TextKind.EVAL)  # looking changes nothing
    assert send(head, "/eval", body=OWN).status_code == 303
    assert holds(sessions) == OWN
    page = text_of(head.get("/templates/eval"))
    assert "已保存。" in page and "2026-11-23 10:02 head" in page
    assert "head 2026-11-23 10:02" in text_of(head.get("/templates"))
    assert send(head, "/eval/stock", instead_of="1").status_code == 303
    assert holds(sessions) == stock_template(TextKind.EVAL)
    assert "恢复系统自带的文字" not in head.get("/templates/eval").text.replace("已恢复", "")
    with sessions() as session:
        found = session.scalars(select(Audit).where(Audit.subject == "template:eval").order_by(Audit.id))
        assert [(line.actor, line.action) for line in found] == [
            ("head", "save_template"),
            ("head", "stock_template"),
        ]


# words, kind, what is said of them
FAULTY = [
    ("", "eval", "没有文字"),
    ("您的事项【{tail}】已办理。", "eval", "第5字“【”：方头括号只用于签名"),
    ("{name}您好，{tail}", "eval", "第1字起：这种短信没有变量“name”"),
    ("请评价：1满意，2基本满意，3不满意。", "eval", "缺少变量{tail}"),
    ("待办{tail}", "handler_todo", "缺少变量{due_by}或{sign_by}"),
    ("谢谢}", "thanks", "第3字“}”不成对"),
    ("谢谢 ", "thanks", "开头或结尾有空格"),
    ("见 t.cn/abc", "thanks", "第3字起“t.cn”：短网址"),
    ("好" * 61, "thanks", "最长71单位，超过一条的70单位，要分2条"),
    ("😀" * 31, "thanks", "最长72单位"),  # a picture is two units
    ("a\0b", "thanks", "第2字是不可见的字符（U+0000）"),
]


def test_faults_are_named_with_their_places_and_nothing_is_saved(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    for body, kind, said in FAULTY:
        for path in (f"/{kind}/check", f"/{kind}"):
            answer = send(head, path, body=body)
            assert (answer.status_code, said in text_of(answer)) == (400, True), (body, path)
            assert f">{html.escape(body, quote=False)}</textarea>" in answer.text.replace("\n<", "<")
    with sessions() as session:
        assert session.scalars(select(TextTemplate)).all() == []


def test_a_fault_is_marked_where_it_lies(head: FlaskClient) -> None:
    page = send(head, "/eval/check", body="您好{who}，【{tail}").text
    assert re.findall(r"<mark>(.*?)</mark>", page) == ["{who}<sup>2</sup>", "【<sup>1</sup>"]
    assert "<script>" not in send(head, "/eval/check", body="<script>{tail}】").text


def test_several_parts_are_for_whoever_allows_them(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    body = "好" * 100
    checked = send(head, "/thanks/check", body=body, several_parts="yes")
    assert checked.status_code == 200 and "110单位 · 2条" in text_of(checked)
    assert send(head, "/thanks", body=body, several_parts="yes").status_code == 303
    assert holds(sessions, TextKind.THANKS) == body
    page = head.get("/templates/thanks").text
    assert 'name="several_parts" value="yes" checked' in page
    answer = send(head, "/thanks", body="好" * 330, several_parts="yes", instead_of="1")
    assert answer.status_code == 400 and "最长要分6条，最多5条" in text_of(answer)


def test_the_longest_text_is_shown_too(head: FlaskClient) -> None:
    page = text_of(send(head, "/closed/check", body="如有新的诉求请拨打{hotline}。"))
    assert "如有新的诉求请拨打110联动热线。" in page  # the office's own
    assert "如有新的诉求请拨打110联动热线110联动热线110联。" not in page
    assert "如有新的诉求请拨打110联动热线110联动热线1" in page  # as long as it may be


def test_of_two_who_change_the_same_words_the_second_is_told(
    sign_in: SignIn, head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    other = sign_in("head")
    assert 'name="instead_of" value="0"' in other.get("/templates/eval").text
    assert send(head, "/eval", body=OWN).status_code == 303
    mine = OWN.replace("已办结", "办好了")
    told = send(other, "/eval", body=mine)
    assert told.status_code == 409
    assert "head 刚才已修改了这个模板" in text_of(told) and OWN in told.text and mine in told.text
    assert holds(sessions) == OWN
    faulty = send(other, "/eval/check", body="】", instead_of="0")
    assert 'name="instead_of" value="0"' in faulty.text  # mending a fault isn't having seen the change
    assert send(other, "/eval/stock", instead_of="0").status_code == 409
    assert 'name="instead_of" value="1"' in told.text
    assert send(other, "/eval", body=mine, instead_of="1").status_code == 303
    assert holds(sessions) == mine


ODD = [{"instead_of": "x"}, {"instead_of": ""}, {"instead_of": "9" * 40}, {"body": "好" * 1001}]


def test_a_form_that_isnt_ours_is_refused(head: FlaskClient) -> None:
    for form in ODD:
        assert send(head, "/eval", **({"body": OWN} | form)).status_code == 400, form
    assert send(head, "/nothing", body=OWN).status_code == 404
    assert send(head, "/prenotice", body=OWN).status_code == 404
    assert head.get("/templates/../eval").status_code == 404
    assert head.post("/templates/eval", data={"body": OWN, "instead_of": "0"}).status_code == 400  # no token


@pytest.mark.parametrize(("login", "sees", "changes"), WHO_SETS_WORDS)
def test_who_may_change_the_words(sign_in: SignIn, login: str, sees: bool, changes: bool) -> None:
    client = sign_in(login)
    for path in ("/templates", "/templates/eval"):
        assert client.get(path).status_code == (200 if sees else 403)
    assert ("修改文字" in client.get("/templates/eval").text) is changes
    assert ('href="/templates"' in client.get("/").text) is sees
    form = {"body": OWN, "instead_of": "0", "csrf_token": token(client, "/")}
    assert client.post("/templates/eval/check", data=form).status_code == (200 if changes else 403)
    assert client.post("/templates/eval/stock", data=form).status_code == (303 if changes else 403)
    assert client.post("/templates/eval", data=form | {"instead_of": "1"}).status_code == (
        303 if changes else 403
    )
