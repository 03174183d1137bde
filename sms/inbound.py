"""What comes from gateways — receipts and replies — is stored, or spooled, before anybody acknowledges it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.database import is_away
from callbacks.numbers import normalise
from callbacks.rating import Scale
from callbacks.service.core import Context
from callbacks.service.replies import IncomingReply, replies_came, reply_came
from callbacks.service.submits import DeliveryReceipt, receipts_came
from callbacks.spool import Record, SpoolRefused, own_spool, play_in, play_orphans
from sms.events import ReceiptArrived, ReceiptStatus, ReplyArrived
from sms.reply import ParsedReply, parse

log = structlog.get_logger(__name__)

Delivery = ReceiptArrived | ReplyArrived
_PLAY_PAUSE = 1.0


def store_delivery(ctx: Context, gateway: str, event: Delivery, now: datetime) -> str:
    """Stores a delivery that came at `now`; what it came to, a word. Taken twice, it changes nothing."""
    match event:
        case ReceiptArrived():
            receipts_came(ctx, [receipt_of(gateway, event)], now)
            return "receipt"
        case ReplyArrived():
            reply = read_reply(event, gateway, ctx.office.area_code, ctx.policy.rating_scale)
            return reply_came(ctx, reply, now)


def store_deliveries(ctx: Context, told: Sequence[tuple[str, Delivery]], now: datetime) -> list[str]:
    """Stores deliveries of gateways, replies in their order; all in a few transactions, or an exception.

    Taken again after a failure it changes nothing of what was stored.
    """
    receipts = [(gateway, each) for gateway, each in told if isinstance(each, ReceiptArrived)]
    replies = [(gateway, each) for gateway, each in told if isinstance(each, ReplyArrived)]
    if receipts:
        receipts_came(ctx, [receipt_of(gateway, each) for gateway, each in receipts], now)
    area_code, scale = ctx.office.area_code, ctx.policy.rating_scale
    read = [read_reply(each, gateway, area_code, scale) for gateway, each in replies]
    return ["receipt"] * len(receipts) + (replies_came(ctx, read, now) if read else [])


def receipt_of(gateway: str, event: ReceiptArrived) -> DeliveryReceipt:
    """A receipt as the service takes it."""
    return DeliveryReceipt(gateway, event.message_id, event.status.value, event.error)


def read_reply(event: ReplyArrived, gateway: str, area_code: str, scale: Scale) -> IncomingReply:
    """A delivery as the service takes it. Bytes that are no text are kept in hex, and unclear."""
    body = event.text if event.text is not None else event.raw.hex()
    parsed = parse(body, scale) if event.text is not None else ParsedReply(unclear=True)
    return IncomingReply(
        gateway=gateway,
        digest=event.digest,
        number=normalise(event.source, area_code),
        sender_code=event.destination,
        body=body,
        rating=parsed.rating,
        opt_out=parsed.opt_out,
        emergency=parsed.emergency,
        unclear=parsed.unclear,
        comment=parsed.comment,
        delivery=event.delivery,
    )


class Inbox:
    """Takes deliveries for one process: into the database, else into its spool, else not at all.

    While something waits in the spool what comes goes behind it, so that a citizen's replies keep their
    order. `take` may be called by any thread; `catch_up` regularly by one.
    """

    def __init__(self, ctx: Context, folder: Path, role: str) -> None:
        self._ctx, self._folder, self._role = ctx, folder, role
        self._spool = own_spool(folder, role, ctx.privacy)
        self._play_at = 0.0
        self._refused = self._adopted = False

    @property
    def waits(self) -> bool:
        """Whether something is in the spool, which what comes now goes behind."""
        return self._spool.waiting

    def take(self, gateway: str, event: Delivery, now: datetime) -> bool:
        """Whether it's kept, so that it may be acknowledged; False: let the sender repeat it."""
        if not self._spool.waiting:
            try:
                outcome = store_delivery(self._ctx, gateway, event, now)
            except DBAPIError as error:
                log.error("database_away", error=type(error.orig).__name__, away=is_away(error))
            else:
                log.info("delivery_stored", outcome=outcome)
                return True
        return self._keep(_record(gateway, event, now))

    def take_all(self, told: Sequence[tuple[str, Delivery]], now: datetime) -> list[bool]:
        """Whether each is kept, as `take` says; stored together where nothing is in the way."""
        if len(told) > 1 and not self._spool.waiting:
            try:
                outcomes = store_deliveries(self._ctx, told, now)
            except DBAPIError as error:
                log.error("batch_refused", error=type(error.orig).__name__, away=is_away(error))
            else:
                log.info("deliveries_stored", outcomes=dict(Counter(outcomes)))
                return [True] * len(told)
        return [self.take(gateway, event, now) for gateway, event in told]

    def _keep(self, record: Record) -> bool:
        try:
            self._spool.append(record)
        except SpoolRefused as error:
            self._refused = True
            log.critical("spool_refused", reason=str(error))
            return False
        log.warning("delivery_spooled")
        return True

    def catch_up(self, now: datetime) -> None:
        """Plays in what waits, from this process and dead ones; at most once a second while it can't."""
        if time.monotonic() < self._play_at:
            return
        if self._adopted and not self._spool.waiting and not self._refused:
            return
        try:
            played = 0
            if not self._adopted:
                played = play_orphans(self._folder, self._role, self._ctx.privacy, self._play)
                self._adopted = True
            self._tell(played + play_in(self._spool, self._play), now)
        except DBAPIError as error:
            self._play_at = time.monotonic() + _PLAY_PAUSE
            log.error("database_away", error=type(error.orig).__name__)

    def close(self) -> None:
        self._spool.close()

    def _play(self, record: Record) -> None:
        gateway, event, at = _delivery(record)
        store_delivery(self._ctx, gateway, event, at)

    def _tell(self, played: int, now: datetime) -> None:
        """A seat learns that deliveries waited, and whether any was turned away."""
        if not played and not self._refused:
            return
        refused = self._refused

        def work(session: Session) -> None:
            raise_alarm(session, AlarmKind.SPOOL, self._role, now, played=played, refused=refused)

        self._ctx.run(work)
        self._refused = False
        log.warning("spool_played", records=played, refused=refused)


def _record(gateway: str, event: Delivery, now: datetime) -> Record:
    common = {"gateway": gateway, "at": now.isoformat()}
    match event:
        case ReceiptArrived(_, message_id, status, error):
            return {**common, "kind": "receipt", "id": message_id, "status": status.value, "error": error}
        case ReplyArrived(_, source, destination, text, raw, digest, delivery):
            words = {"source": source, "destination": destination, "text": text, "raw": raw.hex()}
            return {**common, "kind": "reply", **words, "digest": digest, "delivery": delivery}


def _delivery(record: Record) -> tuple[str, Delivery, datetime]:
    gateway, at = record["gateway"], datetime.fromisoformat(record["at"]).astimezone(UTC)
    return gateway, _MAKE[record["kind"]](record), at


def _receipt(record: Record) -> ReceiptArrived:
    return ReceiptArrived(0, record["id"], ReceiptStatus(record["status"]), record["error"])


def _reply(record: Record) -> ReplyArrived:
    source, destination, raw = record["source"], record["destination"], bytes.fromhex(record["raw"])
    return ReplyArrived(0, source, destination, record["text"], raw, record["digest"], record["delivery"])


_MAKE: Mapping[str, Callable[[Record], Delivery]] = {"receipt": _receipt, "reply": _reply}
