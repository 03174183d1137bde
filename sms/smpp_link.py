"""PDUs over a non-blocking TCP socket: smpplib's codec, our own framing, for either end of a link.

smpplib's own client reads blockingly and acknowledges a deliver_sm before anybody has stored it; here a
delivery is answered when its owner says so.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Any

from smpplib import smpp
from smpplib.client import SimpleSequenceGenerator

HEADER = struct.Struct(">LLLL")
LONGEST = 65536

ROK, RINVCMDID, RSYSERR, RINVDSTADR, RBINDFAIL, RMSGQFUL, RTHROTTLED, RX_T_APPN = (
    0x00, 0x03, 0x08, 0x0B, 0x0D, 0x14, 0x58, 0x64,
)  # fmt: skip


class LinkLost(Exception):
    """The connection is gone; the message says how."""


@dataclass(frozen=True, slots=True)
class BadPdu:
    """Bytes that are framed as a PDU and aren't one."""

    sequence: int
    reason: str
    is_response: bool  # which is never answered


class Sequence(SimpleSequenceGenerator):  # type: ignore[misc]
    """Sequence numbers of one link; smpplib's PDUs ask their client for them."""


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

    def answer(self, request: Any, command: str, status: int = ROK, **fields: Any) -> None:
        """Sends the response to `request`, which is a PDU or its sequence number."""
        pdu = smpp.make_pdu(command, client=self._sequence, **fields)
        pdu.sequence = request if isinstance(request, int) else request.sequence
        pdu.status = status
        self.send(pdu)

    def send(self, pdu: Any) -> None:
        """Queues a PDU and writes what goes at once; LinkLost when the connection is gone."""
        self._out += pdu.generate()
        self.flush()

    def flush(self) -> None:
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except BlockingIOError:
                return
            except OSError as error:
                raise LinkLost(error.strerror or str(error)) from None
            del self._out[:sent]

    def read(self) -> list[Any]:
        """The PDUs that have arrived, broken ones as BadPdu; LinkLost at the end, or at an absurd length."""
        try:
            while chunk := self._socket.recv(65536):
                self._in += chunk
            ended = True
        except BlockingIOError:
            ended = False
        except OSError as error:
            raise LinkLost(error.strerror or str(error)) from None
        pdus = list(self._take())
        if ended and not pdus:
            raise LinkLost("closed by the other end")
        return pdus

    def _take(self) -> Any:
        while len(self._in) >= HEADER.size:
            length, command, _, sequence = HEADER.unpack_from(self._in)
            if not HEADER.size <= length <= LONGEST:
                raise LinkLost(f"a PDU of {length} bytes")
            if len(self._in) < length:
                return
            raw = bytes(self._in[:length])
            del self._in[:length]
            yield parse(raw, sequence, bool(command & 0x80000000))

    def close(self) -> None:
        self._socket.close()


def parse(raw: bytes, sequence: int, is_response: bool) -> Any:
    """The PDU in `raw`; BadPdu for whatever its codec stumbles on."""
    try:
        pdu = smpp.parse_pdu(raw, client=Sequence(), allow_unknown_opt_params=True)
    except Exception as error:
        return BadPdu(sequence, f"{type(error).__name__}: {error}", is_response)
    return pdu or BadPdu(sequence, "unknown command", is_response)


def text_of(value: bytes | str | None) -> str:
    """A C-octet string field, which the codec gives as bytes."""
    if value is None:
        return ""
    return value if isinstance(value, str) else value.decode("latin-1")
