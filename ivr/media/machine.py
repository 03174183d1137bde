"""Whether a machine took the call, by what it says: a greeting that goes on and on, or a beep. Pure.

A person says a few words and waits; a greeting talks for 4 s without a pause, or ends in a beep. The sign is
advice: a key proves a person, whatever was heard before. `ivr.media.echo` keeps our own voice out of it,
`ivr.media.beep` tells a beep from the network's tones.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from callbacks.vocabulary import MachineSign
from ivr.events import Codec
from ivr.media.beep import BeepEar, Heard, pitches
from ivr.media.echo import FRAMES_BEFORE, EchoBound, Powers
from ivr.media.g711 import LEVELS
from ivr.media.track import SAMPLES_A_SECOND, Track

__all__ = ["LISTENS", "MachineEar"]

LISTENS = 30.0  # seconds from the answer: a greeting is over by then
_FRAME = 160
_FRAMES = 30  # looked at together: 600 ms, since each look costs the same
_BATCH = _FRAMES * _FRAME
_SPEECH = 200  # frames: 4 s
_PAUSE = 25  # frames: 500 ms. Sentences of a greeting follow closer; who waits for an answer waits longer
_DENSE = 0.4  # of its frames: a voice fills most of the time of speech, what crackles doesn't
_VOICED = 0.25  # purity: a vowel's first formant has more of its power together, hiss and rustle have less
# Telephone speech is nominally -26 dBov (measured by ITU-T P.56), a soft voice 10 dB less; its own softer
# sounds lie up to 15.9 dB below. What a line hums, and comfort noise, is below -50 dBov.
_AUDIBLE = 10**-4.5  # -45 dBov
_OVER_NOISE = 10**0.9  # 9 dB above the softest 100 ms of the last 1.8 s: a steady noise isn't speech
_SMOOTH = 5  # frames
_FLOORS = 3  # batches
_TONE = 3  # frames of one pitch aren't speech
_KEPT = 128  # frames of ours: what may echo, and what a network may hold back
_LEAST = np.float32(1e-12)
_POWERS = LEVELS**2


class MachineEar:
    """One call's, from its answer on: `say` what we send, `hear` what comes, and take the sign, told once.

    Speech of 4 s is unbroken while no pause is longer than 500 ms: then it begins anew. A pause is what is
    softer than -45 dBov or than the noise of the line, what can be our echo, and a tone. A beep is told
    300 ms after its end, before which nothing else may be heard. How packets cut the sound changes nothing.
    """

    def __init__(self, now: float) -> None:
        self.done = False
        self._until = now + LISTENS
        self._heard, self._looked_at = Track(), 0  # octets that were looked at
        self._said, self._said_powers, self._said_frames = Track(), np.zeros(0, np.float32), 0
        self._echo, self._beep, self._speech = EchoBound(), BeepEar(), _Speech()
        self._floors: deque[float] = deque(maxlen=_FLOORS)

    def say(self, octets: bytes, codec: Codec, now: float, timestamp: int | None = None) -> None:
        """What leaves towards them at `now`, monotonic seconds, and its RTP timestamp."""
        self._said.add(octets, codec, now, timestamp)

    def hear(
        self, octets: bytes, codec: Codec, now: float, timestamp: int | None = None
    ) -> MachineSign | None:
        """What came from them, its last octet at `now`. After a sign, and after 30 s, nothing more.

        With the RTP `timestamp` it finds its place where packets are lost, late or not sent.
        """
        if self.done:
            return None
        self._heard.add(octets, codec, now, timestamp)
        while self._heard.waiting >= _BATCH:
            sign = self._look()
            self.done = sign is not None
            if sign is not None:
                return sign
        self.done = self.done or now >= self._until
        return None

    def _look(self) -> MachineSign | None:
        said = self._said_lately()
        heard = self._heard.take(_BATCH)
        octets = np.frombuffer(heard.octets, np.uint8).reshape(_FRAMES, _FRAME)
        came = np.frombuffer(heard.came, np.uint8).reshape(_FRAMES, _FRAME).all(axis=1)
        self._looked_at += _BATCH
        power = _POWERS[octets].mean(axis=1)
        audible, noise = power > _AUDIBLE, self._noise(power)
        theirs = audible & (power > self._echo.most(np.where(came, power, np.inf), said))
        loud = theirs & (power > noise)
        hertz = purity = level = np.zeros(_FRAMES, np.float32)
        if theirs.any() or self._beep.in_tone:
            hertz, purity = pitches(LEVELS[octets])
            level = 10 * np.log10(power + _LEAST)
        for frame in map(Heard, *(each.tolist() for each in (audible, theirs, loud, level, hertz, purity))):
            if self._beep.hear(frame):
                return MachineSign.BEEP
            is_voice = frame.loud and frame.purity >= _VOICED and self._beep.in_tone < _TONE
            if self._speech.hear(is_voice, doubtful=frame.audible and not frame.theirs):
                return MachineSign.SPEECH
        return None

    def _noise(self, power: Powers) -> float:
        """What a frame must exceed to be more than the noise of the line."""
        smooth = np.convolve(power, np.full(_SMOOTH, 1 / _SMOOTH), "valid")
        self._floors.append(float(smooth.min()))
        return min(self._floors) * _OVER_NOISE

    def _said_lately(self) -> Powers:
        """A frame of ours for each that is looked at, after those that may still echo in it."""
        waiting = self._said.waiting // _FRAME * _FRAME
        if waiting:
            octets = np.frombuffer(self._said.take(waiting).octets, np.uint8).reshape(-1, _FRAME)
            fresh = _POWERS[octets].mean(axis=1)
            self._said_frames += len(fresh)
            self._said_powers = np.concatenate([self._said_powers, fresh])[-_KEPT:]
        found = np.zeros(FRAMES_BEFORE + _FRAMES, np.float32)
        first = self._frame_beside() - FRAMES_BEFORE - self._said_frames + len(self._said_powers)
        kept = self._said_powers[max(first, 0) : max(first + len(found), 0)]
        found[max(-first, 0) : max(-first, 0) + len(kept)] = kept
        return found

    def _frame_beside(self) -> int:
        """Which of our frames left while the first that is looked at came."""
        if not self._said_frames:
            return 0
        seconds = self._heard.start - self._said.start + self._looked_at / SAMPLES_A_SECOND
        return round(seconds * SAMPLES_A_SECOND / _FRAME)


class _Speech:
    """Takes frame by frame how long somebody has been talking."""

    def __init__(self) -> None:
        self._length = self._voice = self._doubtful = self._pause = 0

    def hear(self, voice: bool, doubtful: bool) -> bool:
        """True with the frame that makes it too long for a person. `doubtful`: it may be our echo."""
        self._pause = 0 if voice else self._pause + 1
        if self._pause > _PAUSE or not (voice or self._length):
            self._length = self._voice = self._doubtful = 0
            return False
        self._length += 1
        self._voice += voice
        self._doubtful += doubtful
        dense = self._voice >= _DENSE * (self._length - self._doubtful)
        return voice and dense and self._length >= _SPEECH
