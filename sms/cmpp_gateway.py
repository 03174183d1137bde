"""CMPP 2.0 as a service provider: texts, reports and replies over one session, driven by `poll`."""

from __future__ import annotations

import hashlib
import time

import structlog

from sms.cmpp_codec import (
    NO_ID,
    BadPacket,
    Deliver,
    DeliverResp,
    Submit,
    SubmitResp,
    Unknown,
    pack_fields,
    unpack_report,
)
from sms.cmpp_deliver import part_in, status_of, text_of
from sms.cmpp_pace import Pace
from sms.cmpp_session import CmppSession, Happened
from sms.cmpp_settings import CmppSettings
from sms.cmpp_submits import OK, THROTTLED, OpenSubmits
from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReplyArrived,
    Submission,
    SubmitFailed,
)
from sms.long_reply import LongReplies, Whole
from sms.message import UCS2, BrokenText, encode, parts, udh

log = structlog.get_logger(__name__)

_BROKEN = 1
_COME_AGAIN = 8  # flow control: of all results the one that says nothing against the packet


class CmppGateway:
    """The gateway of `settings`. Connects, logs in and reconnects inside `poll`."""

    def __init__(self, settings: CmppSettings) -> None:
        self._settings = settings
        self._session = CmppSession(settings)
        self._submits = OpenSubmits(settings.window)
        self._pace = Pace(settings.rate_per_second, time.monotonic())
        self._msg_ids: dict[int, bytes] = {}  # of deliveries that aren't answered, by sequence on this link
        self._deliveries: dict[int, tuple[int, ...]] = {}  # handle → sequences
        self._long_replies = LongReplies()
        self._handles = self._reference = 0
        self._events: list[GatewayEvent] = []
        self.counters: dict[str, int] = {}

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def in_flight(self) -> int:
        return len(self._submits)

    @property
    def room(self) -> int:
        if not self._session.up:
            return 0
        return min(self._submits.free, self._pace.allowance(time.monotonic()))

    # -- orders

    def submit(self, submission: Submission) -> None:
        if not self._session.up:
            self._events.append(SubmitFailed(submission.ref, False, "not connected"))
            return
        texts = parts(submission.text)
        self._reference = (self._reference + 1) & 0xFF
        submits = [self._part(submission, number, texts) for number in range(1, len(texts) + 1)]
        try:
            pack_fields(submits[0])
        except BadPacket as error:
            self._events.append(SubmitFailed(submission.ref, True, str(error)))
            return
        self._pace.take(len(texts))
        deadline = time.monotonic() + self._settings.submit_timeout
        self._submits.add(submission.ref, submits, deadline, urgent=submission.urgent)
        self._send_submits()

    def _part(self, submission: Submission, number: int, texts: list[str]) -> Submit:
        """One SUBMIT: UCS-2, and a report is asked for."""
        header = udh(self._reference, len(texts), number) if len(texts) > 1 else b""
        return Submit(
            pk_total=len(texts),
            pk_number=number,
            registered_delivery=1,
            service_id=self._settings.service_id,
            fee_user_type=self._settings.fee_user_type,
            tp_udhi=1 if header else 0,
            msg_fmt=UCS2,
            msg_src=self._settings.own_msg_src,
            fee_type=self._settings.fee_type,
            fee_code=self._settings.fee_code,
            src_id=submission.source,
            dest_terminal_ids=(submission.destination,),
            msg_content=header + encode(texts[number - 1]),
        )

    def _send_submits(self) -> None:
        if not self._session.up or time.monotonic() < self._pace.rests_until:
            return
        for ref, submit in self._submits.sendable():
            self._submits.sent(ref, submit.pk_number, self._session.send(submit))
            if not self._session.up:
                return

    def acknowledge(self, handle: int, ok: bool) -> None:
        for sequence in self._deliveries.pop(handle, ()):
            self._answer(sequence, OK if ok else _COME_AGAIN)

    def _answer(self, sequence: int, result: int) -> None:
        msg_id = self._msg_ids.pop(sequence, None)
        if msg_id is not None:
            self._session.send(DeliverResp(msg_id, result), sequence)

    def wake(self) -> None:
        self._session.wake()

    def close(self) -> None:
        self._session.close()

    # -- the turn

    def poll(self, timeout: float) -> list[GatewayEvent]:
        if not self._events:
            self._session.wait(min(timeout, self._next_timer - time.monotonic()))
        for happened in self._session.turn():
            self._take(happened)
        now = time.monotonic()
        self._events += self._submits.overdue(now)
        self._events += [self._reply(whole) for whole in self._long_replies.overdue(now)]
        self._send_submits()
        events, self._events = self._events, []
        return events

    @property
    def _next_timer(self) -> float:
        due = min(self._submits.deadline, self._long_replies.deadline)
        rest = self._pace.rests_until
        return min(due, rest) if rest > time.monotonic() else due

    def _take(self, happened: Happened) -> None:
        match happened:
            case LinkUp():
                self._events.append(happened)
            case LinkDown():
                self._lost(happened)
            case sequence, SubmitResp() as answer:
                self._submit_answered(sequence, answer)
            case sequence, Deliver() as deliver:
                self._delivered(sequence, deliver)
            case BadPacket() as bad:
                self._broken(bad)
            case _, Unknown(command):
                self._complain("unknown_packet", f"0x{command:08X}")
            case _, other:
                self._complain("unexpected_packet", type(other).__name__)

    def _lost(self, down: LinkDown) -> None:
        """What was submitted and not answered is unknown; deliveries come again on the next link."""
        self._events += self._submits.lost()
        self._msg_ids.clear()
        self._deliveries.clear()
        self._long_replies.clear()
        self._events.append(down)

    # -- what came

    def _broken(self, bad: BadPacket) -> None:
        """A delivery is refused; a SUBMIT whose answer can't be read waits on, and is unknown at last."""
        self._complain("bad_packet", str(bad))
        if bad.command == Deliver.COMMAND:
            self._session.send(DeliverResp(NO_ID, _BROKEN), bad.sequence)

    def _submit_answered(self, sequence: int, answer: SubmitResp) -> None:
        if not self._submits.knows(sequence):
            self._complain("late_answer", f"SubmitResp {sequence}")
            return
        if answer.result == THROTTLED:
            self._pace.rest(time.monotonic() + self._settings.throttle_pause)
        result = self._submits.answered(sequence, answer.msg_id.hex().upper(), answer.result)
        if result is not None:
            self._events.append(result)

    def _delivered(self, sequence: int, deliver: Deliver) -> None:
        self._msg_ids[sequence] = deliver.msg_id
        if deliver.registered_delivery == 1:
            self._report(sequence, deliver)
            return
        key = (deliver.src_terminal_id, deliver.dest_id, deliver.msg_fmt)
        part, raw = part_in(deliver)
        whole: Whole | None = Whole(key, raw, (sequence,))
        if part is not None:
            whole = self._long_replies.add(key, part, sequence, time.monotonic())
        if whole is not None:
            self._events.append(self._reply(whole))

    def _report(self, sequence: int, deliver: Deliver) -> None:
        try:
            report = unpack_report(deliver.msg_content)
        except BadPacket as error:
            self._complain("broken_report", str(error))
            self._answer(sequence, _BROKEN)
            return
        status, code = status_of(report.stat)
        message_id = report.msg_id.hex().upper()
        self._events.append(ReceiptArrived(self._handle((sequence,)), message_id, status, code))

    def _reply(self, whole: Whole) -> ReplyArrived:
        source, destination, msg_fmt = whole.key
        try:
            text: str | None = text_of(whole.raw, msg_fmt)
        except BrokenText as error:
            self._complain("broken_text", str(error))
            text = None
        told_by = (source.encode(), destination.encode(), bytes([msg_fmt]), whole.raw)
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
