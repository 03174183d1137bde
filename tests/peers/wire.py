"""What tcpdump saw of one role's SIP and RTP, in its order."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.peers.capture import stamped_packets

__all__ = ["Sip", "datagrams", "sip_of", "voices"]


@dataclass(frozen=True, slots=True)
class Datagram:
    """`at` is seconds since the epoch; `source` and `target` are UDP ports."""

    at: float
    source: int
    target: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sip(Datagram):
    """A SIP message."""

    @property
    def text(self) -> str:
        return self.payload.decode("utf-8", "replace")

    @property
    def line(self) -> str:
        return self.text.partition("\r\n")[0]

    def header(self, name: str) -> str:
        """Its value, empty where it isn't there."""
        found = re.search(rf"^{name}: *(.*?)\r$", self.text.partition("\r\n\r\n")[0] + "\r", re.M | re.I)
        return found[1] if found else ""

    @property
    def begins_a_call(self) -> bool:
        return self.line.startswith("INVITE") and ";tag=" not in self.header("To")

    @property
    def caller(self) -> str:
        """The number in From."""
        found = re.search(r"sip:([^@>]*)", self.header("From"))
        return found[1] if found else ""


def datagrams(pcap: Path) -> Iterator[Datagram]:
    for at, packet in stamped_packets(pcap):
        ip = (packet[0] & 15) * 4
        source, target, size = struct.unpack_from(">HHH", packet, ip)
        yield Datagram(at, source, target, packet[ip + 8 : ip + size])


def voices(pcap: Path, sent_from: tuple[int, int]) -> dict[int, bytes]:
    """Receiving port → the A-law that came there from those ports, by its timestamps."""
    streams: dict[int, dict[int, bytes]] = defaultdict(dict)
    for each in datagrams(pcap):
        rtp = each.payload
        if sent_from[0] <= each.source <= sent_from[1] and len(rtp) == 172 and rtp[1] & 0x7F == 8:
            streams[each.target][struct.unpack_from(">I", rtp, 4)[0]] = rtp[12:]
    return {port: b"".join(frames[at] for at in sorted(frames)) for port, frames in streams.items()}


def sip_of(pcap: Path, port: int) -> list[Sip]:
    """To and from that SIP port, each once: what was sent again because a machine was slow isn't told."""
    seen: set[tuple[int, int, bytes]] = set()
    found = []
    for each in datagrams(pcap):
        key = (each.source, each.target, each.payload)
        if port in (each.source, each.target) and key not in seen:
            seen.add(key)
            found.append(Sip(each.at, each.source, each.target, each.payload))
    return found
