"""What a far end says, put together from its packets as they come. Pure.

A packet's place is its timestamp (RFC 3550 §5.1): what is lost, or was silent, is filled with silence; what
comes late finds its place. A far end that begins anew, or whose clock leaps, goes on where it was: nothing of
what was said is overwritten or left out by that.
"""

from __future__ import annotations

from ivr.events import Codec
from ivr.media import g711
from ivr.media.rtp import RtpPacket

__all__ = ["LONGEST", "Recorder"]

LONGEST = 60.0  # seconds (domain.md §8.1)
_RATE = 8000
_CLOCK = 1 << 32
_AHEAD = _RATE  # octets: a clock that is a second before the time has leapt
_MISORDER = 100  # RFC 3550 A.1: what is further behind is no late packet


class Recorder:
    """`seconds` of voice at most. The first packet's law is that of the whole."""

    def __init__(self, token: str, seconds: float, began: float, codec: Codec) -> None:
        self.token, self.codec = token, codec
        self.ends_at = began + min(seconds, LONGEST)
        self._room = round(min(seconds, LONGEST) * _RATE)
        self._octets = bytearray()
        self._ssrc: int | None = None
        self._base = 0  # the timestamp of octet 0
        self._start = 0.0  # when that was said at the latest, monotonic seconds
        self._sequence = self._newest = 0  # of the newest packet, and its place

    def take(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Put the voice of a packet that came at `now`, monotonic seconds, in its place."""
        octets = packet.payload
        if not self._octets and self._ssrc is None:
            self.codec = codec
        elif codec != self.codec:
            octets = g711.other_law(octets, self.codec)
        at = self._place(packet, now)
        if at < 0:  # from before the beginning
            octets, at = octets[-at:], 0
        octets = octets[: max(0, self._room - at)]
        if not octets:
            return
        missing = at + len(octets) - len(self._octets)
        if missing > 0:
            self._octets += bytes([g711.SILENCE[self.codec]]) * missing
        self._octets[at : at + len(octets)] = octets

    def _place(self, packet: RtpPacket, now: float) -> int:
        """Where its first octet goes: between the newest and the time, or it's of another clock."""
        said = now - len(packet.payload) / _RATE
        if packet.ssrc == self._ssrc:
            at = (packet.timestamp - self._base + _CLOCK // 2) % _CLOCK - _CLOCK // 2
            is_late = (self._sequence - packet.sequence) & 0xFFFF < _MISORDER
            if is_late and at <= self._newest:
                return at
            if not is_late and self._newest < at <= (said - self._start) * _RATE + _AHEAD:
                self._start = min(self._start, said - at / _RATE)
                self._sequence, self._newest = packet.sequence, at
                return at
        at = len(self._octets)
        self._ssrc, self._base = packet.ssrc, (packet.timestamp - at) % _CLOCK
        self._start, self._sequence, self._newest = said - at / _RATE, packet.sequence, at
        return at

    @property
    def payload(self) -> bytes:
        """Octets of `codec`, 8000 a second."""
        return bytes(self._octets)

    @property
    def seconds(self) -> float:
        return len(self._octets) / _RATE
