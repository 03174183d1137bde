"""What a call hears before its answer: a network's tone, and the last of it, to compare. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.events import Codec
from ivr.media.g711 import LEVELS
from ivr.media.progress import BLOCK, ProgressEar, Tone
from ivr.media.track import SAMPLES_A_SECOND, Track

__all__ = ["KEPT", "EarlyEar"]

KEPT = 8.0  # seconds
_SPARE = 2 * SAMPLES_A_SECOND  # so much more is kept, that it isn't moved each time
_BATCH = 40 * BLOCK  # looked at together: 400 ms


class EarlyEar:
    """One call's: takes its voice as it comes, each octet at its place in time; keeps the last `seconds`."""

    def __init__(self, seconds: float = KEPT) -> None:
        self._track, self._progress = Track(), ProgressEar()
        self._most, self._kept = round(seconds * SAMPLES_A_SECOND), bytearray()

    def hear(
        self,
        octets: bytes,
        codec: Codec,
        now: float,
        timestamp: int | None = None,
        *,
        after_silence: bool = False,
    ) -> Tone | None:
        """The tone of the network that is certain by now; told once. A gateway that sends no silence sets the
        marker of what comes after it (RFC 3551 §4.1): `after_silence`.
        """
        self._track.add(octets, codec, now, timestamp, after_silence=after_silence)
        told = None
        while self._track.waiting >= _BATCH:
            fresh = self._track.take(_BATCH)
            self._keep(fresh.octets)
            told = told or self._progress.hear(fresh.octets, fresh.came)
        return told

    def _keep(self, octets: bytes) -> None:
        self._kept += octets
        if len(self._kept) > self._most + _SPARE:
            del self._kept[: -self._most]

    def last(self) -> NDArray[np.float32]:
        """What is kept: samples at 8 kHz, 1.0 at full scale."""
        self._keep(self._track.take(self._track.waiting).octets)
        return LEVELS.take(np.frombuffer(bytes(self._kept[-self._most :]), np.uint8))
