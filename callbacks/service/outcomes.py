"""Outcomes numbered in an order that a reader can rely on, and laid out for the webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session, joinedload

from callbacks.models_systems import DeliveryState, Outcome, WebhookDelivery
from callbacks.service.core import Context
from callbacks.webhook_settings import WebhookSettings
from callbacks.webhooks import wants

_NUMBERING_LOCK = 0x4846_4F43  # "HFOC"


def number_outcomes(ctx: Context, now: datetime, limit: int, webhooks: Sequence[WebhookSettings] = ()) -> int:
    """Gives `seq` 1, 2, 3 … to committed outcomes without one; returns how many.

    The numbers of one run become visible at once and after those of the run before, because only one process
    numbers at a time: whoever has read up to N misses nothing that comes to be at or below N. A number is
    given together with its webhooks' deliveries, so that a webhook gets what is numbered while it's set.
    """

    def work(session: Session) -> int:
        _one_at_a_time(session)
        outcomes = _unnumbered(session, limit)
        if not outcomes:
            return 0
        last = session.scalar(select(func.max(Outcome.seq))) or 0
        numbers = [{"id": outcome.id, "seq": seq} for seq, outcome in enumerate(outcomes, last + 1)]
        session.execute(update(Outcome), numbers)
        deliveries = [row for outcome in outcomes for row in _deliveries(outcome, webhooks, now)]
        if deliveries:
            session.execute(insert(WebhookDelivery), deliveries)
        return len(outcomes)

    return ctx.run(work)


def _one_at_a_time(session: Session) -> None:
    """Held to the transaction's end. SQLite's transactions are one at a time by BEGIN IMMEDIATE.

    What is asked after it sees what the holder before committed: each statement of READ COMMITTED looks anew.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({_NUMBERING_LOCK})"))


def _unnumbered(session: Session, limit: int) -> list[Outcome]:
    """The unique index on `seq` finds them: both databases keep nulls in it."""
    query = (
        select(Outcome)
        .options(joinedload(Outcome.case))
        .where(Outcome.seq.is_(None))
        .order_by(Outcome.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def _deliveries(
    outcome: Outcome, webhooks: Sequence[WebhookSettings], now: datetime
) -> list[dict[str, object]]:
    """In the order of `seq`, so that a case's delivery ids are in it too."""
    return [
        {
            "webhook": webhook.name,
            "outcome_id": outcome.id,
            "case_id": outcome.case_id,
            "state": DeliveryState.PENDING,
            "tries": 0,
            "next_at": now,
            "last_error": "",
        }
        for webhook in webhooks
        if wants(frozenset(webhook.events), webhook.platform, outcome.kind, outcome.case.platform)
    ]
