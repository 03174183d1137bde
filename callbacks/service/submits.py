"""What the gateway says of a text: taken, refused, unknown, delivered or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, delete, exists, insert, select, update
from sqlalchemy.orm import Session

from callbacks.database import among
from callbacks.models import (
    ASKING,
    Attempt,
    AttemptCallback,
    AttemptState,
    Receipt,
    TextMessage,
    TextPart,
    TextState,
    table_of,
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
    is_ours = text is not None and text.token == token and text.state is TextState.SUBMITTING
    return text if is_ours else None


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that a gateway took, under one id a part."""

    text_id: int
    token: int
    gateway: str
    provider_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What a gateway says became of a part: `status` is delivered, undeliverable, expired, …"""

    gateway: str
    provider_id: str
    status: str
    error: str = ""


def submitted(
    ctx: Context, text_id: int, token: int, gateway: str, provider_ids: Sequence[str], now: datetime
) -> bool:
    """The gateway took it; False when the token is stale."""
    return text_id in all_submitted(ctx, [Taken(text_id, token, gateway, tuple(provider_ids))], now)


def all_submitted(ctx: Context, taken: Sequence[Taken], now: datetime) -> frozenset[int]:
    """The gateway took these, in one transaction. Receipts that came first are applied now.

    Returns the ids of the texts whose token held.
    """
    return ctx.run(lambda session: _take(ctx, session, taken, now))


def gateways_told(
    ctx: Context, taken: Sequence[Taken], receipts: Sequence[DeliveryReceipt], now: datetime
) -> None:
    """What was taken and what became of it, as `all_submitted` and `receipts_came`, in one transaction."""

    def work(session: Session) -> None:
        _take(ctx, session, taken, now)
        _receive(ctx, session, receipts, now)

    ctx.run(work)


def _take(ctx: Context, session: Session, taken: Sequence[Taken], now: datetime) -> frozenset[int]:
    attempts: dict[int, int | None] = {}  # text → attempt, where the token holds
    tokens = {each.text_id: each.token for each in taken}
    for text_id, token, state, attempt_id in session.execute(_FENCES, {"ids": list(tokens)}):
        if token == tokens[text_id] and state is TextState.SUBMITTING:
            attempts[text_id] = attempt_id
    if not attempts:
        return frozenset()
    session.execute(_TAKEN, {"ids": list(attempts)})
    ours = [each for each in taken if each.text_id in attempts]
    for gateway in sorted({each.gateway for each in ours}):
        mine = [each for each in ours if each.gateway == gateway]
        of = [attempts[each.text_id] for each in mine]
        _attempts_wait(session, [each for each in of if each is not None], gateway)
        _add_parts(ctx, session, gateway, mine, now)
    return frozenset(attempts)


_THESE_TEXTS = among(TextMessage.id, "ids")
_TEXTS = (
    select(TextMessage)
    .where(_THESE_TEXTS)
    .order_by(TextMessage.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)
_FENCES = (
    select(TextMessage.id, TextMessage.token, TextMessage.state, TextMessage.attempt_id)
    .where(_THESE_TEXTS)
    .order_by(TextMessage.id)
    .with_for_update()
)
_TAKEN = update(table_of(TextMessage)).where(_THESE_TEXTS).values(state=TextState.SUBMITTED, owner=None)


def _add_parts(ctx: Context, session: Session, gateway: str, taken: Sequence[Taken], now: datetime) -> None:
    """The ids under which the gateway tells of them, and what it has told under these before."""
    text_of = {provider_id: each.text_id for each in taken for provider_id in each.provider_ids}
    if not text_of:
        return
    early = _early_receipts(session, gateway, list(text_of))
    parts = [
        {"text_id": each.text_id, "part": part, "gateway": gateway, "provider_id": provider_id}
        for each in taken
        for part, provider_id in enumerate(each.provider_ids, start=1)
    ]
    session.execute(_PARTS, parts)
    for receipt in early:
        receipt.applied_at = now
    told = [(text_of[each.provider_id], each.status, each.error) for each in early]
    _apply(ctx, session, told, now)


_PARTS = insert(table_of(TextPart))


def _attempts_wait(session: Session, attempts: Sequence[int], gateway: str) -> None:
    """They are begun and not live any more; the answer is awaited."""
    if attempts:
        session.execute(_AWAITING, {"of": attempts, "by": gateway})
        session.execute(_NOT_LIVE, {"of": attempts})


_AWAITING = (
    update(table_of(Attempt))
    .where(among(Attempt.id, "of"))
    .values(state=AttemptState.AWAITING, trunk=bindparam("by"))
)


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
    among(TextPart.provider_id, "ids"),
)
_FREE = delete(table_of(TextPart)).where(*_THESE_PARTS)
_THESE_RECEIPTS = (
    Receipt.gateway == bindparam("gateway"),
    among(Receipt.provider_id, "ids"),
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
    update(table_of(AttemptCallback)).where(among(AttemptCallback.attempt_id, "of")).values(live=False)
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


def receipt_came(
    ctx: Context, gateway: str, provider_id: str, status: str, error: str, now: datetime
) -> None:
    """A delivery receipt, once or again."""
    receipts_came(ctx, [DeliveryReceipt(gateway, provider_id, status, error)], now)


def receipts_came(ctx: Context, told: Sequence[DeliveryReceipt], now: datetime) -> None:
    """Delivery receipts in one transaction; one that is known, or whose text isn't yet, does nothing more."""

    ctx.run(lambda session: _receive(ctx, session, told, now))


def _receive(ctx: Context, session: Session, told: Sequence[DeliveryReceipt], now: datetime) -> None:
    for gateway in sorted({each.gateway for each in told}):
        mine = {(each.provider_id, each.status): each for each in told if each.gateway == gateway}
        _receive_from(ctx, session, gateway, mine, now)


def _receive_from(
    ctx: Context,
    session: Session,
    gateway: str,
    told: Mapping[tuple[str, str], DeliveryReceipt],
    now: datetime,
) -> None:
    asked = {"gateway": gateway, "ids": sorted({provider_id for provider_id, _ in told})}
    known = {(provider_id, status) for provider_id, status in session.execute(_KNOWN_RECEIPTS, asked)}
    text_of = dict(session.execute(_TEXTS_OF_PARTS, asked).all())
    new = [each for key, each in told.items() if key not in known]
    if not new:
        return
    rows = [
        {
            "gateway": gateway,
            "provider_id": each.provider_id,
            "status": each.status,
            "error": each.error[:40],
            "received_at": now,
            "applied_at": now if each.provider_id in text_of else None,
        }
        for each in new
    ]
    session.execute(_NEW_RECEIPTS, rows)
    ours = [each for each in new if each.provider_id in text_of]
    told_of = [(text_of[each.provider_id], each.status, each.error) for each in ours]
    _apply(ctx, session, told_of, now)


_KNOWN_RECEIPTS = select(Receipt.provider_id, Receipt.status).where(*_THESE_RECEIPTS)
_NEW_RECEIPTS = insert(table_of(Receipt))
_TEXTS_OF_PARTS = (
    select(TextPart.provider_id, TextMessage.id)
    .join(TextMessage, TextMessage.id == TextPart.text_id)
    .where(*_THESE_PARTS)
    .order_by(TextMessage.id)
    .with_for_update(of=TextMessage)
)


def _apply(ctx: Context, session: Session, told: Sequence[tuple[int, str, str]], now: datetime) -> None:
    """Text, status and error of each receipt, in their order. The first that is an end is the text's."""
    ends: dict[int, tuple[str, str]] = {}
    for text_id, status, error in told:
        if status == DELIVERED or status in FINAL_FAILURES:
            ends.setdefault(text_id, (status, error))
    delivered = [text_id for text_id, (status, _) in ends.items() if status == DELIVERED]
    if delivered:
        session.execute(_DELIVERED, {"ids": delivered, "now": now})
    for text_id in sorted(ends.keys() - set(delivered)):
        text, (status, error) = session.scalars(_TEXTS, {"ids": [text_id]}).one(), ends[text_id]
        if text.state is TextState.SUBMITTED:
            fail_text(ctx, session, text, f"{status} {error}".strip(), now)


_DELIVERED = (
    update(table_of(TextMessage))
    .where(_THESE_TEXTS, TextMessage.state == TextState.SUBMITTED)
    .values(state=TextState.DELIVERED, ended_at=bindparam("now"))
)
