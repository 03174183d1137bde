"""What the gateway says of a text: taken, refused, unknown, delivered or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    text = session.scalar(_TEXTS, {"ids": [text_id]})
    return text if _is_ours(text, token) else None


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that a gateway took, under one id a part."""

    text_id: int
    token: int
    gateway: str
    provider_ids: tuple[str, ...]


def submitted(
    ctx: Context, text_id: int, token: int, gateway: str, provider_ids: Sequence[str], now: datetime
) -> bool:
    """The gateway took it; False when the token is stale."""
    return text_id in all_submitted(ctx, [Taken(text_id, token, gateway, tuple(provider_ids))], now)


def all_submitted(ctx: Context, taken: Sequence[Taken], now: datetime) -> frozenset[int]:
    """The gateway took these, in one transaction. Receipts that came first are applied now.

    Returns the ids of the texts whose token held.
    """

    def work(session: Session) -> frozenset[int]:
        texts = {text.id: text for text in session.scalars(_TEXTS, {"ids": [each.text_id for each in taken]})}
        ours = [each for each in taken if _is_ours(texts.get(each.text_id), each.token)]
        for each in ours:
            texts[each.text_id].state, texts[each.text_id].owner = TextState.SUBMITTED, None
        for gateway in sorted({each.gateway for each in ours}):
            mine = [each for each in ours if each.gateway == gateway]
            _submitted_by(ctx, session, gateway, [(each, texts[each.text_id]) for each in mine], now)
        return frozenset(each.text_id for each in ours)

    return ctx.run(work)


_TEXTS = (
    select(TextMessage)
    .where(TextMessage.id.in_(bindparam("ids", expanding=True)))
    .order_by(TextMessage.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def _is_ours(text: TextMessage | None, token: int) -> bool:
    return text is not None and text.token == token and text.state is TextState.SUBMITTING


def _submitted_by(
    ctx: Context, session: Session, gateway: str, taken: Sequence[tuple[Taken, TextMessage]], now: datetime
) -> None:
    attempts = [text.attempt_id for _, text in taken if text.attempt_id is not None]
    _attempts_wait(session, attempts, trunk=gateway)
    early = _early_receipts(session, gateway, [one for each, _ in taken for one in each.provider_ids])
    text_of: dict[str, TextMessage] = {}
    for each, text in taken:
        for part, provider_id in enumerate(each.provider_ids, start=1):
            session.add(TextPart(text_id=text.id, part=part, gateway=gateway, provider_id=provider_id))
            text_of[provider_id] = text
    session.flush()
    for receipt in early:
        _apply(ctx, session, text_of[receipt.provider_id], receipt, now)


def _attempts_wait(session: Session, attempts: Sequence[int], **values: Any) -> None:
    """They are begun and not live any more; the answer is awaited."""
    if attempts:
        told = {"state": AttemptState.AWAITING, **values}
        session.execute(update(Attempt).where(Attempt.id.in_(attempts)).values(**told))
        session.execute(_NOT_LIVE, {"of": list(attempts)})


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
) -> None:
    if text.attempt_id is None:
        return
    values: dict[str, Any] = {"state": state}
    if disposition is not None:
        values["disposition"] = disposition
    if state is AttemptState.ENDED:
        values["ended_at"] = now
    session.execute(update(Attempt).where(Attempt.id == text.attempt_id).values(**values))
    session.execute(_NOT_LIVE, {"of": [text.attempt_id]})


_NOT_LIVE = (
    update(AttemptCallback)
    .where(AttemptCallback.attempt_id.in_(bindparam("of", expanding=True)))
    .values(live=False)
    .execution_options(synchronize_session=False)
)


def fail_text(ctx: Context, session: Session, text: TextMessage, error: str, now: datetime) -> None:
    """Failed for good: the question is closed, and the call is next."""
    text.state, text.error, text.ended_at, text.owner = TextState.FAILED, error[:120], now, None
    close_question(session, text, now)
    _end_submitting(session, text, AttemptState.ENDED, now, Disposition.NETWORK_FAIL)
    if text.kind in ASKING:
        for callback in lock_callbacks(session, [text.callback_id or 0]):
            if callback.state in (State.SMS_QUEUED, State.AWAIT_REPLY):
                move(ctx, session, callback, Trigger.TEXT_FAILED, now, next_at=now, detail=error[:80])


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What a gateway says became of a part: `status` is delivered, undeliverable, expired, …"""

    gateway: str
    provider_id: str
    status: str
    error: str = ""


def receipt_came(
    ctx: Context, gateway: str, provider_id: str, status: str, error: str, now: datetime
) -> None:
    """A delivery receipt, once or again."""
    receipts_came(ctx, [DeliveryReceipt(gateway, provider_id, status, error)], now)


def receipts_came(ctx: Context, told: Sequence[DeliveryReceipt], now: datetime) -> None:
    """Delivery receipts in one transaction; one that is known, or whose text isn't yet, does nothing more."""

    def work(session: Session) -> None:
        for gateway in sorted({each.gateway for each in told}):
            mine = {(each.provider_id, each.status): each for each in told if each.gateway == gateway}
            _receipts_by(ctx, session, gateway, mine, now)

    ctx.run(work)


def _receipts_by(
    ctx: Context,
    session: Session,
    gateway: str,
    told: Mapping[tuple[str, str], DeliveryReceipt],
    now: datetime,
) -> None:
    asked = {"gateway": gateway, "ids": sorted({provider_id for provider_id, _ in told})}
    known = {(row.provider_id, row.status) for row in session.execute(_KNOWN_RECEIPTS, asked)}
    text_of = dict(session.execute(_TEXTS_OF_PARTS, asked).all())
    for (provider_id, status), each in told.items():
        if (provider_id, status) in known:
            continue
        receipt = Receipt(
            gateway=gateway, provider_id=provider_id, status=status, error=each.error[:40], received_at=now
        )
        session.add(receipt)
        if provider_id in text_of:
            _apply(ctx, session, text_of[provider_id], receipt, now)


_KNOWN_RECEIPTS = select(Receipt.provider_id, Receipt.status).where(*_THESE_RECEIPTS)
_TEXTS_OF_PARTS = (
    select(TextPart.provider_id, TextMessage)
    .join(TextMessage, TextMessage.id == TextPart.text_id)
    .where(*_THESE_PARTS)
    .order_by(TextMessage.id)
    .with_for_update(of=TextMessage)
)


def _apply(ctx: Context, session: Session, text: TextMessage, receipt: Receipt, now: datetime) -> None:
    receipt.applied_at = now
    if receipt.status == DELIVERED and text.state is TextState.SUBMITTED:
        text.state, text.ended_at = TextState.DELIVERED, now
    elif receipt.status in FINAL_FAILURES and text.state is TextState.SUBMITTED:
        fail_text(ctx, session, text, f"{receipt.status} {receipt.error}".strip(), now)
