"""SMPP 3.4 as an ESME: one transceiver bind, bound anew by itself, driven by `poll`."""

from __future__ import annotations

import contextlib
import hashlib
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
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
    Submitted,
    SubmitUnknown,
)
from sms.long_reply import LongReplies, Whole, part_of
from sms.message import BrokenText, decode, encode, parts, udh
from sms.settings import SmsSettings
from sms.smpp_codec import BadPdu, text_of
from sms.smpp_link import RINVCMDID, RMSGQFUL, ROK, RTHROTTLED, RX_T_APPN, LinkLost, SmppLink
from sms.smpp_receipt import comparable, is_receipt, read_receipt

log = structlog.get_logger(__name__)

_TRANSIENT = frozenset({RTHROTTLED, RMSGQFUL})
_UDH_INDICATOR = 0x40


@dataclass(slots=True)
class _Pending:
    """A text whose parts wait for their answers, or to be sent. `ids` are those that came."""

    ref: int
    waiting: set[int]
    deadline: float
    ids: dict[int, str] = field(default_factory=dict)
    failed: int | None = None


class SmppGateway:
    """The gateway of `settings`. Connects, binds and reconnects inside `poll`."""

    def __init__(self, settings: SmsSettings) -> None:
        self._settings = settings
        self._link: SmppLink | None = None
        self._bound = False
        self._bind_deadline = 0.0
        self._pause = settings.reconnect_first
        self._connect_at = 0.0
        self._heard_at = self._asked_at = 0.0
        self._pending: dict[int, _Pending] = {}  # by ref
        self._by_sequence: dict[int, tuple[int, int]] = {}  # sequence → ref, part
        self._held: deque[tuple[int, int, Any]] = deque()  # ref, part, PDU: the window is full
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
        return len(self._pending)

    @property
    def room(self) -> int:
        if not self._bound:
            return 0
        self._refill(time.monotonic())
        free = self._settings.window - len(self._by_sequence) - len(self._held)
        return max(0, min(free, int(self._allowance)))

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
        deadline = time.monotonic() + self._settings.submit_timeout
        self._pending[submission.ref] = _Pending(submission.ref, set(range(1, len(texts) + 1)), deadline)
        self._allowance -= len(texts)
        for number, text in enumerate(texts, start=1):
            header = udh(self._reference, len(texts), number) if len(texts) > 1 else b""
            pdu = self._link.make(
                "submit_sm",
                source_addr_ton=0,
                source_addr_npi=1,
                source_addr=submission.source,
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=f"86{submission.destination}",
                esm_class=_UDH_INDICATOR if header else 0,
                data_coding=8,
                registered_delivery=1,
                short_message=header + encode(text),
            )
            self._held.append((submission.ref, number, pdu))
        self._send_held()

    def _send_held(self) -> None:
        """The window bounds what is unanswered on the wire: parts, not texts."""
        while self._held and len(self._by_sequence) < self._settings.window:
            ref, number, pdu = self._held.popleft()
            self._by_sequence[pdu.sequence] = (ref, number)
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
        due = [pending.deadline for pending in self._pending.values()]
        if self._link is None:
            due.append(self._connect_at)
        else:
            due.append(self._bind_deadline if not self._bound else self._enquire_at)
            due.append(self._long_replies.deadline)
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
        for pending in [p for p in self._pending.values() if now >= p.deadline]:
            self._forget(pending)
            self._events.append(SubmitUnknown(pending.ref))
        self._send_held()
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
        for pending in list(self._pending.values()):
            self._forget(pending)
            self._events.append(SubmitUnknown(pending.ref))
        self._by_sequence.clear()
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
        known = self._by_sequence.pop(pdu.sequence, None)
        if known is None or known[0] not in self._pending:
            self._complain("late_answer", f"{pdu.command} {pdu.sequence}")
            return
        ref, number = known
        pending = self._pending[ref]
        pending.waiting.discard(number)
        if pdu.status == ROK and pdu.command == "submit_sm_resp":
            pending.ids[number] = comparable(text_of(pdu.message_id), self._own_id_form)
        else:
            pending.failed = pdu.status
            pending.waiting -= self._unhold(ref)  # a text that won't be whole isn't continued
        if not pending.waiting:
            self._forget(pending)
            self._events.append(self._result(pending))
        self._send_held()

    def _unhold(self, ref: int) -> set[int]:
        """Takes the parts of a text that weren't sent yet out of the queue; their numbers."""
        numbers = {number for of, number, _ in self._held if of == ref}
        self._held = deque(held for held in self._held if held[0] != ref)
        return numbers

    @property
    def _own_id_form(self) -> str:
        """Answers write hexadecimal where receipts are told to differ; else both are compared as they are."""
        return "text" if self._settings.message_id == "text" else "hex"

    def _result(self, pending: _Pending) -> GatewayEvent:
        if pending.failed is None:
            ids = (pending.ids[number] for number in sorted(pending.ids))
            return Submitted(pending.ref, tuple(dict.fromkeys(filter(None, ids))))
        permanent = pending.failed not in _TRANSIENT or bool(pending.ids)  # half a text isn't sent again
        return SubmitFailed(pending.ref, permanent, f"0x{pending.failed:08X}")

    def _forget(self, pending: _Pending) -> None:
        self._pending.pop(pending.ref, None)
        self._unhold(pending.ref)
        for sequence in [s for s, (ref, _) in self._by_sequence.items() if ref == pending.ref]:
            del self._by_sequence[sequence]

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
