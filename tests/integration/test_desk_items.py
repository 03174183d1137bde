"""An item's page, its papers and its files, by role."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, Callback, Case
from scoring.evidence import store_evidence
from scoring.item_states import ItemState, ItemTrigger
from scoring.models_items import Appeal, DissatisfactionItem, HardCaseMeeting, ItemStep
from tests.integration.desk_data import NOW, Town
from tests.integration.desk_pages import sign_in_to


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
