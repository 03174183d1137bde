"""Long lists of what waits: pages by keyset there and back, each row once, the number that of the whole."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind
from callbacks.models_inbound import InboundCall
from callbacks.models_office import Pause, PauseScope
from callbacks.states import State
from scoring.decisions import AdjustmentKind, ObjectionKind
from scoring.item_states import ItemState
from scoring.models import ScoreEntry
from scoring.models_decisions import Adjustment, Objection
from scoring.models_items import Appeal, DissatisfactionItem
from tests.integration.desk_data import NOW, Town
from tests.integration.desk_pages import sign_in_to
from tests.integration.test_desk_exports import read_csv

MANY = 120


@pytest.fixture
def head(app: Flask) -> FlaskClient:
    return sign_in_to(app, "head")


def pages(client: FlaskClient, page: str, row: str, relation: str = "next") -> list[list[str]]:
    """What `row` finds on each page, from one on in a direction."""
    found = []
    while page:
        html = client.get(page).text
        found.append(re.findall(row, html))
        link = re.search(rf'rel="{relation}" href="([^"]+)"', html)
        page = link.group(1).replace("&amp;", "&") if link else ""
        last = html
    links = re.findall(r'rel="prev" href="([^"]+)"', last)
    found_back = [link.replace("&amp;", "&") for link in links]
    return [*found, found_back]


def there_and_back(client: FlaskClient, page: str, row: str) -> list[str]:
    """All rows of a list, each once; the same pages again on the way back."""
    *forward, before = pages(client, page, row)
    *back, _ = pages(client, before[0], row, "prev")
    assert [len(each) for each in forward] == [50, 50, MANY - 100]
    assert [*reversed(back)] == forward[:-1]
    rows = [each for found in forward for each in found]
    assert len(set(rows)) == MANY
    return rows


def many_items(town: Town, session: Session, state: ItemState) -> list[DissatisfactionItem]:
    town.session = session
    found = []
    for n in range(MANY):
        case = town.case(f"LONG-{n:04d}", "D02", "water", None, 2, nodes=False)
        callback = town.callback(case, State.RATED)
        item = town.item(callback, town.rating(callback, 3, NOW), NOW)
        item.state, item.state_since = state, NOW
        found.append(item)
    return found


_CASE = r'<th scope="row"><a class="number" href="[^"]+">(LONG-\d+)<'


def test_hard_cases_without_a_date_come_first_then_by_their_review(
    head: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        for n, item in enumerate(many_items(town, session, ItemState.HARD_CASE)):
            item.next_review = None if n >= 70 else date(2026, 12, 31) - timedelta(days=n // 3)
    rows = there_and_back(head, "/hard-cases", _CASE)
    assert rows[:50] == [f"LONG-{n:04d}" for n in range(70, 120)]
    assert rows[50:52] == ["LONG-0069", "LONG-0066"] and rows[-1] == "LONG-0002"
    assert f"<small>{MANY}件</small>" in head.get("/hard-cases").text
    assert [row["案件编号"] for row in read_csv(head, "/hard-cases")[1]] == rows


def test_appeals_that_wait_and_those_that_were_decided(
    head: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        for n, item in enumerate(many_items(town, session, ItemState.APPEALED)):
            item.due_at = NOW + timedelta(hours=n // 2) if n < 100 else None
            given = {"item_id": item.id, "unit_id": item.unit_id, "grounds": "misrated", "reason": "按错了"}
            session.add(Appeal(by="city", at=NOW, **given))
    rows = there_and_back(head, "/appeals", _CASE)
    assert rows == [f"LONG-{n:04d}" for n in range(MANY)]  # what has no clock comes last
    assert f"<small>{MANY}件</small>" in head.get("/appeals").text
    assert [row["案件编号"] for row in read_csv(head, "/appeals")[1]] == rows
    with sessions.begin() as session:
        for appeal in session.query(Appeal):
            appeal.upheld, appeal.decided_at = True, NOW + timedelta(minutes=appeal.id // 4)
    assert there_and_back(head, "/appeals?stage=ended", _CASE)[0] == "LONG-0119"
    assert read_csv(head, "/appeals")[1] == []


def test_alarms_that_were_seen_and_how_many_wait(
    head: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        town.session = session
        waiting = len(re.findall("确认人", head.get("/alarms").text))  # the head of a list that's empty yet
        for n in range(MANY):
            alarm = town.alarm(AlarmKind.WEBHOOK_GIVEN_UP, f"seen-{n:04d}", NOW)
            alarm.acknowledged_at, alarm.acknowledged_by = NOW + timedelta(seconds=n // 4), "head"
        for n in range(230):
            town.alarm(AlarmKind.WEBHOOK_GIVEN_UP, f"open-{n:04d}", NOW)
    assert waiting == 0
    assert there_and_back(head, "/alarms", r"<b>(seen-\d+)</b>")[0] == "seen-0119"
    html = head.get("/alarms").text
    number = re.search(r"未确认(\d+)条", html)
    assert number is not None and int(number.group(1)) >= 230
    assert "只列前200项" in html and f"{MANY}条" in html
    rows = read_csv(head, "/alarms")[1]  # all of both
    assert len([row for row in rows if "open-" in row["内容"]]) == 230
    assert len([row for row in rows if "seen-" in row["内容"]]) == MANY


def test_calls_to_110(head: FlaskClient, town: Town, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        before = session.query(InboundCall).count()
        for n in range(MANY - before):
            at = NOW - timedelta(days=1, minutes=n // 3)
            of = {"seq": 1, "service": "emergency", "trunk": "city", "called": "110", "access_network": ""}
            of |= {"asserted": False, "private": True, "geolocation": []}
            session.add(InboundCall(token=f"long-{n:04d}", came_at=at, talked_at=at, ended_at=at, **of))
        session.query(InboundCall).filter(InboundCall.talked_at.is_(None)).update({"rung_back_at": NOW})
    there_and_back(head, "/inbound", r'<th scope="row">.*?href="/inbound/([^"]+)"')
    assert f"{MANY}个" in head.get("/inbound").text


def test_pauses_that_are_over(head: FlaskClient, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        session.query(Pause).delete()
        for n in range(MANY):
            of = {"by": "head", "lifted_by": "head", "lifted_at": NOW, "scope": PauseScope.ALL}
            session.add(Pause(reason=f"over-{n:04d}", at=NOW - timedelta(days=2, minutes=n // 3), **of))
    there_and_back(head, "/pauses", r">(over-\d+)<")
    assert f"{MANY}项" in head.get("/pauses").text
    assert len(read_csv(head, "/pauses")[1]) == MANY


def test_a_month_s_corrections(head: FlaskClient, town: Town, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        for n in range(MANY):
            of = {"kind": "rated", "source": f"rating:{90_000 + n}", "of_month": "2026-10", "changes": {}}
            unit = town.units["D02"].id
            at = NOW + timedelta(seconds=n)
            session.add(ScoreEntry(unit_id=unit, month="2026-11", provenance={}, at=at, **of))
    *forward, _ = pages(head, "/months/2026-11", r"<td data-label=\"原来的月份\">(2026-10)<")
    assert [len(each) for each in forward] == [50, 50, MANY - 100]
    assert f"共{MANY}条" in head.get("/months/2026-11").text
    assert len(read_csv(head, "/months/2026-11/corrections")[1]) == MANY


def test_today_tells_what_a_second_person_is_to_decide(
    app: Flask, head: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        given = {"unit_id": town.units["D02"].id, "reason": "虚假回复"}
        by = {"kind": AdjustmentKind.FALSE_CLOSING, "subject": "case:9000", "points": "2"}
        session.add(Adjustment(proposed_by="supervisor", proposed_at=NOW, **by, **given))
        to = {"kind": ObjectionKind.ON_TIME, "subject": "closing:9000:1", "month": "2026-11"}
        session.add(Objection(by="city", at=NOW, **to, **given))
    html = head.get("/").text
    for page, said in (("/adjustments", "待决定的扣分加分"), ("/objections", "待决定的异议")):
        assert f'<a href="{page}?standing=proposed">{said} <b>1</b></a>' in html
        assert "<small>1件</small>" in head.get(f"{page}?standing=proposed").text
    assert "待决定的" not in sign_in_to(app, "city").get("/").text
