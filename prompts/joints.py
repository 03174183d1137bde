"""Where the pieces of a sentence meet: no step that clicks, no gap that sounds like the end. Pure numpy."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prompts.catalogue import Catalogue
from prompts.pieces import Piece, parts, pauses
from prompts.sound import RATE, Samples

MOST_STEP = 0.02  # of full scale, from one sample to the next
MOST_GAP = 0.15  # seconds beyond what the punctuation wants
MOST_EDGE = 0.10  # seconds of silence at a piece's end beyond that
_FRAME = RATE // 50  # a call sends whole frames: a piece is filled up with silence
_QUIET = 10 ** (-26 / 20)  # of a piece's active speech, as an amplitude
_NEAR = 4


@dataclass(frozen=True, slots=True)
class Joint:
    """Two pieces as a call says them: the largest `step` between samples near their meeting, the `gap` in
    seconds, and how much of it the texts `want`."""

    left: str
    right: str
    step: float
    gap: float
    wanted: float

    @property
    def clicks(self) -> bool:
        return self.step > MOST_STEP

    @property
    def gapes(self) -> bool:
        return self.gap > self.wanted + MOST_GAP


def meetings(catalogue: Catalogue, language: str) -> list[tuple[str, str]]:
    """Every two pieces that can follow each other in a sentence, by their ids."""
    found: dict[tuple[str, str], None] = {}
    for prompt in catalogue.spoken:
        for lefts, rights in itertools.pairwise(parts(catalogue, prompt, language)):
            found |= dict.fromkeys(itertools.product(lefts, rights))
    return list(found)


def measure_joint(left: Piece, right: Piece, sounds: Mapping[str, tuple[Samples, float]]) -> Joint:
    """How `left` meets `right`; `sounds` are samples and active level (dBov) by the pieces' ids."""
    (before, level_before), (after, level_after) = sounds[left.id], sounds[right.id]
    filled = np.concatenate([before, np.zeros(-len(before) % _FRAME, dtype=np.int16)])
    joined = np.concatenate([filled, after]).astype(np.float64) / 32768.0
    around = joined[max(0, len(before) - _NEAR) : len(filled) + _NEAR]
    silence = quiet_ends(before, level_before)[1] + quiet_ends(after, level_after)[0]
    return Joint(
        left.id,
        right.id,
        step=float(np.abs(np.diff(around)).max()),
        gap=silence + (len(filled) - len(before)) / RATE,
        wanted=pauses(left.text)[1] + pauses(right.text)[0],
    )


def quiet_ends(samples: Samples, level: float) -> tuple[float, float]:
    """Seconds before and after what can be heard, by the piece's active level in dBov."""
    loud = np.abs(samples.astype(np.int32)) > 32768 * 10 ** (level / 20) * _QUIET
    heard = np.flatnonzero(loud)
    if not len(heard):
        return len(samples) / RATE, 0.0
    return int(heard[0]) / RATE, (len(samples) - 1 - int(heard[-1])) / RATE
