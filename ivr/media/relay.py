"""One way of a bridge: what one far end says, on its way to another. Pure.

Voice is queued as frames of 20 ms and leaves with the clock of the leg that sends it, so that this leg's
SSRC, sequence and clock go on as they were, whatever the far end's packets are numbered and however long they
are. A key is held as long as the far end holds it, by our own clock too (RFC 4733 §2.5.1).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator

from ivr.events import Codec
from ivr.media import g711
from ivr.media.rtp import RtpPacket, Sender

__all__ = ["HeldKey", "KeyRelay", "Relay", "VoiceRelay"]

_FRAME = 160  # octets of 20 ms
_MOST = 6  # frames; more is a delay that people hear, so the oldest go
_CALM, _CALMEST = 25, 1600  # frames in a row with one to spare after which one is left out: 0.5 s, 32 s
_MISORDER = 100  # RFC 3550 A.1: what is further behind is no late packet, the far end began anew
_LONGEST = 0xFFFF  # RFC 4733 §2.5.1.3
_SILENT = 1600  # samples: a key whose packets stop for 200 ms is up, its end was lost
_ENDS = 3  # RFC 4733 §2.5.1.4


class VoiceRelay:
    """Takes packets as they come; gives a frame each 20 ms, None where there is none to give.

    A frame leaves with the next tick: less than 20 ms where packets are in time. A late one leaves a gap, and
    by that gap what follows has 20 ms more to come in, so that as much waits as the jitter needs. What waits
    in vain for a while is made good by leaving a frame out: the network is calm again, or the far end's clock
    is faster. A gap after that doubles the while, so that gaps and leaps don't take turns.
    """

    def __init__(self) -> None:
        self._frames: deque[tuple[Codec, bytes]] = deque()
        self._rest = b""
        self._rest_codec: Codec = "pcma"
        self._ssrc: int | None = None
        self._newest = self._next_timestamp = 0
        self._ready = 1  # frames that should wait when the first after a pause leaves
        self._paused, self._dry = True, False
        self._spared = self._spared_before = 0
        self._calm = _CALM

    def take(self, packet: RtpPacket, codec: Codec) -> None:
        """Queue a packet's voice; one that comes after a later one is left out."""
        if packet.ssrc == self._ssrc and (self._newest - packet.sequence) & 0xFFFF < _MISORDER:
            return
        if self._dry:
            self._resume(late=packet.ssrc == self._ssrc and packet.timestamp == self._next_timestamp)
        self._ssrc, self._newest = packet.ssrc, packet.sequence
        self._next_timestamp = (packet.timestamp + len(packet.payload)) & 0xFFFFFFFF
        if len(packet.payload) == _FRAME and not self._rest:
            self._frames.append((codec, packet.payload))
        else:
            self._cut(packet.payload, codec)
        if len(self._frames) > _MOST:  # its packets came in a heap
            while len(self._frames) > self._ready:
                self._frames.popleft()

    def _cut(self, octets: bytes, codec: Codec) -> None:
        """Queue voice that comes in other lengths than 20 ms."""
        if self._rest and self._rest_codec == codec:
            octets = self._rest + octets
        whole = len(octets) - len(octets) % _FRAME
        for at in range(0, whole, _FRAME):
            self._frames.append((codec, octets[at : at + _FRAME]))
        self._rest, self._rest_codec = octets[whole:], codec

    def _resume(self, late: bool) -> None:
        """Voice comes again after there was none to give: it was late, or the far end paused."""
        self._dry, self._paused = False, not late
        if late:
            if self._ready == 1:  # a frame was left out too soon, or none has been yet
                self._calm = min(2 * self._calm, _CALMEST)
            self._ready = 2
        else:
            self._spared = self._spared_before  # the queue ran out by the pause alone

    def frame(self, codec: Codec, more: int = 0) -> bytes | None:
        """The next 20 ms in `codec`; `more` frames after it leave in the same packet."""
        frames = self._frames
        if not frames:
            self._dry = not self._paused
            return None
        if self._paused:
            if len(frames) <= more:  # they leave at the packet's end: what follows them comes by the next one
                return None
            self._paused = False
            if len(frames) < self._ready:  # 20 ms more, and no longer, for the second
                return None
        came_as, octets = frames.popleft()
        if not frames:
            self._spared, self._spared_before = 0, self._spared
        elif (spared := self._spared + 1) < self._calm:
            self._spared = spared
        else:
            self._spared, self._ready = 0, 1
            came_as, octets = frames.popleft()
        return octets if came_as == codec else g711.other_law(octets, codec)


class HeldKey(Iterator[bytes]):
    """A key that the far end holds, as the packets that tell it on; three tell its end.

    `mine` are the timestamp and code by which the far end's packets name it.
    """

    def __init__(self, sender: Sender, payload_type: int, code: int, volume: int, mine: int) -> None:
        self._sender, self._type, self._code, self._volume = sender, payload_type, code, volume
        self.mine = mine
        self._began: int | None = None
        self._held = self._total = self._told = self._quiet = self._ends = 0
        self._up = False

    def hear(self, code: int, timestamp: int, duration: int, end: bool) -> bool:
        """A packet that tells of this key; False when it's another's."""
        if code != self._code or self._up:
            return False
        if (timestamp - self.mine) & 0xFFFFFFFF == _LONGEST:  # held on: the next segment
            self.mine = timestamp
        elif timestamp != self.mine:
            return False
        self._quiet, self._told, self._up = 0, duration, end
        return True

    def __next__(self) -> bytes:
        if self._ends == _ENDS:
            raise StopIteration
        first, began = self._began is None, self._began
        if began is None:
            began = self._sender.timestamp
        elif self._held == _LONGEST and not self._ends:
            began, self._held = (began + _LONGEST) & 0xFFFFFFFF, 0
        self._began = began
        self._hold()
        flags = self._volume | (0x80 if self._ends else 0)
        payload = struct.pack("!BBH", self._code, flags, self._held)
        packet = self._sender.event(self._type, first, began, payload)
        self._sender.skip(self._sender.step)
        return packet

    def _hold(self) -> None:
        """Another packet's time of it, or another telling of its end, not before it was as long as theirs."""
        step = self._sender.step
        self._quiet += step
        self._up = self._up or self._quiet > _SILENT
        if not self._ends:
            self._held = min(_LONGEST, self._held + step)
            self._total += step
        if self._up and self._total >= self._told:
            self._ends += 1


class KeyRelay:
    """Tells a far end's keys on: each packet to the key it is of, a new key as a new `HeldKey`."""

    def __init__(self) -> None:
        self._key: HeldKey | None = None

    def take(self, packet: RtpPacket, is_new: bool, sender: Sender, payload_type: int) -> HeldKey | None:
        """The key that begins with this packet. `is_new` is what `KeyReceiver` says of it."""
        if len(packet.payload) < 4:
            return None
        code, flags, duration = struct.unpack_from("!BBH", packet.payload)
        end = bool(flags & 0x80)
        if is_new:
            self._key = HeldKey(sender, payload_type, code, flags & 0x3F, packet.timestamp)
        known = self._key is not None and self._key.hear(code, packet.timestamp, duration, end)
        return self._key if is_new and known else None


class Relay:
    """What one leg hears of another: voice and keys."""

    __slots__ = ("keys", "voice")

    def __init__(self) -> None:
        self.voice, self.keys = VoiceRelay(), KeyRelay()
