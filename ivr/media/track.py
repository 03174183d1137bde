"""One direction of a call's sound, each octet at its place in time, whatever packets brought it. Pure."""

from __future__ import annotations

from ivr.events import Codec
from ivr.media import g711

__all__ = ["SAMPLES_A_SECOND", "Track"]

SAMPLES_A_SECOND = 8000
_GAP = 800  # samples: less is the network's jitter, more is something that didn't come
_SILENCE = bytes([g711.SILENCE["pcma"]])


class Track:
    """A-law octets that wait to be taken, in order; `start` is when the first of all was said, in samples.

    What came late tells that the ones before it did too: the earliest that an octet can be said counts.
    """

    def __init__(self) -> None:
        self.start: int | None = None
        self.waiting = bytearray()
        self._count = 0

    def add(self, octets: bytes, codec: Codec, now: float) -> None:
        """Sound whose last octet was there at `now`, monotonic seconds; a gap before it is silence."""
        if codec != "pcma":
            octets = g711.other_law(octets, "pcma")
        began = round(now * SAMPLES_A_SECOND) - len(octets)
        if self.start is None:
            self.start = began
        missing = began - self.start - self._count
        if missing < 0:
            self.start += missing
        elif missing > _GAP:
            self.waiting += _SILENCE * missing
            self._count += missing
        self.waiting += octets
        self._count += len(octets)

    def take(self, number: int) -> bytes:
        """The first `number` octets that wait, or all that do."""
        octets = bytes(self.waiting[:number])
        del self.waiting[:number]
        return octets
