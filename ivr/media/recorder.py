"""What a far end says, put together from its packets as they come. Pure.

A packet's place is its timestamp (RFC 3550 §5.1): what is lost, or was silent, is filled with silence; what
comes late finds its place. A far end that begins anew goes on where it was.
"""

from __future__ import annotations

from ivr.events import Codec
from ivr.media import g711
from ivr.media.rtp import RtpPacket

__all__ = ["LONGEST", "Recorder"]

LONGEST = 60.0  # seconds (domain.md §8.1)
_RATE = 8000
_CLOCK = 1 << 32


class Recorder:
    """`seconds` of voice at most. The first packet's law is that of the whole."""

    def __init__(self, token: str, seconds: float, began: float, codec: Codec) -> None:
        self.token, self.codec = token, codec
        self.ends_at = began + min(seconds, LONGEST)
        self._room = round(min(seconds, LONGEST) * _RATE)
        self._octets = bytearray()
        self._ssrc: int | None = None
        self._base = 0  # the timestamp of octet 0

    def take(self, packet: RtpPacket, codec: Codec) -> None:
        octets = packet.payload
        if not self._octets and self._ssrc is None:
            self.codec = codec
        elif codec != self.codec:
            octets = g711.other_law(octets, self.codec)
        at = self._place(packet)
        if at < 0:  # from before the beginning
            octets, at = octets[-at:], 0
        octets = octets[: max(0, self._room - at)]
        if not octets:
            return
        missing = at + len(octets) - len(self._octets)
        if missing > 0:
            self._octets += bytes([g711.SILENCE[self.codec]]) * missing
        self._octets[at : at + len(octets)] = octets

    def _place(self, packet: RtpPacket) -> int:
        """Where its first octet goes: within the room, give or take, or it's of another clock."""
        if packet.ssrc == self._ssrc:
            at = (packet.timestamp - self._base + _CLOCK // 2) % _CLOCK - _CLOCK // 2
            if -_RATE <= at <= self._room + _RATE:
                return at
        self._ssrc = packet.ssrc
        self._base = (packet.timestamp - len(self._octets)) % _CLOCK
        return len(self._octets)

    @property
    def payload(self) -> bytes:
        """Octets of `codec`, 8000 a second."""
        return bytes(self._octets)

    @property
    def seconds(self) -> float:
        return len(self._octets) / _RATE
