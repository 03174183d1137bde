"""A case is closed, or opened again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import ASKING, Callback, Case, Closing, TextMessage, TextState
from callbacks.service.core import Context, close_question, move
from callbacks.states import OPEN, State, Trigger


def close_case(ctx: Context, session: Session, case: Case, closing: Closing, now: datetime) -> Callback:
    """Adds the closing and its first callback; the scope check is the clock's first step with it.

    Enterprise first, then age: `priority` and `closed_at` order the queue.
    """
    session.add(closing)
    session.flush()
    callback = Callback(
        case_id=case.id,
        closing_no=closing.closing_no,
        round=1,
        unit_id=closing.unit_id,
        state=State.PENDING,
        state_since=now,
        next_at=now,
        deadline=max(closing.closed_at, now) + ctx.policy.round_deadline,
        priority=0 if case.enterprise else 1,
        closed_at=closing.closed_at,
        exclusion=closing.exclusion,
    )
    session.add(callback)
    session.flush()
    return callback


def reopen_case(ctx: Context, session: Session, case: Case, now: datetime) -> None:
    """Stops what is open of the case's earlier closings; answers that still come are kept as notes."""
    query = select(Callback).where(Callback.case_id == case.id, Callback.state.in_(OPEN)).with_for_update()
    for callback in session.scalars(query):
        move(ctx, session, callback, Trigger.REOPEN, now)
        cancel_queued_text(session, callback.id, now)


def cancel_queued_text(session: Session, callback_id: int, now: datetime) -> None:
    """A question that hasn't left yet needn't any more."""
    query = select(TextMessage).where(
        TextMessage.callback_id == callback_id,
        TextMessage.kind.in_(ASKING),
        TextMessage.state == TextState.QUEUED,
    )
    for text in session.scalars(query):
        text.state, text.ended_at = TextState.CANCELLED, now
        close_question(session, text, now)
