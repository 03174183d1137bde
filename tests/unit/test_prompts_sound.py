"""Sound made fit for a telephone, by properties that any voice must keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.sound import (
    PEAK_DBFS,
    RATE,
    NotAPrompt,
    for_telephone,
    measure,
    read_wav,
    resample,
    shorten_pauses,
    write_wav,
)

SPEECH_RATE = 22050


def voiced(seconds: float, hertz: float = 300.0, loudness: float = 0.3) -> np.ndarray:
    """A tone with a syllable's rise and fall four times a second, at the engine's rate."""
    at = np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE
    return loudness * np.sin(2 * np.pi * hertz * at) * (0.55 + 0.45 * np.cos(2 * np.pi * 4 * at))


def as_samples(sound: np.ndarray) -> np.ndarray:
    return np.round(sound * 32767).astype(np.int16)


@settings(max_examples=60)
@given(st.floats(0.2, 2.0), st.floats(120, 3000), st.floats(0.005, 0.99), st.floats(-0.005, 0.005))
def test_every_voice_comes_out_alike(seconds: float, hertz: float, loudness: float, offset: float) -> None:
    """Faint or overloud, high or low, with an offset: one level, no clipping, no offset."""
    sound = np.clip(voiced(seconds, hertz, loudness) + offset * loudness, -1, 1)
    found = measure(for_telephone(as_samples(sound), SPEECH_RATE))
    assert found.peak <= PEAK_DBFS + 0.01
    assert abs(found.level + 22) < 1
    assert abs(found.offset) < 0.005  # trimming leaves part of a cycle


@pytest.mark.parametrize("hertz", [300, 1000, 2000, 3000, 3300])
def test_the_telephones_band_passes(hertz: int) -> None:
    out = resample(np.sin(2 * np.pi * hertz * np.arange(SPEECH_RATE) / SPEECH_RATE), SPEECH_RATE)
    assert abs(20 * np.log10(np.sqrt(2 * np.mean(out[400:-400] ** 2)))) < 0.5


@pytest.mark.parametrize("hertz", [4300, 5000, 6000, 9000])
def test_what_would_fold_back_is_gone(hertz: int) -> None:
    out = resample(np.sin(2 * np.pi * hertz * np.arange(SPEECH_RATE) / SPEECH_RATE), SPEECH_RATE)
    assert 20 * np.log10(np.abs(out[400:-400]).max()) < -50


@pytest.mark.parametrize(
    ("pause", "left"),
    [
        (0.1, 0.1),  # as it was
        (0.22, 0.22),  # as it was
        (1.0, 0.24),  # a caller would take it for the end
    ],
)
def test_pauses_are_shortened_not_lost(pause: float, left: float) -> None:
    tone = resample(voiced(0.5), SPEECH_RATE)
    silence = np.zeros(round(pause * RATE))
    out = shorten_pauses(np.concatenate([np.zeros(4000), tone, silence, tone, np.zeros(8000)]))
    assert abs(len(out) / RATE - (2 * len(tone) / RATE + left)) < 0.12


def test_a_pause_before_and_after_is_what_was_asked_for() -> None:
    made = for_telephone(as_samples(voiced(0.5)), SPEECH_RATE, lead=0.14, tail=0.22)
    assert not made[: round(0.14 * RATE)].any() and not made[-round(0.22 * RATE) :].any()
    assert made[round(0.14 * RATE) : round(0.2 * RATE)].any()


def test_ends_are_soft() -> None:
    made = for_telephone(as_samples(voiced(0.5)), SPEECH_RATE)
    assert abs(int(made[0])) < 10 and abs(int(made[-1])) < 10


def test_a_file_comes_back_as_it_went(tmp_path: Path) -> None:
    made = for_telephone(as_samples(voiced(0.3)), SPEECH_RATE)
    write_wav(tmp_path / "a.wav", made)
    assert (read_wav(tmp_path / "a.wav") == made).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros(80, dtype=np.int16))
    raw = bytearray(path.read_bytes())
    raw[24:28] = (16000).to_bytes(4, "little")  # its rate
    path.write_bytes(raw)
    with pytest.raises(NotAPrompt, match="16000 Hz; not mono, 16, 8000"):
        read_wav(path)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 59), st.integers(0, 255)), max_size=3), st.integers(0, 844))
def test_a_damaged_file_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], length: int
) -> None:
    """An office's own recordings come over many hands: cut off, or with bytes changed."""
    path = tmp_path_factory.mktemp("damaged") / "a.wav"
    write_wav(path, np.arange(400, dtype=np.int16))
    raw = bytearray(path.read_bytes())
    for place, byte in damage:
        raw[place] = byte
    path.write_bytes(raw[:length])
    try:
        assert len(read_wav(path)) <= 400
    except NotAPrompt as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("length", [0, 43, 44, 45, 843])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.arange(400, dtype=np.int16))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(NotAPrompt):
        read_wav(path)
