"""Trunks that SIPp plays: one that falls silent and comes back, one that says 503, two with a failover.

T1 is 50 ms, so that silence takes 3.2 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_engine, make_sessions
from callbacks.models import Attempt
from callbacks.models_office import Alarm
from callbacks.models_voice import TrunkState
from callbacks.privacy import Privacy
from callbacks.schema import upgrade
from callbacks.states import State
from callbacks.vocabulary import Disposition, TrunkReason, TrunkStanding
from ivr.dialplan import DialPlan
from ivr.events import Ended
from ivr.line import Dial
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.integration.office import LANDLINE, OFFICE, Desk, make_desk
from tests.integration.voice_role import voice_role
from tests.loopback_city import Driver, quick_voice
from tests.peers.sipp import (
    OK,
    OK_PLAIN,
    RECV_ACK,
    RECV_BYE,
    RECV_INVITE,
    RINGING,
    Sipp,
    key_pcap,
    pause,
    play,
    respond,
)
from tests.peers.sipp_crowd import Crowd, scenario

UP, SUSPECT, ASIDE = TrunkStanding.UP, TrunkStanding.SUSPECT, TrunkStanding.ASIDE
ANSWERS_OPTIONS = scenario('<recv request="OPTIONS"/>', respond("200 OK"))


def trunk(name: str, port: int, **changes: object) -> TrunkSettings:
    base = {"name": name, "host": "127.0.0.1", "port": port, "caller_number": "037963110110"}
    return TrunkSettings.model_validate({**base, **changes})


def voice(*trunks: TrunkSettings) -> VoiceSettings:
    return quick_voice(1, trunks=trunks, t2=0.4)


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(f"sqlite:///{tmp_path}/huifang.db")
    upgrade(engine)
    yield make_sessions(engine)
    engine.dispose()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_a_trunk_that_stops_answering_options_and_comes_back(tmp_path: Path) -> None:
    far = Crowd(tmp_path / "first", ANSWERS_OPTIONS)
    line = SipLine(voice(trunk("sipp", far.port, keepalive=0.2)))
    driver, seen = Driver(line), []

    def see(standing: TrunkStanding) -> bool:
        seen.extend(change.standing for change in line.trunks.changes(time.monotonic()))
        return line.trunks.standings(time.monotonic())[0].standing is standing

    try:
        driver.until(lambda: len(far.call_ids("OPTIONS")) >= 3)  # it answers again and again
        far.stop()
        driver.until(lambda: see(ASIDE))
        assert line.trunks.standings(time.monotonic())[0].reason is TrunkReason.SILENT
        assert line.trunks.rooms(time.monotonic()) == {}
        again = Crowd(tmp_path / "again", ANSWERS_OPTIONS, port=far.port)
        driver.until(lambda: see(UP))
        assert seen[-3:] == [SUSPECT, ASIDE, UP]
        again.stop()
    finally:
        line.close()


def test_a_503_is_heeded_for_as_long_as_it_says(tmp_path: Path) -> None:
    refusal = respond("503 Service Unavailable\nRetry-After: 2")
    far = Sipp(tmp_path, RECV_INVITE, refusal, RECV_ACK)
    line = SipLine(voice(trunk("sipp", far.port)))
    driver = Driver(line)
    try:
        line.dial(Dial("c1", "13803790001", "sipp", is_public=True))
        end = driver.wait_for(Ended)
        assert isinstance(end, Ended)
        assert (end.disposition, end.sip_status) == (Disposition.NETWORK_FAIL, 503)
        far.ended_well()
        line.trunks.rooms(end.at)
        assert line.trunks.rooms(end.at + 1.9) == {}
        assert line.trunks.rooms(end.at + 2.1) == {"sipp": 1}  # one call tries it
    finally:
        line.close()


def test_a_callback_goes_on_by_the_second_trunk(
    tmp_path: Path, sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    """The first by priority says 503; the citizen is called by the other, once, and rates."""
    (tmp_path / "full").mkdir()
    (tmp_path / "well").mkdir()
    full = Sipp(tmp_path / "full", RECV_INVITE, respond("503 Service Unavailable"), RECV_ACK)
    key = key_pcap(tmp_path / "key.pcap", "1")
    well = Sipp(
        tmp_path / "well", RECV_INVITE, RINGING, OK, RECV_ACK, pause(1500), play(key), RECV_BYE, OK_PLAIN
    )
    desk = make_desk(sessions, privacy)
    desk.now = datetime.now(UTC)
    callback = desk.close(LANDLINE)
    desk.plan()
    settings = voice(trunk("well", well.port, priority=20), trunk("full", full.port, priority=10))
    plan = DialPlan("0379", OFFICE.own_numbers)
    with voice_role(desk, settings, tmp_path / "spool", plan):
        until(lambda: desk.state(callback) is State.RATED, 60.0)
        until(lambda: standing(desk) == {"well": UP, "full": ASIDE})
        full.ended_well()
        well.ended_well()
        until(lambda: all(attempt.ended_at for attempt in attempts(desk)))
    assert [(a.trunk, a.sip_status, a.counts) for a in attempts(desk)] == [
        ("full", 503, False),
        ("well", 200, True),
    ]
    assert well.received("INVITE") == 1
    with desk.session() as session:
        (alarm,) = session.scalars(select(Alarm))
        assert (alarm.kind, alarm.subject, alarm.times) == ("trunk_aside", "full", 1)
    assert standing(desk) == {}  # the process has ended


def attempts(desk: Desk) -> list[Attempt]:
    with desk.session() as session:
        return list(session.scalars(select(Attempt).order_by(Attempt.id)))


def standing(desk: Desk) -> dict[str, TrunkStanding]:
    with desk.session() as session:
        return {row.trunk: row.standing for row in session.scalars(select(TrunkState))}
