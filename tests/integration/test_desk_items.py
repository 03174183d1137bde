"""An item's page, its papers and its files, by role."""

from __future__ import annotations

import io
import re
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit, Callback, Case
from callbacks.states import State
from scoring.evidence import store_evidence
from scoring.item_rules import Escalation, Fault, Grounds
from scoring.item_states import ItemState, ItemTrigger
from scoring.models import ScoreEntry
from scoring.models_items import Appeal, DissatisfactionItem, HardCaseMeeting, ItemStep
from scoring.web import item_words
from tests.integration.desk_data import NOW, USERS, Town
from tests.integration.desk_pages import numbers_in, sign_in_to, token, walk


@pytest.fixture
def item(town: Town, sessions: sessionmaker[Session]) -> int:
    """D01's item with a clock that is over, a step with a file, and the words of its citizen."""
    with sessions.begin() as session:
        query = (
            select(DissatisfactionItem)
            .join(Callback, Callback.id == DissatisfactionItem.callback_id)
            .join(Case, Case.id == Callback.case_id)
            .where(Case.number == "LD20261117-0002")
        )
        found = session.scalars(query).one()
        file = store_evidence(session, f"item:{found.id}", "现场<b>.jpg", b"\xff\xd8photo", "supervisor", NOW)
        found.state, found.seq, found.due_at = ItemState.REWORKING, 1, NOW - timedelta(days=2, hours=1)
        session.add(
            ItemStep(
                item_id=found.id,
                seq=1,
                at=NOW - timedelta(days=3),
                by="supervisor",
                trigger=ItemTrigger.UPHOLD,
                from_state=ItemState.VERIFYING,
                to_state=ItemState.ASSIGNED,
                reason="群众说13903790002没人来",
                detail={"evidence": [file.sha256]},
            )
        )
        return found.id


@pytest.fixture
def due(item: int, sessions: sessionmaker[Session]) -> None:
    """The callback's own line of the score: due, ended, reached."""
    with sessions.begin() as session:
        callback = session.get_one(DissatisfactionItem, item).callback
        session.add(
            ScoreEntry(
                unit_id=callback.unit_id,
                month="2026-11",
                kind="due",
                source=f"callback:{callback.id}",
                callback_id=callback.id,
                changes={"due": "1", "ended": "1", "contacted": "1"},
                provenance={"state": "rated"},
                at=NOW,
            )
        )


@pytest.fixture
def supervisor(app: Flask) -> FlaskClient:
    return sign_in_to(app, "supervisor")


def test_the_page_tells_words_clock_steps_and_files(supervisor: FlaskClient, item: int) -> None:
    html = supervisor.get(f"/dissatisfaction/{item}").text
    for part in (
        "根本没人来管",
        "劝离流动摊贩6处",
        "超期2天1小时",
        "核实属实，交办整改",
        "现场&lt;b&gt;.jpg",
    ):
        assert part in html, part
    assert "13903790002" not in html


def test_a_unit_reads_its_own_item_without_who_rated(app: Flask, item: int) -> None:
    html = sign_in_to(app, "city").get(f"/dissatisfaction/{item}").text
    assert "根本没人来管" in html
    assert "群众电话" not in html
    assert sign_in_to(app, "county").get(f"/dissatisfaction/{item}").status_code == 404


def test_a_file_is_saved_never_shown_and_noted(
    app: Flask, supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    response = supervisor.get(f"/dissatisfaction/{item}/evidence/1")
    assert response.data == b"\xff\xd8photo"
    assert response.mimetype == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")
    with sessions() as session:
        last = session.scalars(select(Audit).order_by(Audit.id.desc())).first()
    assert last is not None
    assert (last.actor, last.action, last.subject) == ("supervisor", "evidence", f"item:{item}")
    assert supervisor.get(f"/dissatisfaction/{item + 1}/evidence/1").status_code == 404
    assert sign_in_to(app, "county").get(f"/dissatisfaction/{item}/evidence/1").status_code == 404


@pytest.mark.parametrize("kind", ["supervision", "rectification"])
def test_a_notice_names_office_number_unit_and_deadline(
    app: Flask, supervisor: FlaskClient, item: int, kind: str
) -> None:
    html = supervisor.get(f"/dissatisfaction/{item}/notice/{kind}").text
    for part in ("示例市110联动办", "LD20261117-0002", "市城市管理局", "2026-11-21 09:02", "签收人"):
        assert part in html, part
    assert "139****0002" not in html.replace("打我电话139****0002细说", "")
    assert sign_in_to(app, "city").get(f"/dissatisfaction/{item}/notice/{kind}").status_code == 403


def test_the_list_is_by_the_clock_and_in_parts(supervisor: FlaskClient, item: int) -> None:
    html = supervisor.get("/dissatisfaction").text
    assert html.index("LD20261117-0002") < html.index("LD20261116-0001")  # overdue first
    for query, there in (
        ("stage=unit", True),
        ("stage=office", False),
        ("overdue=1", True),
        ("stage=ended", False),
    ):
        assert ("LD20261117-0002" in supervisor.get(f"/dissatisfaction?{query}").text) is there, query


def test_no_such_item(supervisor: FlaskClient) -> None:
    for number in ("99999", str(2**40)):
        assert supervisor.get(f"/dissatisfaction/{number}").status_code == 404


def test_hard_cases_tell_leader_and_review(
    app: Flask, supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    assert "目前没有疑难件" in supervisor.get("/hard-cases").text
    with sessions.begin() as session:
        found = session.get_one(DissatisfactionItem, item)
        found.state, found.next_review = ItemState.HARD_CASE, date(2026, 11, 20)
        session.add(
            HardCaseMeeting(
                item_id=item,
                held_on=date(2026, 10, 20),
                leader="王副市长",
                finding="须两家共管",
                next_review=date(2026, 11, 20),
                by="head",
                at=NOW,
            )
        )
    html = supervisor.get("/hard-cases").text
    assert "王副市长" in html and "到期" in html
    assert "须两家共管" in supervisor.get(f"/dissatisfaction/{item}").text
    assert "LD20261117-0002" not in sign_in_to(app, "county").get("/hard-cases").text


def test_appeals_wait_for_two(
    app: Flask, supervisor: FlaskClient, town: Town, item: int, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        appeal = Appeal(
            item_id=item, unit_id=town.units["D01"].id, grounds="misrated", reason="按错了", by="city", at=NOW
        )
        session.add(appeal)
    html = supervisor.get("/appeals").text
    assert "按错了" in html and "待我决定" in html
    assert "按错了" not in supervisor.get("/appeals?stage=ended").text
    own = sign_in_to(app, "city").get("/appeals").text
    assert "按错了" in own and "待我决定" not in own
    assert "按错了" not in sign_in_to(app, "county").get("/appeals").text
    assert sign_in_to(app, "agent").get("/appeals").status_code == 403


def test_today_tells_what_waits_for_the_reader(
    app: Flask, supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    unit = sign_in_to(app, "city").get("/").text
    assert "整改中 <b>1</b>" in unit and "超期 <b>1</b>" in unit and "LD20261117-0002" in unit
    assert "等我办理" not in sign_in_to(app, "county").get("/").text
    assert "等我办理" not in supervisor.get("/").text  # it waits for the unit
    with sessions.begin() as session:
        session.get_one(DissatisfactionItem, item).state = ItemState.CHECKING
    office = supervisor.get("/").text
    assert "审核中 <b>1</b>" in office and "超期2天1小时" in office
    assert "等我办理" not in sign_in_to(app, "inspector").get("/").text


ROUTES = {
    # what a role gets from the list's routes: (method, path) → the logins that may
    ("GET", "/dissatisfaction/1"): {"supervisor", "head", "inspector", "admin"},
    ("GET", "/dissatisfaction/1/notice/supervision"): {"supervisor", "head"},
    ("GET", "/hard-cases"): {"supervisor", "head", "inspector", "admin", "city", "county"},
    ("GET", "/appeals"): {"supervisor", "head", "inspector", "admin", "city", "county"},
    ("POST", "/dissatisfaction/1/work"): {"supervisor", "head"},
    ("POST", "/dissatisfaction/1/handle"): {"city", "county"},
    ("POST", "/dissatisfaction/check"): {"supervisor", "head"},
    ("POST", "/dissatisfaction/bulk"): {"supervisor", "head"},
    ("POST", "/appeals/1"): {"supervisor", "head"},
}


def test_each_role_reaches_its_own_routes_and_no_other(app: Flask) -> None:
    """Item 1 is D03's: for the units that are asked here there is no such item. Nobody else gets past 403."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(("item", "hard_cases"))]
    assert len(ROUTES) == len(
        [rule for rule in rules if "evidence" not in rule.rule and "any(xlsx" not in rule.rule]
    )
    for login, *_ in USERS:
        client = sign_in_to(app, login)
        key = token(client, "/cases")
        for (method, path), logins in ROUTES.items():
            status = client.open(
                path, method=method, data={"csrf_token": key} if method == "POST" else None
            ).status_code
            if login in logins:
                assert status in (200, 400, 404), (login, path)
            else:
                assert status in (403, 404), (login, path)
                assert status == 403 or login in ("city", "county"), (login, path)


# Acts


def do(client: FlaskClient, item: int, side: str, trigger: str, seen: int, **more: object) -> TestResponse:
    page = f"/dissatisfaction/{item}"
    form = {"trigger": trigger, "seen": str(seen), "csrf_token": token(client, page), **more}
    return client.post(f"{page}/{side}", data=form, content_type="multipart/form-data")


def a_file(name: str = "整改.pdf") -> tuple[io.BytesIO, str]:
    return io.BytesIO(b"%PDF-1.7 what was done"), name


def test_the_unit_submits_with_evidence_and_the_office_accepts(
    app: Flask, supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    unit = sign_in_to(app, "city")
    assert "提交整改结果" in unit.get(f"/dissatisfaction/{item}").text
    bare = do(unit, item, "handle", "submit", 1, reason="已清理")
    assert bare.status_code == 400
    assert "请附上证明材料" in bare.text and "已清理" in bare.text  # what was typed is kept
    done = do(unit, item, "handle", "submit", 1, reason="已清理", files=a_file())
    assert done.status_code == 303
    assert do(supervisor, item, "work", "send_back", 2, reason="照片不清").status_code == 303
    assert do(unit, item, "handle", "submit", 3, reason="重拍", files=a_file("2.pdf")).status_code == 303
    assert do(supervisor, item, "work", "accept", 4).status_code == 303
    with sessions() as session:
        assert session.get_one(DissatisfactionItem, item).state is ItemState.SECOND_CALLBACK
    html = unit.get(f"/dissatisfaction/{item}").text
    assert "整改.pdf" in html and "照片不清" in html


def test_a_large_file_is_taken_where_files_are_and_nowhere_else(app: Flask, item: int) -> None:
    unit = sign_in_to(app, "city")
    large = (io.BytesIO(b"\xff\xd8" + b"x" * 300_000), "照片.jpg")
    assert do(unit, item, "handle", "submit", 1, reason="已清理", files=large).status_code == 303
    login = app.test_client()
    form = {"login": "x", "password": "y" * 300_000, "csrf_token": token(login)}
    assert login.post("/login", data=form).status_code == 413


def test_who_is_slower_is_told_who_did_what_and_keeps_the_words(
    app: Flask, supervisor: FlaskClient, item: int
) -> None:
    assert do(sign_in_to(app, "head"), item, "work", "note", 1, reason="先打个电话").status_code == 303
    late = do(supervisor, item, "work", "supervise", 1, reason="两周没有动静")
    assert late.status_code == 409
    told = late.text.partition('role="alert"')[2].partition("</div>")[0]
    assert "head" in told and "先打个电话" in told
    assert ">两周没有动静</textarea>" in late.text
    assert "两周没有动静" not in supervisor.get(f"/dissatisfaction/{item}").text


# What each side may not do, by the other side's route or its own: (login, side, trigger) → status.
REFUSED = (
    ("city", "work", "urge", 403),  # a unit by the office's route
    ("supervisor", "handle", "submit", 403),
    ("inspector", "work", "note", 403),
    ("admin", "work", "note", 403),
    ("agent", "work", "note", 403),
    ("county", "handle", "submit", 404),  # another unit's item: there is nothing
    ("city", "handle", "extend", 400),  # the office's, by the unit's route
    ("city", "handle", "persist", 400),
    ("city", "handle", "sign", 409),  # signed long ago
    ("supervisor", "work", "satisfied", 409),  # an answer is the citizen's
    ("supervisor", "work", "nonsense", 400),
)


@pytest.mark.parametrize(("login", "side", "trigger", "status"), REFUSED)
def test_what_isnt_ones_own_is_refused(
    app: Flask, item: int, login: str, side: str, trigger: str, status: int
) -> None:
    client = sign_in_to(app, login)
    form = {"trigger": trigger, "seen": "1", "reason": "x", "csrf_token": token(client, "/cases")}
    assert client.post(f"/dissatisfaction/{item}/{side}", data=form).status_code == status


def test_an_appeal_is_decided_by_two(
    app: Flask, supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        found = session.get_one(DissatisfactionItem, item)
        found.state, found.assigned_at = ItemState.ASSIGNED, NOW - timedelta(hours=2)
        found.due_at = NOW + timedelta(hours=20)
    unit, head = sign_in_to(app, "city"), sign_in_to(app, "head")
    more = {"grounds": "misrated", "reason": "群众说按错了", "files": a_file("说明.pdf")}
    assert do(unit, item, "handle", "appeal", 1, **more).status_code == 303
    word = {"uphold": "yes", "claim_reasonable": "no", "conduct_proper": "yes", "reason": "录音属实"}
    word["seen"] = "0"
    first = supervisor.post("/appeals/1", data={**word, "csrf_token": token(supervisor, "/cases")})
    assert first.status_code == 303
    again = supervisor.post("/appeals/1", data={**word, "csrf_token": token(supervisor, "/cases")})
    assert again.status_code == 409 and "您已经决定过" in again.text
    assert unit.post("/appeals/1", data={**word, "csrf_token": token(unit, "/cases")}).status_code == 403
    late = head.post("/appeals/1", data={**word, "csrf_token": token(head, "/cases")})
    assert (late.status_code, "别人已经作了决定" in late.text) == (409, True)
    assert ">录音属实</textarea>" in late.text and 'name="seen" value="1"' in late.text
    word["seen"] = "1"
    assert head.post("/appeals/1", data={**word, "csrf_token": token(head, "/cases")}).status_code == 303
    with sessions() as session:
        assert session.get_one(DissatisfactionItem, item).state is ItemState.REMOVED
    assert "申诉成立" in supervisor.get("/appeals?stage=ended").text


def test_a_hard_case_is_closed_after_a_meeting(
    supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.get_one(DissatisfactionItem, item).state = ItemState.HARD_CASE
    assert do(supervisor, item, "work", "persist", 1, reason="无条件解决").status_code == 400
    meeting = {"held_on": "2026-11-20", "leader": "王副市长", "next_review": "2026-12-20", "reason": "共管"}
    assert do(supervisor, item, "work", "meet", 1, **meeting).status_code == 303
    assert "2026-12-20" in supervisor.get("/hard-cases").text
    assert do(supervisor, item, "work", "persist", 2, reason="无条件解决").status_code == 303


def test_every_refusal_and_act_has_its_words() -> None:
    assert set(item_words.FAULTS) == set(Fault)
    assert set(item_words.TRIGGERS) == set(ItemTrigger)
    assert set(item_words.GROUNDS) == set(Grounds)
    assert set(item_words.ESCALATIONS) == set(Escalation)


# Many at once


def items_of(sessions: sessionmaker[Session]) -> dict[int, int]:
    with sessions() as session:
        return {item.id: item.seq for item in session.scalars(select(DissatisfactionItem))}


def test_many_are_looked_at_done_and_what_failed_is_named(
    supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    """Six items, one of which is being reworked: five are upheld, one isn't, and its number is told."""
    with sessions.begin() as session:
        for found in session.scalars(select(DissatisfactionItem).where(DissatisfactionItem.id != item)):
            found.state = ItemState.VERIFYING
    form = {"act": "uphold", "which": "all", "filter": "", "csrf_token": token(supervisor, "/cases")}
    checked = supervisor.post("/dissatisfaction/check", data=form).text
    assert "<small>6件</small>" in checked
    kept = re.search(r'name="items" value="([^"]+)"', checked)
    assert kept is not None
    form = {
        "act": "uphold",
        "items": kept.group(1),
        "reason": "已核实",
        "csrf_token": token(supervisor, "/cases"),
    }
    done = supervisor.post("/dissatisfaction/bulk", data=form).text
    assert "办好5件，没有办成1件" in done
    assert numbers_in(done) == ["LD20261117-0002"]
    again = supervisor.post("/dissatisfaction/bulk", data=form).text  # the steps that were seen are old
    assert "办好0件，没有办成6件" in again


def test_some_are_put_in_charge(
    app: Flask, supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    chosen = [f"{key}:{seq}" for key, seq in items_of(sessions).items()][:2]
    form = {"act": "assign", "which": "these", "item": chosen, "csrf_token": token(supervisor, "/cases")}
    assert "<small>2件</small>" in supervisor.post("/dissatisfaction/check", data=form).text
    form = {"act": "assign", "items": " ".join(chosen), "csrf_token": token(supervisor, "/cases")}
    assert supervisor.post("/dissatisfaction/bulk", data={**form, "login": "nobody"}).status_code == 400
    done = supervisor.post("/dissatisfaction/bulk", data={**form, "login": "head"}).text
    assert "办好2件" in done
    assert len(numbers_in(supervisor.get("/dissatisfaction?supervisor=head").text)) == 2
    none = {"act": "note", "which": "these", "csrf_token": token(supervisor, "/cases")}
    assert supervisor.post("/dissatisfaction/check", data=none).status_code == 400


def test_the_second_who_assigns_is_told_and_overwrites_nothing(
    app: Flask, supervisor: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    form = {"act": "assign", "which": "all", "filter": "", "csrf_token": token(supervisor, "/cases")}
    checked = supervisor.post("/dissatisfaction/check", data=form).text
    kept = re.search(r'name="items" value="([^"]+)"', checked)
    assert kept is not None and "已有经办人" not in checked
    form = {"act": "assign", "items": kept.group(1), "csrf_token": token(supervisor, "/cases")}
    assert "办好6件" in supervisor.post("/dissatisfaction/bulk", data={**form, "login": "head"}).text
    late = sign_in_to(app, "head")
    form["csrf_token"] = token(late, "/cases")
    told = late.post("/dissatisfaction/bulk", data={**form, "login": "supervisor"}).text
    assert "办好0件，没有办成6件" in told and told.count("有人先指定了经办人：head。") == 6
    assert len(numbers_in(late.get("/dissatisfaction?supervisor=head").text)) == 6
    form = {"act": "assign", "which": "all", "filter": "", "csrf_token": token(late, "/cases")}
    again = late.post("/dissatisfaction/check", data=form).text
    assert "其中6件已有经办人" in again  # who sees that may change it
    kept = re.search(r'name="items" value="([^"]+)"', again)
    assert kept is not None
    form = {"act": "assign", "items": kept.group(1), "csrf_token": token(late, "/cases")}
    assert "办好6件" in late.post("/dissatisfaction/bulk", data={**form, "login": "supervisor"}).text


def test_five_hundred_at_once(supervisor: FlaskClient, town: Town, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        town.session = session
        for n in range(500):
            case = town.case(f"LD-BULK-{n:04d}", "D02", "water", None, 2, nodes=False)
            callback = town.callback(case, State.RATED)
            town.item(callback, town.rating(callback, 3, NOW), NOW).state = ItemState.VERIFYING
    form = {"act": "note", "which": "all", "filter": "q=LD-BULK", "csrf_token": token(supervisor, "/cases")}
    checked = supervisor.post("/dissatisfaction/check", data=form).text
    kept = re.search(r'name="items" value="([^"]+)"', checked)
    assert kept is not None
    form = {
        "act": "note",
        "items": kept.group(1),
        "reason": "统一回电",
        "csrf_token": token(supervisor, "/cases"),
    }
    assert "办好500件，没有办成0件" in supervisor.post("/dissatisfaction/bulk", data=form).text


def test_pages_by_the_clock_go_there_and_back_over_items_with_and_without_one(
    supervisor: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    """70 with a clock, some of one instant, then 50 without: two and a half pages, each item once."""
    with sessions.begin() as session:
        town.session = session
        for n in range(120):
            case = town.case(f"LD-CLOCK-{n:04d}", "D02", "water", None, 2, nodes=False)
            callback = town.callback(case, State.RATED)
            row = town.item(callback, town.rating(callback, 3, NOW), NOW)
            row.due_at = NOW + timedelta(hours=70 - n // 3) if n < 70 else None
    forward = walk(supervisor, "/dissatisfaction?q=LD-CLOCK", "next")
    numbers = [number for page, _ in forward for number in page]
    assert [len(page) for page, _ in forward] == [50, 50, 20]
    assert len(set(numbers)) == 120
    assert numbers[:2] == ["LD-CLOCK-0069", "LD-CLOCK-0066"]
    assert numbers[70:] == [f"LD-CLOCK-{n:04d}" for n in range(70, 120)]
    back = walk(supervisor, forward[-1][1], "prev")
    assert [page for page, _ in back] == [page for page, _ in reversed(forward)]


@pytest.mark.usefixtures("due")
@pytest.mark.parametrize("page", ["/dissatisfaction/{item}", "/cases/LD20261117-0002"])
def test_each_line_of_the_score_is_told_in_words(supervisor: FlaskClient, item: int, page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", supervisor.get(page.format(item=item)).get_data(as_text=True))
    assert "应回访" in text
    assert "回访已结束" in text
    assert re.search(r"\b(due|ended|contacted)\b", text) is None


def test_what_was_listed_and_begun_on_one_day_stands_under_one_heading(
    supervisor: FlaskClient, item: int, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.get_one(DissatisfactionItem, item).opened_at = NOW - timedelta(days=3, hours=1)
    page = supervisor.get(f"/dissatisfaction/{item}").get_data(as_text=True)
    days = re.findall(r'<li class="day"><h3>(.*?)</h3>', page)
    assert [re.sub(r"<[^>]+>", "", day) for day in days] == [f"{NOW - timedelta(days=3):%Y-%m-%d}"]
