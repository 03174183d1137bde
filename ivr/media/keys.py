"""One call's keys, as they are heard and as they are sent: by RFC 4733, by INFO, or as tones. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ivr.events import Codec
from ivr.media.dtmf import Key, KeyReceiver, send_key
from ivr.media.rtp import RtpPacket, Sender
from ivr.media.tones import key_tones

__all__ = ["KeysHeard", "KeysSent"]

_ECHO = 0.5  # seconds: a key's tones come back from a hybrid within that (`ivr.media.echo`)


class KeysHeard:
    """A gateway may tell keys in more ways than one: the way of the first is that of all, `by`."""

    __slots__ = ("_receiver", "_tone", "by")

    def __init__(self) -> None:
        self.by: str | None = None
        self._receiver = KeyReceiver()
        self._tone: Key | None = None

    def packet(self, packet: RtpPacket, now: float) -> Key | None:
        """The key that an event packet is the first to tell of."""
        return self._receiver.receive(packet, now)

    def tones(self, key: Key) -> None:
        self._tone = key

    def told_by_tones(self, key: Key) -> bool:
        """Whether `key`, heard of another, may be the echo of one of this far end's."""
        mine = self._tone
        return mine is not None and mine.key == key.key and 0 <= key.began_at - mine.began_at < _ECHO

    def counts(self, by: str) -> bool:
        """Whether a key that is told so is to be told on."""
        self.by = self.by or by
        return by == self.by


class KeysSent:
    """A key goes after those before it: each is packets in the place of voice, or tones for voice."""

    __slots__ = ("_packets", "_sender", "_tones", "_tones_until")

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._packets: deque[Iterator[bytes]] = deque()
        self._tones: deque[tuple[bytes, bytes]] = deque()  # frames, in both laws
        self._tones_until = 0.0

    def __bool__(self) -> bool:
        """Whether something of a key is still to leave."""
        return bool(self._packets or self._tones)

    def events(self, key: str, seconds: float, event_type: int) -> None:
        self._packets.append(send_key(self._sender, key, seconds, event_type))

    def held(self, packets: Iterator[bytes]) -> None:
        """A key that another far end holds."""
        self._packets.append(packets)

    def tones(self, key: str, seconds: float, now: float) -> None:
        tones = key_tones(key, seconds)
        self._tones.extend(zip(tones.pcma, tones.pcmu, strict=True))
        self._tones_until = max(now, self._tones_until) + tones.seconds

    def echo(self, key: Key) -> bool:
        """Whether tones that are heard may be ours."""
        return key.began_at < self._tones_until + _ECHO

    def voice(self, codec: Codec, voice: bytes) -> bytes:
        """The next 20 ms: a key's, or what would be said."""
        return self._tones.popleft()[codec == "pcmu"] if self._tones else voice

    def packet(self) -> bytes | None:
        """The next packet in the place of voice, None where voice may leave."""
        while self._packets:
            packet = next(self._packets[0], None)
            if packet is not None:
                return packet
            self._packets.popleft()
        return None
