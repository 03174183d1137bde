"""`huifang demo` as a newcomer runs it: whole, against a capture, and killed in its middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from callbacks.database import make_engine, make_read_sessions
from callbacks.ledger import read_ledger
from callbacks.models import Attempt, Rating
from callbacks.vocabulary import Channel, Disposition
from tests.databases import free_port
from tests.peers.capture import capture, invited, submits

UNKNOWN_REST = 10.0  # the preset's


def demo(folder: Path, cases: int, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app", "demo", "--cases", str(cases), "--no-serve"]
    command += ["--json", str(folder / "out.json"), "--dir", str(folder / "demo"), "--port", str(free_port())]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, env={**os.environ, **environment}, **pipes)


def ended_well(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=400)
    assert process.returncode == 0, out
    return out


@pytest.mark.timeout(420)
def test_the_demo_does_the_main_job_and_the_wire_agrees(tmp_path: Path) -> None:
    trunk, smsc, pcap = free_port(), free_port(), tmp_path / "lo.pcap"
    with capture(pcap):
        ports = {"HUIFANG_CITY__PORT": str(trunk), "HUIFANG_SMSC__PORT": str(smsc)}
        out = ended_well(demo(tmp_path, 60, **ports))
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["closed"], found["coverage"], found["ledger_balanced"]) == (60, 1.0, True)
    assert sum(found["outcomes"].values()) == 60
    assert sum(sum(values.values()) for values in found["ratings"].values()) == found["outcomes"]["rated"]
    assert set(found["ranking"]) == {"county", "dept"}
    threes = sum(values.get("3", 0) for values in found["ratings"].values())
    assert len(found["dissatisfied"]) == threes > 0
    assert len(invited(pcap, trunk)) == sum(found["attempts"]["voice"].values())
    questions = [text for _, text in submits(pcap, smsc) if "请回复数字评价" in text]
    assert len(questions) == sum(found["attempts"]["sms"].values())
    assert "coverage 100.0%" in out and "ledger balanced" in out


@pytest.mark.timeout(420)
def test_killed_in_its_middle_and_started_again(tmp_path: Path) -> None:
    first = demo(tmp_path, 30)
    sessions = make_read_sessions(make_engine(f"sqlite:///{tmp_path}/demo/huifang.db"))
    wait_until(lambda: rated(sessions) >= 6 and talking(sessions) >= 2)
    for pid in [first.pid, *children(first.pid)]:  # the roles and the city too: nobody says goodbye
        os.kill(pid, signal.SIGKILL)
    first.communicate()
    ended_well(demo(tmp_path, 30))
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["closed"], found["coverage"], found["ledger_balanced"]) == (30, 1.0, True)
    with sessions() as session:
        assert read_ledger(session).breaches == ()
        counted = Counter(session.scalars(select(Rating.callback_id).where(Rating.counted)))
        assert all(number == 1 for number in counted.values())
        none_was_redialled(list(session.scalars(select(Attempt).order_by(Attempt.id))))
    sessions.kw["bind"].dispose()


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def none_was_redialled(attempts: list[Attempt]) -> None:
    """After an attempt that may have rung unseen, its number rests."""
    calls = [a for a in attempts if a.channel is Channel.VOICE and a.invited_at is not None]
    unknown = [a for a in calls if a.disposition is Disposition.UNKNOWN]
    assert unknown, "the kill met no call: nothing was tested"
    for lost in unknown:
        assert lost.invited_at is not None
        later = [a.invited_at for a in calls if a.number_index == lost.number_index and a.id > lost.id]
        assert all(at is not None and (at - lost.invited_at).total_seconds() >= UNKNOWN_REST for at in later)


def wait_until(holds, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OperationalError:  # not there yet
            pass
        time.sleep(0.2)
    raise AssertionError("it never held")


def rated(sessions) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(Rating).where(Rating.counted)) or 0


def talking(sessions) -> int:
    with sessions() as session:
        live = (Attempt.channel == Channel.VOICE, Attempt.ended_at.is_(None), Attempt.invited_at.is_not(None))
        return session.scalar(select(func.count()).select_from(Attempt).where(*live)) or 0
