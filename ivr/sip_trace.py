"""A call's SIP messages as people look at them: a ladder, and a capture for Wireshark. Pure.

Over TLS, too: the messages are taken where they're plain, without the keys of SRTP (RFC 4568). The capture
shows each as a datagram of UDP, whatever carried it, since that's how one message is one packet.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from ivr.sip.errors import BadMessage
from ivr.sip.headers import printable
from ivr.sip.hop import Hop
from ivr.sip.message import Request, parse

__all__ = ["Traced", "ladder", "pcap", "without_keys"]

_RAW_IP = 101  # LINKTYPE_RAW: IPv4 or IPv6 without a link's header
_LARGEST = 65000  # octets of a message in the capture
_WIDTH = 46
_KEY = re.compile(rb"(?<=inline:)[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Traced:
    """`at` in seconds since 1970; `hop` is theirs: where it went (`sent`), or came from."""

    at: float
    sent: bool
    data: bytes
    hop: Hop


def without_keys(data: bytes) -> bytes:
    """A message whose keys can't be read, as long as it was: whoever has a trace shouldn't hear the call."""
    return _KEY.sub(lambda key: b"x" * len(key[0]), data) if b"inline:" in data else data


def ladder(messages: Sequence[Traced], ours: str) -> str:
    """The messages one under another with arrows, seconds from the first; then each whole."""
    if not messages:
        return "nothing was sent or received\n"
    began = messages[0].at
    lines = [f"{'':8} {ours:<{_WIDTH // 2}}{messages[0].hop!s:>{_WIDTH // 2 + 2}}"]
    lines += [_rung(each, each.at - began) for each in messages]
    for each in messages:
        way = "to" if each.sent else "from"
        lines += ["", f"--- {each.at - began:.3f} s {way} {each.hop}", *_lines(each.data)]
    return "\n".join(lines) + "\n"


def _rung(message: Traced, seconds: float) -> str:
    text = f" {_name(message.data)} "[: _WIDTH - 2]
    body = f"{text:─^{_WIDTH - 1}}"
    arrow = f"{body}▶" if message.sent else f"◀{body}"
    return f"{seconds:8.3f} │{arrow}│"


def _name(data: bytes) -> str:
    """Its first line in short, with what it describes."""
    try:
        message = parse(data)
    except BadMessage as bad:
        return f"unreadable: {bad.place}"
    described = " (SDP)" if message.body[:3] == b"v=0" else ""
    if isinstance(message, Request):
        return f"{message.method}{described}"
    method = (message.first("CSeq") or "").partition(" ")[2]
    return printable(f"{message.status} {message.reason}{described}, {method}")


def _lines(data: bytes) -> list[str]:
    return [printable(line) for line in data.decode("utf-8", "replace").split("\r\n")]


def pcap(messages: Sequence[Traced], ours: Hop) -> bytes:
    """A capture file (libpcap 2.4, microseconds)."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _RAW_IP)
    return head + b"".join(_record(each, ours) for each in messages)


def _record(message: Traced, ours: Hop) -> bytes:
    source, target = (ours, message.hop) if message.sent else (message.hop, ours)
    packet = _packet(source, target, message.data[:_LARGEST])
    seconds, rest = divmod(message.at, 1)
    return struct.pack("<IIII", int(seconds), int(rest * 1e6), len(packet), len(packet)) + packet


def _packet(source: Hop, target: Hop, data: bytes) -> bytes:
    udp = struct.pack("!HHHH", source.port, target.port, 8 + len(data), 0) + data  # 0: no checksum was taken
    one, other = ip_address(source.host), ip_address(target.host)
    if isinstance(one, IPv4Address) and isinstance(other, IPv4Address):
        head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0) + one.packed + other.packed
        return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + udp
    addresses = _sixteen(one.packed) + _sixteen(other.packed)
    whole = addresses + struct.pack("!II", len(udp), 17) + udp  # RFC 8200 §8.1: here one must be taken
    checksum = struct.pack("!H", _checksum(whole + bytes(len(whole) % 2)) or 0xFFFF)
    head = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64)
    return head + addresses + udp[:6] + checksum + udp[8:]


def _sixteen(packed: bytes) -> bytes:
    """An IPv4 address as IPv6 maps it (RFC 4291 §2.5.5.2)."""
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def _checksum(head: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(head) // 2}H", head))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
