"""Texts to the citizen about a dissatisfaction item: that the rating was taken out, and that we'll call."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from callbacks.models import Case, CasePhone, TextKind
from callbacks.numbers import NumberKind
from callbacks.service.core import Context, is_suppressed
from callbacks.service.texts import newest_question, queue_notice
from callbacks.vocabulary import Channel
from scoring.models_items import DissatisfactionItem


def tell_removed(ctx: Context, session: Session, item: DissatisfactionItem, now: datetime) -> None:
    """To the number that was asked, else to the case's first mobile; in the window, and not who opted out."""
    to = newest_question(session, item.callback_id) or _first_mobile(session, item)
    if to is not None and not is_suppressed(session, to.number_index, Channel.SMS):
        queue_notice(ctx, session, TextKind.REMOVED, item.callback, to, now)


def _first_mobile(session: Session, item: DissatisfactionItem) -> CasePhone | None:
    phones = session.get_one(Case, item.callback.case_id).phones
    return next((p for p in phones if p.kind is NumberKind.MOBILE and p.barred_at is None), None)
