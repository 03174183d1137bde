"""The level of the speech in a sound, by ITU-T P.56 (12/2011) method B: what a level meter for speech shows.

A mean over a whole file falls with its pauses. This is the mean power of the time in which somebody speaks:
the envelope of the sound above a threshold, with a hangover that bridges the gaps between syllables. The
threshold isn't given; it's the one that lies 15.9 dB below the level that it leads to. Pure numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TIME_CONSTANT = 0.03  # seconds, of each of the two averages (P.56 §7.2)
_HANGOVER = 0.2  # seconds
_MARGIN = 15.9  # dB between threshold and level
_BITS = 16
_THRESHOLDS = 2.0 ** np.arange(-(_BITS - 1), 0)  # 6 dB apart, up to half of full scale
_REACH = 24  # time constants after which the past no longer counts: under the smallest threshold


@dataclass(frozen=True, slots=True)
class SpeechLevel:
    """`level` in dBov of the active speech, `activity` its part of the time (0–1), `whole` in dBov of all."""

    level: float
    activity: float
    whole: float


def speech_level(sound: Floats, rate: int) -> SpeechLevel | None:
    """The level of `sound` (1.0 is full scale) at `rate` Hz; None where nothing reaches a threshold."""
    power = float(np.mean(sound**2)) if len(sound) else 0.0
    active = _active_samples(_envelope(np.abs(sound), rate), round(_HANGOVER * rate)) if power else []
    levels = [10 * np.log10(power * len(sound) / number) for number in active if number]
    if not levels:
        return None
    level, whole = _meet(np.array(levels)), float(10 * np.log10(power))
    return SpeechLevel(level, min(1.0, float(10 ** ((whole - level) / 10))), whole)


def _envelope(magnitude: Floats, rate: int) -> Floats:
    """Two exponential averages, one after the other; their common impulse response is (n + 1)(1 − g)²gⁿ."""
    decay = np.exp(-1.0 / (rate * _TIME_CONSTANT))
    at = np.arange(min(len(magnitude), round(_REACH * _TIME_CONSTANT * rate)))
    response = (1.0 - decay) ** 2 * (at + 1) * decay**at
    size = 1 << (len(magnitude) + len(response) - 1).bit_length()
    product = np.fft.rfft(magnitude, size) * np.fft.rfft(response, size)
    envelope: Floats = np.fft.irfft(product, size)[: len(magnitude)]
    return envelope


def _active_samples(envelope: Floats, hangover: int) -> list[int]:
    """For each threshold, how many samples are above it or within the hangover after one that was."""
    at = np.arange(len(envelope))
    found = []
    for threshold in _THRESHOLDS:
        last = np.maximum.accumulate(np.where(envelope >= threshold, at, -hangover - 1))
        found.append(int(np.count_nonzero(at - last <= hangover)))
    return found


def _meet(levels: Floats) -> float:
    """The level that lies the margin above its threshold: between two thresholds in a straight line."""
    over = levels - 20 * np.log10(_THRESHOLDS[: len(levels)]) - _MARGIN
    below = np.flatnonzero(over <= 0)
    if not len(below):
        return float(levels[-1])  # a knock: all of its power in less than the averages can follow
    upper = int(below[0])
    if upper == 0:
        return float(levels[0])  # fainter than the thresholds reach
    part = over[upper - 1] / (over[upper - 1] - over[upper])
    return float(levels[upper - 1] + part * (levels[upper] - levels[upper - 1]))
