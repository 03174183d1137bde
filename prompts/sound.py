"""Samples made fit for a telephone: 8 kHz, one level, short pauses, no clicks at the joints. Pure numpy."""

from __future__ import annotations

import io
import itertools
import os
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from prompts.active_speech import speech_level

RATE = 8000
LEVEL_DBOV = -22.0  # active speech (ITU-T P.56)
PEAK_DBFS = -6.0
SILENT_DBOV = -100.0  # told as the level where there is no speech at all
Samples = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float64]

_FRAME = RATE // 50
_CUTOFF_HZ = 3600.0
_TAPS = 48  # each side, up to 22,050 Hz; more of them above, so that the slope stays as steep
_TAPS_RATE = 22050
_QUIET_DB = -32.0  # below the loudest frame: a pause
_LONGEST_PAUSE = 0.24
_EDGE = 0.02
_FADE = 0.005
_LEVEL_TURNS = 6  # bending the peaks takes from the level, so it's set again


def for_telephone(samples: Samples, rate: int, *, lead: float = 0.0, tail: float = 0.0) -> Samples:
    """Band-limited to 8 kHz, trimmed, levelled, with `lead` and `tail` seconds of silence around."""
    sound = resample(samples.astype(np.float64) / 32768.0, rate)
    sound = shorten_pauses(sound - sound.mean())
    sound = fade(level(sound))
    quiet = (np.zeros(round(lead * RATE)), np.zeros(round(tail * RATE)))
    joined = np.concatenate([quiet[0], sound, quiet[1]])
    return np.round(joined * 32767.0).astype(np.int16)


def resample(sound: _Floats, rate: int) -> _Floats:
    """To 8 kHz by a windowed sinc whose cut-off lies below 4 kHz, so that nothing folds back."""
    if rate == RATE:
        return sound
    number, taps = int(len(sound) * RATE / rate), max(_TAPS, round(_TAPS * rate / _TAPS_RATE))
    at = np.arange(number) * (rate / RATE)
    base = np.floor(at).astype(np.int64)
    padded = np.concatenate([np.zeros(taps), sound, np.zeros(taps + 1)])
    cutoff = 2 * _CUTOFF_HZ / rate
    out = np.zeros(number)
    for tap in range(-taps + 1, taps + 1):
        distance = at - (base + tap)
        window = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance / taps, -1, 1))
        out += padded[base + tap + taps] * cutoff * np.sinc(cutoff * distance) * window
    return out


def _levels(sound: _Floats) -> _Floats:
    """The level of each 20 ms frame in dB of full scale."""
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels: _Floats = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return levels


def shorten_pauses(sound: _Floats) -> _Floats:
    """Silence at both ends goes; a pause inside is at most a quarter of a second."""
    levels = _levels(sound)
    loud = np.flatnonzero(levels > levels.max() + _QUIET_DB)
    start = max(0, loud[0] * _FRAME - round(_EDGE * RATE))
    end = min(len(sound), (loud[-1] + 1) * _FRAME + round(_EDGE * RATE))
    longest = round(_LONGEST_PAUSE * RATE / _FRAME)
    keep = np.ones(len(sound), dtype=bool)
    for before, after in itertools.pairwise(loud):
        if after - before - 1 > longest:
            middle = before + 1 + longest // 2
            keep[middle * _FRAME : (middle + after - before - 1 - longest) * _FRAME] = False
    return sound[start:end][keep[start:end]]


def active_level(sound: _Floats) -> float:
    """dBov of the active speech (ITU-T P.56), at 8 kHz; the pauses before and after aren't part of it."""
    found = speech_level(np.trim_zeros(sound), RATE)
    return SILENT_DBOV if found is None else found.level


def level(sound: _Floats) -> _Floats:
    """To the active level, and no peak above −6 dBFS: what sticks out is bent, not cut.

    For speech that a machine makes; a recording isn't bent (`prompts.levelling`).
    """
    gain, made = 1.0, sound
    for _ in range(_LEVEL_TURNS):
        gain *= 10 ** ((LEVEL_DBOV - active_level(made)) / 20)
        made = _bend(sound * gain)
    return made


def _bend(sound: _Floats) -> _Floats:
    most = 10 ** (PEAK_DBFS / 20)
    knee = 0.7 * most
    over = np.abs(sound) > knee
    bent = knee + (most - knee) * np.tanh((np.abs(sound[over]) - knee) / (most - knee))
    sound[over] = np.sign(sound[over]) * bent
    return sound


def fade(sound: _Floats) -> _Floats:
    """5 ms in and out, so that a joint doesn't click; in place."""
    number = min(round(_FADE * RATE), len(sound) // 2)
    ramp = np.linspace(0.0, 1.0, number)
    sound[:number] *= ramp
    sound[-number:] *= ramp[::-1]
    return sound


@dataclass(frozen=True, slots=True)
class Measure:
    """What a prompt sounds like: seconds, peak in dBFS, active level in dBov, longest pause in seconds."""

    seconds: float
    peak: float
    level: float
    pause: float
    offset: float  # mean, of full scale


def measure(samples: Samples) -> Measure:
    """Measures samples at 8 kHz."""
    sound = samples.astype(np.float64) / 32768.0
    levels = _levels(sound)
    loud = np.flatnonzero(levels > levels.max() + _QUIET_DB)
    gaps = np.diff(loud) - 1 if len(loud) > 1 else np.zeros(1)
    return Measure(
        seconds=round(len(samples) / RATE, 3),
        peak=round(float(20 * np.log10(np.abs(sound).max() + 1e-9)), 2),
        level=round(active_level(sound), 2),
        pause=round(float(gaps.max()) * _FRAME / RATE, 3),
        offset=round(float(sound.mean()), 5),
    )


class NotAPrompt(Exception):
    """A file that isn't mono 16-bit WAV at 8 kHz; the message says what it is."""


def wav_content(samples: Samples) -> bytes:
    """A WAV file: mono, 16 bit, 8 kHz."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def write_wav(path: Path, samples: Samples) -> None:
    """Whole or not at all, since another process may read it."""
    part = path.with_suffix(".part")
    with part.open("wb") as raw:
        raw.write(wav_content(samples))
        raw.flush()
        os.fsync(raw.fileno())
    part.replace(path)


def read_wav(path: Path) -> Samples:
    """The samples of a prompt's file; NotAPrompt where it's another kind of file."""
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if form != (1, 2, RATE):
                raise NotAPrompt(
                    f"{path}: {form[0]} channels, {8 * form[1]} bit, {form[2]} Hz; not mono, 16, 8000"
                )
            number = file.getnframes()
            raw = file.readframes(number)
    except (wave.Error, EOFError, RuntimeError) as error:  # the last: a chunk longer than its file
        raise NotAPrompt(f"{path}: {error or 'not a WAV file'}") from error
    if not raw or len(raw) != 2 * number:
        raise NotAPrompt(f"{path}: {len(raw)} bytes of sound, where its head tells of {2 * number}")
    return np.frombuffer(raw, dtype="<i2").astype(np.int16)
