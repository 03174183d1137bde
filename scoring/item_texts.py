"""Texts to the citizen about a dissatisfaction item: that the rating was taken out, and that we'll call."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import ASKING, Case, CasePhone, TextKind, TextMessage
from callbacks.numbers import NumberKind
from callbacks.service.core import Context, is_suppressed
from callbacks.service.texts import queue_notice
from callbacks.vocabulary import Channel
from scoring.models_items import DissatisfactionItem


def tell_removed(ctx: Context, session: Session, item: DissatisfactionItem, now: datetime) -> None:
    """To the number that was asked, else to the case's first mobile; in the window, and not who opted out."""
    to = _asked_number(session, item) or _first_mobile(session, item)
    if to is not None and not is_suppressed(session, to.number_index, Channel.SMS):
        queue_notice(ctx, session, TextKind.REMOVED, item.callback, to, now)


def _asked_number(session: Session, item: DissatisfactionItem) -> TextMessage | None:
    query = select(TextMessage).where(
        TextMessage.callback_id == item.callback_id, TextMessage.kind.in_(ASKING)
    )
    return session.scalar(query.order_by(TextMessage.id.desc()).limit(1))


def _first_mobile(session: Session, item: DissatisfactionItem) -> CasePhone | None:
    phones = session.get_one(Case, item.callback.case_id).phones
    return next((p for p in phones if p.kind is NumberKind.MOBILE and p.barred_at is None), None)
