"""The tones of the telephone in China: 450 Hz, by their cadences (ITU-T E.180, supplement 2), and of keys."""

from __future__ import annotations

from functools import cache

import numpy as np

from ivr.media.audio import RATE, Audio, join
from ivr.media.inband_dtmf import tones_of

__all__ = [
    "BEEP_HERTZ",
    "BEEP_SECONDS",
    "beep",
    "busy",
    "congestion",
    "key_tones",
    "mumble",
    "ringback",
    "unobtainable",
]

_HERTZ = 450
_PEAK = 8000  # about -9 dBm0
_LOWER_PEAK = 6400  # of a key's lower tone, which lines carry better: 2 dB softer
_PAUSE = 0.08  # seconds after a key; Q.24 wants 40 ms at least
BEEP_HERTZ, BEEP_SECONDS = 1000, 0.4


@cache
def ringback() -> Audio:
    """One turn of it: 1 s on, 4 s off. Play it again when it has finished."""
    return _cadence(1.0, 4.0, 1)


@cache
def busy() -> Audio:
    """0.35 s on, 0.35 s off, long enough to be understood: 2.1 s."""
    return _cadence(0.35, 0.35, 3)


@cache
def congestion() -> Audio:
    """0.7 s on, 0.7 s off: no way through the network; 4.2 s of it."""
    return _cadence(0.7, 0.7, 3)


@cache
def unobtainable() -> Audio:
    """Three times 0.1 s on and off, then 0.4 s: no such number; 4.2 s of it."""
    return join([_cadence(0.1, 0.1, 3), _cadence(0.4, 0.4, 1)] * 3)


@cache
def beep() -> Audio:
    """The tone after which a message is spoken; its ends are rounded, so that it doesn't click."""
    length = round(BEEP_SECONDS * RATE)
    at = np.arange(length)
    edge = np.minimum(1, np.minimum(at, length - 1 - at) / (0.01 * RATE))
    wave = np.sin(at * (2 * np.pi * BEEP_HERTZ / RATE)) * _PEAK * edge
    return Audio.from_samples(wave.astype(np.int16))


@cache
def mumble(seconds: float) -> Audio:
    """What stands for somebody's voice in the simulated city: 200 Hz that swells and fades."""
    at = np.arange(round(seconds * RATE))
    swell = 0.6 + 0.4 * np.sin(at * (2 * np.pi * 3 / RATE))
    return Audio.from_samples((np.sin(at * (2 * np.pi * 200 / RATE)) * _PEAK * swell).astype(np.int16))


@cache
def key_tones(key: str, seconds: float) -> Audio:
    """A key as its two tones (ITU-T Q.23), and the pause after it."""
    at = np.arange(round(seconds * RATE)) * (2 * np.pi / RATE)
    low, high = tones_of(key)
    wave = np.sin(at * low) * _LOWER_PEAK + np.sin(at * high) * _PEAK
    return Audio.from_samples(np.concatenate([wave, np.zeros(round(_PAUSE * RATE))]).astype(np.int16))


def _cadence(on: float, off: float, times: int) -> Audio:
    beat = np.concatenate([np.arange(round(on * RATE)), np.full(round(off * RATE), -1)])
    wave = np.where(beat >= 0, np.sin(beat * (2 * np.pi * _HERTZ / RATE)) * _PEAK, 0)
    return Audio.from_samples(np.tile(wave, times).astype(np.int16))
