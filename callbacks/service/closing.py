"""A case is closed, or opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from callbacks.events import CasesClosed, ClosedCase
from callbacks.models import ASKING, Base, Callback, Case, Closing, TextMessage, TextState
from callbacks.service.core import Context, close_question, move
from callbacks.states import OPEN, State, Trigger

Columns = Mapping[str, Any]
_TOLD = tuple(field.name for field in fields(ClosedCase))
_CARRIED = ("case_id", "closing_no", "unit_id", "closed_at", "exclusion")  # from a closing to its callback


def close_case(ctx: Context, session: Session, case: Case, closing: Closing, now: datetime) -> Callback:
    """Adds the closing and its first callback; the scope check is the clock's first step with it."""
    closing.came_at = now
    session.add(closing)
    session.flush()
    of = {name: getattr(closing, name) for name in _CARRIED}
    callback = Callback(**_first_round(ctx, of, case.enterprise, now))
    session.add(callback)
    session.flush()
    ctx.publish(session, CasesClosed((closed_case({name: getattr(closing, name) for name in _TOLD}),), now))
    return callback


def close_new_cases(
    ctx: Context, session: Session, closings: Sequence[tuple[Columns, bool]], now: datetime
) -> None:
    """The same for new cases, in bulk. Each closing as its columns, and if it's an enterprise's."""
    insert_rows(session, Closing, [{**closing, "came_at": now} for closing, _ in closings])
    insert_rows(session, Callback, [_first_round(ctx, *closing, now) for closing in closings])
    if closings:
        ctx.publish(session, CasesClosed(tuple(closed_case(closing) for closing, _ in closings), now))


def closed_case(closing: Columns) -> ClosedCase:
    """What is told of a closing."""
    return ClosedCase(**{name: closing[name] for name in _TOLD})


def _first_round(ctx: Context, closing: Columns, enterprise: bool, now: datetime) -> dict[str, Any]:
    """A closing's first callback. Enterprise first, then age: `priority` and `closed_at` order the queue."""
    return {name: closing[name] for name in _CARRIED} | {
        "round": 1,
        "state": State.PENDING,
        "state_since": now,
        "next_at": now,
        "deadline": max(closing["closed_at"], now) + ctx.policy.round_deadline,
        "priority": 0 if enterprise else 1,
    }


def insert_rows(session: Session, table: type[Base], rows: Sequence[Columns]) -> None:
    """Many rows in one statement; all have the same columns."""
    if rows:
        session.connection().execute(insert(table), rows)


def reopen_case(ctx: Context, session: Session, case: Case, now: datetime) -> None:
    """Stops what is open of the case's earlier closings; answers that still come are kept as notes."""
    query = select(Callback).where(Callback.case_id == case.id, Callback.state.in_(OPEN)).with_for_update()
    for callback in session.scalars(query):
        move(ctx, session, callback, Trigger.REOPEN, now)
        cancel_queued_text(session, callback.id, now)


def cancel_queued_text(session: Session, callback_id: int, now: datetime) -> None:
    """A question that hasn't left yet needn't any more."""
    cancel_queued_texts(session, [callback_id], now)


def cancel_queued_texts(session: Session, callback_ids: Sequence[int], now: datetime) -> None:
    """The same for the questions of several callbacks."""
    for text in session.scalars(_QUEUED, {"of": callback_ids}).all():
        text.state, text.ended_at = TextState.CANCELLED, now
        close_question(session, text, now)


_QUEUED = select(TextMessage).where(
    TextMessage.callback_id.in_(bindparam("of", expanding=True)),
    TextMessage.kind.in_(ASKING),
    TextMessage.state == TextState.QUEUED,
)
