"""The citizens' page: a code, one question, no sign-in; nothing personal on it, nothing stored twice."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import Client, TestResponse

from callbacks.api import beside
from callbacks.models import Audit, Callback, Case, Rating
from callbacks.models_office import Alarm
from callbacks.models_systems import WebCode
from callbacks.privacy import Privacy
from callbacks.service.answers import settle_ratings
from callbacks.service.closing import reopen_case
from callbacks.service.planning import settle_due
from callbacks.service.web_codes import code_for
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.web.citizen_page import PREFIX, CitizenDeps, create_citizen_page
from sms.reply import is_emergency, normalise
from tests.integration.desk_pages import Shown
from tests.integration.office import FREE, Desk, make_desk


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    desk.ctx = replace(desk.ctx, urgent=lambda words: is_emergency(normalise(words)))
    return desk


@pytest.fixture
def app(desk: Desk) -> Flask:
    return create_citizen_page(CitizenDeps(desk.ctx, lambda: desk.now))


@pytest.fixture
def citizen(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)


def told(desk: Desk, callback_id: int) -> str:
    code = code_for(desk.ctx, callback_id, desk.now)
    assert code is not None
    return code.code


def asked(desk: Desk, **case: Any) -> tuple[int, str]:
    """A case without a number of a forum, and its code."""
    callback_id = desk.close(platform="city-forum", **case)
    return callback_id, told(desk, callback_id)


def send(citizen: FlaskClient, code: str, **form: Any) -> TestResponse:
    return citizen.post("/r/answer", data={"code": code, **form})


def counted(desk: Desk, callback_id: int) -> list[tuple[int, bool | None, str]]:
    return [(r.value, r.resolved, r.comment) for r in desk.ratings(callback_id) if r.counted]


def text_of(answer: TestResponse) -> str:
    """What is read, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", answer.text)).split())


def test_a_citizen_reads_the_question_and_answers_it(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    page = citizen.get(f"/r/{code}")
    assert page.status_code == 200
    for shown in ("2026-11-20", "供水", "…0001", "您对办理情况是否满意", "紧急情况请直接拨打110"):
        assert shown in text_of(page)
    assert "checked" not in page.text  # nothing is chosen beforehand
    sent = send(citizen, code, rating="2", resolved="no", comment="水压还是低")
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/r/{code}")
    assert counted(desk, callback_id) == [(2, False, "水压还是低")]
    assert desk.state(callback_id) is State.RATED
    done = text_of(citizen.get(f"/r/{code}"))
    assert "您的评价：基本满意" in done and "12:30 前可以更改一次" in done
    assert "水压还是低" not in done and "您反映的问题解决了吗" not in done


def test_the_choices_are_alike_and_in_the_scales_order(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    page = citizen.get(f"/r/{code}").text
    labels = re.findall(r'<label class="choice"><input type="radio" name="rating"([^>]*)> <span>', page)
    assert labels == [f' value="{value}" required' for value in (1, 2, 3)]
    five = replace(desk.ctx, policy=FREE.model_copy(update={"scale": "cn5"}))
    page = create_citizen_page(CitizenDeps(five, lambda: desk.now)).test_client().get(f"/r/{code}").text
    words = ["非常满意", "满意", "基本满意", "不满意", "非常不满意"]
    assert re.findall(r'name="rating"[^>]*> <span>([^<]+)<', page) == words


def test_nothing_of_the_person_or_the_matter_is_shown(desk: Desk, citizen: FlaskClient) -> None:
    case = {"summary": "张三家停水", "reply": "已为张三修好"}
    plain = citizen.get(f"/r/{asked(desk, **case)[1]}").text
    hidden = citizen.get(f"/r/{asked(desk, **case, sensitive=True)[1]}").text
    callback_id = desk.close("13803797788", platform="city-forum", **case)
    for page in (plain, hidden, citizen.get(f"/r/{told(desk, callback_id)}").text):
        for word in ("张三", "13803797788", "7788", "市供水集团", "city-forum", "110-000"):
            assert word not in page
    assert "供水" in plain and "供水" not in hidden  # of a sensitive case the date alone


def test_a_second_press_of_the_button_stores_nothing_more(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    for _ in range(3):
        assert send(citizen, code, rating="3", comment="没人来").status_code == 303
    assert [(r.value, r.comment) for r in desk.ratings(callback_id)] == [(3, "没人来")]


def test_a_rating_is_changed_once_and_words_are_added(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    send(citizen, code, rating="3")
    desk.later(minutes=29)
    page = citizen.get(f"/r/{code}").text
    assert 'value="3" required checked' in page  # what was said, to add words to it
    send(citizen, code, rating="3", resolved="no", comment="没人来")
    assert counted(desk, callback_id) == [(3, False, "没人来")]
    send(citizen, code, rating="1")
    assert [value for value, *_ in counted(desk, callback_id)] == [1]
    page = text_of(citizen.get(f"/r/{code}"))
    assert "您的评价：满意" in page and "不能再更改" in page and "提交更改" not in page
    again = send(citizen, code, rating="2", comment="说错了")
    assert "kept=1" in again.headers["Location"]
    assert "已作为留言转给联动办" in text_of(citizen.get(again.headers["Location"]))
    assert [value for value, *_ in counted(desk, callback_id)] == [1]
    assert desk.ratings(callback_id)[-1].comment == "说错了"  # kept, not counted


def test_after_the_minutes_words_are_a_note(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    send(citizen, code, rating="1", comment="很好")
    desk.later(minutes=31)
    desk.ctx.run(lambda session: settle_ratings(desk.ctx, session, desk.now, 10))
    for rating in ("1", "3"):  # the same again isn't lost either
        assert "kept=1" in send(citizen, code, rating=rating, comment=f"改成{rating}").headers["Location"]
    assert counted(desk, callback_id) == [(1, None, "很好")]
    assert [r.comment for r in desk.ratings(callback_id)] == ["很好", "改成1", "改成3"]


def test_a_rating_by_telephone_is_not_shown(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    send(citizen, code, rating="3")
    with desk.ctx.sessions.begin() as session:
        session.get_one(Rating, desk.ratings(callback_id)[0].id).channel = Channel.VOICE
    page = text_of(citizen.get(f"/r/{code}"))
    assert "这件事已经评价过了" in page and "不满意" not in page and "提交" not in page


def test_the_second_round_says_that_it_was_dealt_with_anew(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    with desk.ctx.sessions.begin() as session:
        session.get_one(Callback, callback_id).round = 2
    page = text_of(citizen.get(f"/r/{code}"))
    assert "已重新办理，请您再评价一次" in page and "承办单位已办理答复" not in page


@pytest.mark.parametrize("ended", ["deadline", "reopened"])
def test_a_question_that_is_over_says_what_to_do(desk: Desk, citizen: FlaskClient, ended: str) -> None:
    callback_id, code = asked(desk)
    if ended == "deadline":
        desk.now = desk.callback(callback_id).deadline
        settle_due(desk.ctx, desk.now)
    else:
        desk.ctx.run(lambda s: reopen_case(desk.ctx, s, s.scalars(select(Case)).one(), desk.now))
    assert send(citizen, code, rating="1").status_code == 303
    page = text_of(citizen.get(f"/r/{code}"))
    assert "评价已经结束" in page and "请拨打110联动热线" in page and "提交评价" not in page
    assert desk.ratings(callback_id) == []


# what is sent, what is said; nothing is stored
ODD = [
    ({}, "请先选择一项评价"),
    ({"rating": ""}, "请先选择一项评价"),
    ({"rating": "4"}, "请先选择一项评价"),  # not on the scale
    ({"rating": "１"}, "请先选择一项评价"),  # a digit, but none that we sent
    ({"rating": "1 OR 1=1"}, "请先选择一项评价"),
    ({"rating": "9" * 5000}, "请先选择一项评价"),
    ({"rating": ["1", "3"]}, "请先选择一项评价"),  # of two neither is meant
    ({"rating": "1", "resolved": "maybe"}, "请重新选择问题是否解决"),
    ({"rating": "1", "comment": "好" * 501}, "留言太长"),
    ({"rating": "1", "comment": "a\0b"}, "不能保存的字符"),
]


def test_a_form_that_is_none_comes_back(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    for form, said in ODD:
        answer = send(citizen, code, **form)
        assert (answer.status_code, said in text_of(answer)) == (400, True), form
        assert form.get("comment", "").replace("\0", "") in answer.text  # to be mended, not written anew
    assert desk.ratings(callback_id) == []


def test_five_hundred_characters_fit_as_a_browser_sends_them(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    words = "好\r\n" * 249 + "好好"  # the browser counts 500, and sends line ends of two characters
    assert send(citizen, code, rating="1", comment=words).status_code == 303
    assert len(desk.ratings(callback_id)[0].comment) == 500
    assert send(citizen, code, rating="1", comment="好" * 20_000).status_code == 413


def test_markup_in_words_stays_words(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    answer = send(citizen, code, comment="</textarea><script>alert(1)</script>")
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text


UNKNOWN = ["ABCDEFGHJK", "ABC", "0000000000", "一二三", "%00", "..%2f..%2fetc", "a" * 3000]


def test_a_code_that_there_isnt_is_said_so(desk: Desk, citizen: FlaskClient) -> None:
    asked(desk)
    for last, code in enumerate(UNKNOWN):
        from_ = {"environ_overrides": {"REMOTE_ADDR": f"192.0.2.{last}"}}
        assert citizen.get(f"/r/{code}", **from_).status_code == 404, code
        typed = citizen.post("/r/", data={"code": code}, **from_)
        assert (typed.status_code, "没有找到这个评价码" in typed.text) == (404, True), code
        assert citizen.post("/r/answer", data={"code": code, "rating": "1"}, **from_).status_code == 404


def test_a_code_may_be_typed(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    page = citizen.post("/r/", data={"code": f" {code[:5].lower()}-{code[5:]} "}, follow_redirects=True)
    assert "请您评价办理结果" in page.text
    assert "没有找到这个评价码" in citizen.post("/r/", data={}).text


def test_words_of_danger_raise_the_alarm_of_a_text(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    sent = send(citizen, code, rating="3", comment="他们又来了，救命！")
    page = text_of(citizen.get(sent.headers["Location"]))
    assert "如有危险，请立即拨打110" in page and "您的评价：不满意" in page
    with desk.session() as session:
        [alarm] = session.scalars(select(Alarm))
        [line] = session.scalars(select(Audit))
    assert (alarm.kind, alarm.subject) == ("emergency_reply", f"callback:{callback_id}")
    assert alarm.detail == {"case": "110-0001", "channel": "web"}
    assert (line.actor, line.action) == ("system", "emergency_reply")
    assert counted(desk, callback_id)[0][0] == 3  # beside the rating, never instead of it


def test_danger_is_danger_after_the_deadline_too(desk: Desk, citizen: FlaskClient) -> None:
    callback_id, code = asked(desk)
    desk.now = desk.callback(callback_id).deadline
    sent = send(citizen, code, rating="3", comment="着火了")
    assert "如有危险" in citizen.get(sent.headers["Location"]).text
    with desk.session() as session:
        assert len(session.scalars(select(Alarm)).all()) == 1


def test_guessing_is_slowed_before_reading_is(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    for _ in range(50):
        assert citizen.get(f"/r/{code}").status_code == 200  # a village behind one address
    statuses = [citizen.get(f"/r/ABCDEFGHJ{n % 8 + 2}").status_code for n in range(25)]
    assert statuses == [404] * 20 + [429] * 5
    refused = citizen.get(f"/r/{code}")  # alike for right ones, or the limit would tell which are right
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert "您的评价码没有失效" in refused.text
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert citizen.get(f"/r/{code}", environ_overrides=elsewhere).status_code == 200


def test_a_network_of_ipv6_counts_as_one(desk: Desk, citizen: FlaskClient) -> None:
    statuses = [
        citizen.get("/r/ABCDEFGHJK", environ_overrides={"REMOTE_ADDR": f"2001:db8:1:2::{n:x}"}).status_code
        for n in range(21)
    ]
    assert statuses[-2:] == [404, 429]


def test_no_cookie_no_cache_no_referrer(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    for path in ("/r/", f"/r/{code}", "/r/ABCDEFGHJK", "/r/x/y"):
        answer = citizen.get(path)
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert "<script" not in answer.text and "style=" not in answer.text
        assert not re.search(r'(href|src|action)="(https?:)?//', answer.text)
    with citizen.get("/r/static/citizen.css") as style:
        assert style.status_code == 200 and "no-store" not in style.headers["Cache-Control"]


# what the browser prefers, what the address says, what is shown
LANGUAGES = [
    ("en-GB,en;q=0.9", "", "Rate how"),
    ("zh-TW,zh;q=0.9,en;q=0.1", "", "评价"),
    ("fr", "", "评价"),  # Chinese first
    ("en", "?lang=zh", "评价"),
    ("zh-CN", "?lang=en", "Rate how"),
    ("zh-CN", "?lang=xx", "评价"),
]


def test_the_language_is_the_browsers_or_the_switchs(citizen: FlaskClient) -> None:
    for accepts, query, shown in LANGUAGES:
        page = citizen.get(f"/r/{query}", headers={"Accept-Language": accepts})
        assert shown in re.findall("<h1>(.*)</h1>", page.text)[0], (accepts, query)


def test_the_chosen_language_goes_along(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    page = citizen.get(f"/r/{code}?lang=en").text
    target = re.findall(r'action="([^"]+)"', page)[0]
    done = citizen.post(target, data={"code": code, "rating": "1"}, follow_redirects=True)
    assert "Your rating has arrived" in done.text
    shown = "".join(Shown(done.text).text).replace("示例市110联动办", "")  # the title names the office
    assert not re.search("[\u3400-\u9fff]", shown)


def test_an_absent_database_hands_the_answer_back(
    desk: Desk, app: Flask, citizen: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback_id, code = asked(desk)

    def away(*_args: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr("scoring.web.citizen_page.answer_code", away)
        answer = send(citizen, code, rating="3", comment='没"人来')
    assert answer.status_code == 503 and "还没有保存" in answer.text
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text)
    again = {name: html.unescape(value) for name, value in fields}
    assert citizen.post("/r/answer", data=again).status_code == 303
    assert counted(desk, callback_id) == [(3, None, '没"人来')]


def test_the_page_lies_beside_the_desk(desk: Desk, app: Flask) -> None:
    desk_app = Flask("desk")
    desk_app.add_url_rule("/ranking", "ranking", lambda: "ranking")
    client = Client(beside(desk_app, {PREFIX: app}))
    assert client.get("/ranking").text == "ranking"
    assert client.get("/r").headers["Location"].endswith("/r/")
    assert client.get("/r/").status_code == 200
    for path in ("/r/answer", "/r/x/y"):
        assert client.get(path).status_code == 404
    assert client.delete("/r/").status_code == 405


def test_a_look_is_kept_and_an_answer_is_too(desk: Desk, citizen: FlaskClient) -> None:
    _, code = asked(desk)
    citizen.get(f"/r/{code}")
    looked, answered = desk.now, desk.later(minutes=1)
    send(citizen, code, rating="1")
    with desk.session() as session:
        row = session.scalars(select(WebCode)).one()
    assert (row.seen_at, row.used_at) == (looked, answered)
    assert answered - looked == timedelta(minutes=1)
