"""The simulated city's CMPP 2.0 gateway (ISMG) on loopback: it takes texts, reports on them, and delivers.

What wasn't acknowledged with result 0 is delivered again, after a reconnect too.
"""

from __future__ import annotations

import itertools
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sms.city_loop import CityLoop
from sms.cmpp_codec import (
    NO_ID,
    ActiveTest,
    ActiveTestResp,
    BadPacket,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Report,
    Submit,
    SubmitResp,
    Terminate,
    TerminateResp,
    authenticator_ismg,
    authenticator_source,
    pack_fields,
)
from sms.cmpp_link import Arrived, CmppLink, LinkLost
from sms.cmpp_settings import IsmgSettings
from sms.message import encode

_UNKNOWN_SOURCE, _WRONG_PROOF, _NO_NUMBER = 2, 3, 13
_GATEWAY = 112233


def message_id(now: datetime, gateway: int, number: int) -> bytes:
    """A Msg_Id: month, day, hour, minute, second in 26 bits, the gateway's code in 22, a number in 16."""
    value = now.month
    for bits, part in ((5, now.day), (5, now.hour), (6, now.minute), (6, now.second)):
        value = value << bits | part
    return (value << 38 | (gateway & 0x3FFFFF) << 16 | number & 0xFFFF).to_bytes(8, "big")


@dataclass(eq=False)
class _Owed:
    """A DELIVER until it's acknowledged."""

    deliver: Deliver
    again_at: float = 0.0


@dataclass(eq=False)
class _Provider:
    """A connected service provider."""

    link: CmppLink
    logged_in: bool = False
    sent: dict[int, _Owed] = field(default_factory=dict)  # by sequence


class CityIsmg(CityLoop[_Provider]):
    """The gateway of `settings`; `run` serves until it's stopped, `port` is where it listens.

    `refusals` are results that submits to a number are answered with; None cuts the link unanswered.
    `submits` are those that it took.
    """

    lost = LinkLost

    def __init__(self, settings: IsmgSettings) -> None:
        super().__init__(settings.host, settings.port)
        self._settings = settings
        self._owed: list[_Owed] = []
        self._numbers = itertools.count(1)
        self.refusals: dict[str, int | None] = {}
        self.submits: list[Submit] = []

    def say(self, source: str, destination: str, text: str, **fields: Any) -> None:
        """A citizen writes; `fields` overrides those of the DELIVER (to send broken ones)."""
        written = {"src_terminal_id": source, "dest_id": destination, "msg_content": encode(text), **fields}
        self._owe(Deliver(self._next_id(), **written))

    # -- links

    def _welcome(self, connected: socket.socket) -> _Provider:
        return _Provider(CmppLink(connected))

    def _read(self, provider: _Provider) -> None:
        for arrived in provider.link.read():
            self._take(provider, arrived)

    def _forget(self, provider: _Provider) -> None:
        for owed in provider.sent.values():
            owed.again_at = 0.0

    def _take(self, provider: _Provider, arrived: Arrived) -> None:
        match arrived:
            case BadPacket() as bad:
                raise LinkLost(str(bad))
            case sequence, Connect() as connect:
                self._log_in(provider, sequence, connect)
            case sequence, Submit() as submit if provider.logged_in:
                self._submitted(provider, sequence, submit)
            case sequence, DeliverResp(result=result):
                self._acknowledged(provider.sent.pop(sequence, None), result)
            case sequence, ActiveTest():
                provider.link.send(ActiveTestResp(), sequence)
            case sequence, Terminate():
                provider.link.send(TerminateResp(), sequence)
                raise LinkLost("terminated")

    def _log_in(self, provider: _Provider, sequence: int, connect: Connect) -> None:
        secret = self._settings.shared_secret.get_secret_value()
        proof = authenticator_source(connect.source_addr, secret, connect.timestamp)
        status = 0
        if connect.source_addr != self._settings.source_addr:
            status = _UNKNOWN_SOURCE
        elif connect.authenticator_source != proof:
            status = _WRONG_PROOF
        if status:
            provider.link.send(ConnectResp(status), sequence)
            raise LinkLost("login refused")
        provider.link.send(ConnectResp(0, authenticator_ismg(0, proof, secret)), sequence)
        provider.logged_in = True

    # -- texts out of the product

    def _submitted(self, provider: _Provider, sequence: int, submit: Submit) -> None:
        number = submit.dest_terminal_ids[0]
        known = number.isdigit() and len(number) == 11
        result = self.refusals.get(number, 0) if known else _NO_NUMBER
        if result is None:
            raise LinkLost("cut as told")
        if result:
            provider.link.send(SubmitResp(NO_ID, result), sequence)
            return
        self.submits.append(submit)
        msg_id = self._next_id()
        provider.link.send(SubmitResp(msg_id, 0), sequence)
        if submit.registered_delivery == 1:
            self._later(self._settings.receipt_delay, lambda: self._report(submit, msg_id))

    def _report(self, submit: Submit, msg_id: bytes) -> None:
        stamp, number = datetime.now(UTC).strftime("%y%m%d%H%M"), submit.dest_terminal_ids[0]
        report = pack_fields(Report(msg_id, "DELIVRD", stamp, stamp, number, next(self._numbers)))
        self._owe(
            Deliver(
                self._next_id(),
                submit.src_id,
                msg_fmt=0,
                src_terminal_id=number,
                registered_delivery=1,
                msg_content=report,
            )
        )

    # -- deliveries to the product

    def _owe(self, deliver: Deliver) -> None:
        self._owed.append(_Owed(deliver))
        self._send_due(time.monotonic())

    def _send_due(self, now: float) -> None:
        """Sends what is owed and due. What a link's end interrupts is due on the next at once."""
        provider = next((each for each in self._peers.values() if each.logged_in), None)
        if provider is None:
            return
        for owed in [each for each in self._owed if now >= each.again_at]:
            sequence = provider.link.next_sequence()
            provider.sent[sequence] = owed
            owed.again_at = now + self._settings.redeliver_after
            self._later(self._settings.redeliver_after, lambda: None)
            try:
                provider.link.send(owed.deliver, sequence)
            except LinkLost:
                self._lose(provider)
                return

    def _acknowledged(self, owed: _Owed | None, result: int) -> None:
        if result == 0 and owed in self._owed:
            self._owed.remove(owed)

    def _next_id(self) -> bytes:
        return message_id(datetime.now(UTC), _GATEWAY, next(self._numbers))
