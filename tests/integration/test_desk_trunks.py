"""What each trunk carried today, on the progress page; and the toll limits' alarm in words."""

from __future__ import annotations

import re
from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind
from callbacks.models_office import Alarm
from callbacks.models_trunks import PersonLeg, PersonLegKind
from callbacks.vocabulary import Disposition
from tests.integration.desk_data import NOW, Town
from tests.integration.desk_pages import SignIn


def row_of(html: str, trunk: str) -> list[str]:
    found = re.search(rf'<tr><th scope="row">{trunk}</th>(.*?)</tr>', html, re.DOTALL)
    assert found is not None
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found[1])]


def legs(sessions: sessionmaker[Session], attempt: int) -> None:
    """Three to a trunk of its own: one talked a minute, one was busy, one is talking."""
    at = NOW - timedelta(minutes=5)
    with sessions.begin() as session:
        for token, answered, seconds, disposition in (
            ("a", at, 61, Disposition.ANSWERED),
            ("b", None, 0, Disposition.BUSY),
            ("c", at, None, None),
        ):
            leg = PersonLeg(token=token, attempt_id=attempt, kind=PersonLegKind.AGENT, target="desk-1")
            leg.dialled, leg.trunk, leg.began_at = "8001", "office", at
            leg.answered_at, leg.talk_seconds, leg.disposition = answered, seconds, disposition
            session.add(leg)


def test_supervisors_see_what_trunks_carried_with_its_n(
    town: Town, sessions: sessionmaker[Session], sign_in: SignIn
) -> None:
    legs(sessions, 1)
    html = sign_in("supervisor").get("/progress").text
    assert row_of(html, "office") == ["呼出", "3", "66.67% 2/3", "61秒 n=1"]


def test_units_dont_see_trunks(town: Town, sessions: sessionmaker[Session], sign_in: SignIn) -> None:
    legs(sessions, 1)
    html = sign_in("city").get("/progress").text
    assert "<h1>回访进度</h1>" in html and ">office<" not in html


def test_a_toll_limit_is_told_in_words(
    town: Town, sessions: sessionmaker[Session], head: FlaskClient
) -> None:
    with sessions.begin() as session:
        detail = {"limit": "toll_hour", "day": "2026-11-23"}
        alarm = Alarm(kind=AlarmKind.TOLL, subject="toll_hour 2026-11-23", detail=detail)
        alarm.raised_at = alarm.last_at = NOW
        session.add(alarm)
    assert "<b>限额：每小时次数</b> 2026-11-23" in head.get("/alarms").text
