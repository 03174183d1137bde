"""ITU-T P.56 on sounds whose level and activity are known because they were made so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.active_speech import speech_level

RATE = 8000


def noise(seconds: float, level: float, rate: int = RATE, seed: int = 1) -> np.ndarray:
    """White noise of `level` dBov."""
    made = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return made / np.sqrt(np.mean(made**2)) * 10 ** (level / 20)


def bursts(on: float, off: float, turns: int, level: float, rate: int = RATE) -> np.ndarray:
    """Noise of `level` for `on` seconds, then silence for `off`, `turns` times."""
    burst = np.concatenate([noise(on, level, rate), np.zeros(round(off * rate))])
    return np.tile(burst, turns)


# seconds on, seconds off, times, level while on → activity, level; 0.2 s of each silence count as speech
KNOWN = [
    (4.0, 0.0, 1, -20.0, 1.00, -20.0),  # unbroken: the mean power itself
    (4.0, 0.0, 1, -40.0, 1.00, -40.0),  # and at another loudness
    (2.0, 2.0, 3, -20.0, 0.57, -20.5),  # half speech, half silence, with its hangover
    (1.0, 3.0, 3, -26.0, 0.33, -27.1),  # a quarter speech: the mean power would be 6 dB lower
    (0.3, 0.1, 20, -22.0, 1.00, -23.2),  # gaps between syllables are bridged and so count
    (3.0, 30.0, 1, -20.0, 0.10, -20.4),  # a long silence changes nothing
]


@pytest.mark.parametrize(("on", "off", "turns", "level", "activity", "shown"), KNOWN)
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_known_activity_is_found(
    on: float, off: float, turns: int, level: float, activity: float, shown: float, rate: int
) -> None:
    found = speech_level(bursts(on, off, turns, level, rate), rate)
    assert found is not None
    assert found.level == pytest.approx(shown, abs=0.4)
    assert found.activity == pytest.approx(activity, abs=0.04)
    assert found.level == pytest.approx(found.whole - 10 * np.log10(found.activity), abs=0.05)


def test_a_sine_of_full_scale_lies_3_db_below_the_overload_point() -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE)
    found = speech_level(sine, RATE)
    assert found is not None and found.level == pytest.approx(-3.0, abs=0.05)


def test_a_faint_noise_behind_the_speech_is_not_speech() -> None:
    """Level and activity hardly change while the noise lies far enough below."""
    speech = bursts(2.0, 2.0, 3, -20.0)
    clean = speech_level(speech, RATE)
    noisy = speech_level(speech + noise(len(speech) / RATE, -55.0, seed=2), RATE)
    assert clean is not None and noisy is not None
    assert noisy.level == pytest.approx(clean.level, abs=0.2)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0),  # nothing at all
        np.zeros(RATE),  # silence
        noise(1.0, -95.0),  # under the smallest threshold of 16 bits
    ],
)
def test_where_nobody_speaks_there_is_no_level(sound: np.ndarray) -> None:
    assert speech_level(sound, RATE) is None


def test_a_knock_has_the_level_of_its_time() -> None:
    knock = np.zeros(RATE)
    knock[4000:4004] = 0.9
    found = speech_level(knock, RATE)
    assert found is not None and found.activity < 0.3


@settings(max_examples=60)
@given(st.floats(-50, -3), st.floats(0.3, 2.0), st.floats(0.0, 2.0))
def test_the_level_follows_the_loudness(level: float, on: float, off: float) -> None:
    """The thresholds lie 6 dB apart and between them it's a straight line: so within half a decibel."""
    usual = speech_level(bursts(on, off, 3, -22.0), RATE)
    found = speech_level(bursts(on, off, 3, level), RATE)
    assert usual is not None and found is not None
    assert found.level - level == pytest.approx(usual.level + 22.0, abs=0.5)
