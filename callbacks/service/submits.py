"""What the gateway says of a text: taken, refused, unknown, delivered or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.orm import Session

from callbacks.models import (
    ASKING,
    Attempt,
    AttemptCallback,
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
    text = session.scalar(_TEXT, {"text": text_id})
    if text is None or text.token != token or text.state is not TextState.SUBMITTING:
        return None
    return text


_TEXT = (
    select(TextMessage)
    .where(TextMessage.id == bindparam("text"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def submitted(
    ctx: Context, text_id: int, token: int, gateway: str, provider_ids: Sequence[str], now: datetime
) -> bool:
    """The gateway took it. Receipts that came first are applied now."""

    def work(session: Session) -> bool:
        text = _fenced(session, text_id, token)
        if text is None:
            return False
        text.state, text.owner = TextState.SUBMITTED, None
        _end_submitting(session, text, AttemptState.AWAITING, now, trunk=gateway)
        early = _early_receipts(session, gateway, provider_ids)
        session.add_all(
            TextPart(text_id=text.id, part=number, gateway=gateway, provider_id=provider_id)
            for number, provider_id in enumerate(provider_ids, start=1)
        )
        session.flush()
        for receipt in early:
            _apply(ctx, session, text, receipt, now)
        return True

    return ctx.run(work)


def _early_receipts(session: Session, gateway: str, provider_ids: Sequence[str]) -> list[Receipt]:
    """The receipts that beat the submit's answer.

    A gateway that began its ids anew gives some a second time: receipts are for the newer text then.
    """
    asked = {"gateway": gateway, "ids": list(provider_ids)}
    used, early = session.execute(_SEEN, asked).one()
    if used:
        session.execute(_FREE, asked)
    if not early:
        return []
    receipts = list(session.scalars(_RECEIPTS, asked))
    for receipt in receipts:
        if receipt.applied_at is not None:
            session.delete(receipt)
    return [receipt for receipt in receipts if receipt.applied_at is None]


_THESE_PARTS = (
    TextPart.gateway == bindparam("gateway"),
    TextPart.provider_id.in_(bindparam("ids", expanding=True)),
)
_FREE = delete(TextPart).where(*_THESE_PARTS).execution_options(synchronize_session=False)
_THESE_RECEIPTS = (
    Receipt.gateway == bindparam("gateway"),
    Receipt.provider_id.in_(bindparam("ids", expanding=True)),
)
_SEEN = select(exists().where(*_THESE_PARTS), exists().where(*_THESE_RECEIPTS))
_RECEIPTS = select(Receipt).where(*_THESE_RECEIPTS).order_by(Receipt.id)


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
    trunk: str | None = None,
) -> None:
    """The attempt isn't live any more. `trunk`: the gateway that carried it; a route may have changed it."""
    if text.attempt_id is None:
        return
    values: dict[str, Any] = {"state": state}
    if disposition is not None:
        values["disposition"] = disposition
    if trunk is not None:
        values["trunk"] = trunk
    if state is AttemptState.ENDED:
        values["ended_at"] = now
    session.execute(update(Attempt).where(Attempt.id == text.attempt_id).values(**values))
    session.execute(_NOT_LIVE, {"of": text.attempt_id})


_NOT_LIVE = update(AttemptCallback).where(AttemptCallback.attempt_id == bindparam("of")).values(live=False)


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
        told = {"gateway": gateway, "id": provider_id}
        if session.scalar(_SAME_RECEIPT, {**told, "status": status}):
            return
        receipt = Receipt(
            gateway=gateway, provider_id=provider_id, status=status, error=error[:40], received_at=now
        )
        session.add(receipt)
        text = session.scalar(_TEXT_OF_PART, told)
        if text is not None:
            _apply(ctx, session, text, receipt, now)

    ctx.run(work)


_SAME_RECEIPT = select(
    exists().where(
        Receipt.gateway == bindparam("gateway"),
        Receipt.provider_id == bindparam("id"),
        Receipt.status == bindparam("status"),
    )
)
_TEXT_OF_PART = (
    select(TextMessage)
    .join(TextPart, TextPart.text_id == TextMessage.id)
    .where(TextPart.gateway == bindparam("gateway"), TextPart.provider_id == bindparam("id"))
)


def _apply(ctx: Context, session: Session, text: TextMessage, receipt: Receipt, now: datetime) -> None:
    receipt.applied_at = now
    if receipt.status == DELIVERED and text.state is TextState.SUBMITTED:
        text.state, text.ended_at = TextState.DELIVERED, now
    elif receipt.status in FINAL_FAILURES and text.state is TextState.SUBMITTED:
        fail_text(ctx, session, text, f"{receipt.status} {receipt.error}".strip(), now)
