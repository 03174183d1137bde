"""The voice role and its trunks: rules that spoil a number, and what is told of them when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Attempt, AttemptState, CasePhone
from callbacks.models_voice import TrunkState
from callbacks.privacy import Privacy
from callbacks.service.trunk_states import TrunkTold
from callbacks.states import State
from callbacks.vocabulary import TrunkReason, TrunkStanding
from callbacks.writer import Writer
from ivr.dialplan import DialPlan
from ivr.trunk_choice import TrunkChoice
from ivr.trunk_reports import TrunkReports
from ivr.trunk_settings import TrunkSettings
from tests.integration.office import LANDLINE, OFFICE, Desk, make_desk
from tests.integration.voice_role import voice_role
from tests.loopback_city import quick_voice


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    made = make_desk(sessions, privacy)
    made.now = datetime.now(UTC)
    return made


def trunk(**changes: object) -> TrunkSettings:
    base = {"name": "city", "host": "127.0.0.1", "port": 9, "caller_number": "037963110110"}
    return TrunkSettings.model_validate({**base, **changes})


def test_rules_that_make_110_of_a_number_are_the_trunk_s_fault(desk: Desk, tmp_path: Path) -> None:
    callback = desk.close(LANDLINE)
    desk.plan()
    spoilt = trunk(number_rules=[{"match": ".*", "replace": "110"}])
    with voice_role(desk, quick_voice(1, trunks=(spoilt,)), tmp_path, DialPlan("0379", OFFICE.own_numbers)):
        end = time.monotonic() + 20
        while standing(desk) != [(TrunkStanding.ASIDE, TrunkReason.REFUSED)]:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert desk.state(callback) is State.RETRY_WAIT
    assert desk.callback(callback).next_at >= desk.now + desk.ctx.policy.retries.trunk_refused.delay
    with desk.session() as session:
        attempt = session.scalars(select(Attempt)).one()
        assert (attempt.state, attempt.invited_at, attempt.counts) == (AttemptState.ENDED, None, False)
        assert session.scalars(select(CasePhone.barred_at)).all() == [None]  # the citizen's number is well


def standing(desk: Desk) -> list[tuple[TrunkStanding, TrunkReason | None]]:
    with desk.session() as session:
        return [(row.standing, row.reason) for row in session.scalars(select(TrunkState))]


class Told:
    """Reports of two trunks, and what they stored."""

    def __init__(self) -> None:
        self.stored: list[Sequence[TrunkTold]] = []
        self.forgotten = 0
        self.trunks = TrunkChoice([trunk(name="a"), trunk(name="b")], Random(1).random)
        self.writer = Writer(lambda: None)
        self.reports = TrunkReports(self.trunks, self.writer, self.stored.append, self._forget)

    def _forget(self) -> None:
        self.forgotten += 1

    def turn(self, now: float) -> None:
        self.reports.turn(now)
        end = time.monotonic() + 10
        while self.writer.backlog:
            assert time.monotonic() < end
        time.sleep(0.02)
        self.writer.deliver()

    @property
    def last(self) -> list[tuple[str, TrunkStanding, bool]]:
        return [(each.trunk, each.standing, each.is_news) for each in self.stored[-1]]


def test_reports_are_told_at_once_when_something_changes_and_else_now_and_then() -> None:
    told, up, aside = Told(), TrunkStanding.UP, TrunkStanding.ASIDE
    told.turn(0.0)
    assert told.last == [("a", up, False), ("b", up, False)]
    began = told.stored[-1][0].since
    told.turn(1.0)
    assert len(told.stored) == 1
    told.trunks.unavailable("a", None, 2.0)
    told.turn(2.0)
    assert told.last == [("a", aside, True), ("b", up, False)]
    assert told.stored[-1][0].since >= began == told.stored[-1][1].since
    told.turn(3.0)
    assert len(told.stored) == 2
    told.turn(22.0)
    assert told.last == [("a", aside, False), ("b", up, False)]  # it's no news any more
    told.trunks.lives("a", 40.0)
    told.turn(40.0)
    assert told.last == [("a", up, False), ("b", up, False)]
    told.reports.close()
    assert told.writer.close(5.0)
    assert told.forgotten == 1
