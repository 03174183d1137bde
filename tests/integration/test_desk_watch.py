"""The pages of what is watched: the ledger with its proofs and gaps, the alarms and their banner."""

from __future__ import annotations

import re
from datetime import UTC, date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.alarms import AlarmKind
from callbacks.ledger import read_ledger
from callbacks.models import Audit, Callback, Case, Closing
from callbacks.models_office import Alarm, GapKind, IntakeGap, LedgerProof
from callbacks.privacy import Privacy
from callbacks.service.proofs import take_proof
from callbacks.service.trunk_states import TrunkTold, tell_trunks
from callbacks.vocabulary import TrunkReason, TrunkStanding
from scoring.web import words
from scoring.web.desk import create_desk
from tests.integration.desk_data import NOW, USERS, Town, add_users, build, desk_deps
from tests.integration.desk_pages import SignIn, token
from tests.integration.office import make_desk

DAY = date(2026, 11, 22)


@pytest.fixture
def town(sessions: sessionmaker[Session], privacy: Privacy) -> Town:
    with sessions.begin() as session:
        town = build(session, privacy)
        add_users(town, {login for login, *_ in USERS})
        case = session.scalars(select(Case)).first()
        assert case is not None
        at = NOW - timedelta(minutes=30)
        town.alarm(AlarmKind.WEBHOOK_GIVEN_UP, "city", at, case_id=case.id, reason="410")
        town.alarm(AlarmKind.LEDGER_BROKEN, "ledger", at, day=DAY.isoformat(), cases=[case.number], number=1)
        town.alarm(AlarmKind.INTAKE_GAP, "source:forum", at, gaps=1, missing=3)
        town.alarm(AlarmKind.SPOOL, "sms", at, played=4, refused=True)
        town.alarm(AlarmKind.GATEWAY_DOWN, "smsc", at, reason="no bind", seconds=60)
        gap = IntakeGap(source="forum", kind=GapKind.MISSING_NUMBERS, first="F0000012", last="F0000014")
        gap.expected, gap.found, gap.noticed_at = 3, 0, at
        town.add(gap)
    return town


@pytest.fixture
def app(
    town: Town, sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
) -> Flask:
    return create_desk(desk_deps(sessions, read_sessions, privacy))


def acknowledge(client: FlaskClient, alarm_id: int, page: str = "alarms") -> TestResponse:
    form = {"csrf_token": token(client, "/"), "from": page}
    return client.post(f"/alarms/{alarm_id}/acknowledge", data=form)


def open_alarms(sessions: sessionmaker[Session]) -> list[Alarm]:
    with sessions() as session:
        return list(session.scalars(select(Alarm).where(Alarm.acknowledged_at.is_(None)).order_by(Alarm.id)))


# -- alarms


def test_trunks_stand_on_the_alarms_page_as_living_processes_find_them(
    head: FlaskClient, sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    assert "中继状态" not in head.get("/alarms").text  # nobody has said anything
    ctx = make_desk(sessions, privacy).ctx
    since = NOW - timedelta(minutes=7)
    told = [
        TrunkTold("carrier", TrunkStanding.ASIDE, TrunkReason.UNAVAILABLE, 503, since, is_news=True),
        TrunkTold("second", TrunkStanding.UP, None, None, since),
    ]
    tell_trunks(ctx, "voice:here:1", told, NOW)
    html = head.get("/alarms").text
    assert re.search(r"carrier</th><td[^>]*><strong[^>]*>暂停使用</strong> 中继称暂不可用 \(SIP 503\)", html)
    assert re.search(r"second</th><td[^>]*>中继正常<", html) and "voice:here:1" in html
    assert "<b>carrier</b> 中继称暂不可用 (SIP 503)" in html  # the alarm itself
    assert "中继称暂不可用 (SIP 503)" in head.get("/alarms.csv").text


def test_every_kind_of_alarm_has_its_words() -> None:
    assert {kind.value for kind in AlarmKind} <= set(words.ALARMS) and set(words.ALARM_HELP) == set(
        words.ALARMS
    )


def test_the_cry_for_help_stands_first_and_leads_to_its_words(head: FlaskClient) -> None:
    html = head.get("/alarms").text
    rows = re.findall(r'<tr[^>]*>\s*<th scope="row">([^<]+)<', html)
    assert rows[0] == "紧急求助" and len(rows) == 6
    assert "救命 我要报警" in html and "137****9902" in html
    assert '/ledger?day=2026-11-22">2026-11-22</a>' in html and '/ledger#gaps">forum</a>' in html
    assert "有未能保存的" in html and "no bind" in html
    assert "未确认6条" in html


def test_the_banner_counts_on_every_page_and_is_gone_with_them(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    for page in ("/progress", "/cases", "/no-such-page"):
        html = head.get(page).text
        assert "紧急求助1条，请立即核实" in html and "未确认的告警5条" in html, page
    for alarm in open_alarms(sessions):
        assert acknowledge(head, alarm.id).status_code == 303
    html = head.get("/progress").text
    assert '<div id="banner" role="status">\n</div>' in html and "请立即核实" not in html


def test_an_alarm_is_acknowledged_once_by_name(head: FlaskClient, sessions: sessionmaker[Session]) -> None:
    first = open_alarms(sessions)[0]
    assert acknowledge(head, first.id, "overview").location == "/"
    assert "救命" not in head.get("/").text  # and the overview has it no more
    page = head.get("/alarms").text
    assert "最近确认的告警" in page and "救命 我要报警" in page
    acknowledge(head, first.id)
    assert "此告警已经有人确认。" in head.get("/alarms").text
    with sessions() as session:
        alarm = session.get_one(Alarm, first.id)
        assert (alarm.acknowledged_by, alarm.acknowledged_at) == ("head", NOW.astimezone(UTC))
        [line] = session.scalars(select(Audit).where(Audit.action == "acknowledge_alarm"))
        assert (line.actor, line.subject) == ("head", f"alarm:{first.id}")
    assert acknowledge(head, 2**40).status_code == 303  # there is none: nothing happens


# who, sees alarms and ledger, may acknowledge
@pytest.mark.parametrize(
    ("login", "sees", "acknowledges"),
    [
        ("agent", True, True),
        ("supervisor", True, True),
        ("head", True, True),
        ("inspector", True, False),
        ("admin", True, True),
        ("city", False, False),  # a unit is what is watched
    ],
)
def test_who_watches(
    sign_in: SignIn, sessions: sessionmaker[Session], login: str, sees: bool, acknowledges: bool
) -> None:
    client = sign_in(login)
    assert {client.get(page).status_code for page in ("/alarms", "/ledger")} == {200 if sees else 403}
    assert ("请立即核实" in client.get("/").text) is sees
    response = acknowledge(client, open_alarms(sessions)[0].id)
    assert response.status_code == (303 if acknowledges else 403)


def test_in_english_too(head: FlaskClient) -> None:
    page = head.get("/alarms?lang=en")
    head.post("/language", data={"csrf_token": token(head, "/"), "lang": "en"})
    page = head.get("/alarms")
    assert "Cries for help: 1" in page.text and "Gaps at intake" in page.text


# -- the ledger


def test_the_ledger_as_it_stands_with_the_share_without_a_number(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    with sessions() as session:
        found = read_ledger(session)
    html = head.get("/ledger").text
    closed, without = found.total("closed"), found.total("without_number")
    assert without > 0 and f"<small>{without}/{closed}</small>" in html
    done = found.total("done")
    assert f"<small>{done}/{done + found.total('open')}</small>" in html
    assert '"number">F0000012</span>–<wbr><span class="number">F0000014<' in html and "编号不连续" in html


@pytest.mark.parametrize("page", ["/progress", "/ranking?group=dept", "/ranking/D03", "/ledger"])
def test_no_callback_rate_without_the_share_without_a_number(head: FlaskClient, page: str) -> None:
    html = head.get(page).text
    assert "回访率" in html or "覆盖率" in html
    assert "无号码" in html


def test_a_kept_proof_is_shown_by_its_day_and_compared(
    head: FlaskClient,
    app: Flask,
    sessions: sessionmaker[Session],
    read_sessions: sessionmaker[Session],
) -> None:
    assert "这一天没有保存的证明" in head.get("/ledger?day=2026-11-22").text
    ctx = app.extensions["desk"].writer
    assert take_proof(ctx, read_sessions, DAY, NOW)
    html = head.get("/ledger?day=2026-11-22").text
    assert "每夜证明，取于" in html and "由现有数据重算，与证明一致。" in html
    assert 'href="/ledger?day=2026-11-22" aria-current="true"' in html
    with sessions.begin() as session:
        counted = select(Callback.id).join(Closing, Closing.case_id == Callback.case_id)
        lonely = counted.where(~Callback.id.in_(_referenced()))
        callback = session.scalars(lonely.order_by(Callback.id)).first()
        session.execute(delete(Callback).where(Callback.id == callback))
    html = head.get("/ledger?day=2026-11-22").text
    assert "与保存的证明不一致" in html and "closed without a callback" in html
    live = head.get("/ledger").text
    assert "不平" in live and "已办结但没有回访" in live
    assert re.search(
        r'<a class="number" href="/cases/[^"]+">[^<]+</a></th><td data-label="第几次办结">1</td>', live
    )


def _referenced():  # type: ignore[no-untyped-def]
    """Callbacks that other rows stand on."""
    from callbacks.models import AttemptCallback, Rating, Reply, TextMessage
    from scoring.models import ScoreEntry
    from scoring.models_items import DissatisfactionItem

    columns = [
        AttemptCallback.callback_id,
        Rating.callback_id,
        Reply.callback_id,
        TextMessage.callback_id,
        DissatisfactionItem.callback_id,
        ScoreEntry.callback_id,
    ]
    first, *others = (select(column).where(column.is_not(None)) for column in columns)
    return first.union(*others)


@pytest.mark.parametrize("day", ["2026-11-24", "x", "2026-02-30", "1999-01-01", "20261122"])
def test_a_day_that_there_isnt_is_no_page(head: FlaskClient, day: str) -> None:
    assert head.get(f"/ledger?day={day}").status_code == 404


def test_today_is_shown_as_it_stands(head: FlaskClient, sessions: sessionmaker[Session]) -> None:
    assert "当前" in head.get("/ledger?day=2026-11-23").text
    with sessions() as session:
        assert session.scalars(select(LedgerProof)).all() == []


def test_a_gap_that_has_closed_says_that_nothing_is_missing_any_more(
    head: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    assert "缺3件" in head.get("/alarms").text
    with sessions.begin() as session:
        session.scalars(select(IntakeGap)).one().closed_at = NOW
    html = head.get("/alarms").text
    assert "曾缺3件，现已补齐" in html and len(open_alarms(sessions)) == 6  # a seat still has to see it
