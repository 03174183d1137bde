"""The sms role: pulls texts that may leave, hands them to the gateway, and stores what comes back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import DBAPIError

from callbacks.database import is_away
from callbacks.models import TextKind
from callbacks.service.core import Context
from callbacks.service.policy_versions import PolicyWatch
from callbacks.service.submits import (
    Taken,
    all_submitted,
    gateways_told,
    not_submitted,
    submit_unknown,
)
from callbacks.service.texts import ClaimedText, claim_texts
from callbacks.stopping import Stop
from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.gateway import Gateway
from sms.inbound import Inbox, receipt_of

log = structlog.get_logger(__name__)

# What answers a citizen's own text: it goes before the questions that wait.
ANSWERS = frozenset(
    {
        TextKind.CLARIFY,
        TextKind.THANKS,
        TextKind.REASON,
        TextKind.VERIFYING,
        TextKind.CLOSED,
        TextKind.OPTOUT,
        TextKind.EMERGENCY,
    }
)
_AWAY_PAUSE = 1.0
_LEASE_MARGIN = 10.0
_GATHER = 0.005  # seconds that a batch may wait to grow; an answer to a citizen may be in it


class SmsWorker:
    """One gateway's worker, single-threaded: the database may be slow here, a citizen's text isn't urgent."""

    def __init__(
        self,
        ctx: Context,
        gateway: Gateway,
        inbox: Inbox,
        *,
        poll_seconds: float,
        submit_timeout: float,
        owner: str,
    ) -> None:
        self._ctx, self._gateway, self._inbox, self._owner = ctx, gateway, inbox, owner
        self._poll = poll_seconds
        self._lease = submit_timeout + _LEASE_MARGIN
        self._tokens: dict[int, int] = {}
        self._unwritten: list[GatewayEvent] = []
        self._look_at = 0.0
        self._gather_until: float | None = None
        self._look_for_policy = PolicyWatch(ctx)

    def run(self, stop: Stop, drain_seconds: float) -> None:
        """Until `stop`; then answers that are still waited for are waited for, within the bound."""
        stop.on_set(self._gateway.wake)
        while not stop.is_set():
            self.turn(claiming=True)
        deadline = time.monotonic() + drain_seconds
        while (self._tokens or self._unwritten) and time.monotonic() < deadline:
            self.turn(claiming=False)
        self._gateway.close()
        self._inbox.close()

    def turn(self, *, claiming: bool) -> None:
        """One turn: what came is stored first, then new texts are claimed."""
        self._inbox.catch_up(datetime.now(UTC))
        self._look_for_policy()
        timeout = _GATHER if claiming and self._gather_until is not None else self._poll
        events = [*self._unwritten, *self._gateway.poll(timeout)]
        self._unwritten = []
        self._store_told(
            [event for event in events if isinstance(event, Submitted)],
            [event for event in events if isinstance(event, ReceiptArrived)],
        )
        self._store_deliveries([event for event in events if isinstance(event, ReplyArrived)])
        for event in events:
            if not isinstance(event, Submitted | ReceiptArrived | ReplyArrived) and not self._store(event):
                self._unwritten.append(event)
        if self._unwritten:
            time.sleep(_AWAY_PAUSE)
        elif claiming and time.monotonic() >= self._look_at:
            self._claim()

    def _claim(self) -> None:
        """Full batches follow one another at once; an empty one waits for the next look."""
        room = self._gateway.room
        if not self._is_worth_it(room):
            return
        try:
            texts = claim_texts(
                self._ctx, self._owner, self._gateway.name, room, self._lease, datetime.now(UTC)
            )
        except DBAPIError as error:
            log.error("database_away", error=type(error.orig).__name__)
            self._look_at = time.monotonic() + _AWAY_PAUSE
            return
        for text in texts:
            self._submit(text)
        if not texts:
            self._look_at = time.monotonic() + self._poll

    def _is_worth_it(self, room: int) -> bool:
        """A transaction for one text costs nearly what one for many does.

        So there is to be as much room as is under way (half the window), or else a moment's wait.
        """
        now = time.monotonic()
        if room == 0 or room >= self._gateway.in_flight or now >= (self._gather_until or now + _GATHER):
            self._gather_until = None
            return room > 0
        if self._gather_until is None:
            self._gather_until = now + _GATHER
        return False

    def _submit(self, text: ClaimedText) -> None:
        self._tokens[text.text_id] = text.token
        urgent = text.kind in ANSWERS
        self._gateway.submit(Submission(text.text_id, text.sender_code, text.number, text.body, urgent))
        log.info("text_submitted", text=text.text_id, number=text.masked)

    def _store_told(self, taken: Sequence[Submitted], receipts: Sequence[ReceiptArrived]) -> None:
        """What was taken and what became of it, in one transaction; where that fails, each in its own way."""
        if taken and receipts and not self._inbox.waits:
            name, now = self._gateway.name, datetime.now(UTC)
            told = [receipt_of(each.gateway or name, each) for each in receipts]
            try:
                gateways_told(self._ctx, self._taken(taken), told, now)
            except DBAPIError as error:
                log.error("batch_refused", error=type(error.orig).__name__, away=is_away(error))
            else:
                self._forget_tokens(taken)
                for each in receipts:
                    self._gateway.acknowledge(each.handle, ok=True)
                return
        self._store_taken(taken)
        self._store_deliveries(receipts)

    def _store_taken(self, events: Sequence[Submitted]) -> None:
        """One transaction for all; where that fails for a reason of its own, one each."""
        if not events:
            return
        try:
            all_submitted(self._ctx, self._taken(events), datetime.now(UTC))
        except DBAPIError as error:
            if is_away(error):
                log.error("database_away", error=type(error.orig).__name__)
                self._unwritten += events
            elif len(events) == 1:
                log.exception("write_failed")  # its lease will expire, and the text is unknown then
            else:
                for event in events:
                    self._store_taken([event])
        else:
            self._forget_tokens(events)

    def _taken(self, events: Sequence[Submitted]) -> list[Taken]:
        name = self._gateway.name
        return [
            Taken(each.ref, self._tokens.get(each.ref, -1), each.gateway or name, each.message_ids)
            for each in events
        ]

    def _forget_tokens(self, events: Sequence[Submitted]) -> None:
        for each in events:
            self._tokens.pop(each.ref, None)

    def _store_deliveries(self, events: Sequence[ReceiptArrived | ReplyArrived]) -> None:
        """Acknowledged when they're kept; what isn't comes again."""
        if not events:
            return
        told = [(event.gateway or self._gateway.name, event) for event in events]
        for event, kept in zip(events, self._inbox.take_all(told, datetime.now(UTC)), strict=True):
            self._gateway.acknowledge(event.handle, ok=kept)

    def _store(self, event: GatewayEvent) -> bool:
        """False: the database is away, so the event is kept for the next turn."""
        try:
            self._write(event, datetime.now(UTC))
        except DBAPIError as error:
            if not is_away(error):
                log.exception("write_failed")  # its lease will expire, and the text is unknown then
                return True
            log.error("database_away", error=type(error.orig).__name__)
            return False
        return True

    def _write(self, event: GatewayEvent, now: datetime) -> None:
        match event:
            case SubmitFailed(ref, permanent, status):
                not_submitted(self._ctx, ref, self._tokens.get(ref, -1), status, permanent, now)
                self._tokens.pop(ref, None)
            case SubmitUnknown(ref):
                submit_unknown(self._ctx, ref, self._tokens.get(ref, -1), now)
                self._tokens.pop(ref, None)
            case LinkUp(gateway):
                log.info("gateway_up", gateway=gateway or self._gateway.name)
            case LinkDown(reason, gateway):
                log.warning("gateway_down", gateway=gateway or self._gateway.name, reason=reason)
