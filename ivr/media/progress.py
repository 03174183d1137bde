"""The network's tones before an answer: busy, congested, no such number. Pure.

In China each is 450 Hz and known by its cadence (ITU-T E.180, supplement 2; GF 002): busy 0.35 s on and off,
congestion 0.7 s, number unobtainable three times 0.1 s and once 0.4 s. It's told when its tones came so often
that nothing else sounds so. Ring-back, 1 s and 4 s, and the call waiting tone, 0.4 s and 4 s, are none of
them: the one says nothing that isn't known, the other is for the one who is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum

import numpy as np

from ivr.media.g711 import LEVELS
from ivr.media.track import SAMPLES_A_SECOND

__all__ = ["BLOCK", "ProgressEar", "Tone"]


class Tone(StrEnum):
    """What a network says by a tone."""

    BUSY = "busy"
    CONGESTION = "congestion"
    UNOBTAINABLE = "unobtainable"


BLOCK = 80  # samples: 10 ms
_HERTZ = 450.0
_TONE = 0.6  # of a block's power at 450 Hz: 475 Hz has four fifths, 500 Hz two
_AUDIBLE = 1e-4  # power: -40 dBov; the network's tones are sent at about -16
_UNDER = 10**-1.5  # of the tone's power: its pauses are 15 dB softer at least
_EDGE = 3  # blocks that are neither: a tone begins and ends within one, a packet has two
_LONGEST_PAUSE = 100  # blocks; after it another begins
_LOST = 25  # blocks of which something didn't come, until nothing is known any more

# Seconds of tone, of pause and so on: three tones of the slow ones, two rounds of the quick.
_ROUND = (0.1, 0.1) * 3
_CADENCES = {
    Tone.BUSY: (0.35,) * 5,
    Tone.CONGESTION: (0.7,) * 5,
    Tone.UNOBTAINABLE: (*_ROUND, 0.4, 0.4, *_ROUND, 0.4),
}
_MOST = max(len(each) for each in _CADENCES.values())
_OFF, _BLOCKS_OFF = 0.15, 1.5  # of a length, and of where a block happens to begin

_PHASES = 2 * np.pi * _HERTZ * np.arange(BLOCK) / SAMPLES_A_SECOND
_GOERTZEL = np.stack([np.cos(_PHASES), np.sin(_PHASES)], axis=1).astype(np.float32)


class ProgressEar:
    """One call's, until its answer: takes A-law octets in whole blocks, and tells a tone once."""

    def __init__(self) -> None:
        self._lengths: deque[int] = deque(maxlen=_MOST)  # blocks of tone, of pause … and of tone
        self._now = self._begun = 0  # this block; the first of what sounds now
        self._in_tone = False
        self._neither = self._lost = 0
        self._power = 0.0  # of the tone
        self._told = False

    def hear(self, octets: bytes, came: bytes) -> Tone | None:
        """`came` has 0 for each octet that stands for a lost one, which tells nothing."""
        if self._told:
            return None
        samples = LEVELS.take(np.frombuffer(octets, np.uint8)).reshape(-1, BLOCK)
        power = np.einsum("ij,ij->i", samples, samples) / BLOCK
        sums = np.einsum("ij,jk->ik", samples, _GOERTZEL)
        share = (sums**2).sum(axis=1) * (2 / BLOCK**2) / (power + 1e-12)
        here = np.frombuffer(came, np.uint8).reshape(-1, BLOCK).min(axis=1) > 0
        return self._follow(zip(power.tolist(), share.tolist(), here.tolist(), strict=True))

    def _follow(self, blocks: Iterable[tuple[float, float, bool]]) -> Tone | None:
        for power, share, here in blocks:
            self._now += 1
            if not here:
                self._lost += 1
                if self._lost > _LOST:
                    self._forget()
                continue
            self._lost = 0
            if power > _AUDIBLE and share > _TONE:
                self._hear_tone(power)
            elif power < max(self._power * _UNDER, _AUDIBLE / 10):
                if (tone := self._hear_pause()) is not None:
                    self._told = True
                    return tone
            else:
                self._neither += 1
                if self._neither > _EDGE:
                    self._forget()
        return None

    def _hear_tone(self, power: float) -> None:
        self._neither, self._power = 0, power
        if self._in_tone:
            return
        if self._lengths:
            self._lengths.append(self._now - self._begun)
        self._in_tone, self._begun = True, self._now

    def _hear_pause(self) -> Tone | None:
        self._neither = 0
        if not self._in_tone:
            if self._now - self._begun > _LONGEST_PAUSE:
                self._forget()
            return None
        self._lengths.append(self._now - self._begun)
        self._in_tone, self._begun = False, self._now
        return next((tone for tone, cadence in _CADENCES.items() if self._sounds_like(cadence)), None)

    def _sounds_like(self, cadence: tuple[float, ...]) -> bool:
        """Whether the last lengths, from tone to tone, are those."""
        lately = list(self._lengths)[-len(cadence) :]
        wanted = [seconds * SAMPLES_A_SECOND / BLOCK for seconds in cadence]
        return len(lately) == len(wanted) and all(
            abs(length - want) <= _OFF * want + _BLOCKS_OFF
            for length, want in zip(lately, wanted, strict=True)
        )

    def _forget(self) -> None:
        self._lengths.clear()
        self._in_tone, self._begun, self._neither, self._power = False, self._now, 0, 0.0
