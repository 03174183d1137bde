"""Recordings made fit for a telephone: cut, levelled as one set, with the pauses of their text. Pure numpy.

A recording is only made louder or softer as a whole: it isn't bent, so its voice stays as it was. Pieces that
are joined into a sentence get one gain, since a voice that changes its loudness within a sentence isn't one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompts.active_speech import speech_level
from prompts.decoding import Sound
from prompts.recording_faults import BadRecording, Fault
from prompts.sound import LEVEL_DBOV, PEAK_DBFS, RATE, Samples, fade, resample

Floats = npt.NDArray[np.float64]

LEVEL_SPAN = 2.0  # dB to both sides
LONGEST_PAUSE = 1.0  # seconds, within a recording
_SILENT_DBOV = -55.0  # fainter than a whisper before a good microphone
_MOST_CREST = 24.0  # dB from the active speech to the peak; speech has 12 to 20
_MOST_UNLIKE = 8.0  # dB between a piece and those that it's joined with
_PEAK_ROOM = 0.01  # dB, so that rounding to 16 bit stays below
_FRAME = RATE // 100
_UNDER_SPEECH = 24.0  # dB below the active speech is silence
_EDGE = 0.02
_FULL = 0.997  # of full scale: as far as a converter goes
_FLAT = 3  # samples at full scale in a row
_FLAT_PLACES = 3


@dataclass(frozen=True, slots=True)
class Levelled:
    """Pieces of one set; `limited` where their peak keeps them softer than the level."""

    pieces: Mapping[str, Floats]
    level: float
    limited: bool


def cut(sound: Sound, most_seconds: float) -> Floats:
    """At 8 kHz, without the silence at both ends. BadRecording where nobody could use it.

    `most_seconds` is what its text may take.
    """
    refuse_clipped(sound)
    samples = resample(sound.samples - sound.samples.mean(), sound.rate)
    found = speech_level(samples, RATE)
    if found is None or found.level < _SILENT_DBOV:
        raise BadRecording(Fault.SILENT, level=round(found.level) if found else "−∞")
    heard = _heard(samples, found.level)
    edge = round(_EDGE * RATE)
    start, end = max(0, heard[0] * _FRAME - edge), (heard[-1] + 1) * _FRAME + edge
    _refuse_pauses(heard)
    samples = samples[start:end]
    if len(samples) > most_seconds * RATE:
        raise BadRecording(Fault.TOO_LONG, seconds=round(len(samples) / RATE, 1), most=round(most_seconds, 1))
    _refuse_knock(samples, start)
    return samples


def refuse_clipped(sound: Sound) -> None:
    """BadRecording where the tops are cut off: samples in a row at full scale, at several places."""
    runs = flat_tops(sound.samples)
    if len(runs) >= _FLAT_PLACES:
        raise BadRecording(Fault.CLIPPED, places=len(runs), at=round(int(runs[0]) / sound.rate, 2))


def flat_tops(samples: Floats) -> npt.NDArray[np.int64]:
    """Where samples in a row lie at full scale."""
    full = np.concatenate([[False], np.abs(samples) >= _FULL, [False]])
    turns = np.flatnonzero(np.diff(full.astype(np.int8)))
    starts, ends = turns[::2], turns[1::2]
    return starts[ends - starts >= _FLAT]


def _heard(samples: Floats, level: float) -> npt.NDArray[np.int64]:
    """The frames of 10 ms in which there is more than silence."""
    frames = np.pad(samples, (0, -len(samples) % _FRAME)).reshape(-1, _FRAME)
    powers = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return np.flatnonzero(powers > level - _UNDER_SPEECH)


def _refuse_pauses(heard: npt.NDArray[np.int64]) -> None:
    for before, after in itertools.pairwise(heard):
        seconds = (after - before - 1) * _FRAME / RATE
        if seconds > LONGEST_PAUSE:
            at = round(int(before) * _FRAME / RATE, 1)
            raise BadRecording(Fault.PAUSE, seconds=round(float(seconds), 1), at=at, most=LONGEST_PAUSE)


def _refuse_knock(samples: Floats, start: int) -> None:
    found, place = speech_level(samples, RATE), int(np.abs(samples).argmax())
    crest = _decibels(abs(samples[place])) - (found.level if found else 0.0)
    if crest > _MOST_CREST:
        raise BadRecording(Fault.KNOCK, over=round(crest), at=round((start + place) / RATE, 1))


def unlike(pieces: Mapping[str, Floats]) -> dict[str, BadRecording]:
    """The pieces of a set that are far from the others' level, by the middle one of them all."""
    levels = {name: found.level for name, each in pieces.items() if (found := speech_level(each, RATE))}
    middle = float(np.median(list(levels.values()))) if levels else 0.0
    return {
        name: BadRecording(Fault.UNLIKE, off=f"{level - middle:+.0f}")
        for name, level in levels.items()
        if abs(level - middle) > _MOST_UNLIKE
    }


def level_set(pieces: Mapping[str, Floats]) -> Levelled:
    """One gain for all, to −22 dBov of active speech, or to as much as a peak of −6 dBFS allows."""
    whole = np.concatenate(list(pieces.values()))
    most = PEAK_DBFS - _PEAK_ROOM - _decibels(float(np.abs(whole).max()))
    wanted = 0.0
    for _ in range(3):  # the measure's thresholds lie apart: what was reached is measured again
        found = speech_level(whole * 10 ** (wanted / 20), RATE)
        wanted += LEVEL_DBOV - (found.level if found else LEVEL_DBOV)
    gain = 10 ** (min(wanted, most) / 20)
    reached = speech_level(whole * gain, RATE)
    level = reached.level if reached else LEVEL_DBOV
    limited = most < wanted and level < LEVEL_DBOV - LEVEL_SPAN
    return Levelled({name: each * gain for name, each in pieces.items()}, level, limited)


def as_prompt(sound: Floats, *, lead: float, tail: float) -> Samples:
    """With soft ends and the pauses that its text wants before and after, seconds; 16 bit."""
    around = np.zeros(round(lead * RATE)), np.zeros(round(tail * RATE))
    joined = np.concatenate([around[0], fade(sound.copy()), around[1]])
    return np.round(joined * 32767.0).astype(np.int16)


def _decibels(amplitude: float) -> float:
    return float(20 * np.log10(amplitude + 1e-12))
