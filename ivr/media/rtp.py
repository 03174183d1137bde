"""RTP packets and the state of their two ends (RFC 3550). Pure: octets and `now` in, octets out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["BadPacket", "Receiver", "ReportBlock", "RtpPacket", "Sender", "parse"]

_HEADER = struct.Struct("!BBHII")
_pack_header, _unpack_header = _HEADER.pack, _HEADER.unpack_from
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


class ReportBlock(NamedTuple):
    """What one end heard of a source (RFC 3550 §6.4.1).

    `fraction` of 256 packets were lost since the block before it, `lost` since the beginning, below 0 where
    packets come twice; `jitter` is in samples. `lsr` names the source's last SR, `dlsr` is how long before
    this report it came, in 1/65536 s; 0 where none did.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


def parse(datagram: bytes) -> RtpPacket:
    """The packet in `datagram`, with CSRCs, extension and padding taken off (RFC 3550 §5.1, §5.3.1)."""
    size = len(datagram)
    if size < _HEADER.size:
        raise BadPacket(f"{size} octets are shorter than an RTP header")
    first, second, sequence, timestamp, ssrc = _unpack_header(datagram)
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
        # As `_pack` and `skip` would, without a call of either: it's done 50 times a second and call.
        sequence, timestamp, packets, size = self.sequence, self.timestamp, self.packets, len(payload)
        self.sequence = (sequence + 1) & 0xFFFF
        self.timestamp = (timestamp + size) & 0xFFFFFFFF
        self.packets = packets + 1
        self.octets += size
        second = payload_type if packets else payload_type | 0x80
        return _pack_header(_VERSION, second, sequence, timestamp, self.ssrc) + payload

    def event(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        """A packet at another `timestamp`: RFC 4733 events keep the one they began at."""
        return self._pack(payload_type, marker, timestamp, payload)

    def skip(self, samples: int) -> None:
        """Let the clock pass without sending."""
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF

    def _pack(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        second = payload_type | 0x80 if marker else payload_type
        packet = _pack_header(_VERSION, second, self.sequence, timestamp, self.ssrc) + payload
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return packet


@dataclass(slots=True)
class Receiver:
    """The receiving end: what a report block tells of one source (RFC 3550 A.1, A.3, A.8).

    A new SSRC begins anew: a far end may change it with a re-INVITE. `interval` is how many packets the last
    block was about.
    """

    ssrc: int | None = None
    received: int = 0
    interval: int = 0
    _base: int = 0
    _highest: int = 0
    _cycles: int = 0
    _bad: int | None = None
    _transit: int | None = None
    _stamp: int | None = None
    _jitter: float = 0.0
    _prior: tuple[int, int] = (0, 0)
    _before: tuple[int, int] = (0, 0)  # received and lost of the sources before this one
    _their_report: tuple[int, float] | None = None

    def take(self, packet: RtpPacket, came_at: float | None) -> bool:
        """Count a packet. False for one so far out of sequence that it must prove itself first (A.1).

        One of which it isn't known when it came counts in all but the jitter.
        """
        if packet.ssrc != self.ssrc:
            self._restart(packet)
        elif not self._in_sequence(packet):
            return False
        self.received += 1
        if packet.timestamp == self._stamp:  # a key's next packet: its time isn't told (RFC 4733 §2.1)
            return True
        self._stamp = packet.timestamp
        if came_at is None:
            self._transit = None
        else:
            self._time(packet.timestamp, came_at)
        return True

    def take_next(self, datagram: bytes, payload_type: int, came_at: float | None) -> bool:
        """Count a plain packet of that type, if it's the one that follows the last; its voice is left alone.

        False, and nothing counted, for whatever else: that's for `parse` and `take`. As they would, but
        without a call or a tuple: most packets of most calls are only counted, 50 a second.
        """
        if len(datagram) < 12:
            return False
        first, second, sequence, timestamp, ssrc = _unpack_header(datagram)
        if sequence != self._highest + 1 or second != payload_type or first != _VERSION or ssrc != self.ssrc:
            return False
        self._highest = sequence
        self.received += 1
        if came_at is None:
            self._transit = None
        elif timestamp != self._stamp:
            self._time(timestamp, came_at)
        self._stamp = timestamp
        return True

    def _time(self, timestamp: int, came_at: float) -> None:
        """Let the packet count in the jitter (A.8), if when the one before it came is known, too."""
        transit = (int(came_at * 8000) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            change = (transit - self._transit + 0x80000000) & 0xFFFFFFFF
            self._jitter += (abs(change - 0x80000000) - self._jitter) / 16
        self._transit = transit

    def _restart(self, packet: RtpPacket) -> None:
        self._before = self.received_of_all, self.lost_of_all
        self.ssrc, self.received, self._cycles = packet.ssrc, 0, 0
        self._base = self._highest = packet.sequence
        self._bad, self._transit, self._stamp, self._jitter, self._prior = None, None, None, 0.0, (0, 0)
        self._their_report = None

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

    @property
    def _expected(self) -> int:
        return 0 if self.ssrc is None else self._cycles + self._highest - self._base + 1

    @property
    def source(self) -> tuple[int, int]:
        """The SSRC that is heard, and how often its sequence has turned over."""
        return self.ssrc or 0, self._cycles // _SEQUENCES

    @property
    def received_of_all(self) -> int:
        """Packets of every source that there was."""
        return self._before[0] + self.received

    @property
    def lost_of_all(self) -> int:
        """Below 0 where packets come twice."""
        return self._before[1] + self._expected - self.received

    def hear_report(self, sent_at: int, now: float) -> None:
        """The source's SR of that NTP time (its middle 32 bits) came at `now`."""
        self._their_report = sent_at, now

    def block(self, now: float) -> ReportBlock | None:
        """What a report at `now` tells of the source; None while nothing came."""
        if self.ssrc is None:
            return None
        expected = self._expected
        self.interval = expected - self._prior[0]
        gone = self.interval - (self.received - self._prior[1])
        self._prior = expected, self.received
        fraction = min(255, (gone << 8) // self.interval) if self.interval > 0 and gone > 0 else 0
        lsr, came_at = self._their_report or (0, now)
        return ReportBlock(
            self.ssrc,
            fraction,
            max(-0x800000, min(0x7FFFFF, expected - self.received)),
            (self._cycles + self._highest) & 0xFFFFFFFF,
            int(self._jitter),
            lsr,
            int((now - came_at) * 65536) & 0xFFFFFFFF,
        )
