"""The clock role as `serve` starts it: what only the clock moves is moved."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import app
from callbacks.clock import run_clock
from callbacks.models import AuditLink
from callbacks.stopping import Stop
from callbacks.vocabulary import UnitGroup
from scoring.item_states import ItemState
from scoring.models_items import DissatisfactionItem, ItemStep
from tests.integration.months_city import Months
from tests.integration.test_cli import OFFICE

FAST = "[serve]\nclock_seconds = 0.1\nwatch_seconds = 0.1\n"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[app.Office]:
    path = tmp_path / "city.toml"
    database = f'[database]\nurl = "sqlite:///{tmp_path}/data/h.db"\nkey_file = "{tmp_path}/data/h.key"\n'
    path.write_text(OFFICE + database + FAST, encoding="utf-8")
    office = app.open_office(app.load_settings(path))
    yield office
    office.close()


def test_a_listed_item_is_verified_at_once_and_the_audit_is_linked(office: app.Office) -> None:
    months = Months(office.context)
    months.unit("A", UnitGroup.COUNTY)
    now = datetime.now(UTC)
    months.rate(months.case("A", now - timedelta(days=1)), 3, now)
    stop = Stop()
    clock = threading.Thread(target=app.run_role, args=(office, "clock", stop))
    clock.start()
    try:
        deadline = time.monotonic() + 30
        while True:
            with office.context.sessions() as session:
                state = session.scalars(select(DissatisfactionItem.state)).one()
                steps = session.scalars(select(ItemStep.seq)).all()
                links = session.scalars(select(AuditLink.seq)).all()
            if state is ItemState.VERIFYING and links:
                break
            assert time.monotonic() < deadline, (state, links)
            time.sleep(0.1)
    finally:
        stop.set()
        clock.join(20)
    assert list(steps) == [1]


def test_a_job_that_takes_longer_than_its_turn_is_no_news(
    office: app.Office, caplog: pytest.LogCaptureFixture
) -> None:
    stop, turns = Stop(), []

    def slow(now: datetime) -> None:
        turns.append(now)
        time.sleep(0.3)
        if len(turns) == 3:
            stop.set()

    run_clock(office.context, stop, 0.1, {"slow": (0.05, slow)})
    assert len(turns) >= 3
    assert [record.getMessage() for record in caplog.records] == []


def test_what_is_daily_is_done_soon_after_the_start(
    office: app.Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a clock that is restarted each night would never purge what its time is over of."""
    monkeypatch.setattr("callbacks.clock._FIRST", 0.1)
    done, stop = threading.Event(), Stop()
    more = {"daily": (86_400.0, lambda _now: done.set())}
    clock = threading.Thread(target=run_clock, args=(office.context, stop, 0.1, more))
    clock.start()
    try:
        assert done.wait(30)
    finally:
        stop.set()
        clock.join(20)
