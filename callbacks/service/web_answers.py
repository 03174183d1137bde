"""Answers that come by themselves: by the web's code, from a source platform, by a citizen who rings back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.models import Callback, Rating
from callbacks.service.answers import Answer, change, counted_rating, give_resolution, keep_uncounted, rate
from callbacks.service.core import Context, audit, lock_callbacks
from callbacks.vocabulary import SYSTEM, Channel

_MOST_WORDS = 2000  # characters beside one rating, however often somebody adds to them


def web_rated(
    ctx: Context, callback_id: int, answer: Answer, now: datetime, resolved: bool | None = None
) -> str:
    """Stores the answer: `rated`, `changed`, `same` (the rating again) or `uncounted` (kept as a note).

    Words that tell of danger raise an alarm beside whatever becomes of the answer (domain.md §5).
    """

    def work(session: Session) -> str:
        callback = lock_callbacks(session, [callback_id])[0]
        outcome = take_answer(ctx, session, callback, answer, now)
        alarm_if_urgent(ctx, session, callback, answer.comment, now)
        if resolved is not None and _may_add(counted_rating(session, callback_id)):
            give_resolution(ctx, session, callback_id, resolved, now)
        return outcome

    return ctx.run(work)


def take_answer(ctx: Context, session: Session, callback: Callback, answer: Answer, now: datetime) -> str:
    """In the caller's transaction, the callback being locked; what `web_rated` returns."""
    if rate(ctx, session, callback, answer, now) is not None:
        return "rated"
    current = counted_rating(session, callback.id)
    if current is not None and (current.channel, current.value) == (answer.channel, answer.value):
        if not answer.comment or _add_words(current, answer.comment):
            return "same"
    elif change(ctx, session, callback, answer, now) is not None:
        return "changed"
    keep_uncounted(ctx, session, callback, answer, now)
    return "uncounted"


def alarm_if_urgent(ctx: Context, session: Session, callback: Callback, words: str, now: datetime) -> None:
    """The alarm that the same words in a text would raise; the channel says where they stand."""
    if not words or not ctx.urgent(words):
        return
    subject = f"callback:{callback.id}"
    audit(session, now, SYSTEM, "emergency_reply", subject)
    raise_alarm(
        session, AlarmKind.EMERGENCY_REPLY, subject, now, case=callback.case.number, channel=Channel.WEB.value
    )


def _may_add(rating: Rating | None) -> bool:
    """Whether more may be said beside the rating: by the web, in the minutes for a change."""
    return rating is not None and rating.channel is Channel.WEB and rating.settled_at is None


def _add_words(current: Rating, words: str) -> bool:
    """Words that come with the same rating again are its comment too, once; False where they'd be lost."""
    if current.comment.endswith(words):
        return True
    added = f"{current.comment}\n{words}".strip()
    if not _may_add(current) or len(added) > _MOST_WORDS:
        return False
    current.comment = added
    return True
