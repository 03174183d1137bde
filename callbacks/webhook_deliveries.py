"""Deliveries to webhooks: claimed, sent while no transaction is open, written down."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, aliased

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.models import Case
from callbacks.models_systems import DeliveryState, Outcome, WebhookDelivery
from callbacks.service.core import Context
from callbacks.webhook_settings import WebhookSettings
from callbacks.webhooks import Answer, Delivered, GiveUp, TryAgain, Verdict, body_of, headers_of, judge

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
Send = Callable[[WebhookSettings, Mapping[str, str], bytes], Answer]

BATCH = 10
_MARGIN = timedelta(seconds=30)  # a claim outlives the send's time-outs by this


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours for a while; `tries` counts this one and is the claim's token."""

    delivery_id: int
    tries: int
    outcome_at: datetime
    body: bytes


def deliver_due(
    ctx: Context, webhooks: Sequence[WebhookSettings], clock: Clock, send: Send, limit: int = BATCH
) -> int:
    """One pass: to each webhook at most `limit` of what is due; returns how many were tried.

    Of a case only the earliest pending delivery is ever due. A webhook that doesn't answer at all ends its
    pass, so that one that is away costs one time-out a pass. The clock is asked again for each try: its
    time is signed. Raises what the database raises; what was sent meanwhile is sent again, with the same id.
    """
    return sum(_pass(ctx, webhook, clock, send, limit) for webhook in webhooks)


def _pass(ctx: Context, webhook: WebhookSettings, clock: Clock, send: Send, limit: int) -> int:
    tried = 0
    for delivery_id in ctx.run(lambda session: _due(session, webhook.name, clock(), limit)):
        claim = claim_delivery(ctx, webhook, delivery_id, clock())
        if claim is None:
            continue
        answer = send(webhook, _headers(webhook, claim, clock()), claim.body)
        _write_down(ctx, webhook, claim, answer, clock())
        tried += 1
        if answer.away:
            break
    return tried


def _due(session: Session, webhook: str, now: datetime, limit: int) -> list[int]:
    earlier = aliased(WebhookDelivery)
    waits = exists().where(
        earlier.webhook == WebhookDelivery.webhook,
        earlier.case_id == WebhookDelivery.case_id,
        earlier.state == DeliveryState.PENDING,
        earlier.id < WebhookDelivery.id,
    )
    query = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.state == DeliveryState.PENDING, WebhookDelivery.next_at <= now)
        .where(WebhookDelivery.webhook == webhook, ~waits)
        .order_by(WebhookDelivery.next_at, WebhookDelivery.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def claim_delivery(ctx: Context, webhook: WebhookSettings, delivery_id: int, now: datetime) -> Claim | None:
    """Makes a due delivery ours by putting `next_at` off; None where another process was first.

    Whoever dies with it leaves it due again when that time comes.
    """

    def work(session: Session) -> Claim | None:
        mine = (
            update(WebhookDelivery)
            .where(WebhookDelivery.id == delivery_id, WebhookDelivery.state == DeliveryState.PENDING)
            .where(WebhookDelivery.next_at <= now)
            .values(next_at=now + 2 * webhook.timeout + _MARGIN, tries=WebhookDelivery.tries + 1)
            .returning(WebhookDelivery.tries, WebhookDelivery.outcome_id)
        )
        row = session.execute(mine).one_or_none()
        if row is None:
            return None
        outcome = session.get_one(Outcome, row.outcome_id)
        assert outcome.seq is not None  # a delivery is made with the number
        number = session.get_one(Case, outcome.case_id).number
        body = body_of(outcome.seq, number, outcome.kind, outcome.at, outcome.payload)
        return Claim(delivery_id, row.tries, outcome.at, body)

    return ctx.run(work)


def _headers(webhook: WebhookSettings, claim: Claim, now: datetime) -> dict[str, str]:
    return headers_of(webhook.secret.get_secret_value(), claim.delivery_id, claim.body, now)


def _write_down(ctx: Context, webhook: WebhookSettings, claim: Claim, answer: Answer, now: datetime) -> None:
    """A delivery is written down whoever did it; a failure only while the claim is ours."""
    luck = zlib.crc32(f"{claim.delivery_id}:{claim.tries}".encode()) / 2**32
    verdict = judge(answer, claim.tries, claim.outcome_at, now, luck)
    told = {"last_status": answer.status, "last_error": answer.error[:200], **_values(verdict, now)}
    log.info(
        "webhook_tried",
        webhook=webhook.name,
        delivery=claim.delivery_id,
        tries=claim.tries,
        status=answer.status,
        error=answer.error,
        verdict=type(verdict).__name__,
    )

    def work(session: Session) -> None:
        ours = update(WebhookDelivery).where(
            WebhookDelivery.id == claim.delivery_id, WebhookDelivery.state == DeliveryState.PENDING
        )
        if not isinstance(verdict, Delivered):
            ours = ours.where(WebhookDelivery.tries == claim.tries)
        written = session.execute(ours.values(**told).returning(WebhookDelivery.case_id)).one_or_none()
        if written is not None and isinstance(verdict, GiveUp):
            _alarm(session, webhook, claim, written.case_id, verdict.reason, answer, now)

    ctx.run(work)


def _values(verdict: Verdict, now: datetime) -> dict[str, object]:
    match verdict:
        case Delivered():
            return {"state": DeliveryState.DELIVERED, "delivered_at": now}
        case TryAgain(at):
            return {"next_at": at}
        case GiveUp():
            return {"state": DeliveryState.GIVEN_UP}


def _alarm(
    session: Session,
    webhook: WebhookSettings,
    claim: Claim,
    case_id: int,
    reason: str,
    answer: Answer,
    now: datetime,
) -> None:
    detail = {
        "delivery": claim.delivery_id,
        "case_id": case_id,
        "tries": claim.tries,
        "reason": reason,
        "status": answer.status,
    }
    raise_alarm(session, AlarmKind.WEBHOOK_GIVEN_UP, webhook.name, now, **detail)
