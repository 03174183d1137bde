"""RTP and RTCP packets and the state of their two ends (RFC 3550). Pure: octets and `now` in, octets out."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["BadPacket", "Receiver", "Report", "RtpPacket", "Sender", "check_rtcp", "parse"]

_HEADER = struct.Struct("!BBHII")
_VERSION = 0x80
_SEQUENCES = 1 << 16
_MAX_DROPOUT = 3000  # RFC 3550 A.1: a jump longer than this is a restart, not a loss
_MAX_MISORDER = 100


class BadPacket(ValueError):
    """A datagram that is no RTP or RTCP packet; the message says why."""


class RtpPacket(NamedTuple):
    """`timestamp` counts samples at 8 kHz, `sequence` is 16 bit; both wrap. A tuple: 50 a second and call."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(datagram: bytes) -> RtpPacket:
    """The packet in `datagram`, with CSRCs, extension and padding taken off (RFC 3550 §5.1, §5.3.1)."""
    size = len(datagram)
    if size < _HEADER.size:
        raise BadPacket(f"{size} octets are shorter than an RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    # As nearly all are, and there are 50 a second and call.
    if first == _VERSION and not 200 <= second <= 204:
        return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, datagram[_HEADER.size :])
    if first >> 6 != 2:
        raise BadPacket(f"RTP version {first >> 6}")
    if 200 <= second <= 204:  # A.1: these would be payload types 72–76 with a marker
        raise BadPacket("an RTCP packet on the RTP port")
    begin, end = _HEADER.size + 4 * (first & 0x0F), size
    if first & 0x10:
        if size < begin + 4:
            raise BadPacket("the header extension is cut short")
        begin += 4 + 4 * struct.unpack_from("!H", datagram, begin + 2)[0]
    if first & 0x20:
        if not 0 < datagram[-1] <= size - begin:
            raise BadPacket(f"padding of {datagram[-1]} octets")
        end -= datagram[-1]
    if begin > end:
        raise BadPacket("the header is longer than the datagram")
    return RtpPacket(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, datagram[begin:end])


def check_rtcp(datagram: bytes) -> None:
    """BadPacket unless `datagram` may be a compound RTCP packet (RFC 3550 A.2)."""
    if len(datagram) < 8 or datagram[0] & 0xE0 != _VERSION or datagram[1] not in (200, 201):
        raise BadPacket("not a compound RTCP packet that begins with a report")
    at = 0
    while at < len(datagram):
        if len(datagram) < at + 4 or datagram[at] >> 6 != 2:
            raise BadPacket("an RTCP packet inside is malformed")
        at += 4 + 4 * struct.unpack_from("!H", datagram, at + 2)[0]
    if at != len(datagram):
        raise BadPacket("RTCP lengths don't add up")


@dataclass(slots=True)
class Sender:
    """The sending end: one SSRC, its sequence and its clock of 8 kHz.

    The start values should be random (§5.1); whoever makes a Sender draws them. `frame` takes the voice of
    the next packet; `event` sends within a packet's time without moving the clock. `step` is that time, in
    samples.
    """

    ssrc: int
    sequence: int
    timestamp: int
    packets: int = 0
    octets: int = 0
    step: int = 160

    def frame(self, payload_type: int, payload: bytes) -> bytes:
        """The packet of the next frame; the marker is set on the first one (RFC 3551 §4.1)."""
        packet = self._pack(payload_type, self.packets == 0, self.timestamp, payload)
        self.skip(len(payload))
        return packet

    def event(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        """A packet at another `timestamp`: RFC 4733 events keep the one they began at."""
        return self._pack(payload_type, marker, timestamp, payload)

    def skip(self, samples: int) -> None:
        """Let the clock pass without sending."""
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF

    def _pack(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        second = payload_type | 0x80 if marker else payload_type
        packet = _HEADER.pack(_VERSION, second, self.sequence, timestamp, self.ssrc) + payload
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return packet


@dataclass(slots=True)
class Receiver:
    """The receiving end: what a report block tells of one source (RFC 3550 A.1, A.3, A.8).

    A new SSRC begins anew: a far end may change it with a re-INVITE.
    """

    ssrc: int | None = None
    received: int = 0
    _base: int = 0
    _highest: int = 0
    _cycles: int = 0
    _bad: int | None = None
    _transit: int | None = None
    _jitter: float = 0.0
    _prior: tuple[int, int] = field(default=(0, 0))

    def take(self, packet: RtpPacket, now: float) -> bool:
        """Count a packet. False for one so far out of sequence that it must prove itself first (A.1)."""
        if packet.ssrc != self.ssrc:
            self._restart(packet)
        elif not self._in_sequence(packet):
            return False
        self.received += 1
        arrival = int(now * 8000) & 0xFFFFFFFF
        transit = (arrival - packet.timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            change = (transit - self._transit + 0x80000000) & 0xFFFFFFFF
            self._jitter += (abs(change - 0x80000000) - self._jitter) / 16
        self._transit = transit
        return True

    def _restart(self, packet: RtpPacket) -> None:
        self.ssrc, self.received, self._cycles = packet.ssrc, 0, 0
        self._base = self._highest = packet.sequence
        self._bad, self._transit, self._jitter, self._prior = None, None, 0.0, (0, 0)

    def _in_sequence(self, packet: RtpPacket) -> bool:
        ahead = (packet.sequence - self._highest) & 0xFFFF
        if ahead < _MAX_DROPOUT:
            if packet.sequence < self._highest:
                self._cycles += _SEQUENCES
            self._highest = packet.sequence
        elif ahead <= _SEQUENCES - _MAX_MISORDER:
            if packet.sequence != self._bad:
                self._bad = (packet.sequence + 1) & 0xFFFF
                return False
            self._restart(packet)  # two in a row: the far end began anew without saying so
        return True

    def block(self) -> bytes:
        """The report block of RFC 3550 §6.4.1; empty while nothing came."""
        if self.ssrc is None:
            return b""
        highest = self._cycles + self._highest
        expected = highest - self._base + 1
        lost = max(-0x800000, min(0x7FFFFF, expected - self.received))
        interval = expected - self._prior[0], self.received - self._prior[1]
        self._prior = expected, self.received
        gone = interval[0] - interval[1]
        fraction = min(255, (gone << 8) // interval[0]) if interval[0] > 0 and gone > 0 else 0
        return struct.pack(
            "!IIIIII",
            self.ssrc,
            fraction << 24 | lost & 0xFFFFFF,
            highest & 0xFFFFFFFF,
            int(self._jitter),
            0,
            0,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What an RTCP report is made of. `cname` names this end for the session (§6.5.1)."""

    sender: Sender
    receiver: Receiver
    cname: str

    def packet(self, wall: float, bye: bool = False) -> bytes:
        """A compound packet: SR, or RR while nothing was sent; SDES; and BYE at the end (§6.1, §6.6).

        `wall` is seconds since 1970, for the NTP timestamp.
        """
        return self._report(wall) + self._names() + (self._bye() if bye else b"")

    def _report(self, wall: float) -> bytes:
        block = self.receiver.block()
        count = 1 if block else 0
        sender = self.sender
        if not sender.packets:
            return struct.pack("!BBHI", _VERSION | count, 201, 1 + len(block) // 4, sender.ssrc) + block
        ntp = int((wall + 2_208_988_800) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
        info = struct.pack(
            "!QIII", ntp, sender.timestamp, sender.packets & 0xFFFFFFFF, sender.octets & 0xFFFFFFFF
        )
        return struct.pack("!BBHI", _VERSION | count, 200, 6 + len(block) // 4, sender.ssrc) + info + block

    def _names(self) -> bytes:
        name = self.cname.encode()[:255]
        item = struct.pack("!IBB", self.sender.ssrc, 1, len(name)) + name
        item += bytes(4 - len(item) % 4)  # at least one null ends the list
        return struct.pack("!BBH", _VERSION | 1, 202, len(item) // 4) + item

    def _bye(self) -> bytes:
        return struct.pack("!BBHI", _VERSION | 1, 203, 1, self.sender.ssrc)
