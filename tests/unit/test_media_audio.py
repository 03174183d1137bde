"""G.711 tables and prompts in frames."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.media import g711
from ivr.media.audio import Audio, AudioError, join

# Decision values of ITU-T G.711 tables 1a and 2a, scaled to 16 bits: (sample, A-law, µ-law).
VALUES = [
    (0, 0xD5, 0xFF),  # silence
    (-1, 0x55, 0x7F),  # A-law mirrors; µ-law has a negative zero
    (8, 0xD5, 0xFE),  # µ-law's finest steps are finer than A-law's
    (1000, 0xFA, 0xCE),
    (-1000, 0x7A, 0x4E),
    (32767, 0xAA, 0x80),  # full scale
    (-32768, 0x2A, 0x00),
]


@pytest.mark.parametrize(("sample", "alaw", "mulaw"), VALUES)
def test_known_values(sample: int, alaw: int, mulaw: int) -> None:
    one = np.array([sample], dtype=np.int16)
    assert (g711.encode(one, "pcma")[0], g711.encode(one, "pcmu")[0]) == (alaw, mulaw)


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_every_code_survives_the_way_back(codec: g711.Codec) -> None:
    codes = bytes(range(256))
    again = g711.encode(g711.decode(codes, codec), codec)
    different = [code for code in codes if again[code] != code]
    assert different == ([] if codec == "pcma" else [0x7F])  # µ-law's negative zero is zero


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_a_sample_comes_back_within_its_step(codec: g711.Codec) -> None:
    samples = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
    error = np.abs(g711.decode(g711.encode(samples, codec), codec).astype(int) - samples)
    assert np.all(error <= np.maximum(np.abs(samples.astype(int)) / 16, 8) + 136)


def wav(path: Path, rate: int = 8000, channels: int = 1, width: int = 2, count: int = 400) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setframerate(rate)
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.writeframes(b"\x10" * count * channels * width)
    return path


def test_a_wav_becomes_frames_of_both_laws(tmp_path: Path) -> None:
    audio = Audio.from_wav(wav(tmp_path / "greeting.wav"))
    assert len(audio) == len(audio.pcmu) == 3  # 400 samples fill two and a half
    assert {len(frame) for frame in audio.pcma + audio.pcmu} == {160}
    assert audio.pcma[-1][80:] == b"\xd5" * 80  # filled up with silence
    assert audio.pcmu[-1][80:] == b"\xff" * 80
    assert audio.seconds == pytest.approx(0.06)


def test_pieces_are_joined() -> None:
    tone = Audio.from_samples(np.full(160, 1000, dtype=np.int16))
    whole = join([Audio.silence(0.04), tone, Audio.silence(0.02)])
    assert len(whole) == 4
    assert whole.frames("pcma")[2] == tone.pcma[0]
    assert whole.frames("pcmu")[3] == b"\xff" * 160
    assert len(join([])) == 0


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"rate": 16000}, "16000 Hz"),  # rendered for a softphone
        ({"channels": 2}, "2 channels"),  # a studio's export
        ({"width": 1}, "8 bit"),
    ],
)
def test_another_shape_is_named(tmp_path: Path, shape: dict[str, int], told: str) -> None:
    path = wav(tmp_path / "wrong.wav", **shape)
    with pytest.raises(AudioError, match=told):
        Audio.from_wav(path)


def test_a_file_that_is_no_wav_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not a sound")
    for name in ("empty.wav", "text.wav", "absent.wav"):
        with pytest.raises(AudioError, match=name):
            Audio.from_wav(tmp_path / name)
