"""The committed prompts, listened to by measuring them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prompts.catalogue import LANGUAGES
from prompts.pieces import all_pieces
from prompts.render import AUDIO
from prompts.sound import RATE, NotAPrompt, for_telephone, measure, read_wav, write_wav
from prompts.speech import EspeakSpeech
from prompts.store import PromptMissing, PromptStore


@pytest.fixture(scope="module")
def speech() -> EspeakSpeech:
    return EspeakSpeech()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_piece_is_there_and_of_the_catalogues_text(language: str, speech: EspeakSpeech) -> None:
    store = PromptStore(language)
    assert store.stale(speech) == []
    for piece in all_pieces(store.catalogue, language):
        store.piece(piece.id)


@pytest.mark.parametrize(
    "path", sorted(AUDIO.glob("*/*.wav")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_prompt_sounds_right(path: Path) -> None:
    sound = measure(read_wav(path))
    assert sound.peak <= -5.9, "no clipping, and room for the network"
    assert -24 <= sound.level <= -20, "all pieces as loud as one another"
    assert sound.pause <= 0.3, "no silence that could be taken for the end"
    assert abs(sound.offset) < 0.001
    assert sound.seconds < 30


def test_no_click_at_the_joints() -> None:
    store = PromptStore("zh-CN")
    joined = store.joined(["greeting.0", "office", "greeting.1", "number.11"])
    ends = np.cumsum([len(store.piece(p)) for p in ("greeting.0", "office", "greeting.1")])
    for end in ends:
        assert np.abs(np.diff(joined[end - 4 : end + 4].astype(int))).max() < 700


def test_chinese_is_not_read_as_english(speech: EspeakSpeech) -> None:
    """An engine that doesn't know hanzi says "Chinese letter" for each: far longer than a syllable."""
    samples, rate = speech.say("满意请按一", "zh-CN")
    assert 0.6 < len(samples) / rate < 3.0


def test_nothing_above_4_khz_folds_back() -> None:
    tone = (np.sin(2 * np.pi * 6000 * np.arange(22050) / 22050) * 16000).astype(np.int16)
    voice = (np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050) * 16000).astype(np.int16)
    both = for_telephone(tone // 2 + voice // 2, 22050).astype(float)
    spectrum = np.abs(np.fft.rfft(both * np.hanning(len(both))))
    at = lambda hertz: spectrum[round(hertz * len(both) / RATE)]  # noqa: E731
    assert at(2000) < at(1000) / 1000  # 6 kHz would fold to 2 kHz


def test_a_recording_overrides_speech(tmp_path: Path) -> None:
    tone = np.full(800, 1000, dtype=np.int16)
    write_wav(tmp_path / "invalid.0.wav", tone)
    store = PromptStore("zh-CN", recordings=tmp_path)
    assert (store.piece("invalid.0") == tone).all()
    assert "invalid.0" not in store.unrecorded()
    assert "no_input.0" in store.unrecorded()


def test_another_offices_name_is_rendered_once(tmp_path: Path, speech: EspeakSpeech) -> None:
    store = PromptStore("zh-CN", made=tmp_path / "made")
    store.ensure_office("另一市110联动办", speech)
    made = store.piece("office")
    assert len(made) > RATE / 2
    before = (tmp_path / "made/office.wav").stat().st_mtime_ns
    store.ensure_office("另一市110联动办", speech)
    assert (tmp_path / "made/office.wav").stat().st_mtime_ns == before


def test_what_is_missing_or_no_prompt_is_named(tmp_path: Path) -> None:
    with pytest.raises(PromptMissing, match=r"nothing\.0"):
        PromptStore("en").piece("nothing.0")
    bad = tmp_path / "invalid.0.wav"
    bad.write_bytes(b"RIFF no")
    with pytest.raises(NotAPrompt, match=r"invalid\.0"):
        PromptStore("en", recordings=tmp_path).piece("invalid.0")
