"""SMPP 3.4 as an ESME: one transceiver bind, bound anew by itself, driven by `poll`."""

from __future__ import annotations

import contextlib
import hashlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

import structlog

from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReplyArrived,
    Submission,
    SubmitFailed,
)
from sms.long_reply import LongReplies, Whole, part_of
from sms.message import UCS2, BrokenText, decode, encode, parts, udh
from sms.smpp_codec import BadPdu, text_of
from sms.smpp_link import RINVCMDID, ROK, RX_T_APPN, LinkLost, SmppLink
from sms.smpp_receipt import comparable, is_receipt, read_receipt
from sms.smpp_settings import SmppSettings
from sms.smpp_submits import OpenSubmits

log = structlog.get_logger(__name__)

_UDH_INDICATOR = 0x40


class SmppGateway:
    """The gateway of `settings`. Connects, binds and reconnects inside `poll`."""

    def __init__(self, settings: SmppSettings) -> None:
        self._settings = settings
        self._link: SmppLink | None = None
        self._bound = False
        self._bind_deadline = 0.0
        self._pause = settings.reconnect_first
        self._connect_at = 0.0
        self._heard_at = self._asked_at = 0.0
        # Answers write ids in hexadecimal where receipts write them otherwise; else both stay as they are.
        self._submits = OpenSubmits(settings.window, "text" if settings.message_id == "text" else "hex")
        self._deliveries: dict[int, tuple[int, ...]] = {}  # handle → sequences on this link
        self._long_replies = LongReplies()
        self._handles = 0
        self._reference = 0
        self._allowance, self._allowed_at = 1.0, time.monotonic()
        self._events: list[GatewayEvent] = []
        self.counters: dict[str, int] = {}
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def in_flight(self) -> int:
        return len(self._submits)

    @property
    def room(self) -> int:
        if not self._bound:
            return 0
        self._refill(time.monotonic())
        return max(0, min(self._submits.free, int(self._allowance)))

    def _refill(self, now: float) -> None:
        """The token bucket of `rate_per_second`; a second's worth at most is saved up."""
        rate = self._settings.rate_per_second
        self._allowance = min(max(1.0, rate), self._allowance + (now - self._allowed_at) * rate)
        self._allowed_at = now

    # -- orders

    def submit(self, submission: Submission) -> None:
        if self._link is None or not self._bound:
            self._events.append(SubmitFailed(submission.ref, False, "not bound"))
            return
        texts = parts(submission.text)
        self._reference = (self._reference + 1) & 0xFF
        self._allowance -= len(texts)
        pdus = []
        for number, text in enumerate(texts, start=1):
            header = udh(self._reference, len(texts), number) if len(texts) > 1 else b""
            pdus.append(_part(self._link, submission, header, text))
        self._submits.add(submission.ref, pdus, time.monotonic() + self._settings.submit_timeout)
        self._send_submits()

    def _send_submits(self) -> None:
        for pdu in self._submits.sendable():
            self._send(lambda link, pdu=pdu: link.send(pdu))  # type: ignore[misc]

    def acknowledge(self, handle: int, ok: bool) -> None:
        status = ROK if ok else RX_T_APPN
        for sequence in self._deliveries.pop(handle, ()):
            self._send(lambda link, each=sequence: link.answer(each, "deliver_sm_resp", status))  # type: ignore[misc]

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        if self._bound:
            self._send(lambda link: link.send(link.make("unbind")))
        self._drop("closed", again_in=float("inf"))
        self._woken.close()
        self._waker.close()

    # -- the turn

    def poll(self, timeout: float) -> list[GatewayEvent]:
        now = time.monotonic()
        if self._link is None and now >= self._connect_at:
            self._connect()
        if not self._events:
            self._wait(min(timeout, self._next_timer(time.monotonic())))
        self._read()
        self._timers(time.monotonic())
        events, self._events = self._events, []
        return events

    def _wait(self, timeout: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if self._link is not None:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._link.wants_write else 0)
                selector.register(self._link, events)
            selector.select(max(0.0, timeout))
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)

    def _next_timer(self, now: float) -> float:
        due = [self._submits.deadline, self._long_replies.deadline]
        if self._link is None:
            due.append(self._connect_at)
        else:
            due.append(self._bind_deadline if not self._bound else self._enquire_at)
        return max(0.0, min(due) - now)

    @property
    def _enquire_at(self) -> float:
        """When the silence has lasted long enough to ask, or the question has gone unanswered."""
        return max(self._heard_at, self._asked_at) + self._settings.enquire_seconds

    def _timers(self, now: float) -> None:
        if self._link is None:
            return
        if not self._bound:
            if now >= self._bind_deadline:
                self._drop("no answer to the bind")
            return
        self._events += self._submits.overdue(now)
        self._send_submits()
        self._events += [self._reply(whole) for whole in self._long_replies.overdue(now)]
        if now >= self._enquire_at:
            if self._asked_at > self._heard_at:
                self._drop("no answer to enquire_link")
                return
            self._asked_at = now
            self._send(lambda link: link.send(link.make("enquire_link")))

    # -- the link

    def _connect(self) -> None:
        address = (self._settings.host, self._settings.port)
        try:
            connected = socket.create_connection(address, self._settings.connect_timeout)
        except OSError as error:
            self._put_off()
            self._events.append(LinkDown(f"{address[0]}:{address[1]}: {error.strerror or error}"))
            return
        self._link = SmppLink(connected)
        now = time.monotonic()
        self._bind_deadline = now + self._settings.connect_timeout
        self._heard_at, self._asked_at = now, 0.0
        self._send(
            lambda link: link.send(
                link.make(
                    "bind_transceiver",
                    system_id=self._settings.system_id,
                    password=self._settings.password.get_secret_value(),
                    system_type=self._settings.system_type,
                    interface_version=0x34,
                )
            )
        )

    def _put_off(self) -> None:
        self._connect_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self._settings.reconnect_longest)

    def _send(self, work: Callable[[SmppLink], None]) -> bool:
        if self._link is None:
            return False
        try:
            work(self._link)
        except LinkLost as error:
            self._drop(str(error))
            return False
        return True

    def _drop(self, reason: str, again_in: float | None = None) -> None:
        """The link is gone: what was submitted and not answered is unknown; deliveries come again."""
        if self._link is None:
            return
        self._link.close()
        self._link, self._bound = None, False
        if again_in is None:
            self._put_off()
        else:
            self._connect_at = again_in
        self._events += self._submits.lost()
        self._deliveries.clear()
        self._long_replies.clear()
        self._events.append(LinkDown(reason))

    def _read(self) -> None:
        if self._link is None:
            return
        link = self._link
        try:
            link.flush()
            pdus = link.read()
        except LinkLost as error:
            self._drop(str(error))
            return
        for pdu in pdus:
            if self._link is not link:  # lost meanwhile; what it delivered comes again on the next
                return
            self._heard_at = time.monotonic()
            self._take(pdu)

    # -- what came

    def _take(self, pdu: Any) -> None:
        if isinstance(pdu, BadPdu):
            self._complain("bad_pdu", pdu.reason)
            if not pdu.is_response:
                self._send(lambda link: link.answer(pdu.sequence, "generic_nack", RINVCMDID))
            return
        match pdu.command:
            case "bind_transceiver_resp":
                self._bind_answered(pdu.status)
            case "submit_sm_resp" | "generic_nack":
                self._submit_answered(pdu)
            case "deliver_sm":
                self._delivered(pdu)
            case "enquire_link":
                self._send(lambda link: link.answer(pdu, "enquire_link_resp"))
            case "unbind":
                self._send(lambda link: link.answer(pdu, "unbind_resp"))
                self._drop("unbound by the other end")
            case "enquire_link_resp" | "unbind_resp":
                pass
            case other:
                self._complain("unexpected_pdu", str(other))

    def _bind_answered(self, status: int) -> None:
        if status != ROK:
            self._drop(f"bind refused: 0x{status:08X}; check system_id and password")
            return
        self._bound, self._pause = True, self._settings.reconnect_first
        self._events.append(LinkUp())

    def _submit_answered(self, pdu: Any) -> None:
        if not self._submits.knows(pdu.sequence):
            self._complain("late_answer", f"{pdu.command} {pdu.sequence}")
            return
        result = self._submits.answered(pdu)
        if result is not None:
            self._events.append(result)
        self._send_submits()

    def _delivered(self, pdu: Any) -> None:
        if is_receipt(pdu):
            self._receipt(pdu)
            return
        key = (text_of(pdu.source_addr), text_of(pdu.destination_addr), pdu.data_coding or 0)
        sar = (pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum)
        part, raw = part_of(pdu.esm_class or 0, pdu.short_message or pdu.message_payload or b"", sar)
        whole: Whole | None = Whole(key, raw, (pdu.sequence,))
        if part is not None:
            whole = self._long_replies.add(key, part, pdu.sequence, time.monotonic())
        if whole is not None:
            self._events.append(self._reply(whole))

    def _receipt(self, pdu: Any) -> None:
        receipt = read_receipt(pdu)
        if receipt is None:
            self._complain("receipt_without_id", repr(pdu.short_message)[:80])
            self.acknowledge(self._handle((pdu.sequence,)), ok=True)
            return
        message_id, status, error = receipt
        written = comparable(message_id, self._settings.message_id)
        self._events.append(ReceiptArrived(self._handle((pdu.sequence,)), written, status, error))

    def _reply(self, whole: Whole) -> ReplyArrived:
        source, destination, data_coding = whole.key
        try:
            text: str | None = decode(whole.raw, data_coding)
        except BrokenText as error:
            self._complain("broken_text", str(error))
            text = None
        told_by = (source.encode(), destination.encode(), bytes([data_coding]), whole.raw)
        digest = hashlib.sha256(b"\0".join(told_by)).hexdigest()
        return ReplyArrived(self._handle(whole.sequences), source, destination, text, whole.raw, digest)

    def _handle(self, sequences: tuple[int, ...]) -> int:
        self._handles += 1
        self._deliveries[self._handles] = sequences
        return self._handles

    def _complain(self, what: str, detail: str) -> None:
        """Counted always, logged the first time: a broken peer doesn't fill the disk."""
        self.counters[what] = self.counters.get(what, 0) + 1
        if self.counters[what] == 1:
            log.warning(what, gateway=self.name, host=self._settings.host, detail=detail)


def _part(link: SmppLink, submission: Submission, header: bytes, text: str) -> Any:
    """One submit_sm: UCS-2, and a receipt is asked for."""
    return link.make(
        "submit_sm",
        source_addr_ton=0,
        source_addr_npi=1,
        source_addr=submission.source,
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=f"86{submission.destination}",
        esm_class=_UDH_INDICATOR if header else 0,
        data_coding=UCS2,
        registered_delivery=1,
        short_message=header + encode(text),
    )
