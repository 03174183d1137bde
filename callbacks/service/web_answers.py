"""Answers that come by themselves: by the web's code, from a source platform, by a citizen who rings back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from callbacks.models import Callback
from callbacks.service.answers import Answer, change, counted_rating, give_resolution, keep_uncounted, rate
from callbacks.service.core import Context, lock_callbacks


def web_rated(
    ctx: Context, callback_id: int, answer: Answer, now: datetime, resolved: bool | None = None
) -> str:
    """Stores the answer: `rated`, `changed`, `same` (nothing new) or `uncounted` (kept as a note)."""

    def work(session: Session) -> str:
        callback = lock_callbacks(session, [callback_id])[0]
        outcome = _rated(ctx, session, callback, answer, now)
        if resolved is not None and outcome in ("rated", "changed"):
            give_resolution(ctx, session, callback_id, resolved, now)
        return outcome

    return ctx.run(work)


def _rated(ctx: Context, session: Session, callback: Callback, answer: Answer, now: datetime) -> str:
    if rate(ctx, session, callback, answer, now) is not None:
        return "rated"
    current = counted_rating(session, callback.id)
    if current is not None and (current.channel, current.value) == (answer.channel, answer.value):
        return "same"
    if change(ctx, session, callback, answer, now) is not None:
        return "changed"
    keep_uncounted(ctx, session, callback, answer, now)
    return "uncounted"
