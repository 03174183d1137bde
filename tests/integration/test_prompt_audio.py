"""The committed prompts, listened to by measuring them."""

from __future__ import annotations

import ctypes
import re
from dataclasses import asdict
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from prompts.catalogue import LANGUAGES
from prompts.joints import measure_joint, meetings
from prompts.pieces import Piece, all_pieces
from prompts.place import PromptPlace
from prompts.render import AUDIO, DEMO_OFFICE, read_manifest, render_pieces
from prompts.sound import RATE, NotAPrompt, Samples, for_telephone, measure, read_wav, write_wav
from prompts.speech import VOICES, Speech, as_spoken, open_speech
from prompts.store import PromptMissing, PromptStore


@pytest.fixture(scope="module")
def speech() -> Speech:
    return open_speech()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_piece_is_there_and_of_the_catalogues_text(language: str, speech: Speech) -> None:
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
    assert max(silence_around(read_wav(path))) <= 0.26, "pieces join without a gap"
    assert abs(sound.offset) < 0.001
    assert sound.seconds < 30


def silence_around(samples: Samples) -> tuple[float, float]:
    """Seconds before and after what can be heard (1 % of the loudest)."""
    heard = np.flatnonzero(np.abs(samples.astype(int)) > np.abs(samples.astype(int)).max() / 100)
    return heard[0] / RATE, (len(samples) - 1 - heard[-1]) / RATE


def test_all_prompts_fit_into_nine_megabytes() -> None:
    assert sum(path.stat().st_size for path in AUDIO.glob("*/*.wav")) < 9_000_000


def test_the_manifest_tells_what_is_there() -> None:
    for language in LANGUAGES:
        manifest = read_manifest(AUDIO / language)
        assert {f"{name}.wav" for name in manifest} == {p.name for p in (AUDIO / language).glob("*.wav")}
        for name, told in manifest.items():
            found = asdict(measure(read_wav(AUDIO / language / f"{name}.wav")))
            assert {field: told[field] for field in found} == found, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_click_and_no_gap_at_any_joint(language: str) -> None:
    """Every two pieces that can meet, as a call sends them."""
    place = PromptPlace(language, office=DEMO_OFFICE[language])
    store, pieces = PromptStore(language), {piece.id: piece for piece in place.pieces()}
    sounds = {name: (store.piece(name), measure(store.piece(name)).level) for name in pieces}
    joints = [
        measure_joint(pieces[left], pieces[right], sounds)
        for left, right in meetings(store.catalogue, language)
    ]
    assert len(joints) > 150
    assert max(joint.step for joint in joints) < 0.02
    assert max(joint.gap - joint.wanted for joint in joints) < 0.15


def phonemes(text: str) -> str:
    """What the engine says, in its own phonemes; 55, 35, 214, 51 and 11 are tones, `(en)` is English."""
    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))  # the one that `speech` has started
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    assert library.espeak_SetVoiceByName(VOICES["zh-CN"].encode()) == 0
    spelled = as_spoken(text, "zh-CN").encode()
    raw = ctypes.create_string_buffer(spelled, len(spelled) + 64)  # it looks ahead, beyond the text's end
    place, clauses = ctypes.c_void_p(ctypes.addressof(raw)), []
    while place.value:
        clauses.append(library.espeak_TextToPhonemes(ctypes.byref(place), 1, 0).decode())
    return " ".join(clauses)


READ = [
    # text, and the tones of its syllables
    ("满意", "214 51"),
    ("请重听", "214 35 55"),  # chóng, not zhòng
    ("工作日给您回电", "55 51 51 214 35 35 51"),  # rì gěi nín, not rìjǐ nín
    ("请拨打110", "214 55 214 55 55 35"),  # yāo yāo líng
]


@pytest.mark.parametrize(("text", "tones"), READ)
def test_chinese_is_read_right(text: str, tones: str, speech: Speech) -> None:
    assert re.findall(r"\d+", phonemes(text)) == tones.split()


def test_every_hanzi_is_one_syllable(speech: Speech) -> None:
    """An engine that doesn't know hanzi says "Chinese letter", in English, for each."""
    assert "(en)" in phonemes("letter")
    for piece in all_pieces(PromptStore("zh-CN").catalogue, "zh-CN"):
        said = phonemes(piece.text)
        assert "(en)" not in said
        if not piece.id.startswith("number."):  # 21 has two digits and three syllables
            assert len(re.findall(r"\d+", said)) == len(re.findall(r"[\u4e00-\u9fff\d]", piece.text)), piece


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


def test_another_offices_name_is_rendered_once(tmp_path: Path, speech: Speech) -> None:
    store = PromptStore("zh-CN", made=tmp_path / "made")
    store.ensure_office("另一市110联动办", speech)
    made = store.piece("office")
    assert len(made) > RATE / 2
    before = (tmp_path / "made/office.wav").stat().st_mtime_ns
    store.ensure_office("另一市110联动办", speech)
    assert (tmp_path / "made/office.wav").stat().st_mtime_ns == before


def test_the_name_that_is_shipped_displaces_an_earlier_one(tmp_path: Path, speech: Speech) -> None:
    store = PromptStore("zh-CN", made=tmp_path)
    for name in ("另一市110联动办", DEMO_OFFICE["zh-CN"]):  # the folder of what was made is searched first
        store.ensure_office(name, speech)
        assert read_manifest(tmp_path)["office"]["text"] == name
        assert (store.piece("office") == read_wav(tmp_path / "office.wav")).all()


def test_an_offices_recording_needs_no_speech(tmp_path: Path) -> None:
    tone = np.full(800, 1000, dtype=np.int16)
    write_wav(tmp_path / "office.wav", tone)
    store = PromptStore("zh-CN", recordings=tmp_path)
    store.ensure_office("任一市110联动办")
    assert (store.piece("office") == tone).all()
    assert "office" not in store.unrecorded()


def test_a_name_that_nothing_says_is_an_error(speech: Speech) -> None:
    with pytest.raises(PromptMissing, match="另一市"):
        PromptStore("zh-CN").ensure_office("另一市110联动办", speech)


def test_only_what_changed_is_rendered(tmp_path: Path, speech: Speech) -> None:
    first = [Piece("a", "满意"), Piece("b", "不满意")]
    assert render_pieces(tmp_path, first, "zh-CN", speech) == ["a", "b"]
    second = [Piece("a", "满意"), Piece("b", "基本满意")]
    assert render_pieces(tmp_path, second, "zh-CN", speech) == ["b"]
    assert read_manifest(tmp_path)["b"]["text"] == "基本满意"
    slow = [Piece("a", "满意", slow=True)]
    assert render_pieces(tmp_path, slow, "zh-CN", speech) == ["a"]
    assert not list(tmp_path.glob("*.part"))


def test_what_is_missing_or_no_prompt_is_named(tmp_path: Path) -> None:
    with pytest.raises(PromptMissing, match=r"nothing\.0"):
        PromptStore("en").piece("nothing.0")
    bad = tmp_path / "invalid.0.wav"
    bad.write_bytes(b"RIFF no")
    with pytest.raises(NotAPrompt, match=r"invalid\.0"):
        PromptStore("en", recordings=tmp_path).piece("invalid.0")


class HummingSpeech:
    """Another engine behind the same port: it hums a second for every text."""

    def voice(self, language: str) -> str:
        return "hum"

    def spelling(self, text: str, language: str) -> str:
        return text

    def say(self, text: str, language: str, *, slow: bool = False) -> tuple[Samples, int]:
        at = np.arange(16000) / 16000
        hum = np.sin(2 * np.pi * 150 * at) * (0.6 + 0.4 * np.cos(2 * np.pi * 4 * at))
        return np.round(9000 * hum).astype(np.int16), 16000


def test_an_engine_named_is_the_one_that_there_is(speech: Speech) -> None:
    """Two of espeak-ng in one process: the later takes the sound, and the earlier says nothing ever after."""
    assert open_speech("espeak-ng") is open_speech(engine="espeak-ng") is speech
    assert len(speech.say("回访", "zh-CN")[0]) > 0


def test_another_engine_can_be_put_in(tmp_path: Path, speech: Speech) -> None:
    """Its voice is part of what a sound is of: with another one everything is rendered anew."""
    pieces = [Piece("a", "满意"), Piece("b", "您好，")]
    assert render_pieces(tmp_path, pieces, "zh-CN", speech) == ["a", "b"]
    assert render_pieces(tmp_path, pieces, "zh-CN", HummingSpeech()) == ["a", "b"]
    assert measure(read_wav(tmp_path / "b.wav")).seconds == pytest.approx(1.14, abs=0.05)
    assert render_pieces(tmp_path, pieces, "zh-CN", HummingSpeech()) == []
    store = PromptStore("zh-CN", made=tmp_path)
    store.ensure_office("另一市110联动办", HummingSpeech())
    assert measure(store.piece("office")).level == pytest.approx(-22, abs=0.5)
