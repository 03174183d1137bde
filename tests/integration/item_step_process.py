"""A process that takes an item's step and stops before or after it's committed, to be killed there.

`python -m tests.integration.item_step_process URL ITEM accept|clock before_commit|after_commit NOW`: prints a
line when it stands still.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime

from sqlalchemy import event
from sqlalchemy.orm import Session

import scoring.models  # noqa: F401 (its tables)
from callbacks.database import make_engine, make_sessions
from callbacks.privacy import new_privacy
from callbacks.service.core import Context
from scoring.item_clock import run_item_clocks
from scoring.item_rules import Party
from scoring.item_settings import ItemSettings
from scoring.item_states import ItemTrigger
from scoring.items import Act, ItemRules, act
from scoring.models_items import DissatisfactionItem
from scoring.settings import AdjustmentSettings
from tests.integration.months_city import ZONE, Months
from tests.integration.office import make_desk

RULES = ItemRules(ItemSettings(), AdjustmentSettings(), ZONE)


def take_step(ctx: Context, item_id: int, what: str, now: datetime) -> None:
    """The office accepts the evidence, which opens a second round, or the clock supervises what is late."""
    if what == "clock":
        assert run_item_clocks(ctx, RULES, now) == 1
        return
    with ctx.sessions() as session:
        seen = session.get_one(DissatisfactionItem, item_id).seq
    act(ctx, RULES, item_id, Act(ItemTrigger.ACCEPT, "supervisor", Party.OFFICE, seen), now)


def main(url: str, item_id: str, what: str, moment: str, now: str) -> None:
    ctx = Months.of(make_desk(make_sessions(make_engine(url)), new_privacy()).ctx).ctx

    def stand_still(session: Session) -> None:
        if moment == "after_commit" and session.in_nested_transaction():
            return  # a savepoint alone: amid the step
        print("here", flush=True)
        time.sleep(600)

    event.listen(Session, moment, stand_still)
    take_step(ctx, int(item_id), what, datetime.fromisoformat(now))


if __name__ == "__main__":
    main(*sys.argv[1:])
