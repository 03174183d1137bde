"""One bind at an SMSC: connected, bound, kept alive and made anew by itself."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sms.events import LinkDown, LinkUp
from sms.smpp_codec import BadPdu
from sms.smpp_connect import ConnectFailed, Connecting, Tls
from sms.smpp_link import LinkLost, SmppLink
from sms.smpp_quick import deliver_sm_resp, submit_sm
from sms.smpp_settings import SmppSettings
from sms.smpp_status import RINVCMDID, ROK


class Role(StrEnum):
    """What a bind is for (SMPP 3.4 §4.1): to send, to receive, or both."""

    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"
    TRANSCEIVER = "transceiver"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A PDU on a bound link, or the BadPdu that came instead."""

    pdu: Any


Happened = LinkUp | LinkDown | Arrived


class SmppSession:
    """One bind after another with the SMSC of `settings`. `wake` is for the resolver's thread."""

    def __init__(self, settings: SmppSettings, role: Role, wake: Callable[[], None]) -> None:
        self._settings, self.role, self._wake = settings, role, wake
        self._connecting: Connecting | None = None
        self._link: SmppLink | None = None
        self.up = False
        self._closed = False
        self._deadline = self._connect_at = 0.0
        self._pause = settings.reconnect_first
        self._heard_at = self._asked_at = 0.0
        self._happened: list[Happened] = []

    # -- orders

    def send(self, command: str, **fields: Any) -> int:
        """Sends a request; its sequence number. Where the link breaks, `turn` tells it."""
        assert self._link is not None
        pdu = self._link.make(command, **fields)
        try:
            self._link.send(pdu)
        except LinkLost as error:
            self._drop(str(error))
        return int(pdu.sequence)

    def submit(self, fields: Mapping[str, Any]) -> int:
        """Sends a submit_sm, as `send` does."""
        assert self._link is not None
        sequence = self._link.next_sequence()
        self._write(submit_sm(sequence, fields))
        return sequence

    def acknowledge(self, sequence: int, status: int = ROK) -> None:
        """Answers a deliver_sm of this link; nothing where it's gone."""
        self._write(deliver_sm_resp(sequence, status))

    def _write(self, raw: bytes) -> None:
        if self._link is None:
            return
        try:
            self._link.write(raw)
        except LinkLost as error:
            self._drop(str(error))

    def answer(self, sequence: int, command: str, status: int = ROK) -> None:
        """Answers a request of this link; nothing where it's gone."""
        if self._link is None:
            return
        try:
            self._link.answer(sequence, command, status)
        except LinkLost as error:
            self._drop(str(error))

    def close(self) -> None:
        """Takes leave, for good."""
        if self.up:
            self.send("unbind")
        self._drop("closed")
        self._closed = True

    # -- waiting

    def register(self, selector: selectors.BaseSelector) -> None:
        if self._link is not None:
            writes = selectors.EVENT_WRITE if self._link.wants_write else 0
            selector.register(self._link, selectors.EVENT_READ | writes)
        elif self._connecting is not None and (waits_on := self._connecting.waits_on) is not None:
            selector.register(*waits_on)

    def next_timer(self) -> float:
        """When something is due whatever comes; at once where something waits to be told."""
        if self._happened:
            return 0.0
        if self._link is None and self._connecting is None:
            return float("inf") if self._closed else self._connect_at
        return self._ask_at if self.up else self._deadline

    @property
    def _ask_at(self) -> float:
        """When the silence has lasted long enough to ask, or the question has gone unanswered."""
        return max(self._heard_at, self._asked_at) + self._settings.enquire_seconds

    # -- the turn

    def turn(self, now: float) -> list[Happened]:
        """What happened, in order; what came on a link stands before its LinkDown."""
        if self._link is None and not self._closed:
            self._connect(now)
        if self._link is not None:
            self._read(self._link, now)
        self._timers(now)
        happened, self._happened = self._happened, []
        return happened

    def _connect(self, now: float) -> None:
        if self._connecting is None:
            if now < self._connect_at:
                return
            self._deadline = now + self._settings.connect_timeout
            self._connecting = Connecting(self._settings.host, self._settings.port, self._tls, self._wake)
        try:
            connected = self._connecting.advance()
        except ConnectFailed as error:
            self._drop(str(error))
            return
        if connected is not None:
            self._connecting, self._link = None, SmppLink(connected)
            self._deadline = now + self._settings.connect_timeout
            self._heard_at, self._asked_at = now, 0.0
            self._bind()

    @property
    def _tls(self) -> Tls | None:
        if not self._settings.tls:
            return None
        name = self._settings.server_name or self._settings.host
        return Tls(name, self._settings.ca_file, self._settings.tls_verify)

    def _bind(self) -> None:
        self.send(
            f"bind_{self.role}",
            system_id=self._settings.system_id,
            password=self._settings.password.get_secret_value(),
            system_type=self._settings.system_type,
            interface_version=0x34,
        )

    def _read(self, link: SmppLink, now: float) -> None:
        try:
            link.flush()
            pdus = link.read()
        except LinkLost as error:
            self._drop(str(error))
            return
        for pdu in pdus:
            if self._link is not link:  # lost meanwhile; what it delivered comes again on the next
                return
            self._heard_at = now
            self._take(pdu)

    def _take(self, pdu: Any) -> None:
        """Answers what belongs to the session; the rest is for whoever asks what happened."""
        if not self.up:
            self._take_unbound(pdu)
        elif isinstance(pdu, BadPdu):
            if not pdu.is_response:
                self.answer(pdu.sequence, "generic_nack", RINVCMDID)
            self._happened.append(Arrived(pdu))
        elif pdu.command == "enquire_link":
            self.answer(pdu.sequence, "enquire_link_resp")
        elif pdu.command == "unbind":
            self.answer(pdu.sequence, "unbind_resp")
            self._drop("unbound by the other end")
        elif pdu.command not in ("enquire_link_resp", "unbind_resp"):
            self._happened.append(Arrived(pdu))

    def _take_unbound(self, pdu: Any) -> None:
        """Nobody is believed before the bind."""
        if isinstance(pdu, BadPdu):
            self._drop(f"before the bind's answer: {pdu.reason}")
        elif pdu.command == "enquire_link":
            self.answer(pdu.sequence, "enquire_link_resp")
        elif pdu.command not in (f"bind_{self.role}_resp", "generic_nack"):
            self._drop(f"{pdu.command} before the bind's answer")
        elif pdu.status != ROK or pdu.command == "generic_nack":
            self._drop(f"bind refused: 0x{pdu.status:08X}; check system_id and password")
        else:
            self.up, self._pause = True, self._settings.reconnect_first
            self._happened.append(LinkUp())

    def _timers(self, now: float) -> None:
        if self._link is None and self._connecting is None:
            return
        if not self.up:
            if now >= self._deadline:
                self._drop("no answer to the bind" if self._link else "no connection in time")
        elif now >= self._ask_at:
            if self._asked_at > self._heard_at:
                self._drop("no answer to enquire_link")
                return
            self._asked_at = now
            self.send("enquire_link")

    def _drop(self, reason: str) -> None:
        """Tried again after a pause, twice as long each time up to the longest."""
        if self._link is None and self._connecting is None:
            return
        for part in (self._link, self._connecting):
            if part is not None:
                part.close()
        self._link, self._connecting, self.up = None, None, False
        self._connect_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self._settings.reconnect_longest)
        self._happened.append(LinkDown(f"{self._settings.host}:{self._settings.port}: {reason}"))
