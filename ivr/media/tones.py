"""The tones of the telephone in China: 450 Hz, by their cadences (ITU-T E.180, supplement 2)."""

from __future__ import annotations

from functools import cache

import numpy as np

from ivr.media.audio import RATE, Audio

__all__ = ["busy", "ringback"]

_HERTZ = 450
_PEAK = 8000  # about -9 dBm0


@cache
def ringback() -> Audio:
    """One turn of it: 1 s on, 4 s off. Play it again when it has finished."""
    return _cadence(1.0, 4.0, 1)


@cache
def busy() -> Audio:
    """0.35 s on, 0.35 s off, long enough to be understood: 2.1 s."""
    return _cadence(0.35, 0.35, 3)


def _cadence(on: float, off: float, times: int) -> Audio:
    beat = np.concatenate([np.arange(round(on * RATE)), np.full(round(off * RATE), -1)])
    wave = np.where(beat >= 0, np.sin(beat * (2 * np.pi * _HERTZ / RATE)) * _PEAK, 0)
    return Audio.from_samples(np.tile(wave, times).astype(np.int16))
