"""One direction of a call's sound, each octet at its place in time, whatever packets brought it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events import Codec
from ivr.media import g711

__all__ = ["SAMPLES_A_SECOND", "Stretch", "Track"]

SAMPLES_A_SECOND = 8000
_JITTER = 800  # samples: without a timestamp, a longer gap is something that didn't come
_OTHER_CLOCK = 8000  # samples: a timestamp that far from the time isn't of the clock before
_CLOCK = 1 << 32
_SILENCE = bytes([g711.SILENCE["pcma"]])


@dataclass(frozen=True, slots=True)
class Stretch:
    """A-law octets one after another; `came` has 1 for each that did, 0 for what is silence in its place."""

    octets: bytes
    came: bytes


class Track:
    """What waits to be taken, in order; `start` is when the first octet of all was said, in samples.

    What came late tells that the ones before it did too: the earliest that an octet can be said counts.
    """

    def __init__(self) -> None:
        self.start: int | None = None
        self._octets, self._came = bytearray(), bytearray()
        self._taken = 0
        self._base: int | None = None  # the timestamp of the first octet of all

    @property
    def waiting(self) -> int:
        """How many octets."""
        return len(self._octets)

    def add(self, octets: bytes, codec: Codec, now: float, timestamp: int | None = None) -> None:
        """Sound whose last octet was there at `now`, monotonic seconds.

        `timestamp` is its RTP packet's (RFC 3550 §5.1): what is lost, or was silent, leaves its place, and
        what comes late finds it while it waits. Without one, sound follows what came before.
        """
        if not octets:
            return
        if codec != "pcma":
            octets = g711.other_law(octets, "pcma")
        began = round(now * SAMPLES_A_SECOND) - len(octets)
        if self.start is None:
            self.start = began
        at = self._place(began - self.start, timestamp)
        self.start = min(self.start, began - at)
        self._put(octets, at - self._taken)

    def _place(self, by_time: int, timestamp: int | None) -> int:
        """Where it goes, counted from the first octet of all; `by_time` is where it would by its time."""
        end = self._taken + len(self._octets)
        if timestamp is None:
            return by_time if by_time - end > _JITTER else end
        if self._base is not None:
            at = (timestamp - self._base + _CLOCK // 2) % _CLOCK - _CLOCK // 2
            if abs(at - by_time) <= _OTHER_CLOCK:
                return at
        at = max(end, by_time)
        self._base = (timestamp - at) % _CLOCK
        return at

    def _put(self, octets: bytes, at: int) -> None:
        if at < 0:  # too late for its beginning
            octets, at = octets[-at:], 0
        missing = at - len(self._octets)
        if missing > 0:
            self._octets += _SILENCE * missing
            self._came += bytes(missing)
        self._octets[at : at + len(octets)] = octets
        self._came[at : at + len(octets)] = b"\x01" * len(octets)

    def take(self, number: int) -> Stretch:
        """The first `number` octets that wait, or all that do."""
        stretch = Stretch(bytes(self._octets[:number]), bytes(self._came[:number]))
        del self._octets[:number]
        del self._came[:number]
        self._taken += len(stretch.octets)
        return stretch
