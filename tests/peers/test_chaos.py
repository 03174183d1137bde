"""kill -9 of a role at random moments of a running city: ten here, 200 by `make chaos`."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from callbacks.database import make_read_sessions
from callbacks.models import Attempt, Rating, Reply
from callbacks.models_office import AgentCall
from callbacks.vocabulary import Channel, Disposition
from tests.peers.chaos_city import Chaos, records, wrong_with

KILLS = int(os.environ.get("HUIFANG_CHAOS_KILLS", "10"))
SEED = int(os.environ.get("HUIFANG_CHAOS_SEED", "1"))
REPORT = os.environ.get("HUIFANG_CHAOS_REPORT")
CASES_A_KILL = 6


@pytest.mark.timeout(240 + 8 * KILLS)
def test_kills_lose_nothing_and_call_nobody_twice(tmp_path: Path) -> None:
    chaos, began = Chaos(tmp_path, SEED), time.monotonic()
    with chaos.running(), chaos.agents() as agents:
        engine = chaos.engine()
        for kill in range(KILLS):
            chaos.close_cases(range(kill * CASES_A_KILL, (kill + 1) * CASES_A_KILL))
            agents.work_for(chaos.random.uniform(0.2, 4.0))
            chaos.kill()
        assert chaos.wait_until_all_have_ended(engine, agents, 150) == 0
        time.sleep(5)  # what the SMSC still repeats
    with make_read_sessions(engine)() as session:
        assert wrong_with(chaos, session) == []
        unknown = select(func.count()).where(Attempt.disposition == Disposition.UNKNOWN)
        by_people = select(func.count()).where(
            Attempt.channel == Channel.AGENT, Attempt.invited_at.is_not(None)
        )
        lost_before = select(func.count()).where(
            AgentCall.error == "lost", AgentCall.attempt_id == Attempt.id, Attempt.invited_at.is_(None)
        )
        report = {
            "kills": dict(chaos.kills),
            "seed": SEED,
            "cases": KILLS * CASES_A_KILL,
            "calls rung": len(records(chaos.trunk_log)),
            "calls lost after INVITE": session.scalar(unknown.where(Attempt.channel == Channel.VOICE)),
            "people's calls": session.scalar(by_people),
            "people's calls lost after INVITE": session.scalar(
                unknown.where(Attempt.channel == Channel.AGENT)
            ),
            "people's calls lost before it": session.scalar(lost_before),
            "replies": session.scalar(select(func.count()).select_from(Reply)),
            "deliveries repeated": sum(each.get("times", 1) - 1 for each in records(chaos.smsc_log)),
            "replies that came twice": session.scalar(select(func.sum(Reply.redelivered))),
            "counted ratings": session.scalar(select(func.count()).where(Rating.counted)),
            "seconds": round(time.monotonic() - began),
            "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        }
    engine.dispose()
    assert sum(chaos.kills.values()) == KILLS
    assert report["replies"] and report["counted ratings"] and report["people's calls"]
    print(json.dumps(report))
    if REPORT:
        Path(REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
