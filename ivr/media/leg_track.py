"""What a far end says for as long as its call is up, given out as it becomes final. Pure.

A packet's place is its timestamp (RFC 3550 §5.1), held against the time of its coming: so what is given
out is as long as the call, whatever is lost, suppressed as silence, or sent by a clock that isn't ours. What
comes late finds its place within `LATE` seconds; what is older has been given out, and stays as it is.
"""

from __future__ import annotations

from ivr.events import Codec
from ivr.media import g711
from ivr.media.rtp import RtpPacket

__all__ = ["LATE", "LegTrack"]

LATE = 1.0  # seconds
_EARLY = 0.5  # seconds ahead of our own clock: more is another clock
_RATE = 8000
_FRAME = 160
_MOST = 60 * _RATE  # octets that wait; in vain only for who isn't asked to `cut` for so long
_MISORDER = 100  # RFC 3550 A.1: what is further behind is no late packet, the far end began anew


class LegTrack:
    """From `began` on, in monotonic seconds. All of it is in `codec`; another law is translated.

    `take` as packets come, `cut` about each second, `finish` once. What these two give, one after another, is
    the whole: 8000 octets a second, in frames of 20 ms.
    """

    def __init__(self, codec: Codec, began: float) -> None:
        self.codec, self._began = codec, began
        self._octets = bytearray()
        self._begin = 0  # where these begin, in octets since `began`
        self._silence = bytes([g711.SILENCE[codec]])
        self._ssrc: int | None = None
        self._sequence = self._stamp = self._at = 0  # of the newest packet, and its place

    def take(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Put a packet's voice in its place. Of two for one place the later holds."""
        octets = packet.payload
        if codec != self.codec:
            octets = g711.other_law(octets, self.codec)
        at = self._place(packet, len(octets), now) - self._begin
        if at < 0:  # that time has been given out
            octets, at = octets[-at:], 0
        missing = at - len(self._octets)
        if not octets or at + len(octets) > _MOST:
            return
        if missing > 0:
            self._octets += self._silence * missing
        self._octets[at : at + len(octets)] = octets

    def _place(self, packet: RtpPacket, size: int, now: float) -> int:
        arrival = round((now - self._began) * _RATE)
        if packet.ssrc == self._ssrc:
            after = (packet.timestamp - self._stamp + (1 << 31)) % (1 << 32) - (1 << 31)
            at = self._at + after
            behind = (self._sequence - packet.sequence) & 0xFFFF < _MISORDER
            if behind and after <= 0:
                return at
            if not behind and -LATE * _RATE <= at + size - arrival <= _EARLY * _RATE:
                self._newest(packet, at)
                return at
        # The first of a source, or its clock isn't the call's: it was said just before it came.
        self._ssrc, at = packet.ssrc, max(self._begin, arrival - size)
        self._newest(packet, at)
        return at

    def _newest(self, packet: RtpPacket, at: int) -> None:
        self._sequence, self._stamp, self._at = packet.sequence, packet.timestamp, at

    def cut(self, now: float) -> bytes:
        """What no packet changes any more: all but the last `LATE` seconds."""
        return self._give(round((now - self._began - LATE) * _RATE))

    def finish(self, now: float) -> bytes:
        """The rest, until now."""
        end = max(round((now - self._began) * _RATE), self._begin + len(self._octets))
        return self._give(end + _FRAME - 1)

    def _give(self, end: int) -> bytes:
        size = max(0, (end - self._begin) // _FRAME * _FRAME)
        given = bytes(self._octets[:size]).ljust(size, self._silence)
        del self._octets[:size]
        self._begin += size
        return given
