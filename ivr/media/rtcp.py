"""RTCP: what each end tells the other of the voice that it sends and hears (RFC 3550 §6). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ivr.media.rtp import BadPacket, ReportBlock, Sender

__all__ = ["TheirReport", "ntp", "read_reports", "round_trip", "write_report"]

_VERSION = 0x80
_SR, _RR, _SDES, _BYE = 200, 201, 202, 203
_TO_1900 = 2_208_988_800  # seconds from 1900 to 1970
_BLOCK = struct.Struct("!IIIIII")
_LONGEST_TRIP = 30 << 16  # 30 s, in 1/65536 s: more is another's clock, or nonsense
_LONGEST_NEGATIVE = (1 << 32) - (1 << 16)  # -1 s: their clock is faster than ours


@dataclass(frozen=True, slots=True)
class TheirReport:
    """An SR or RR of source `ssrc`.

    `sent_at` is an SR's time, as an `lsr` names it, `packets` how many the source has sent by then; both are
    None in an RR, which is of who has sent none lately.
    """

    ssrc: int
    sent_at: int | None
    packets: int | None
    blocks: tuple[ReportBlock, ...]


def ntp(wall: float) -> int:
    """Seconds since 1970 as 64 bits of the NTP timestamp (§4)."""
    return int((wall + _TO_1900) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def read_reports(datagram: bytes) -> list[TheirReport]:
    """The reports in a compound packet; BadPacket unless it may be one (§6.1, A.2).

    What else is in it is passed over: names nobody asks for, and a BYE, since a call ends by SIP alone.
    """
    if len(datagram) < 8 or datagram[0] & 0xE0 != _VERSION or datagram[1] not in (_SR, _RR):
        raise BadPacket("not a compound RTCP packet that begins with a report")
    at, reports = 0, []
    while at < len(datagram):
        if len(datagram) < at + 4 or datagram[at] >> 6 != 2:
            raise BadPacket("an RTCP packet inside is malformed")
        end = at + 4 + 4 * int.from_bytes(datagram[at + 2 : at + 4])
        if end > len(datagram):
            raise BadPacket("RTCP lengths don't add up")
        if datagram[at + 1] in (_SR, _RR):
            reports.append(_report(datagram[at:end]))
        at = end
    return reports


def _report(packet: bytes) -> TheirReport:
    count, is_sr = packet[0] & 0x1F, packet[1] == _SR
    begin = 28 if is_sr else 8
    if len(packet) < begin + count * _BLOCK.size:
        raise BadPacket("a report with fewer blocks than it says")
    blocks = tuple(_block(packet, begin + number * _BLOCK.size) for number in range(count))
    sent_at = int.from_bytes(packet[10:14]) if is_sr else None
    packets = int.from_bytes(packet[20:24]) if is_sr else None
    return TheirReport(int.from_bytes(packet[4:8]), sent_at, packets, blocks)


def _block(packet: bytes, at: int) -> ReportBlock:
    ssrc, losses, highest, jitter, lsr, dlsr = _BLOCK.unpack_from(packet, at)
    lost = (losses & 0xFFFFFF ^ 0x800000) - 0x800000  # 24 bits with a sign: what comes twice isn't lost
    return ReportBlock(ssrc, losses >> 24, lost, highest, jitter, lsr, dlsr)


def round_trip(block: ReportBlock, wall: float) -> float | None:
    """Seconds there and back, by a block that came at `wall` (§6.4.1); None where it doesn't tell."""
    if not block.lsr:
        return None
    passed = ((ntp(wall) >> 16) - block.lsr - block.dlsr) & 0xFFFFFFFF
    if passed > _LONGEST_NEGATIVE:
        return 0.0
    return passed / 65536 if passed <= _LONGEST_TRIP else None


def write_report(
    sender: Sender, block: ReportBlock | None, cname: str, wall: float, bye: bool = False
) -> bytes:
    """A compound packet: SR, or RR while nothing was sent; SDES; and BYE at the end (§6.1, §6.6).

    `cname` names this end for the session (§6.5.1); `wall` is seconds since 1970, for the NTP timestamp.
    """
    return _written(sender, block, wall) + _names(sender.ssrc, cname) + (_bye(sender.ssrc) if bye else b"")


def _written(sender: Sender, block: ReportBlock | None, wall: float) -> bytes:
    count, heard = 0, b""
    if block is not None:
        losses = block.fraction << 24 | block.lost & 0xFFFFFF
        count, heard = 1, _BLOCK.pack(block.ssrc, losses, *block[3:])
    if not sender.packets:
        return struct.pack("!BBHI", _VERSION | count, _RR, 1 + len(heard) // 4, sender.ssrc) + heard
    counts = sender.packets & 0xFFFFFFFF, sender.octets & 0xFFFFFFFF
    info = struct.pack("!QIII", ntp(wall), sender.timestamp, *counts)
    return struct.pack("!BBHI", _VERSION | count, _SR, 6 + len(heard) // 4, sender.ssrc) + info + heard


def _names(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    item = struct.pack("!IBB", ssrc, 1, len(name)) + name
    item += bytes(4 - len(item) % 4)  # at least one null ends the list
    return struct.pack("!BBH", _VERSION | 1, _SDES, len(item) // 4) + item


def _bye(ssrc: int) -> bytes:
    return struct.pack("!BBHI", _VERSION | 1, _BYE, 1, ssrc)
