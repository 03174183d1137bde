"""A call of the simulated city: who of its citizens is on it, and what they hear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ivr.citizen import Citizen, Ear
from ivr.events import Codec
from ivr.media import g711
from ivr.media.audio import RATE
from ivr.media.tones import BEEP_HERTZ

__all__ = ["Visit"]

_VOICE_PEAK = 500  # of 32768: above a line's hum, below any speech


@dataclass(slots=True)
class Visit:
    """A call to a citizen, or of one (`rings_us`). `prompts` counts those they heard to their end."""

    number: str
    citizen: Citizen
    ear: Ear
    prompts: int = 0
    rings_us: bool = False

    def hear(self, payload: bytes, codec: Codec, now: float) -> None:
        samples = g711.decode(payload, codec).astype(np.int32)
        seconds, peak = len(payload) / RATE, np.abs(samples).max(initial=0)
        turns = np.count_nonzero(np.diff(samples >= 0))
        beeps = abs(turns - 2 * BEEP_HERTZ * seconds) <= 2
        self.ear.hear(bool(peak > _VOICE_PEAK), seconds, now, bool(beeps))
