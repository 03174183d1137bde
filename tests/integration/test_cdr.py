"""The call detail records of what the tables have: exported, counted, and held against a carrier's file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from werkzeug.test import Client

from callbacks.cdr import Direction, Kind, Record, Traffic
from callbacks.cdr_store import Wanted, read_cdr, read_traffic
from callbacks.commands import cdr
from callbacks.models import Audit
from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.models_trunks import PersonLegKind
from callbacks.service.calls import CallOutcome, answered, ended, ringing
from callbacks.service.claims import begin_invite
from callbacks.service.leases import settle_leases
from callbacks.service.person_legs import LegEnd, LegStart, leg_began, leg_ended
from callbacks.toll_settings import TollSettings
from callbacks.vocabulary import Disposition, LegKind
from tests.integration.office import FREE, LANDLINE, Desk, make_desk
from tests.integration.test_metrics import application, ask

D = Disposition
NUMBERS = [f"03796311{last:04}" for last in range(1, 9)]


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    once = FREE.model_copy(update={"attempts_per_round": 1, "exhausted": "unreached"})
    desk = make_desk(sessions, privacy, once)
    toll = TollSettings(night="off", calls_per_number_per_day=0, price_per_minute="0.06")
    object.__setattr__(desk.ctx, "toll", toll)
    desk.later(hours=2)  # 14:00 in the city
    return desk


def call(desk: Desk, number: str, talk: float | None, disposition: D = D.ANSWERED) -> int:
    """A callback's call: rings after a second, is answered three later where there is a talk."""
    desk.close(number)
    desk.plan()
    [claimed] = desk.claim()
    attempt, token = claimed.attempt_id, claimed.token
    assert begin_invite(desk.ctx, attempt, token, claimed.key, desk.now)
    ringing(desk.ctx, attempt, token, desk.later(seconds=1), f"{attempt}@192.0.2.10")
    if talk is not None:
        answered(desk.ctx, attempt, token, desk.later(seconds=3))
    status, q850 = (200, 16) if disposition is D.ANSWERED else (486, 17)
    outcome = CallOutcome(disposition, status, q850, sip_call_id=f"{attempt}@192.0.2.10")
    ended(desk.ctx, attempt, token, outcome, desk.later(seconds=talk or 10))
    return attempt


def inbound(desk: Desk, number: str) -> None:
    """Somebody talked a minute with seat-1, after another telephone was busy and a trunk was asked."""
    at = desk.now
    soon, over = at + timedelta(seconds=4), at + timedelta(seconds=64)
    row = InboundCall(
        token="in-1", seq=3, service="emergency", trunk="edge", called="110",
        number_encrypted=desk.ctx.privacy.encrypt(number), number_index=desk.ctx.privacy.index(number),
        number_masked="138****0009", asserted=True, private=False, access_network="", geolocation=[],
        came_at=at, answered_at=soon, talked_at=soon, ended_at=over, ended_by="caller", target="seat-1",
        sip_call_id="in-1@edge", sip_status=200, talk_seconds=60,
    )  # fmt: skip
    legs = [
        InboundLeg(token="in-1-1", target="seat-2", trunk="edge", dialled="8012", began_at=at, ended_at=at,
                   disposition=D.BUSY, sip_status=486, q850=17, talk_seconds=0),
        InboundLeg(token="in-1-2", target="seat-1", trunk="edge", dialled="8011", began_at=at, rang_at=at,
                   answered_at=soon, ended_at=over, disposition=D.ANSWERED, sip_status=200, talk_seconds=60),
        InboundLeg(token="in-1-r3", target="unit-water", kind=LegKind.REFER, began_at=soon, ended_at=over),
    ]  # fmt: skip

    def work(session: Any) -> None:
        session.add(row)
        session.flush()
        for leg in legs:
            leg.call_id = row.id
            session.add(leg)

    desk.ctx.run(work)


@pytest.fixture
def day(desk: Desk) -> Desk:
    """A talk of 61 s, a busy number, a citizen put through to a desk, and a caller of 110."""
    call(desk, NUMBERS[0], 60.2)
    call(desk, NUMBERS[1], None, D.BUSY)
    attempt = call(desk, NUMBERS[2], 30.0)
    start = LegStart("x-p1", attempt, PersonLegKind.TRANSFER, "desk-1", "63118001", "city", "leg@x", desk.now)
    leg_began(desk.ctx, start)
    end = LegEnd(desk.now, desk.now, desk.later(seconds=9), D.ANSWERED, 200, 16)
    leg_ended(desk.ctx, "x-p1", end)
    inbound(desk, "13803790009")
    return desk


def records(desk: Desk, **wanted: Any) -> list[Record]:
    with desk.session() as session:
        return list(read_cdr(session, Wanted(desk.now - timedelta(days=1), desk.now, **wanted)))


def test_each_leg_by_a_trunk_has_a_record(day: Desk) -> None:
    day.later(minutes=5)
    found = records(day)
    assert [(each.kind, each.direction, each.trunk, each.number, each.seconds) for each in found] == [
        (Kind.CALLBACK, Direction.OUT, "city", "****0001", 61),
        (Kind.CALLBACK, Direction.OUT, "city", "****0002", 0),
        (Kind.CALLBACK, Direction.OUT, "city", "****0003", 30),
        (Kind.TRANSFER, Direction.OUT, "city", "****8001", 9),
        (Kind.DESK, Direction.OUT, "edge", "****12", 0),
        (Kind.DESK, Direction.OUT, "edge", "****11", 60),
        (Kind.CALLER, Direction.IN, "edge", "138****0009", 60),
    ]
    first = found[0]
    assert first.started < first.rang < first.answered < first.ended
    assert (first.sip_call_id, first.sip_status, first.q850) == ("1@192.0.2.10", 200, 16)
    assert first.cost == 1200 and found[1].cost == 0  # two minutes that were begun
    assert [each.id for each in records(day, trunk="edge", direction=Direction.IN)] == ["inbound_call:1"]
    whole = records(day, whole=day.ctx.privacy.decrypt)
    assert [each.number for each in whole] == [*NUMBERS[:3], "63118001", "8012", "8011", "13803790009"]


def test_a_call_whose_process_died_has_no_length(desk: Desk) -> None:
    _, claimed = desk.call(LANDLINE)
    answered(desk.ctx, claimed.attempt_id, claimed.token, desk.later(seconds=2))
    settle_leases(desk.ctx, desk.later(seconds=60), owner="voice:test:1")
    desk.later(seconds=1)
    [record] = records(desk)
    assert (record.disposition, record.seconds, record.cost) == (D.UNKNOWN, None, None)
    with desk.session() as session:
        [traffic] = read_traffic(session, desk.now - timedelta(hours=1), desk.now).values()
    assert traffic == Traffic(seizures=1, answered=1)


def test_each_trunk_is_counted_both_ways(day: Desk) -> None:
    with day.session() as session:
        found = read_traffic(session, day.now - timedelta(hours=1), day.now + timedelta(hours=1))
        assert found == {
            ("city", Direction.OUT): Traffic(4, 3, 3, 100),
            ("edge", Direction.IN): Traffic(1, 1, 1, 60),
            ("edge", Direction.OUT): Traffic(2, 1, 1, 60),
        }
        assert read_traffic(session, day.now - timedelta(days=2), day.now - timedelta(days=1)) == {}


def test_prometheus_is_told_of_the_last_hour(day: Desk, read_sessions, tmp_path: Path) -> None:
    day.later(minutes=1)
    page = ask(Client(application(read_sessions, tmp_path, day))).text
    told = {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(page)
    }
    assert told["huifang_trunk_seizures"] == {("out", "city"): 4, ("in", "edge"): 1, ("out", "edge"): 2}
    assert told["huifang_trunk_answered"] == {("out", "city"): 3, ("in", "edge"): 1, ("out", "edge"): 1}
    assert told["huifang_trunk_talks"] == told["huifang_trunk_answered"]
    assert told["huifang_trunk_talk_seconds"][("out", "city")] == 100


# -- the commands


Run = Any


@pytest.fixture
def run(day: Desk) -> Iterator[Run]:
    """The command on this office."""
    office = SimpleNamespace(with_context=lambda work: work(day.ctx))

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cdr.command(), list(map(str, arguments)), obj=office)

    return run


DAY = ("--from", "2026-11-23", "--to", "2026-11-23")


def audited(desk: Desk) -> list[str]:
    with desk.session() as session:
        return list(session.scalars(select(Audit.action).where(Audit.subject == "cdr")))


def test_export(run: Run, day: Desk) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export", *DAY).stdout)))
    assert [row["kind"] for row in rows] == ["callback"] * 3 + ["transfer", "desk", "desk", "caller"]
    assert (rows[0]["number"], rows[0]["seconds"], rows[0]["cost"]) == ("****0001", "61", "0.12")
    assert rows[0]["started"] == "2026-11-23T06:00:00.000+00:00"
    assert (rows[1]["answered"], rows[1]["sip_status"], rows[1]["q850"]) == ("", "486", "17")
    told = [json.loads(line) for line in run("export", *DAY, "--format", "json").stdout.splitlines()]
    assert [each["id"] for each in told] == [row["id"] for row in rows]
    assert run("export", "--from", "2026-11-24", "--to", "2026-11-25").stdout.count("\n") == 1
    assert audited(day) == []
    whole = csv.DictReader(io.StringIO(run("export", *DAY, "--full-numbers", "--trunk", "city").stdout))
    assert [row["number"] for row in whole] == [*NUMBERS[:3], "63118001"]
    assert audited(day) == ["export_cdr"]


def test_a_call_id_is_no_formula(run: Run, day: Desk) -> None:
    """It's chosen by whoever calls."""

    def work(session: Any) -> None:
        session.scalars(select(InboundCall)).one().sip_call_id = "=HYPERLINK(1)@x"

    day.ctx.run(work)
    rows = list(csv.DictReader(io.StringIO(run("export", *DAY).stdout)))
    assert rows[-1]["sip_call_id"] == "'=HYPERLINK(1)@x"


def test_days_in_the_wrong_order_are_refused(run: Run) -> None:
    refused = run("export", "--from", "2026-11-24", "--to", "2026-11-23")
    assert refused.exit_code == 2 and "--to 2026-11-23 is before" in refused.stderr


def test_stats(run: Run) -> None:
    lines = run("stats", *DAY).output.splitlines()
    assert lines[1].split() == ["2026-11-23", "city", "out", "4", "3", "75.0%", "33.3", "1.7"]
    by_hour = json.loads(run("stats", *DAY, "--by", "hour", "--trunk", "city", "--json").output)
    assert [(row["from"], row["seizures"], row["asr"]) for row in by_hour] == [("2026-11-23 14:00", 4, 0.75)]


HEAD = "主叫,被叫,开始时间,结束时间,通话时长,费用\n"
CITY_FILE = HEAD + (
    "037963110110,0379-63110001,2026-11-23 14:00:01,2026-11-23 14:01:05,61,0.12\n"
    "037963110110,037963110003,2026/11/23 14:01:16,,0:00:30,0.06元\n"
    "037963110110,0379-63118001,20261123140149,,9,0.00\n"
)


def test_a_carriers_file_that_agrees(run: Run, tmp_path: Path) -> None:
    """In GB18030, with whatever writing of numbers and times. Who wasn't reached isn't in it."""
    file, form = tmp_path / "bill.csv", tmp_path / "form.toml"
    file.write_bytes(CITY_FILE.encode("gb18030"))
    form.write_text("answered_only = true\n")
    told = run("reconcile", file, "--trunk", "city", "--columns", form)
    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[0] == (
        "3 matched (0 by Call-ID), 0 of them differ; ours only 0, theirs only 0; 0 lines not read; "
        "1 of ours aren't expected in the file"
    )
    assert told.output.splitlines()[3].split() == ["theirs", "3", "100", "240", "0.18"]
    as_json = json.loads(run("reconcile", file, "--trunk", "city", "--columns", form, "--json").output)
    assert as_json["same"] and as_json["sums"]["ours"] == {
        "calls": 3, "seconds": 100, "billed_seconds": 240, "cost": 0.18,
    }  # fmt: skip


def test_a_carriers_file_that_doesnt(run: Run, day: Desk, tmp_path: Path) -> None:
    """A talk is longer than ours, one is none of ours, one of ours isn't theirs; two lines can't be read."""
    file = tmp_path / "bill.csv"
    file.write_text(
        "主叫,被叫,开始时间,通话时长,Call-ID\n"
        "037963110110,037963110001,2026-11-23 15:00:00,99,1@192.0.2.10\n"  # their clock is an hour ahead
        "037963110110,037963110009,2026-11-23 14:00:30,7,\n"
        "037963110110,037963110003,2026-11-23,30,\n"
        "037963110110,037963110003,2026-11-23 14:01:16,half a minute,\n",
        encoding="utf-8-sig",
    )
    told = run("reconcile", file, "--trunk", "city")
    assert told.exit_code == 1
    assert f"{file}: line 4, started: '2026-11-23' has no time of day" in told.stderr
    assert f"{file}: line 5, seconds: 'half a minute' is no length" in told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith(
        "1 matched (1 by Call-ID), 1 of them differ; ours only 3, theirs only 1; 2 lines"
    )
    assert lines[1] == "their starts are +3600.0 s from ours, in the middle"
    assert [line.split()[:2] for line in lines[6:]] == [
        ["differs", "2026-11-23"], *[["ours", "only"]] * 3, ["theirs", "only"],
    ]  # fmt: skip
    assert "+38 s" in lines[6] and "****0009 7 s line 3" in lines[-1]
    assert NUMBERS[0] not in told.output and audited(day) == []
    whole = run("reconcile", file, "--trunk", "city", "--full-numbers")
    assert NUMBERS[0] in whole.output and audited(day) == ["reconcile_cdr"]


def test_callers_are_reconciled_by_their_own_number(run: Run, tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["主叫号码", "被叫号码", "开始时间", "时长(秒)"])
    book.active.append(["+8613803790009", "110", datetime(2026, 11, 23, 14, 1, 57), 60])  # noqa: DTZ001
    book.save(tmp_path / "in.xlsx")
    told = run("reconcile", tmp_path / "in.xlsx", "--trunk", "edge", "--direction", "in", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["matched"] == 1


def test_a_file_that_is_none_of_a_carriers(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bill.csv"
    wrong = (
        ("a,b\n1,2\n", "no column is called"),
        (HEAD, "no call in it that can be read; give --from and --to"),
        # A title over the headings: each line has more columns than it.
        ("话单\n" + HEAD, "no call in it that can be read; line 2: "),
    )
    for text, said in wrong:
        file.write_text(text)
        told = run("reconcile", file, "--trunk", "city")
        assert told.exit_code == 1 and said in told.stderr


def test_a_format_of_ones_own(run: Run, tmp_path: Path) -> None:
    """Their headings, lengths in minutes, the talk's start, and times of another zone."""
    file, columns = tmp_path / "bill.csv", tmp_path / "form.toml"
    file.write_text("Ziel,Beginn,Minuten\n037963110003,2026-11-23 06:01:19,0.5\n")
    columns.write_text(
        "starts_at = 'answer'\nduration = 'minutes'\ntimezone = 'UTC'\nincrement = 6\n"
        "[columns]\nZiel = 'called'\nBeginn = 'started'\nMinuten = 'seconds'\n"
    )
    told = json.loads(run("reconcile", file, "--trunk", "city", "--columns", columns, "--json").output)
    assert (told["matched"], told["theirs_only"], len(told["ours_only"])) == (1, [], 2)
    assert told["sums"]["ours"]["billed_seconds"] == 30 + 66 + 12
