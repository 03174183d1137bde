"""Ratings: the first valid answer wins, by whichever channel; one change within thirty minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from callbacks.events import Rated, RatingChanged, RatingSettled, ResolutionGiven
from callbacks.models import Attempt, AttemptCallback, Callback, Rating, TextMessage
from callbacks.rating import SCALES
from callbacks.service.closing import cancel_queued_texts
from callbacks.service.core import LIVE, Context, close_question, move
from callbacks.states import OPEN, TAKES_LATE_ANSWER, Trigger
from callbacks.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Answer:
    """A rating as it came: `raw` is the key or the text, times in ms since the prompt's end."""

    value: int
    channel: Channel
    raw: str
    attempt_id: int | None = None
    reply_id: int | None = None
    prompt_id: str | None = None
    ms_since_prompt_end: int | None = None
    comment: str = ""


def rate(ctx: Context, session: Session, callback: Callback, answer: Answer, now: datetime) -> Rating | None:
    """Counts `answer` when it's the callback's first; None when another counts already or it was cancelled.

    The caller holds the callback's lock; `uq_rating_counted` holds whatever the caller forgets.
    """
    rating = count_rating(ctx, session, callback, answer, now)
    if rating is not None:
        tell_counted(ctx, session, [rating], now)
    return rating


def count_rating(
    ctx: Context, session: Session, callback: Callback, answer: Answer, now: datetime
) -> Rating | None:
    """The first half of `rate`: in the same transaction `tell_counted` follows, for several at once."""
    late = callback.state in TAKES_LATE_ANSWER
    if callback.state not in OPEN and not late:
        return None
    rating = _new_rating(ctx, callback, answer, now, counted=True)
    rating.late = late
    session.add(rating)
    move(ctx, session, callback, Trigger.RATE, now, detail=f"{answer.channel} {answer.value}")
    callback.late = callback.late or late
    return rating


def tell_counted(ctx: Context, session: Session, ratings: Sequence[Rating], now: datetime) -> None:
    """What else was to be asked for the rated callbacks is cancelled, and whoever listens is told."""
    if not ratings:
        return
    session.flush()
    _stop_other_ways(session, ratings, now)
    for rating in ratings:
        ctx.publish(session, Rated(rating.id, now))


def keep_uncounted(
    ctx: Context, session: Session, callback: Callback, answer: Answer, now: datetime
) -> Rating:
    """A second or contradictory answer: kept, flagged, not counted."""
    rating = _new_rating(ctx, callback, answer, now, counted=False)
    session.add(rating)
    session.flush()
    return rating


def change(
    ctx: Context, session: Session, callback: Callback, answer: Answer, now: datetime
) -> Rating | None:
    """The same person's one change, by the same channel, within the minutes; None when it isn't that."""
    old = counted_rating(session, callback.id)
    if old is None or old.is_change or old.settled_at is not None or old.channel is not answer.channel:
        return None
    if now >= old.at + ctx.policy.change_window:
        return None
    old.counted = False
    session.flush()
    new = _new_rating(ctx, callback, answer, now, counted=True)
    new.is_change, new.late, new.resolved = True, old.late, old.resolved
    session.add(new)
    session.flush()
    ctx.publish(session, RatingChanged(old.id, new.id, now))
    return new


def counted_rating(session: Session, callback_id: int) -> Rating | None:
    """The one rating of a callback that counts."""
    return session.scalar(select(Rating).where(Rating.callback_id == callback_id, Rating.counted))


def give_resolution(ctx: Context, session: Session, callback_id: int, resolved: bool, now: datetime) -> None:
    """The answer to "solved?", once, beside the counted rating."""
    rating = counted_rating(session, callback_id)
    if rating is None or rating.resolved is not None:
        return
    rating.resolved = resolved
    session.flush()
    ctx.publish(session, ResolutionGiven(rating.id, resolved, now))


def settle_ratings(ctx: Context, session: Session, now: datetime, limit: int) -> list[Rating]:
    """Ends the minutes for a change where they are over."""
    query = (
        select(Rating)
        .where(Rating.counted, Rating.settled_at.is_(None), Rating.at <= now - ctx.policy.change_window)
        .order_by(Rating.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ratings = list(session.scalars(query))
    if ratings:
        _close_questions(session, [rating.callback_id for rating in ratings], now)
    for rating in ratings:
        rating.settled_at = now
        session.flush()
        dissatisfied = rating.value in SCALES[rating.scale].dissatisfied  # a city may have changed its own
        ctx.publish(session, RatingSettled(rating.id, dissatisfied, now))
    return ratings


def _close_questions(session: Session, callback_ids: Sequence[int], now: datetime) -> None:
    query = select(TextMessage).where(TextMessage.callback_id.in_(callback_ids), TextMessage.open)
    for text in session.scalars(query.order_by(TextMessage.id)):
        close_question(session, text, now)


def _new_rating(ctx: Context, callback: Callback, answer: Answer, now: datetime, *, counted: bool) -> Rating:
    return Rating(
        callback_id=callback.id,
        attempt_id=answer.attempt_id,
        reply_id=answer.reply_id,
        channel=answer.channel,
        scale=ctx.policy.scale,
        value=answer.value,
        raw=answer.raw,
        prompt_id=answer.prompt_id,
        ms_since_prompt_end=answer.ms_since_prompt_end,
        at=now,
        counted=counted,
        comment=answer.comment,
    )


def _stop_other_ways(session: Session, ratings: Sequence[Rating], now: datetime) -> None:
    """Cancels what's queued or ringing for these callbacks alone; a call for several cases goes on."""
    came_by = {rating.callback_id: rating.attempt_id for rating in ratings}
    cancel_queued_texts(session, list(came_by), now)
    for attempt, callback_id in session.execute(_LIVE_CALLS, {"of": list(came_by)}).all():
        if attempt.id == came_by[callback_id]:
            continue
        others = session.scalars(_OTHERS, {"attempt": attempt.id, "but": callback_id})
        if all(state not in OPEN for state in others):
            attempt.cancel_requested = True


_LIVE_CALLS = (
    select(Attempt, AttemptCallback.callback_id)
    .join(AttemptCallback, AttemptCallback.attempt_id == Attempt.id)
    .where(AttemptCallback.callback_id.in_(bindparam("of", expanding=True)))
    .where(Attempt.channel == Channel.VOICE, Attempt.state.in_(LIVE))
    .order_by(Attempt.id)
)
_OTHERS = (
    select(Callback.state)
    .join(AttemptCallback, AttemptCallback.callback_id == Callback.id)
    .where(AttemptCallback.attempt_id == bindparam("attempt"), Callback.id != bindparam("but"))
)
