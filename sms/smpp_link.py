"""PDUs over a non-blocking socket, plain or TLS: smpplib's codec, our own framing, for either end of a link.

smpplib's own client reads blockingly and acknowledges a deliver_sm before anybody has stored it; here a
delivery is answered when its owner says so.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from smpplib import smpp

from sms.smpp_codec import Sequence, parse
from sms.smpp_quick import HEADER
from sms.smpp_status import ROK

LONGEST = 65536
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class LinkLost(Exception):
    """The connection is gone; the message says how."""


class SmppLink:
    """One end of a connected link. `read` gives whole PDUs, `send` queues, `flush` writes what goes."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._sequence = Sequence()
        self._in = bytearray()
        self._out = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def make(self, command: str, **fields: Any) -> Any:
        """A request PDU with the next sequence number."""
        return smpp.make_pdu(command, client=self._sequence, **fields)

    def next_sequence(self) -> int:
        """The sequence number of a request that is written in bytes."""
        return int(self._sequence.next_sequence())

    def answer(self, request: Any, command: str, status: int = ROK, **fields: Any) -> None:
        """Sends the response to `request`, which is a PDU or its sequence number."""
        pdu = smpp.make_pdu(command, client=self._sequence, **fields)
        pdu.sequence = request if isinstance(request, int) else request.sequence
        pdu.status = status
        self.send(pdu)

    def send(self, pdu: Any) -> None:
        """Queues a PDU and writes what goes at once; LinkLost when the connection is gone."""
        self.write(pdu.generate())

    def write(self, raw: bytes) -> None:
        """As `send`, a PDU in bytes."""
        self._out += raw
        self.flush()

    def flush(self) -> None:
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except _NOT_NOW:
                return
            except OSError as error:
                raise LinkLost(error.strerror or str(error)) from None
            del self._out[:sent]

    def read(self) -> list[Any]:
        """The PDUs that have arrived, broken ones as BadPdu; LinkLost when none has and none will."""
        lost, pdus = self._receive(), []
        while (length := self._next_length()) is not None:
            if not HEADER.size <= length <= LONGEST:
                lost = f"a PDU of {length} bytes"
            if not HEADER.size <= length <= min(LONGEST, len(self._in)):
                break
            pdus.append(parse(bytes(self._in[:length])))
            del self._in[:length]
        if lost and not pdus:
            raise LinkLost(lost)
        return pdus

    def _next_length(self) -> int | None:
        return int(HEADER.unpack_from(self._in)[0]) if len(self._in) >= HEADER.size else None

    def _receive(self) -> str | None:
        """Takes what has arrived; how the link ended, if it did."""
        try:
            while chunk := self._socket.recv(65536):
                self._in += chunk
        except _NOT_NOW:
            return None
        except OSError as error:
            return error.strerror or str(error)
        return "closed by the other end"

    def close(self) -> None:
        self._socket.close()
