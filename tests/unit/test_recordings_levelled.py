"""Recordings made fit for a telephone: one level for all that is joined, never clipped, never bent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.active_speech import speech_level
from prompts.decoding import Sound
from prompts.levelling import as_prompt, cut, level_set, unlike
from prompts.recording_faults import BadRecording, Fault
from prompts.sound import RATE, measure
from tests.voices import voice

STUDIO = 48000


def sound(samples: np.ndarray) -> Sound:
    return Sound(samples, STUDIO)


@settings(max_examples=40)
@given(st.floats(0.01, 0.9), st.floats(0.4, 2.5), st.floats(0, 1.5), st.sampled_from([8000, 22050, 48000]))
def test_any_loudness_comes_to_the_level_or_to_its_peak(
    loudness: float, seconds: float, around: float, rate: int
) -> None:
    made = voice(seconds, loudness=loudness, rate=rate, around=around)
    levelled = level_set({"a": cut(Sound(made, rate), 10.0)})
    found = measure(as_prompt(levelled.pieces["a"], lead=0.0, tail=0.0))
    assert found.peak <= -6.0
    assert abs(found.level + 22.0) <= 0.5 or found.peak > -6.2
    assert found.level <= -21.5
    assert found.seconds == pytest.approx(seconds, abs=0.15)  # the room around it is gone


def peaky(crest: float) -> np.ndarray:
    """A voice with single peaks so many dB above its active level, as of somebody close to a microphone."""
    made = voice(2.0, loudness=0.1)
    found = speech_level(made, STUDIO)
    assert found is not None
    for place in range(6000, len(made), 12000):
        made[place : place + 200] += np.hanning(200) * 10 ** ((found.level + crest) / 20)
    return made


def test_a_peak_keeps_the_level_low_and_that_is_told() -> None:
    levelled = level_set({"a": cut(sound(peaky(21.0)), 10.0)})
    found = measure(as_prompt(levelled.pieces["a"], lead=0.0, tail=0.0))
    assert levelled.limited and levelled.level < -24
    assert -6.1 < found.peak <= -6.0


def test_a_voice_is_only_made_louder_or_softer() -> None:
    """The gain is one number: the wave keeps its form."""
    before = cut(sound(voice(1.0, loudness=0.02)), 10.0)
    after = level_set({"a": before}).pieces["a"]
    ratio = after[np.abs(before) > 0.005] / before[np.abs(before) > 0.005]
    assert ratio.min() == pytest.approx(ratio.max())


def test_what_is_joined_gets_one_gain() -> None:
    """A word that its speaker said softer within the sentence stays softer."""
    pieces = {"a": cut(sound(voice(2.0)), 10.0), "b": cut(sound(voice(0.6, loudness=0.12)), 10.0)}
    levelled = level_set(pieces)
    gains = [np.abs(levelled.pieces[name]).max() / np.abs(pieces[name]).max() for name in pieces]
    assert gains[0] == pytest.approx(gains[1])
    whole = speech_level(np.concatenate(list(levelled.pieces.values())), RATE)
    assert whole is not None and whole.level == pytest.approx(-22.0, abs=0.5)


def test_what_is_far_from_its_sentence_is_named() -> None:
    pieces = {name: cut(sound(voice(1.0)), 10.0) for name in "abc"}
    pieces["d"] = cut(sound(voice(1.0, loudness=0.03)), 10.0)
    found = unlike(pieces)
    assert list(found) == ["d"] and found["d"].fault is Fault.UNLIKE
    assert "-16 dB" in str(found["d"])


CLIPPED = np.clip(voice(1.0, loudness=0.9) * 3, -1, 1)
KNOCKED = voice(2.0, loudness=0.02)
KNOCKED[50_000:50_060] = 0.9

# sound, seconds that its text may take, why it isn't taken, what is told
BAD = [
    (np.zeros(STUDIO), 5, Fault.SILENT, "−∞"),  # a microphone that was off
    (voice(1.0, loudness=0.001), 5, Fault.SILENT, "dBov"),  # one that was far away
    (CLIPPED, 5, Fault.CLIPPED, "first at 0."),
    (np.round(CLIPPED * 32767) / 32768, 5, Fault.CLIPPED, "not so loud"),  # as 16 bit tell it
    (voice(6.0), 5, Fault.TOO_LONG, "6.0 s long; at most 5"),
    (voice(2.0, pause=1.8), 9, Fault.PAUSE, "a silence of 1.8 s at 1.0 s"),
    (KNOCKED, 9, Fault.KNOCK, "at 1.0 s"),
]


@pytest.mark.parametrize(
    ("samples", "most", "fault", "told"), BAD, ids=[f"{n}-{row[2]}" for n, row in enumerate(BAD)]
)
def test_what_callers_could_not_use_is_refused(
    samples: np.ndarray, most: float, fault: Fault, told: str
) -> None:
    with pytest.raises(BadRecording) as error:
        cut(sound(samples), most)
    assert error.value.fault is fault
    assert told in str(error.value)


GOOD = [
    voice(4.9),  # nearly as long as it may be
    voice(1.0, around=4.0),  # a long silence around it is cut, not refused
    voice(2.0, pause=0.8),  # somebody who takes a breath
    voice(1.0, loudness=0.99),  # loud, and not yet clipped
]


@pytest.mark.parametrize("samples", GOOD)
def test_what_is_good_enough_is_taken(samples: np.ndarray) -> None:
    assert len(cut(sound(samples), 5.0)) > 0


def test_the_texts_pauses_are_put_around_it() -> None:
    made = as_prompt(level_set({"a": cut(sound(voice(1.0)), 5.0)}).pieces["a"], lead=0.14, tail=0.22)
    assert not made[: round(0.14 * RATE)].any() and not made[-round(0.22 * RATE) :].any()
    assert abs(int(made[round(0.14 * RATE)])) < 10
