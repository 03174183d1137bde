"""SMPP 3.4 as an ESME: several binds at one SMSC behind the gateway port, driven by `poll`."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from typing import Any

import structlog

from sms.events import GatewayEvent, LinkDown, LinkUp, Submission, SubmitFailed
from sms.message import ONE_PART, UCS2, encode, parts, udh, units
from sms.smpp_codec import BadPdu, text_of
from sms.smpp_deliver import Deliveries
from sms.smpp_pace import Pace
from sms.smpp_receipt import comparable, is_receipt
from sms.smpp_session import Arrived, Role, SmppSession
from sms.smpp_settings import SmppSettings
from sms.smpp_status import RINVCMDID, ROK, RUNKNOWNERR, RX_T_APPN
from sms.smpp_submits import TOO_FAST, OpenSubmits

log = structlog.get_logger(__name__)

_UDH_INDICATOR = 0x40
_ROLES = {"transceiver": (Role.TRANSCEIVER,), "split": (Role.TRANSMITTER, Role.RECEIVER)}


class SmppGateway:
    """The gateway of `settings`. Connects, binds and reconnects inside `poll`, which waits for no one bind.

    LinkUp tells that it can send, LinkDown that it can't any more, or still can't; a bind that is lost while
    another sends is logged.
    """

    def __init__(self, settings: SmppSettings) -> None:
        self._settings = settings
        self._submits = OpenSubmits(settings.window)
        self._pace = Pace(settings.rate_per_second, time.monotonic())
        self._deliveries = Deliveries(settings.message_id, self._complain)
        self._answer_form = "text" if settings.message_id == "text" else settings.answer_id
        self._bound: dict[int, SmppSession] = {}  # by bind, a number for each time that a session is bound
        self._binds = 0
        self._reference = 0
        self._events: list[GatewayEvent] = []
        self.counters: dict[str, int] = {}
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        roles = _ROLES[settings.bind] * settings.binds
        self._sessions = [SmppSession(settings, role, self.wake) for role in roles]

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def in_flight(self) -> int:
        return len(self._submits)

    @property
    def room(self) -> int:
        may_go = self._pace.allowance(time.monotonic()) - self._submits.held
        return max(0, min(self._submits.free, may_go)) if self._sends else 0

    @property
    def _sends(self) -> bool:
        return any(session.up and session.role is not Role.RECEIVER for session in self._sessions)

    # -- orders

    def submit(self, submission: Submission) -> None:
        if not self._sends:
            self._events.append(SubmitFailed(submission.ref, False, "not bound"))
            return
        fields = self._fields(submission)
        timeout = self._settings.submit_timeout
        self._submits.add(submission.ref, fields, time.monotonic(), timeout, urgent=submission.urgent)
        self._send_submits()

    def _fields(self, submission: Submission) -> list[dict[str, Any]]:
        """The submit_sm's of a text: one, or one a part."""
        if self._settings.long_messages == "payload" and units(submission.text) > ONE_PART:
            return [_addressed(submission) | {"message_payload": encode(submission.text)}]
        texts = parts(submission.text)
        if len(texts) == 1:
            return [_addressed(submission) | {"short_message": encode(texts[0])}]
        self._reference = (self._reference + 1) & 0xFF
        headers = [udh(self._reference, len(texts), number) for number in range(1, len(texts) + 1)]
        return [
            _addressed(submission) | {"esm_class": _UDH_INDICATOR, "short_message": header + encode(text)}
            for header, text in zip(headers, texts, strict=True)
        ]

    def _send_submits(self) -> None:
        now = time.monotonic()
        while (found := self._submits.next()) is not None and not self._pace.rests(now):
            bind, part = found
            if not self._bound[bind].up:  # its end is told by its next turn
                return
            if not self._pace.allowance(now) and not self._submits.has_begun(part):
                return
            self._pace.take()
            self._submits.sent(bind, part, self._bound[bind].submit(part.fields))

    def acknowledge(self, handle: int, ok: bool) -> None:
        for bind, sequence in self._deliveries.settle(handle):
            self._bound[bind].acknowledge(sequence, ROK if ok else RX_T_APPN)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        for session in self._sessions:
            session.close()
        self._turn(time.monotonic())
        self._woken.close()
        self._waker.close()

    # -- the turn

    def poll(self, timeout: float) -> list[GatewayEvent]:
        self._turn(time.monotonic())
        if not self._events:
            self._wait(min(timeout, self._next_timer(time.monotonic())))
            self._turn(time.monotonic())
        events, self._events = self._events, []
        return events

    def _wait(self, timeout: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for session in self._sessions:
                session.register(selector)
            selector.select(max(0.0, timeout))
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)

    def _next_timer(self, now: float) -> float:
        """Seconds until something is due."""
        due = [self._submits.deadline, self._deliveries.deadline]
        due += [session.next_timer() for session in self._sessions]
        if self._submits.next() is not None:
            due.append(self._pace.next_at(now))
        return min(due) - now

    def _turn(self, now: float) -> None:
        for session in self._sessions:
            for happened in session.turn(now):
                self._take(session, happened, now)
        self._events += self._submits.overdue(now)
        self._events += self._deliveries.overdue(now)
        self._send_submits()

    # -- what happened

    def _take(self, session: SmppSession, happened: LinkUp | LinkDown | Arrived, now: float) -> None:
        match happened:
            case LinkUp():
                self._opened(session)
            case LinkDown():
                self._closed(session, happened)
            case Arrived(pdu):
                self._arrived(session, pdu, now)

    def _opened(self, session: SmppSession) -> None:
        self._binds += 1
        self._bound[self._binds] = session
        if session.role is not Role.RECEIVER:
            self._submits.opened(self._binds)
            self._events.append(LinkUp())

    def _bind_of(self, session: SmppSession) -> int:
        """The number of its present bind; 0 where it isn't bound."""
        return next((bind for bind, bound in self._bound.items() if bound is session), 0)

    def _closed(self, session: SmppSession, down: LinkDown) -> None:
        bind = self._bind_of(session)
        self._bound.pop(bind, None)
        self._events += self._submits.closed(bind)
        self._deliveries.closed(bind)
        if self._sends:
            log.warning("bind_down", gateway=self.name, role=session.role.value, reason=down.reason)
        else:
            self._events.append(down)

    def _arrived(self, session: SmppSession, pdu: Any, now: float) -> None:
        bind = self._bind_of(session)
        if isinstance(pdu, BadPdu):
            self._complain("bad_pdu", pdu.reason)
            return
        match pdu.command:
            case "submit_sm_resp" | "generic_nack":
                self._submit_answered(bind, pdu, now)
            case "deliver_sm":
                self._delivered(bind, pdu, now)
            case other:
                self._complain("unexpected_pdu", str(other))
                if not pdu.is_response():
                    session.answer(pdu.sequence, "generic_nack", RINVCMDID)

    def _submit_answered(self, bind: int, pdu: Any, now: float) -> None:
        if not self._submits.knows(bind, pdu.sequence):
            self._complain("late_answer", f"{pdu.command} {pdu.sequence}")
            return
        status, message_id = pdu.status, ""
        if pdu.command == "generic_nack":
            status = status or RUNKNOWNERR  # it says no, whatever its status
        elif status == ROK:
            message_id = comparable(text_of(pdu.message_id), self._answer_form)
        if status in TOO_FAST:
            self._complain("throttled", f"0x{status:08X}")
            self._pace.throttled(now)
        outcome = self._submits.answered(bind, pdu.sequence, status, message_id, now)
        if outcome is not None:
            self._events.append(outcome)

    def _delivered(self, bind: int, pdu: Any, now: float) -> None:
        if not is_receipt(pdu):
            reply = self._deliveries.text(bind, pdu, now)
            self._events += [reply] if reply is not None else []
            return
        receipt = self._deliveries.receipt(bind, pdu)
        if receipt is None:
            self._complain("receipt_without_id", repr(pdu.short_message)[:80])
            self._bound[bind].acknowledge(pdu.sequence)
            return
        self._events.append(receipt)

    def _complain(self, what: str, detail: str) -> None:
        """Counted always, logged the first time: a broken peer doesn't fill the disk."""
        self.counters[what] = self.counters.get(what, 0) + 1
        if self.counters[what] == 1:
            log.warning(what, gateway=self.name, host=self._settings.host, detail=detail)


def _addressed(submission: Submission) -> dict[str, Any]:
    """What all parts of a text have in common: UCS-2, and a receipt is asked for."""
    return {
        "source_addr_ton": 0,
        "source_addr_npi": 1,
        "source_addr": submission.source,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": f"86{submission.destination}",
        "esm_class": 0,
        "data_coding": UCS2,
        "registered_delivery": 1,
        "short_message": b"",
    }
