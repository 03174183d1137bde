"""GET /metrics: what Prometheus reads, from the tables as they are, by those who may."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import Client, TestResponse

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.database import make_engine, make_read_sessions
from callbacks.metrics import OfficeCollector, office_registry
from callbacks.metrics_app import Wsgi, create_metrics, may_ask
from callbacks.models import Callback
from callbacks.models_inbound import InboundCall
from callbacks.models_office import GapKind, IntakeGap
from callbacks.privacy import Privacy
from callbacks.service.trunk_states import TrunkTold, tell_trunks
from callbacks.spool import Spool
from callbacks.vocabulary import TrunkReason, TrunkStanding
from tests.integration.office import LANDLINE, MOBILE, Desk, make_desk

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def web(desk: Desk, read_sessions: sessionmaker[Session], tmp_path: Path) -> Client:
    return Client(application(read_sessions, tmp_path, desk))


def application(read_sessions: sessionmaker[Session], spool: Path, desk: Desk) -> Wsgi:
    collector = OfficeCollector(read_sessions, spool, lambda: desk.now, ledger_seconds=0)
    return create_metrics(office_registry(collector), LOOPBACK)


def ask(web: Client, address: str = "127.0.0.1", path: str = "/metrics", method: str = "GET") -> TestResponse:
    return web.open(path, method=method, environ_base={"REMOTE_ADDR": address})


def read(web: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Metric → label values → value; each has its HELP and is read as Prometheus reads it."""
    response = ask(web)
    assert response.status_code == 200 and response.mimetype == "text/plain"
    families = list(text_string_to_metric_families(response.text))
    assert all(family.documentation and family.name.startswith("huifang_") for family in families)
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in families
    }


NAMES = {
    "huifang_alarms_open",
    "huifang_attempts_live",
    "huifang_callback_oldest_due_seconds",
    "huifang_callbacks",
    "huifang_callbacks_due",
    "huifang_callbacks_ended",
    "huifang_database_up",
    "huifang_intake_cases_missing",
    "huifang_intake_gaps_open",
    "huifang_ledger_balanced",
    "huifang_ledger_breaches",
    "huifang_ledger_closings",
    "huifang_lines",
    "huifang_inbound_calls",
    "huifang_inbound_talking",
    "huifang_inbound_waiting",
    "huifang_lines_in_use",
    "huifang_machines_heard",
    "huifang_replies_unclear",
    "huifang_spool_bytes",
    "huifang_spool_records",
    "huifang_texts",
    "huifang_trunk_up",
    "huifang_trunk_answered",
    "huifang_trunk_seizures",
    "huifang_trunk_talk_seconds",
    "huifang_trunk_talks",
    "huifang_webhook_deliveries_pending",
}


def test_an_empty_office_has_its_figures(web: Client) -> None:
    found = read(web)
    assert set(found) == NAMES
    assert found["huifang_ledger_balanced"] == {(): 1.0}
    assert set(found["huifang_alarms_open"]) == {(kind.value,) for kind in AlarmKind}


def test_a_trunk_is_down_when_any_process_says_so(desk: Desk, web: Client) -> None:
    up = TrunkTold("a", TrunkStanding.UP, None, None, desk.now)
    slow = TrunkTold("b", TrunkStanding.SUSPECT, None, None, desk.now)
    aside = TrunkTold("a", TrunkStanding.ASIDE, TrunkReason.SILENT, None, desk.now)
    tell_trunks(desk.ctx, "voice:here:1", [up, slow], desk.now)
    assert read(web)["huifang_trunk_up"] == {("a",): 1.0, ("b",): 1.0}
    tell_trunks(desk.ctx, "voice:there:1", [aside], desk.now)
    assert read(web)["huifang_trunk_up"] == {("a",): 0.0, ("b",): 1.0}


def test_the_figures_are_those_of_the_tables(
    desk: Desk, web: Client, privacy: Privacy, tmp_path: Path
) -> None:
    desk.close(MOBILE)
    desk.close(LANDLINE)
    desk.close()
    desk.later(seconds=30)
    assert read(web)["huifang_callback_oldest_due_seconds"] == {(): 30.0}
    desk.plan()
    desk.claim()
    with desk.ctx.sessions.begin() as session:
        raise_alarm(session, AlarmKind.SPOOL, "sms", desk.now)
        gap = IntakeGap(
            source="forum", kind=GapKind.MISSING_NUMBERS, first="F1", last="F4", noticed_at=desk.now
        )
        gap.expected, gap.found = 4, 1
        session.add(gap)
    spool = Spool(tmp_path / "sms-7.spool", privacy)
    for number in range(3):
        spool.append({"n": number})
    found = read(web)
    assert found["huifang_callbacks"][("sms_queued",)] == 1
    assert found["huifang_callbacks"][("excluded",)] == 1
    assert (found["huifang_callbacks_due"][()], found["huifang_callbacks_ended"][()]) == (2, 0)
    assert found["huifang_ledger_closings"][("closed",)] == 3
    assert found["huifang_ledger_closings"][("without_number",)] == 1
    assert found["huifang_attempts_live"] == {("sms",): 0, ("voice",): 1}
    assert (found["huifang_lines"], found["huifang_lines_in_use"]) == ({("city",): 5}, {("city",): 1})
    assert found["huifang_texts"][("queued",)] == 1
    assert found["huifang_alarms_open"][("spool",)] == 1
    assert found["huifang_intake_gaps_open"] == {("forum",): 1}
    assert found["huifang_intake_cases_missing"] == {("forum",): 3}
    assert found["huifang_spool_records"] == {("sms",): 3}
    assert found["huifang_spool_bytes"] == {("sms",): spool.path.stat().st_size}
    spool.close()


# What came of a call to 110 (seconds after it came), and what it counts as.
CALLS = (
    ({"talked_at": 15, "ended_at": 60}, "answered_in_15_s"),
    ({"talked_at": 16, "ended_at": 60}, "answered_later"),
    ({"talked_at": 20}, "answered_later"),  # and they talk still
    ({"ended_at": 40}, "given_up"),
    ({"ended_at": 40, "rung_back_at": 90}, "given_up"),  # which stays so when somebody rings back
    ({"redirected_at": 0, "ended_at": 0}, "redirected"),
    ({}, None),  # waits
)


def test_calls_to_110_count_by_what_came_of_them(desk: Desk, web: Client) -> None:
    def call(number: int, came: datetime, told: Mapping[str, int], **facts: str) -> InboundCall:
        times = {name: came + timedelta(seconds=seconds) for name, seconds in told.items()}
        fixed = {"seq": 1, "trunk": "city", "called": "110", "asserted": False, "private": True}
        whole = {"service": "emergency", "access_network": "", "geolocation": [], **fixed, **facts, **times}
        return InboundCall(token=f"in-{number}", came_at=came, **whole)

    came = desk.now - timedelta(minutes=5)
    asked = {"talked_at": 1, "ended_at": 50}
    with desk.ctx.sessions.begin() as session:
        session.add_all(call(number, came, told) for number, (told, _) in enumerate(CALLS))
        session.add(call(90, came - timedelta(days=1), {"ended_at": 9}))  # before the last day
        session.add(call(91, came, asked, service="callback", target="callback_line"))  # by the flow
    found = read(web)
    counted = Counter((outcome,) for _, outcome in CALLS if outcome)
    assert found["huifang_inbound_calls"] == counted
    assert (found["huifang_inbound_talking"], found["huifang_inbound_waiting"]) == ({(): 1}, {(): 1})


def test_a_ledger_that_is_broken_shows(desk: Desk, web: Client) -> None:
    callback_id = desk.close(LANDLINE)
    with desk.ctx.sessions.begin() as session:
        session.execute(delete(Callback).where(Callback.id == callback_id))
    found = read(web)
    assert (found["huifang_ledger_balanced"][()], found["huifang_ledger_breaches"][()]) == (0, 1)


def test_while_the_database_is_away_the_spool_still_tells(
    desk: Desk, privacy: Privacy, tmp_path: Path
) -> None:
    away = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    spool = Spool(tmp_path / "voice-7.spool", privacy)
    spool.append({"n": 1})
    found = read(Client(application(make_read_sessions(away), tmp_path, desk)))
    assert found["huifang_database_up"] == {(): 0} and found["huifang_spool_records"] == {("voice",): 1}
    assert "huifang_ledger_balanced" not in found
    spool.close()
    away.dispose()


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("", False),
        ("unix", False),
    ],
)
def test_who_may_ask(address: str, may: bool) -> None:
    assert may_ask(address, LOOPBACK) is may


def test_another_address_is_told_nothing(web: Client) -> None:
    refused = ask(web, "192.0.2.7")
    assert refused.status_code == 403 and "huifang" not in refused.text
    assert ask(web, path="/metrics/x").status_code == 404
    assert ask(web, method="POST").status_code == 405
    head = ask(web, method="HEAD")
    assert head.status_code == 200 and head.text == ""
