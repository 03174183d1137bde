"""The simulated city's SMSC: SMPP 3.4 on loopback, receipts, and citizens who write back.

What wasn't acknowledged is delivered again, after a reconnect too. Its log (JSON lines) is what a test
compares the product's tables with.
"""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from callbacks.stopping import Stop
from sms.citizen import reply_to
from sms.city_loop import CityLoop
from sms.long_reply import LongReplies, Part, part_of
from sms.message import UCS2, BrokenText, decode, encode
from sms.settings import SmscSettings
from sms.smpp_codec import BadPdu, text_of
from sms.smpp_link import LinkLost, SmppLink
from sms.smpp_status import RBINDFAIL, RINVCMDID, RINVDSTADR, ROK, RSUBMITFAIL


@dataclass(eq=False)
class _Delivery:
    """A deliver_sm that is owed until it's acknowledged."""

    fields: dict[str, Any]
    record: dict[str, Any]
    link: SmppLink | None = None
    sequence: int = 0
    again_at: float = 0.0
    times: int = 0


@dataclass(eq=False)
class _Bind:
    """A connected ESME."""

    link: SmppLink
    bound: bool = False
    owed: dict[int, _Delivery] = field(default_factory=dict)  # by sequence


class CitySmsc(CityLoop[_Bind]):
    """The SMSC of `settings`; `run` serves until it's stopped. `port` is where it listens.

    `refusals` are statuses that submits to a number are answered with; None cuts the link unanswered.
    """

    lost = LinkLost

    def __init__(self, settings: SmscSettings) -> None:
        super().__init__(settings.host, settings.port)
        self._settings = settings
        self._waiting: list[_Delivery] = []
        self._texts = LongReplies()
        self.refusals: dict[str, int | None] = {}
        self._ids = itertools.count(int(time.time()) << 16 & 0xFFFFFFFF)  # never an id of before
        self._log: TextIO | None = None
        if settings.log_file is not None:
            self._log = settings.log_file.open("a", encoding="utf-8")

    def close(self) -> None:
        super().close()
        if self._log is not None:
            self._log.close()

    def say(self, source: str, destination: str, text: str, **fields: Any) -> None:
        """A citizen writes; `fields` overrides those of the deliver_sm (to send broken ones)."""
        self._owe(
            {"source_addr": source, "destination_addr": destination, "data_coding": 8}
            | {"short_message": encode(text), **fields},
            {"kind": "mo", "from": source, "to": destination, "text": text},
        )

    # -- links

    def _welcome(self, connected: socket.socket) -> _Bind:
        return _Bind(SmppLink(connected))

    def _read(self, bind: _Bind) -> None:
        for pdu in bind.link.read():
            self._take(bind, pdu)

    def _forget(self, bind: _Bind) -> None:
        for delivery in bind.owed.values():
            delivery.link, delivery.again_at = None, 0.0

    def _take(self, bind: _Bind, pdu: Any) -> None:
        if isinstance(pdu, BadPdu):
            bind.link.answer(pdu.sequence, "generic_nack", RINVCMDID)
            return
        match pdu.command:
            case "bind_transceiver":
                self._bind(bind, pdu)
            case "submit_sm" if bind.bound:
                self._submit(bind, pdu)
            case "deliver_sm_resp":
                self._acknowledged(bind, pdu)
            case "enquire_link":
                bind.link.answer(pdu, "enquire_link_resp")
            case "unbind":
                bind.link.answer(pdu, "unbind_resp")
                raise LinkLost("unbound")
            case _ if not pdu.is_response():
                bind.link.answer(pdu.sequence, "generic_nack", RINVCMDID)

    def _bind(self, bind: _Bind, pdu: Any) -> None:
        known = (self._settings.system_id, self._settings.password.get_secret_value())
        if (text_of(pdu.system_id), text_of(pdu.password)) != known:
            bind.link.answer(pdu, "bind_transceiver_resp", RBINDFAIL, system_id="city")
            raise LinkLost("wrong password")
        bind.link.answer(pdu, "bind_transceiver_resp", system_id="city")
        bind.bound = True

    # -- texts out of the product

    def _submit(self, bind: _Bind, pdu: Any) -> None:
        number, sender = text_of(pdu.destination_addr).removeprefix("86"), text_of(pdu.source_addr)
        status = RINVDSTADR if not number.isdigit() or len(number) != 11 else self.refusals.get(number, ROK)
        if status is None:
            raise LinkLost("cut as told")
        part, raw = part_of(pdu.esm_class or 0, pdu.short_message or b"", (None, None, None))
        try:
            text = decode(raw, UCS2)
        except BrokenText:
            status = RSUBMITFAIL
        if status != ROK:
            bind.link.answer(pdu, "submit_sm_resp", status)
            return
        message_id = f"{next(self._ids) & 0xFFFFFFFF:08X}"
        self._note(
            {"kind": "submit", "from": sender, "to": number, "text": text}
            | {"part": part.number if part else 1, "id": message_id}
        )
        receipt = self._receipt(number, sender, message_id)
        if self._settings.receipt_first:
            receipt()
        bind.link.answer(pdu, "submit_sm_resp", message_id=message_id)
        if not self._settings.receipt_first:
            self._later(self._settings.receipt_delay, receipt)
        self._read_by_citizen(sender, number, part, raw)

    def _read_by_citizen(self, sender: str, number: str, part: Part | None, raw: bytes) -> None:
        """A citizen reads a text when all of it has come."""
        if part is not None:
            whole = self._texts.add((sender, number, UCS2), part, 0, time.monotonic())
            if whole is None:
                return
            raw = whole.raw
        answer = reply_to(decode(raw, UCS2), number)
        if answer is not None:
            self._later(self._settings.reply_delay, lambda: self.say(number, sender, answer))

    def _receipt(self, number: str, sender: str, message_id: str) -> Callable[[], None]:
        stamp = time.strftime("%y%m%d%H%M", time.gmtime())
        dates = f"submit date:{stamp} done date:{stamp}"
        text = f"id:{message_id} sub:001 dlvrd:001 {dates} stat:DELIVRD err:000 text:"
        fields = {
            "source_addr": number,
            "destination_addr": sender,
            "esm_class": 4,
            "data_coding": 0,
            "short_message": text.encode(),
            "receipted_message_id": message_id,
            "message_state": 2,
        }
        return lambda: self._owe(fields, {"kind": "receipt", "id": message_id})

    # -- deliveries to the product

    def _owe(self, fields: dict[str, Any], record: dict[str, Any]) -> None:
        delivery = _Delivery(fields, {**record, "delivery": next(self._ids)})
        self._note(delivery.record)
        self._waiting.append(delivery)
        self._send_due(time.monotonic())

    def _send_due(self, now: float) -> None:
        bind = next((bind for bind in self._peers.values() if bind.bound), None)
        if bind is None:
            return
        for delivery in self._waiting:
            if now < delivery.again_at:
                continue
            pdu = bind.link.make("deliver_sm", **delivery.fields)
            delivery.link, delivery.sequence = bind.link, pdu.sequence
            delivery.again_at, delivery.times = now + self._settings.redeliver_after, delivery.times + 1
            bind.owed[pdu.sequence] = delivery
            self._later(self._settings.redeliver_after, lambda: None)
            try:
                bind.link.send(pdu)
            except LinkLost:
                self._lose(bind)
                return

    def _acknowledged(self, bind: _Bind, pdu: Any) -> None:
        delivery = bind.owed.pop(pdu.sequence, None)
        if delivery is None or delivery not in self._waiting:
            return
        if pdu.status == ROK:
            self._waiting.remove(delivery)
            self._note({"kind": "ack", "delivery": delivery.record["delivery"], "times": delivery.times})

    def _note(self, record: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps({"at": time.time(), **record}, ensure_ascii=False) + "\n")
            self._log.flush()


def run_city_smsc(settings: SmscSettings, stop: Stop, ready: Callable[[int], None]) -> None:
    """Serves until `stop`; `ready` is told the port."""
    smsc = CitySmsc(settings)
    ready(smsc.port)
    smsc.run(stop)
