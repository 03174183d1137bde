"""Sound as bits that a telephone line leaves alone: what `ivr.media.announcements` compares. Pure.

Each 128 ms has 32 bits: whether the difference of the energies of two neighbouring bands grew since 80 ms
before (after Haitsma and Kalker, ISMIR 2002). A sign of a difference of logarithms doesn't ask how loud
anything is, nor, by and large, what a codec or a line's slope did to it; noise and losses turn some of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ivr.media.track import SAMPLES_A_SECOND

__all__ = ["BITS", "HOP", "Print", "print_of"]

BITS = 32
HOP = 320  # samples, 40 ms
_FRAME = 1024
_APART = 2  # hops between the two that are compared
_LOWEST, _HIGHEST = 300.0, 3400.0  # Hz: what a telephone carries
_SOUNDS = 10**-2.5  # of a loud frame's energy: what is softer is a pause, whose bits are chance
_LOUD = 95  # percent of the frames are softer
_LEAST = np.float32(1e-9)
_WINDOW = np.hanning(_FRAME).astype(np.float32)


def _edges() -> NDArray[np.int64]:
    """The first bin of the spectrum of each of 33 bands, as wide as the ear's (mel), and of what's above."""
    lowest, highest = (float(2595 * np.log10(1 + hertz / 700)) for hertz in (_LOWEST, _HIGHEST))
    hertz: NDArray[np.float64] = 700 * (10 ** (np.linspace(lowest, highest, BITS + 2) / 2595) - 1)
    return np.round(hertz * (_FRAME / SAMPLES_A_SECOND)).astype(np.int64)


_EDGES = _edges()


@dataclass(frozen=True, slots=True)
class Print:
    """`bits` of each frame, one number of 32; `sounds`: those that aren't a pause."""

    bits: NDArray[np.uint32]
    sounds: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.bits)


def print_of(samples: NDArray[np.float32], hop: int = HOP) -> Print:
    """Of samples at 8 kHz, a frame each `hop`, of which HOP is a multiple; empty where they're few."""
    back = _APART * HOP // hop
    if len(samples) < _FRAME + back * hop:
        return Print(np.zeros(0, np.uint32), np.zeros(0, np.bool_))
    frames = sliding_window_view(samples, _FRAME)[::hop] * _WINDOW
    spectrum = np.fft.rfft(frames, axis=1)[:, : _EDGES[-1]]
    energy = np.add.reduceat(spectrum.real**2 + spectrum.imag**2, _EDGES[:-1], axis=1)
    steps = np.diff(np.log(energy + _LEAST), axis=1)
    grew = steps[back:] > steps[:-back]
    loudness = energy.sum(axis=1)
    loud = np.maximum(loudness[back:], loudness[:-back])
    return Print(
        np.packbits(grew, axis=1).view(np.uint32)[:, 0], loud > np.percentile(loudness, _LOUD) * _SOUNDS
    )
