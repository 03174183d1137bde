"""How loud our own echo can be in what is heard: a bound by levels alone. Pure.

What we say comes back from a hybrid or a loudspeaker, softer and later (ITU-T G.131, G.168). Nobody knows how
much softer, but each quiet moment tells how much at least: an echo of 20 ms that we said at -20 dBov can't be
louder than the -60 dBov that were heard. So for each delay the least ratio of heard to said is kept, and what
could be the echo of anything said within the longest delay isn't taken for the other's voice. The waveform
isn't looked at, so a codec, a loudspeaker that distorts or a room that answers changes nothing.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAMES_BEFORE", "EchoBound", "Powers"]

Powers = NDArray[np.float32]
"""Of frames of 20 ms: the mean square, 1.0 at full scale."""

_DELAYS = 26  # frames: up to 500 ms, which is 300 of an echo and 200 of what a network may hold back
_SPREAD = 3  # frames: an echo falls between two frames, and jitter moves it by one or two
FRAMES_BEFORE = _DELAYS - 1 + _SPREAD - 1
_AUDIBLE = np.float32(10**-4.5)  # -45 dBov: a softer frame of ours tells nothing of the echo's path
_RISE = np.float32(10 ** (0.3 / 50))  # 3 dB a second: somebody may switch a loudspeaker on
_MARGIN = np.float32(2)  # 3 dB: an echo between two frames may put both of theirs into one


@cache
def _windows(count: int) -> NDArray[np.intp]:
    """For each of `count` frames the places of those that may echo in it, the longest ago first."""
    return np.arange(count)[:, None] + np.arange(_DELAYS)


class EchoBound:
    """Begins with an echo as loud as what was said, and learns from what is heard."""

    def __init__(self) -> None:
        self._gain = np.ones(_DELAYS, np.float32)
        self._heard = np.zeros(_SPREAD - 1, np.float32)

    def most(self, heard: Powers, said: Powers) -> Powers:
        """The most power that an echo can have in each of the frames `heard`.

        `said` are the frames that left meanwhile, after the FRAMES_BEFORE that left before them. What didn't
        come is heard as infinity: it tells nothing.
        """
        heard_lately = np.concatenate([self._heard, heard])
        self._heard = heard_lately[-(_SPREAD - 1) :]
        if said.max(initial=0) < _AUDIBLE:
            return np.zeros_like(heard)
        windows = _windows(len(heard))
        least = np.minimum(np.minimum(said[:-2], said[1:-1]), said[2:])[windows]
        beside = said[_SPREAD - 1 :][windows]
        most_heard = np.maximum(np.maximum(heard_lately[:-2], heard_lately[1:-1]), heard_lately[2:])
        ratio = np.where(least > _AUDIBLE, most_heard[:, None] / np.maximum(least, _AUDIBLE), 1)
        risen = np.minimum(self._gain * _RISE ** len(heard), 1)
        np.minimum(ratio[0], risen, out=ratio[0])
        gains = np.minimum.accumulate(ratio, axis=0)
        self._gain = gains[-1]
        bound: Powers = (gains * beside).max(axis=1) * _MARGIN
        return bound
