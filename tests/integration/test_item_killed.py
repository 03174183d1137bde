"""kill -9 of a process amid an item's step, on both databases: the step is whole or not at all, and the next
process takes it up.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, Callback
from callbacks.privacy import Privacy
from callbacks.vocabulary import UnitGroup
from scoring.item_states import ItemState, ItemTrigger
from scoring.models_decisions import Adjustment
from scoring.models_items import DissatisfactionItem, ItemStep
from tests.integration.item_step_process import take_step
from tests.integration.months_city import Months
from tests.integration.office import make_desk
from tests.integration.test_items import PHOTO, Listed, reworking

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listed(sessions: sessionmaker[Session], privacy: Privacy) -> Listed:
    city = Months.of(make_desk(sessions, privacy).ctx)
    city.unit("A", UnitGroup.COUNTY)
    found = Listed(city).rated()
    reworking(found)
    return found


def kept(session: Session, item_id: int) -> dict[str, Any]:
    """All that a step may write."""
    item = session.get_one(DissatisfactionItem, item_id)
    of = {
        "steps": select(func.count(ItemStep.id)).where(ItemStep.item_id == item_id),
        "audit": select(func.count(Audit.id)),
        "callbacks": select(func.count(Callback.id)),
        "adjustments": select(func.count(Adjustment.id)),
    }
    numbers = {name: session.scalar(query) for name, query in of.items()}
    return {"state": item.state, "seq": item.seq, "due": item.due_at, **numbers}


def kill_at(url: str, listed: Listed, what: str, moment: str, now: datetime) -> None:
    """A process of its own is killed where it stands: before its commit, or after it."""
    words = [url, str(listed.item), what, moment, now.isoformat()]
    command = [sys.executable, "-m", "tests.integration.item_step_process", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "here\n"
        finally:
            child.kill()


# what was being done and where it stood, its trigger, and what it writes beside the step
STEPS = [
    ("accept", "before_commit", ItemTrigger.ACCEPT, ItemState.SECOND_CALLBACK, {"callbacks": 1}),  # a round
    ("clock", "before_commit", ItemTrigger.SUPERVISE, ItemState.REWORKING, {"adjustments": 1}),  # to decide
    ("clock", "after_commit", ItemTrigger.SUPERVISE, ItemState.REWORKING, {"adjustments": 1}),
]


@pytest.mark.parametrize(("what", "moment", "trigger", "state", "beside"), STEPS)
def test_a_killed_step_is_whole_or_not_at_all(
    listed: Listed,
    database_url: str,
    engine: Engine,
    what: str,
    moment: str,
    trigger: ItemTrigger,
    state: ItemState,
    beside: dict[str, int],
) -> None:
    ctx = listed.city.ctx
    if what == "accept":
        listed.unit(ItemTrigger.SUBMIT, "已疏通", PHOTO)
    else:
        listed.now += timedelta(days=20)
    with ctx.sessions() as session:
        before = kept(session, listed.item)
    engine.dispose()
    kill_at(database_url, listed, what, moment, listed.now)
    if moment == "before_commit":
        with ctx.sessions() as session:
            assert kept(session, listed.item) == before
        take_step(ctx, listed.item, what, listed.now)  # nothing holds it up: the next one takes it
    with ctx.sessions() as session:
        after = kept(session, listed.item)
    assert (after["state"], after["seq"], after["steps"]) == (state, before["seq"] + 1, before["steps"] + 1)
    assert listed.steps()[-1] is trigger
    for name, more in beside.items():
        assert after[name] == before[name] + more, name
    if what == "accept":
        listed.second(1)
        assert listed.state is ItemState.FIXED
