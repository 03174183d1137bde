"""What an SMSC delivers, receipts and replies, until each is answered on the bind it came on. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from sms.events import ReceiptArrived, ReplyArrived
from sms.long_reply import LongReplies, Whole, part_of
from sms.message import BrokenText, decode
from sms.smpp_codec import text_of
from sms.smpp_receipt import comparable, read_receipt

Place = tuple[int, int]  # a bind, and a sequence number on it
Complain = Callable[[str, str], None]


class Deliveries:
    """The deliver_sm's of all binds. `complain` is told what is wrong with one: what, and the detail."""

    def __init__(self, id_form: str, complain: Complain) -> None:
        self._id_form, self._complain = id_form, complain
        self._long_replies = LongReplies()
        self._places: dict[int, Place] = {}  # by our number of the delivery
        self._handles: dict[int, tuple[int, ...]] = {}  # handle → numbers
        self._last_number = self._last_handle = 0

    @property
    def deadline(self) -> float:
        """When a long reply has waited long enough for its parts."""
        return self._long_replies.deadline

    def receipt(self, bind: int, pdu: Any) -> ReceiptArrived | None:
        """What a receipt tells; None where it names no message."""
        receipt = read_receipt(pdu)
        if receipt is None:
            return None
        message_id, status, error = receipt
        handle = self._handle((self._number(bind, pdu),))
        return ReceiptArrived(handle, comparable(message_id, self._id_form), status, error)

    def text(self, bind: int, pdu: Any, now: float) -> ReplyArrived | None:
        """A citizen's text; None for a part that others are awaited with."""
        number = self._number(bind, pdu)
        key = (text_of(pdu.source_addr), text_of(pdu.destination_addr), pdu.data_coding or 0)
        sar = (pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum)
        part, raw = part_of(pdu.esm_class or 0, pdu.short_message or pdu.message_payload or b"", sar)
        whole: Whole | None = Whole(key, raw, (number,))
        if part is not None:
            whole = self._long_replies.add(key, part, number, now)
        return self._reply(whole) if whole is not None else None

    def overdue(self, now: float) -> list[ReplyArrived]:
        """Long replies as far as they came."""
        return [self._reply(whole) for whole in self._long_replies.overdue(now)]

    def settle(self, handle: int) -> list[Place]:
        """Where a delivery wants its answers; nowhere when it has them, or its links are gone."""
        numbers = self._handles.pop(handle, ())
        return [self._places.pop(number) for number in numbers if number in self._places]

    def closed(self, bind: int) -> None:
        """The bind is gone: what wasn't answered on it comes again on another."""
        gone = [number for number, (on, _) in self._places.items() if on == bind]
        for number in gone:
            del self._places[number]
        self._long_replies.forget(gone)

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

    def _number(self, bind: int, pdu: Any) -> int:
        self._last_number += 1
        self._places[self._last_number] = (bind, int(pdu.sequence))
        return self._last_number

    def _handle(self, numbers: tuple[int, ...]) -> int:
        self._last_handle += 1
        self._handles[self._last_handle] = numbers
        return self._last_handle
