"""The simulated city's SMSC: SMPP 3.4 on loopback, receipts, and citizens who write back.

What wasn't acknowledged is delivered again, after a reconnect too. Its log (JSON lines) is what a test
compares the product's tables with.
"""

from __future__ import annotations

import heapq
import itertools
import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

from callbacks.stopping import Stop
from sms.citizen import reply_to
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


class CitySmsc:
    """The SMSC of `settings`; `run` serves until it's stopped. `port` is where it listens.

    `refusals` are statuses that submits to a number are answered with; None cuts the link unanswered.
    """

    def __init__(self, settings: SmscSettings) -> None:
        self._settings = settings
        self._listener = socket.create_server((settings.host, settings.port))
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._woken, self._waker = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._binds: dict[SmppLink, _Bind] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._orders: deque[Callable[[], None]] = deque()
        self._waiting: list[_Delivery] = []
        self._texts = LongReplies()
        self.refusals: dict[str, int | None] = {}
        self._order = itertools.count()
        self._ids = itertools.count(int(time.time()) << 16 & 0xFFFFFFFF)  # never an id of before
        self._log: TextIO | None = None
        if settings.log_file is not None:
            self._log = settings.log_file.open("a", encoding="utf-8")

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def run(self, stop: Stop) -> None:
        """Serves; leaves nothing open."""
        stop.on_set(self.wake)
        try:
            while not stop.is_set():
                self.turn(0.5)
        finally:
            self.close()

    def wake(self) -> None:
        """Ends the present wait; any thread may call it."""
        with suppress(OSError):
            self._waker.send(b"\0")

    def order(self, work: Callable[[], None]) -> None:
        """Has `work` done by the loop, for `say` and `drop_links`; any thread may call it."""
        self._orders.append(work)
        self.wake()

    def turn(self, timeout: float) -> None:
        """One turn of the loop."""
        if self._timers:
            timeout = min(timeout, max(0.0, self._timers[0][0] - time.monotonic()))
        for bind in self._binds.values():
            writes = selectors.EVENT_WRITE if bind.link.wants_write else 0
            self._selector.modify(bind.link, selectors.EVENT_READ | writes)
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                self._woken.recv(64)
            elif served := self._binds.get(cast(SmppLink, key.fileobj)):
                self._serve(served)
        while self._orders:
            self._orders.popleft()()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()
        self._redeliver(time.monotonic())

    def close(self) -> None:
        for bind in list(self._binds.values()):
            self._lose(bind)
        for each in (self._listener, self._woken, self._waker):
            each.close()
        self._selector.close()
        if self._log is not None:
            self._log.close()

    def drop_links(self) -> None:
        """Cuts every connection, as a network does."""
        for bind in list(self._binds.values()):
            self._lose(bind)

    def say(self, source: str, destination: str, text: str, **fields: Any) -> None:
        """A citizen writes; `fields` overrides those of the deliver_sm (to send broken ones)."""
        self._owe(
            {"source_addr": source, "destination_addr": destination, "data_coding": 8}
            | {"short_message": encode(text), **fields},
            {"kind": "mo", "from": source, "to": destination, "text": text},
        )

    # -- links

    def _accept(self) -> None:
        connected, _ = self._listener.accept()
        link = SmppLink(connected)
        self._binds[link] = _Bind(link)
        self._selector.register(link, selectors.EVENT_READ)

    def _lose(self, bind: _Bind) -> None:
        if self._binds.pop(bind.link, None) is None:
            return
        self._selector.unregister(bind.link)
        bind.link.close()
        for delivery in bind.owed.values():
            delivery.link, delivery.again_at = None, 0.0

    def _serve(self, bind: _Bind) -> None:
        try:
            bind.link.flush()
            for pdu in bind.link.read():
                self._take(bind, pdu)
        except LinkLost:
            self._lose(bind)

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
        self._redeliver(time.monotonic())

    def _redeliver(self, now: float) -> None:
        bind = next((bind for bind in self._binds.values() if bind.bound), None)
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

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), work))

    def _note(self, record: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps({"at": time.time(), **record}, ensure_ascii=False) + "\n")
            self._log.flush()


def run_city_smsc(settings: SmscSettings, stop: Stop, ready: Callable[[int], None]) -> None:
    """Serves until `stop`; `ready` is told the port."""
    smsc = CitySmsc(settings)
    ready(smsc.port)
    smsc.run(stop)
