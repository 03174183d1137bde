"""Callbacks at full load on 60 lines with a reserve of 20, then 20 SIPp callers to 110: who gives way, when.

The trace is printed (`pytest -s`): what the city's trunk saw, and the inbound role's records.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.database import make_engine, make_read_sessions
from callbacks.models import Attempt, Line
from callbacks.vocabulary import Disposition
from tests.loopback_city import media_ports, quick_city, running_city
from tests.peers.chaos_city import UNITS, records
from tests.peers.test_inbound_sipp import Role, callers, kept, operator, until

LINES, RESERVE, CALLERS, OPERATORS = 60, 20, 20, 5
CASES = 120  # every other citizen lets it ring, the rest listen for longer than the callers take


@contextmanager
def voice(role: Role, trunk: int) -> Iterator[None]:
    """The callbacks' role, beside the inbound one and over the same database."""
    first, last = media_ports(LINES)
    city = {"name": "city", "host": "127.0.0.1", "port": trunk, "caller_number": "037963110110"}
    city |= {"lines": LINES, "inbound_reserve": RESERVE, "calls_per_second": 100}
    environment = role.environment | {
        "HUIFANG_VOICE__TRUNKS": json.dumps([city]),
        "HUIFANG_VOICE__SIP_PORT": "0",
        "HUIFANG_VOICE__RTP_PORT_MIN": str(first),
        "HUIFANG_VOICE__RTP_PORT_MAX": str(last),
        "HUIFANG_VOICE__RING_TIMEOUT": "30",
        "HUIFANG_VOICE__TOTAL_TIMEOUT": "40",
        "HUIFANG_VOICE__LINES": str(LINES),
        "HUIFANG_POLICY__ROUND_DEADLINE": "PT600S",
    }
    processes = []
    with (role.folder / "voice.log").open("wb") as log:
        for name in ("voice", "clock"):
            command = [sys.executable, "-m", "app", "serve", "--role", name]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def close_cases(role: Role) -> None:
    now, path = datetime.now(UTC), role.folder / "cases.jsonl"
    unit = UNITS.read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    cases = [
        {
            "number": f"C{number:05}",
            "source_channel": "phone",
            "category": "water",
            "lead_unit": unit,
            "accepted_at": (now - timedelta(days=2)).isoformat(),
            "closed_at": (now - timedelta(seconds=1)).isoformat(),
            "citizen_phone": f"037961{number:05}{'74'[number % 2]}",
        }
        for number in range(CASES)
    ]
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    for arguments in (("import-units", str(UNITS)), ("import-cases", str(path))):
        command = [sys.executable, "-m", "app", *arguments]
        subprocess.run(command, env=role.environment, check=True, capture_output=True, timeout=120)


def in_use(session: Session) -> int:
    return session.scalar(select(func.count()).where(Line.attempt_id.is_not(None))) or 0


@pytest.mark.timeout(240)
def test_callbacks_give_way_to_who_calls_110(tmp_path: Path) -> None:
    url, log = f"sqlite:///{tmp_path}/huifang.db", tmp_path / "trunk.jsonl"
    settings = quick_city(100, silent_for=60.0, log_file=log)
    with running_city(settings) as city, ExitStack() as ends:
        crowd = [operator(tmp_path, number, talk=2500) for number in range(1, OPERATORS + 1)]
        for each in crowd:
            ends.callback(each.stop)
        role = Role(tmp_path, url, city.port, [each.port for each in crowd])
        close_cases(role)
        sessions = make_read_sessions(make_engine(url))
        with role.running(), voice(role, city.port):

            def count() -> int:
                with sessions() as session:
                    return in_use(session)

            until(lambda: count() == LINES - RESERVE, 60)
            time.sleep(2.0)  # they are dialled and ring or talk
            began = time.time()
            sipp = callers(tmp_path, role.port, CALLERS, rate=200)
            sipp.ended_well()
            until(lambda: sum(call.ended_at is not None for call in kept(url)) == CALLERS)
            waited_until = max(call.talked_at.timestamp() for call in kept(url) if call.talked_at)
            until(lambda: any(each["at"] > waited_until for each in records(log)))  # the callbacks go on
        calls = kept(url)
        with sessions() as session:
            attempts = session.scalars(select(Attempt).order_by(Attempt.id)).all()
    sessions.kw["bind"].dispose()
    dialled = [each["at"] for each in records(log)]
    before = [each for each in attempts if each.invited_at and each.invited_at.timestamp() < began]
    given_up = [
        each
        for each in before
        if each.answered_at is None and each.ended_at and each.ended_at.timestamp() < waited_until
    ]
    trace(began, dialled, calls, given_up)
    # Five rang an operator at once, fifteen heard that they are through.
    assert len(calls) == CALLERS
    assert sum(call.queued_at is None for call in calls) == OPERATORS
    # No callback was dialled from when the first waited until nobody waited any more.
    first_wait = min(call.queued_at.timestamp() for call in calls if call.queued_at is not None)
    assert [at for at in dialled if first_wait + 1 < at < waited_until] == []
    # What rang was given up; who talked talked on.
    talking = [each for each in before if each.answered_at is not None]
    assert len(given_up) + len(talking) == len(before) == LINES - RESERVE
    assert {each.disposition for each in given_up} == {Disposition.NO_ANSWER}  # it rang: that counts
    assert all(each.ended_at is None or each.ended_at.timestamp() > waited_until for each in talking)


def trace(began: float, dialled: list[float], calls, given_up) -> None:
    def after(at: datetime | None) -> float:
        return -1.0 if at is None else at.timestamp() - began

    events = [(at - began, "callback dialled") for at in dialled]
    for call in calls:
        events.append((after(call.came_at), "110 came"))
        events.append((after(call.queued_at), "110 hears that they are through"))
        events.append((after(call.talked_at), f"110 talks with {call.target}"))
        events.append((after(call.ended_at), "110 over"))
    events += [(after(attempt.ended_at), "ringing callback given up") for attempt in given_up]
    for at, what in sorted(event for event in events if event[0] > -1.0):
        print(f"{at:8.3f} s  {what}")
