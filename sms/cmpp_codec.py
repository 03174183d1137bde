"""CMPP 2.0 packets (China Mobile Point to Point): bytes to values and back. No I/O.

A packet is a dataclass whose annotations are the specification's field table, in its order. Numbers are
big-endian; texts are ASCII, filled up with NULs on the right.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

from sms.cmpp_fields import NUMBER, Content, Numbers, Raw, Text, Unsigned

HEADER = struct.Struct(">LLL")  # Total_Length, Command_Id, Sequence_Id
LONGEST = 4096  # the longest that the tables allow, a SUBMIT to 99 numbers, has 2,472 bytes
VERSION = 0x20


class BadPacket(ValueError):
    """Bytes that are no packet, or values that fit into none; the message names packet and field.

    `command` and `sequence` are its header's where its length was sound, else 0.
    """

    def __init__(self, reason: str, command: int = 0, sequence: int = 0) -> None:
        super().__init__(reason)
        self.command, self.sequence = command, sequence


Byte = Annotated[int, Unsigned(1)]
Number = Annotated[str, Text(NUMBER)]
MsgId = Annotated[bytes, Raw(8)]
Digest = Annotated[bytes, Raw(16)]
NO_ID = bytes(8)


@dataclass(frozen=True, slots=True)
class Connect:
    COMMAND: ClassVar[int] = 0x00000001
    source_addr: Annotated[str, Text(6)]
    authenticator_source: Digest
    version: Byte
    timestamp: Annotated[int, Unsigned(4)]  # MMDDHHMMSS, as a number


@dataclass(frozen=True, slots=True)
class ConnectResp:
    COMMAND: ClassVar[int] = 0x80000001
    status: Byte
    authenticator_ismg: Digest = bytes(16)
    version: Byte = VERSION


@dataclass(frozen=True, slots=True)
class Terminate:
    COMMAND: ClassVar[int] = 0x00000002


@dataclass(frozen=True, slots=True)
class TerminateResp:
    COMMAND: ClassVar[int] = 0x80000002


@dataclass(frozen=True, slots=True)
class Submit:
    """A text to one or several numbers. `msg_fmt` is 8 for UCS-2, 15 for GBK, 0 for ASCII."""

    COMMAND: ClassVar[int] = 0x00000004
    msg_id: MsgId = NO_ID
    pk_total: Byte = 1
    pk_number: Byte = 1
    registered_delivery: Byte = 1
    msg_level: Byte = 0
    service_id: Annotated[str, Text(10)] = ""
    fee_user_type: Byte = 2
    fee_terminal_id: Number = ""
    tp_pid: Byte = 0
    tp_udhi: Byte = 0
    msg_fmt: Byte = 8
    msg_src: Annotated[str, Text(6)] = ""
    fee_type: Annotated[str, Text(2)] = "01"
    fee_code: Annotated[str, Text(6)] = ""
    valid_time: Annotated[str, Text(17)] = ""
    at_time: Annotated[str, Text(17)] = ""
    src_id: Number = ""
    dest_terminal_ids: Annotated[tuple[str, ...], Numbers()] = ()
    msg_content: Annotated[bytes, Content()] = b""
    reserve: MsgId = NO_ID


@dataclass(frozen=True, slots=True)
class SubmitResp:
    COMMAND: ClassVar[int] = 0x80000004
    msg_id: MsgId
    result: Byte


@dataclass(frozen=True, slots=True)
class Deliver:
    """A citizen's text, or the report of a text of ours where `registered_delivery` is 1."""

    COMMAND: ClassVar[int] = 0x00000005
    msg_id: MsgId
    dest_id: Number
    service_id: Annotated[str, Text(10)] = ""
    tp_pid: Byte = 0
    tp_udhi: Byte = 0
    msg_fmt: Byte = 8
    src_terminal_id: Number = ""
    registered_delivery: Byte = 0
    msg_content: Annotated[bytes, Content()] = b""
    reserved: MsgId = NO_ID


@dataclass(frozen=True, slots=True)
class DeliverResp:
    COMMAND: ClassVar[int] = 0x80000005
    msg_id: MsgId
    result: Byte


@dataclass(frozen=True, slots=True)
class ActiveTest:
    COMMAND: ClassVar[int] = 0x00000008


@dataclass(frozen=True, slots=True)
class ActiveTestResp:
    COMMAND: ClassVar[int] = 0x80000008
    reserved: Byte = 0


@dataclass(frozen=True, slots=True)
class Unknown:
    """A whole packet of a command that this side has no use for."""

    command: int


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a Deliver that reports on `msg_id`; `stat` is a word of 7 characters or a code."""

    msg_id: MsgId
    stat: Annotated[str, Text(7)]
    submit_time: Annotated[str, Text(10)]  # YYMMDDHHMM
    done_time: Annotated[str, Text(10)]
    dest_terminal_id: Number
    smsc_sequence: Annotated[int, Unsigned(4)] = 0


Packet = (
    Connect | ConnectResp | Terminate | TerminateResp | Submit | SubmitResp
    | Deliver | DeliverResp | ActiveTest | ActiveTestResp
)  # fmt: skip

_BY_COMMAND: dict[int, type[Packet]] = {packet.COMMAND: packet for packet in get_args(Packet)}
# Their one byte, where they have any, says nothing; gateways differ in whether they send it.
_WITHOUT_WORDS = (Terminate, TerminateResp, ActiveTest, ActiveTestResp)


def _layout(packet: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(packet, include_extras=True)
    return [(each.name, hints[each.name].__metadata__[0]) for each in fields(packet)]


_LAYOUTS = {packet: _layout(packet) for packet in (*_BY_COMMAND.values(), Report)}


def pack(packet: Packet, sequence: int) -> bytes:
    """The packet's bytes; BadPacket where a value doesn't fit into its field."""
    body = pack_fields(packet)
    return HEADER.pack(HEADER.size + len(body), packet.COMMAND, sequence) + body


def pack_fields(packet: Packet | Report) -> bytes:
    """The fields alone, without a header."""
    found = []
    for name, kind in _LAYOUTS[type(packet)]:
        try:
            found.append(kind.pack(getattr(packet, name)))
        except ValueError as error:
            raise BadPacket(f"{type(packet).__name__}.{name}: {error}") from None
    return b"".join(found)


def unpack(raw: bytes) -> tuple[int, Packet | Unknown]:
    """Sequence number and packet of a whole frame; BadPacket where its fields aren't the table's."""
    if len(raw) < HEADER.size:
        raise BadPacket(f"{len(raw)} bytes are no header")
    length, command, sequence = HEADER.unpack_from(raw)
    if length != len(raw):
        raise BadPacket(f"{len(raw)} bytes, but Total_Length {length}", command, sequence)
    packet = _BY_COMMAND.get(command)
    if packet is None:
        return sequence, Unknown(command)
    if packet in _WITHOUT_WORDS:
        return sequence, packet()
    try:
        values, end = _unpack_fields(packet, raw, HEADER.size)
        if end != length:  # CMPP 3.0 has longer fields: read as 2.0 they would mean something else
            raise BadPacket(f"{packet.__name__} has {length} bytes instead of {end}")
    except BadPacket as error:
        raise BadPacket(str(error), command, sequence) from None
    return sequence, packet(**values)


def unpack_report(content: bytes) -> Report:
    """The report in a Deliver's content; what follows it is passed over. BadPacket where it's cut off."""
    return Report(**_unpack_fields(Report, content, 0)[0])


def _unpack_fields(packet: type, raw: bytes, at: int) -> tuple[dict[str, Any], int]:
    values = {}
    for name, kind in _LAYOUTS[packet]:
        try:
            values[name], at = kind.unpack(raw, at)
        except ValueError as error:
            raise BadPacket(f"{packet.__name__}.{name}: {error}") from None
    return values, at


def take_frame(received: bytearray) -> bytes | None:
    """Takes the first whole packet off what was received; None while it isn't whole.

    BadPacket for a length that no packet has: where the next one begins can't be known then.
    """
    if len(received) < 4:
        return None
    length = int.from_bytes(received[:4], "big")
    if not HEADER.size <= length <= LONGEST:
        raise BadPacket(f"a packet of {length} bytes")
    if len(received) < length:
        return None
    frame = bytes(received[:length])
    del received[:length]
    return frame


def authenticator_source(source_addr: str, secret: str, timestamp: int) -> bytes:
    """How we prove who we are; `timestamp` is MMDDHHMMSS as a number, ten digits here."""
    return _md5(source_addr.encode("ascii") + bytes(9) + secret.encode() + b"%010d" % timestamp)


def authenticator_ismg(status: int, source: bytes, secret: str) -> bytes:
    """How the gateway proves who it is; `source` is the authenticator that it was sent."""
    return _md5(bytes([status]) + source + secret.encode())


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()  # the protocol knows no other
