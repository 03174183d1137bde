"""Second and later callbacks: after rework the citizen is asked again, by the ordinary clock and line."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.models import Callback
from callbacks.service.core import Context
from callbacks.states import State


def open_round(ctx: Context, session: Session, first: Callback, unit_id: int, now: datetime) -> Callback:
    """The next round of a closing's callback; its answer counts for `unit_id`.

    It counts as closed now: the first step's delay, the wait for another open text and its place in the
    queue run from here, as if the case had been closed again.
    Unique (case, closing, round) holds that two who ask at the same time make one.
    """
    query = select(func.max(Callback.round)).where(
        Callback.case_id == first.case_id, Callback.closing_no == first.closing_no
    )
    callback = Callback(
        case_id=first.case_id,
        closing_no=first.closing_no,
        round=(session.scalar(query) or 1) + 1,
        unit_id=unit_id,
        state=State.PENDING,
        state_since=now,
        next_at=now,
        deadline=now + ctx.policy.round_deadline,
        priority=first.priority,
        closed_at=now,
    )
    session.add(callback)
    session.flush()
    return callback
