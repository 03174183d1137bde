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
_CAME = b"\x01"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A-law octets one after another; `came` has 1 for each that did, 0 for what is silence in its place."""

    octets: bytes
    came: bytes


class Track:
    """What waits to be taken, in order; `start` is when the first octet of all was said, monotonic seconds.

    What came late tells that the ones before it did too: the earliest that an octet can be said counts.
    """

    def __init__(self) -> None:
        self.start = float("inf")
        self.waiting = 0  # octets
        self._octets = bytearray()
        self._came = bytearray()  # of the first ones that wait; all others did
        self._end = 0  # how many octets there were, those that were taken among them
        self._next: int | None = None  # the timestamp of the one after them

    def add(
        self,
        octets: bytes,
        codec: Codec,
        now: float,
        timestamp: int | None = None,
        *,
        after_silence: bool = False,
    ) -> None:
        """Sound whose last octet was there at `now`, monotonic seconds.

        `timestamp` is its RTP packet's (RFC 3550 §5.1): what is lost, or was silent, leaves its place, and
        what comes late finds it while it waits. Without one, sound follows what came before. `after_silence`
        is that its marker says so: what is missing before it was silence, and counts as if it had come.
        """
        if codec != "pcma":
            octets = g711.other_law(octets, "pcma")
        if timestamp is None or timestamp != self._next:
            at = self._place(octets, now, timestamp)
            if at < self._end:
                self._mend(octets, at)
                return
            self._leave_out(at - self._end, after_silence)
        # From here on the next packet in order: each comes through here, 50 times a second.
        self._octets += octets
        self.waiting += len(octets)
        self._end += len(octets)
        if timestamp is not None:
            self._next = (timestamp + len(octets)) % _CLOCK
        start = now - self._end / SAMPLES_A_SECOND
        if start < self.start:
            self.start = start

    def _place(self, octets: bytes, now: float, timestamp: int | None) -> int:
        """Where sound goes that isn't simply the next, counted from the first octet of all."""
        if not self._end:
            return 0
        by_time = round((now - self.start) * SAMPLES_A_SECOND) - len(octets)
        if timestamp is None:
            return by_time if by_time - self._end > _JITTER else self._end
        if self._next is not None:
            at = self._end + (timestamp - self._next + _CLOCK // 2) % _CLOCK - _CLOCK // 2
            if abs(at - by_time) <= _OTHER_CLOCK:
                return at
        return max(self._end, by_time)

    def _leave_out(self, number: int, was_silent: bool) -> None:
        """Silence for what didn't come."""
        if number:
            if not was_silent:
                self._came += _CAME * (len(self._octets) - len(self._came)) + bytes(number)
            self._octets += _SILENCE * number
            self.waiting += number
            self._end += number

    def _mend(self, octets: bytes, at: int) -> None:
        """What comes late, as far as its place still waits."""
        at -= self._end - len(self._octets)
        if at < 0:
            octets, at = octets[-at:], 0
        octets = octets[: len(self._octets) - at]
        self._octets[at : at + len(octets)] = octets
        known = self._came[at : at + len(octets)]
        self._came[at : at + len(octets)] = _CAME * len(known)

    def take(self, number: int) -> Stretch:
        """The first `number` octets that wait."""
        stretch = Stretch(bytes(self._octets[:number]), bytes(self._came[:number]).ljust(number, _CAME))
        del self._octets[:number]
        del self._came[:number]
        self.waiting -= number
        return stretch
