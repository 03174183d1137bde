"""The clock's work: what is due is looked at, by the policy, and moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import Session, contains_eager

from callbacks.models import ASKING, Callback, Case, TextKind, TextMessage, TextState
from callbacks.policy import AwaitWeb, Call, Exclude, GiveUp, HandOver, Text, Wait, next_step
from callbacks.service.answers import settle_ratings
from callbacks.service.claims import hand_over
from callbacks.service.closing import cancel_queued_text
from callbacks.service.core import Context, move, view_of
from callbacks.service.texts import newest_question, queue_answer, queue_question
from callbacks.states import ON_THE_LINE, OPEN, State, Trigger
from callbacks.vocabulary import Channel

_QUESTION_TAKEN_PAUSE = timedelta(seconds=30)
_PLANNED = (State.PENDING, State.AWAIT_REPLY, State.AGENT_QUEUE)


def plan_due(ctx: Context, now: datetime, limit: int = 200) -> int:
    """Takes the next step of up to `limit` callbacks that are due for one; returns how many it looked at."""

    def work(session: Session) -> int:
        callbacks = list(session.scalars(_DUE, {"now": now, "limit": limit}))
        unknown = _unknown_for_long(ctx, session, callbacks, now)
        for callback in callbacks:
            _plan(ctx, session, callback, now, callback.id in unknown)
        return len(callbacks)

    return ctx.run(work)


_DUE = (
    select(Callback)
    .join(Callback.case)
    .where(
        or_(
            and_(Callback.state.in_(_PLANNED), Callback.next_at <= bindparam("now")),
            and_(Callback.state.in_(OPEN - ON_THE_LINE), Callback.deadline <= bindparam("now")),
        )
    )
    .order_by(Callback.priority, Callback.closed_at, Callback.id)
    .limit(bindparam("limit"))
    .options(contains_eager(Callback.case).selectinload(Case.phones))
    .with_for_update(skip_locked=True, of=Callback)
)


def _plan(ctx: Context, session: Session, callback: Callback, now: datetime, unknown: bool) -> None:
    if unknown:
        move(ctx, session, callback, Trigger.TEXT_FAILED, now, next_at=now, detail="text unknown")
        return
    match next_step(view_of(ctx, session, callback), now, ctx.policy):
        case Exclude(reason):
            callback.exclusion = reason
            move(ctx, session, callback, Trigger.EXCLUDE, now, detail=reason)
        case Text(number_index, at):
            _ask_by_text(ctx, session, callback, number_index, at, now)
        case Call(_, at):
            move(ctx, session, callback, Trigger.CALL, now, next_at=at)
        case AwaitWeb():
            move(ctx, session, callback, Trigger.AWAIT_WEB, now)
        case HandOver(reason):
            hand_over(ctx, session, callback, reason, now)
        case GiveUp(reason):
            move(ctx, session, callback, Trigger.DEADLINE, now, detail=reason)
            cancel_queued_text(session, callback.id, now)
        case Wait(until):
            callback.next_at = until


def _ask_by_text(
    ctx: Context, session: Session, callback: Callback, number_index: str, at: datetime, now: datetime
) -> None:
    phone = next(p for p in callback.case.phones if p.number_index == number_index)
    if queue_question(ctx, session, callback, phone, at, now):
        move(ctx, session, callback, Trigger.TEXT, now)
    else:
        callback.next_at = now + _QUESTION_TAKEN_PAUSE


def _unknown_for_long(
    ctx: Context, session: Session, callbacks: Sequence[Callback], now: datetime
) -> frozenset[int]:
    """Those whose text may have left, or not, so long ago that the call is next."""
    waiting = [each.id for each in callbacks if each.state is State.AWAIT_REPLY]
    if not waiting:
        return frozenset()
    told = {"ids": waiting, "since": now - ctx.policy.text_unknown_wait}
    return frozenset(each for each in session.scalars(_UNKNOWN, told) if each is not None)


_UNKNOWN = select(TextMessage.callback_id).where(
    TextMessage.callback_id.in_(bindparam("ids", expanding=True)),
    TextMessage.kind.in_(ASKING),
    TextMessage.state == TextState.UNKNOWN,
    TextMessage.ended_at <= bindparam("since"),
)


def settle_due(ctx: Context, now: datetime, limit: int = 200) -> int:
    """Ends the thirty minutes where they are over; a dissatisfied citizen of a text is told what follows."""

    def work(session: Session) -> int:
        ratings = settle_ratings(ctx, session, now, limit)
        for rating in ratings:
            dissatisfied = rating.value in ctx.policy.rating_scale.dissatisfied
            if rating.channel is Channel.SMS and dissatisfied:
                _tell_verifying(ctx, session, rating.callback_id, rating.at)
        return len(ratings)

    return ctx.run(work)


def _tell_verifying(ctx: Context, session: Session, callback_id: int, texted_at: datetime) -> None:
    """Queued as of the citizen's own text: ten minutes after that the window holds for it."""
    question = newest_question(session, callback_id)
    callback = session.get_one(Callback, callback_id)
    if question is not None and callback.round == 1:  # after a second one nobody verifies: it's escalated
        queue_answer(ctx, session, TextKind.VERIFYING, callback, question, texted_at)
