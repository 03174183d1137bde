"""What the gateway says of a text: taken, refused, unknown, delivered or not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from callbacks.models import (
    ASKING,
    Attempt,
    AttemptState,
    Receipt,
    TextMessage,
    TextPart,
    TextState,
)
from callbacks.service.core import Context, close_question, lock_callbacks, move
from callbacks.states import State, Trigger
from callbacks.vocabulary import Disposition

log = structlog.get_logger(__name__)

_THROTTLE_PAUSE = timedelta(seconds=5)
DELIVERED = "delivered"
FINAL_FAILURES = frozenset({"undeliverable", "expired", "deleted", "rejected"})


def _fenced(session: Session, text_id: int, token: int) -> TextMessage | None:
    text = session.get(TextMessage, text_id, with_for_update=True, populate_existing=True)
    if text is None or text.token != token or text.state is not TextState.SUBMITTING:
        return None
    return text


def submitted(
    ctx: Context, text_id: int, token: int, gateway: str, provider_ids: Sequence[str], now: datetime
) -> bool:
    """The gateway took it. Receipts that came first are applied now."""

    def work(session: Session) -> bool:
        text = _fenced(session, text_id, token)
        if text is None:
            return False
        text.state, text.owner = TextState.SUBMITTED, None
        _end_submitting(session, text, AttemptState.AWAITING, now)
        _free_ids(session, gateway, provider_ids)
        session.add_all(
            TextPart(text_id=text.id, part=number, gateway=gateway, provider_id=provider_id)
            for number, provider_id in enumerate(provider_ids, start=1)
        )
        session.flush()
        for receipt in _waiting_receipts(session, gateway, provider_ids):
            _apply(ctx, session, text, receipt, now)
        return True

    return ctx.run(work)


def _free_ids(session: Session, gateway: str, provider_ids: Sequence[str]) -> None:
    """A gateway that began its ids anew gives some a second time: receipts are for the newer text."""
    reused = delete(TextPart).where(TextPart.gateway == gateway, TextPart.provider_id.in_(provider_ids))
    session.execute(reused)
    old = Receipt.gateway == gateway, Receipt.provider_id.in_(provider_ids), Receipt.applied_at.is_not(None)
    session.execute(delete(Receipt).where(*old))


def not_submitted(ctx: Context, text_id: int, token: int, error: str, permanent: bool, now: datetime) -> bool:
    """The gateway refused it: for good, or for the moment (tried three times in all)."""

    def work(session: Session) -> bool:
        text = _fenced(session, text_id, token)
        if text is None:
            return False
        text.error, text.owner = error[:120], None
        if not permanent and text.tries < ctx.policy.text_transient_tries:
            text.state, text.not_before = TextState.QUEUED, now + _THROTTLE_PAUSE * text.tries
            _end_submitting(session, text, AttemptState.AWAITING, now)
            return True
        fail_text(ctx, session, text, error, now)
        return True

    return ctx.run(work)


def submit_unknown(ctx: Context, text_id: int, token: int, now: datetime) -> bool:
    """The submit's answer never came: not sent again (architecture.md)."""

    def work(session: Session) -> bool:
        text = _fenced(session, text_id, token)
        if text is not None:
            text_unknown(ctx, session, text, now)
        return text is not None

    return ctx.run(work)


def text_unknown(ctx: Context, session: Session, text: TextMessage, now: datetime) -> None:
    """Whether it left can't be known: it stays answerable, and after ten minutes the call is next."""
    text.state, text.owner, text.error = TextState.UNKNOWN, None, "no answer to the submit"
    text.ended_at = now
    _end_submitting(session, text, AttemptState.AWAITING, now, Disposition.UNKNOWN)
    log.warning("text_unknown", text=text.id, number=text.number_masked)
    if text.kind in ASKING:
        for callback in lock_callbacks(session, [text.callback_id or 0]):
            if callback.state is State.AWAIT_REPLY:
                callback.next_at = min(callback.next_at, now + ctx.policy.text_unknown_wait)


def _end_submitting(
    session: Session,
    text: TextMessage,
    state: AttemptState,
    now: datetime,
    disposition: Disposition | None = None,
) -> None:
    if text.attempt_id is None:
        return
    attempt = session.get_one(Attempt, text.attempt_id)
    set_live(attempt, state, live=False)
    if disposition is not None:
        attempt.disposition = disposition
    if state is AttemptState.ENDED:
        attempt.ended_at = now


def fail_text(ctx: Context, session: Session, text: TextMessage, error: str, now: datetime) -> None:
    """Failed for good: the question is closed, and the call is next."""
    text.state, text.error, text.ended_at, text.owner = TextState.FAILED, error[:120], now, None
    close_question(session, text, now)
    _end_submitting(session, text, AttemptState.ENDED, now, Disposition.NETWORK_FAIL)
    if text.kind in ASKING:
        for callback in lock_callbacks(session, [text.callback_id or 0]):
            if callback.state in (State.SMS_QUEUED, State.AWAIT_REPLY):
                move(ctx, session, callback, Trigger.TEXT_FAILED, now, next_at=now, detail=error[:80])


def receipt_came(
    ctx: Context, gateway: str, provider_id: str, status: str, error: str, now: datetime
) -> None:
    """A delivery receipt, once or again: `status` is delivered, undeliverable, expired, …"""

    def work(session: Session) -> None:
        same = (Receipt.gateway == gateway, Receipt.provider_id == provider_id, Receipt.status == status)
        if session.scalar(select(Receipt.id).where(*same)) is not None:
            return
        receipt = Receipt(
            gateway=gateway, provider_id=provider_id, status=status, error=error[:40], received_at=now
        )
        session.add(receipt)
        session.flush()
        part = session.scalar(
            select(TextPart).where(TextPart.gateway == gateway, TextPart.provider_id == provider_id)
        )
        if part is not None:
            _apply(ctx, session, session.get_one(TextMessage, part.text_id), receipt, now)

    ctx.run(work)


def _waiting_receipts(session: Session, gateway: str, provider_ids: Collection[str]) -> list[Receipt]:
    query = (
        select(Receipt)
        .where(Receipt.gateway == gateway, Receipt.provider_id.in_(provider_ids))
        .where(Receipt.applied_at.is_(None))
        .order_by(Receipt.id)
    )
    return list(session.scalars(query))


def _apply(ctx: Context, session: Session, text: TextMessage, receipt: Receipt, now: datetime) -> None:
    receipt.applied_at = now
    if receipt.status == DELIVERED and text.state is TextState.SUBMITTED:
        text.state, text.ended_at = TextState.DELIVERED, now
    elif receipt.status in FINAL_FAILURES and text.state is TextState.SUBMITTED:
        fail_text(ctx, session, text, f"{receipt.status} {receipt.error}".strip(), now)


def set_live(attempt: Attempt, state: AttemptState, *, live: bool) -> None:
    """The attempt's state, and its links live or not with it."""
    attempt.state = state
    for link in attempt.links:
        link.live = live
