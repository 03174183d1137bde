"""What a call says: each packet that leaves, of what plays, of keys, and of those it's bridged with. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ivr.events import Codec
from ivr.media import g711
from ivr.media.audio import FRAME_MS, FRAME_SAMPLES
from ivr.media.hearing import Hearing
from ivr.media.keys import KeysSent
from ivr.media.player import Player
from ivr.media.relay import Relay
from ivr.media.remote import Remote
from ivr.media.rtp import Sender
from ivr.media.srtp import Srtp

__all__ = ["Outgoing"]


class Outgoing:
    """`packet` is asked for each packet's time. All voice is stored in frames of 20 ms.

    Nearly always a packet is 20 ms of what plays, or of silence. `_only_plays` says that it is so: whatever
    may change that calls `changed`, and the next packet finds out again.
    """

    __slots__ = (
        "_hearing",
        "_only_plays",
        "_relays",
        "_remote",
        "_rest",
        "_silence",
        "_srtp",
        "_voice_type",
        "keys",
        "player",
        "sender",
    )

    def __init__(self, sender: Sender, player: Player, hearing: Hearing) -> None:
        self.sender, self.player, self._hearing = sender, player, hearing
        self.keys = KeysSent(sender)
        self._remote: Remote | None = None
        self._srtp: Srtp | None = None
        self._relays: Collection[Relay] = ()
        self._rest = b""  # of a frame whose beginning has left, where packets aren't whole frames
        self._silence, self._voice_type = b"", -1
        self._only_plays = False

    def changed(self) -> None:
        """Something else than what plays may be to send."""
        self._only_plays = False

    def agree(self, remote: Remote, srtp: Srtp | None) -> None:
        """Go on towards this end, by these keys."""
        self.changed()
        before, self._remote, self._srtp = self._remote, remote, srtp
        if before is None or (remote.codec, remote.ptime) != (before.codec, before.ptime):
            self._rest, self.sender.step = b"", remote.ptime * FRAME_SAMPLES // FRAME_MS
        self._silence, self._voice_type = g711.SILENT_FRAMES[remote.codec], remote.voice_type
        self.player.speak(remote.codec)

    def relay(self, relays: Collection[Relay]) -> None:
        """Say what comes by these, where nothing plays; the collection may grow and shrink."""
        self.changed()
        self._relays = relays

    def packet(self, now: float) -> bytes | None:
        """The next packet, None where the far end is to hear nothing."""
        if not self._only_plays:
            return self._any_packet(now)
        # The hot path: each call comes through here 50 times a second.
        player = self.player
        index = player.index
        if 0 < index < player.last:
            player.index = index + 1
            voice = player.frames[index]
        else:
            voice = player.frame(now) or self._silence
        return self.sender.frame(self._voice_type, voice)

    def skip(self, packets: int) -> None:
        """Let the clock of so many pass."""
        self.sender.skip(packets * self.sender.step)

    def _any_packet(self, now: float) -> bytes | None:
        remote = self._remote
        if remote is None or not remote.sends:
            self.skip(1)
            return None
        whole = remote.ptime == FRAME_MS
        voice = self._frame(remote.codec, now) if whole else self._packed(remote.codec, now)
        packet = self.keys.packet()
        if packet is None:
            self._hearing.said(voice, remote.codec, now, self.sender.timestamp)
            packet = self.sender.frame(remote.voice_type, voice)
        self._only_plays = not (
            self.keys or self._relays or self._hearing.knows_us or self._srtp is not None or not whole
        )
        return packet if self._srtp is None else self._srtp.protect(packet)

    def _packed(self, codec: Codec, now: float) -> bytes:
        """The next packet's voice, where that isn't a frame; what is left of a frame leads the next.

        What is told of a frame is told as the packet leaves, some of the frame up to 10 ms later.
        """
        size, octets = self.sender.step, self._rest
        while (missing := size - len(octets)) > 0:
            octets += self._frame(codec, now, (missing - 1) // FRAME_SAMPLES)
        self._rest = octets[size:]
        return octets[:size]

    def _frame(self, codec: Codec, now: float, more: int = 0) -> bytes:
        """The next 20 ms; `more` frames after it leave in the same packet."""
        # Their voice is taken, said or not: what waited while we said something else is over.
        heard = self._relayed(codec, more) if self._relays else None
        return self.keys.voice(codec, self.player.frame(now) or heard or self._silence)

    def _relayed(self, codec: Codec, more: int) -> bytes | None:
        """The next 20 ms of those it's bridged with; None where nobody speaks."""
        frames = [frame for relay in self._relays if (frame := relay.voice.frame(codec, more))]
        if len(frames) < 2:
            return frames[0] if frames else None
        return g711.mix(frames, codec)
