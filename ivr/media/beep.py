"""The beep after a greeting: a steady tone that stands alone, and then nothing. Pure.

Not a beep are the network's own: 400 to 450 Hz, where exchanges have their tones (ring-back, busy, number
unobtainable: ITU-T E.180; in China 450 Hz, its supplement 2); DTMF, which is two tones at once (Q.23); a fax
that answers, whose 2100 Hz last 2.6 s or more (T.30), and a dial tone, which lasts too. The 1100 Hz of
T.30 come from a fax that calls, never from one that is called. Notes of a melody follow one another, so a
tone that follows one of another pitch is none either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BeepEar", "Heard", "pitches"]

_FRAME = 160
_LOWEST, _HIGHEST = 350.0, 2600.0  # Hz
_NETWORK_LOWEST, _NETWORK_HIGHEST = 385.0, 480.0  # Hz: 400 to 450, each as far off as E.180 lets it be
_PURE = 0.92  # of a frame's power within 125 Hz of its peak: a vowel has harmonics beside it
_SAME_HZ, _SAME_DB = 15.0, 2.0  # from the tone's beginning; from frame to frame
_NOTE = 5  # frames of 20 ms: a shorter one may be a vowel's
_SHORTEST, _LONGEST = 6, 100  # frames: whole ones of 150 ms, wherever they begin; 2 s
_EDGE = 3  # frames after it that still sound: the last of a tone, and its room
_QUIET = 15  # frames: 300 ms
_ALONE = 25  # frames: 500 ms
_BIN = 50.0  # Hz
_WINDOW = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
_NEAR = np.arange(-2, 3)
_LEAST = np.float32(1e-12)


class Heard(NamedTuple):
    """A frame of 20 ms: its level in dBov, its strongest pitch, and its `purity`: how much of its power is
    there, 0 to 1. `theirs`: audible, and no echo of ours; `loud`: that, and more than the noise of the line.
    A tuple: 50 a second and call.
    """

    audible: bool
    theirs: bool
    loud: bool
    level: float
    hertz: float
    purity: float


def pitches(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The strongest pitch of each row of 160 samples at 8 kHz, in Hz, and its purity."""
    power = np.abs(np.fft.rfft(frames * _WINDOW, axis=1)).astype(np.float32) ** 2
    power[:, :2] = 0  # a line's hum, a codec's offset
    peak = power[:, 3:-3].argmax(axis=1) + 3
    around = power[np.arange(len(frames))[:, None], peak[:, None] + _NEAR]
    purity = around.sum(axis=1) / (power.sum(axis=1) + _LEAST)
    # A Hann window's main lobe: the amplitude beside the peak tells how far from its bin the tone is.
    before, middle, after = np.sqrt(around[:, 1:4]).T
    side = np.maximum(before, after)
    off = (2 * side - middle) / (middle + side + _LEAST) * np.where(after > before, 1, -1)
    return ((peak + off) * _BIN).astype(np.float32), purity


class BeepEar:
    """Takes frame by frame. `in_tone` is how many of the last ones were one tone."""

    def __init__(self) -> None:
        self.in_tone = 0
        self._theirs = 0  # of these, those that are no echo
        self._hertz = self._level = 0.0
        self._note: float | None = None  # the pitch of the last tone
        self._since_note = 0  # frames since its end
        self._is_candidate = False
        self._loud_after = 0

    def hear(self, frame: Heard) -> bool:
        """Take the next frame; True once a beep is over."""
        pure = frame.audible and frame.purity >= _PURE
        same = abs(frame.hertz - self._hertz) <= _SAME_HZ and abs(frame.level - self._level) <= _SAME_DB
        if pure and self.in_tone and same:
            self.in_tone += 1
            self._theirs += frame.theirs
        else:
            self._end_tone()
            self.in_tone, self._theirs, self._hertz = int(pure), int(frame.theirs), frame.hertz
        self._level = frame.level
        self._since_note += 1
        return self._is_over(frame.loud or self.in_tone > 1)

    def _end_tone(self) -> None:
        if self.in_tone < _NOTE:
            return
        began = self._since_note - self.in_tone
        follows = self._note is not None and began < _ALONE and abs(self._note - self._hertz) > _SAME_HZ
        is_theirs = self._theirs > self.in_tone // 2
        self._is_candidate = is_theirs and not follows and _is_beep(self._hertz, self.in_tone)
        self._note, self._since_note, self._loud_after = self._hertz, 0, 0

    def _is_over(self, loud: bool) -> bool:
        self._loud_after += loud
        if self._loud_after > _EDGE:
            self._is_candidate = False
        if not self._is_candidate or self._since_note < _QUIET:
            return False
        self._is_candidate = False
        return True


def _is_beep(hertz: float, frames: int) -> bool:
    if _NETWORK_LOWEST <= hertz <= _NETWORK_HIGHEST:
        return False
    return _LOWEST <= hertz <= _HIGHEST and _SHORTEST <= frames <= _LONGEST
