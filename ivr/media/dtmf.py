"""Keys as RFC 4733 tells them: named events in RTP, told many times over so that loss loses none. Pure."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ivr.media.rtp import RtpPacket, Sender

__all__ = ["KEYS", "Key", "KeyReceiver", "send_key"]

KEYS = "0123456789*#ABCD"  # by event code, RFC 4733 §3.2
_CLOCK = 8000
_LONGEST = 0xFFFF  # RFC 4733 §2.5.1.3: a longer key goes on in a new segment
_FRAME = 160  # samples; keys are held for whole 20 ms
_VOLUME = 10  # -10 dBm0
_REMEMBERED = 32
_PAUSE = 320  # samples, 40 ms: so long is nobody's pause between two presses of a key (ITU-T Q.24)


@dataclass(frozen=True, slots=True)
class Key:
    """One key; `began_at` is when it went down, by the receiver's clock."""

    key: str
    began_at: float


@dataclass(slots=True)
class _Segment:
    ssrc: int
    timestamp: int
    event: int
    duration: int
    ended: bool


class KeyReceiver:
    """Turns event packets into keys, each exactly once.

    A key is known by its (SSRC, timestamp), never by the marker bit: whichever of its packets comes
    first tells it, and what follows, late or repeated, is the same key (§2.5.1.2, §2.5.1.4). So is what
    follows without a pause: there are gateways that give each packet of a key another timestamp.
    """

    def __init__(self) -> None:
        self._segments: deque[_Segment] = deque(maxlen=_REMEMBERED)

    def receive(self, packet: RtpPacket, now: float) -> Key | None:
        """The key that this event packet is the first to tell of, else None."""
        if len(packet.payload) < 4:
            return None
        event, flags, duration = struct.unpack_from("!BBH", packet.payload)
        if event >= len(KEYS):
            return None
        segment = _Segment(packet.ssrc, packet.timestamp, event, duration, bool(flags & 0x80))
        if self._is_known(segment):
            return None
        continues = self._continues(segment)
        self._segments.append(segment)
        return None if continues else Key(KEYS[event], now - duration / _CLOCK)

    def _is_known(self, new: _Segment) -> bool:
        for old in self._segments:
            if old.timestamp == new.timestamp and old.ssrc == new.ssrc:
                old.ended, old.duration = old.ended or new.ended, max(old.duration, new.duration)
                return True
        return False

    def _continues(self, new: _Segment) -> bool:
        """Whether a held key's other segment is known: before it without a pause or, overtaken, after it."""
        for old in self._segments:
            if old.ssrc == new.ssrc and old.event == new.event:
                apart = (new.timestamp - old.timestamp) & 0xFFFFFFFF
                if apart <= old.duration + _PAUSE and (new.ended or not old.ended):
                    return True
                if apart == _LONGEST and not old.ended:  # whatever was lost of it
                    return True
                if apart == (1 << 32) - _LONGEST and not new.ended:
                    return True
        return False


def send_key(sender: Sender, key: str, seconds: float, payload_type: int) -> Iterator[bytes]:
    """A packet in place of each of voice while `key` is held, then two more that repeat its end (§2.5.1.4).

    So updates are as far apart as voice packets are: 10 to 60 ms, where §2.5.1.3 says 50. The sender's clock
    moves on with each packet, as it would with voice.
    """
    event = KEYS.index(key)
    left = max(_FRAME, round(seconds * _CLOCK / _FRAME) * _FRAME)
    began, held, marker = sender.timestamp, 0, True
    while left > 0:
        if held == _LONGEST:
            began, held = (began + _LONGEST) & 0xFFFFFFFF, 0
        step = min(sender.step, left, _LONGEST - held)
        held, left = held + step, left - step
        payload = struct.pack("!BBH", event, _VOLUME | (0x80 if left <= 0 else 0), held)
        yield _next(sender, payload_type, marker, began, payload)
        marker = False
    for _ in range(2):
        yield _next(sender, payload_type, False, began, payload)


def _next(sender: Sender, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
    packet = sender.event(payload_type, marker, timestamp, payload)
    sender.skip(sender.step)
    return packet
