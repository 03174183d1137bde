"""`huifang prompts`: a city's recordings are taken in, listed and checked, and the bad ones are named."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import app
from prompts.catalogue import load_catalogue
from prompts.decoding import decode, ffmpeg_is_there
from prompts.pieces import all_pieces
from prompts.place import PromptPlace
from prompts.recording_faults import BadRecording, Fault
from prompts.recordings import find_recording, keep_recording
from prompts.render import AUDIO
from prompts.sound import Samples, measure, read_wav, write_wav
from prompts.store import PromptStore
from tests.integration.test_cli import OFFICE
from tests.voices import voice, wav

GREETING = ("greeting.0", "greeting.1", "greeting.2", "greeting.3", "greeting.4", "office")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app.main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def city(tmp_path: Path, recordings: Path) -> Path:
    """A city's settings with a folder for its recordings, which isn't there yet."""
    path = tmp_path / "city.toml"
    path.write_text(
        f'recordings = "{recordings}"\n' + OFFICE + f'[database]\nkey_file = "{tmp_path}/data/h.key"\n'
    )
    return path


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "from the studio"
    folder.mkdir()
    return folder


def samples(folder: Path, piece: str) -> Samples:
    return read_wav(folder / f"{piece}.wav")


def how_many(language: str) -> int:
    """The catalogue's pieces, and the office's name."""
    return len({piece.id for piece in all_pieces(load_catalogue(), language)}) + 1


def test_the_shipped_prompts_have_no_faults() -> None:
    result = run("prompts", "check")
    assert (result.exit_code, result.output) == (
        0,
        f"zh-CN: {how_many('zh-CN')} prompts, 0 faults\nen: {how_many('en')} prompts, 0 faults\n",
    )


def test_every_prompt_is_listed_with_its_measures() -> None:
    result = run("prompts", "list", "--json", "--lang", "en")
    rows = {row["id"]: row for row in json.loads(result.output)}
    assert len(rows) == how_many("en") and rows["office"]["text"] == "Example City 110 Linkage Office"
    row = rows["greeting.0"]
    assert (row["language"], row["origin"], row["stale"]) == ("en", "speech", False)
    assert row["level"] == pytest.approx(-22, abs=2) and row["peak"] <= -6 and row["seconds"] > 0.5
    shown = run("prompts", "list").output.splitlines()
    assert len(shown) == how_many("zh-CN") + how_many("en")
    assert "满意" in next(line for line in shown if line.startswith("rating.cn3.1 "))


def test_a_studios_files_become_the_citys_voice(city: Path, recordings: Path, handed_in: Path) -> None:
    """Any rate and width; one set, whose softer word stays softer; the text's pauses around them."""
    for name in GREETING:
        loudness = 0.06 if name == "greeting.2" else 0.1
        sound = voice(0.8, loudness=loudness, around=1.0)
        (handed_in / f"{name}.WAV").write_bytes(wav(sound, bits=24, channels=2, extensible=True))
    (handed_in / "invalid.wav").write_bytes(wav(voice(2.0, rate=8000), rate=8000))  # a prompt of one piece
    (handed_in / ".DS_Store").write_bytes(b"a system's own")
    result = run("prompts", "import", handed_in, "--by", "录音室", "--config", city)
    assert result.exit_code == 0, result.output
    assert f"7 taken into {recordings}, 0 refused" in result.output
    levels = {name: measure(samples(recordings, name)).level for name in GREETING}
    assert levels["greeting.0"] - levels["greeting.2"] == pytest.approx(20 * np.log10(10 / 6), abs=0.5)
    assert levels["greeting.0"] == pytest.approx(-22, abs=1)
    assert not samples(recordings, "greeting.1")[:1000].any()  # its text begins with a comma
    known = find_recording(recordings, "invalid.0")
    assert known is not None and (known.by, known.text) == ("录音室", "按键有误，请重新选择。")
    assert sorted(path.suffix for path in recordings.iterdir()) == [".json"] * 7 + [".wav"] * 7
    checked = run("prompts", "check", "--config", city)
    assert (checked.exit_code, checked.output) == (0, f"zh-CN: {how_many('zh-CN')} prompts, 0 faults\n")
    store = PromptStore("zh-CN", recordings=recordings)
    assert (store.piece("invalid.0") == samples(recordings, "invalid.0")).all()
    row = next(
        line for line in run("prompts", "list", "--config", city).output.splitlines() if "invalid.0" in line
    )
    assert "recording" in row


# a file's name, its content, what is said of it
REFUSED = [
    ("thanks_good.0.wav", wav(np.zeros(48000)), "silent"),
    ("thanks_bad.0.wav", wav(np.clip(voice(2.0, loudness=0.9) * 3, -1, 1)), "clipped"),
    ("number.5.wav", wav(voice(9.0)), "9.0 s long; at most 2.5"),  # a sentence where a word belongs
    ("number.6.wav", b"", "there is no sound in it"),
    ("number.7.wav", "这是文字".encode(), "neither a WAV, an MP3 nor an M4A"),
    ("number.8.wav", wav(voice(0.5))[:-99], "cut off or damaged"),
    ("wrong_person.mp3", b"ID3\4" + bytes(99), "ffmpeg" if not ffmpeg_is_there() else "damaged"),
    ("to_agent.m4a", b"\0\0\0\x18ftypM4A " + bytes(99), "ffmpeg" if not ffmpeg_is_there() else "damaged"),
    ("number.32.wav", wav(voice(0.5)), "no piece is named number.32"),
    ("greeting.wav", wav(voice(0.5)), "no piece is named greeting"),  # which of its five?
    ("notes.txt", b"read me", "no piece is named notes"),
    ("after_hours.0.wav", wav(voice(1.0)), "after_hours.wav is for the same piece"),
    ("after_hours.wav", wav(voice(1.0)), "after_hours.0.wav is for the same piece"),
    ("category.water.wav", wav(voice(0.5, loudness=0.007)), "off those that it's joined with"),
]


def test_the_bad_ones_are_named_and_change_nothing_while_the_good_ones_are_taken(
    city: Path, recordings: Path, handed_in: Path
) -> None:
    for name in ("category.gas", "category.roads", "no_input.0"):
        (handed_in / f"{name}.wav").write_bytes(wav(voice(0.5, loudness=0.3)))
    run("prompts", "import", handed_in, "--config", city)
    before = {path.name: path.read_bytes() for path in recordings.iterdir()}
    for name, content, _ in REFUSED:
        (handed_in / name).write_bytes(content)
    (handed_in / "no_input.0.wav").write_bytes(wav(np.zeros(9600)))  # the old one goes on
    (handed_in / "number.9.wav").mkdir()
    result = run("prompts", "import", handed_in, "--config", city)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    for name, _, told in [*REFUSED, ("no_input.0.wav", b"", "silent"), ("number.9.wav", b"", "read")]:
        line = next(line for line in lines if line.startswith(f"{handed_in / name}: refused: "))
        assert told in line
    assert f"2 taken into {recordings}, 16 refused" in lines[-1]
    after = {path.name: path.read_bytes() for path in recordings.iterdir()}
    assert after["no_input.0.wav"] == before["no_input.0.wav"]
    assert after["no_input.0.json"] == before["no_input.0.json"]
    assert set(after) == set(before)


@pytest.mark.skipif(not ffmpeg_is_there(), reason="needs ffmpeg and ffprobe")
@pytest.mark.parametrize("form", ["mp3", "m4a"])
def test_a_telephones_recording_is_taken(
    form: str, city: Path, recordings: Path, handed_in: Path, tmp_path: Path
) -> None:
    (tmp_path / "source.wav").write_bytes(wav(voice(2.0)))
    target = handed_in / f"invalid.{form}"
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "source.wav", target], check=True, timeout=60
    )
    assert run("prompts", "import", handed_in, "--config", city).exit_code == 0
    assert measure(samples(recordings, "invalid.0")).seconds == pytest.approx(2.22, abs=0.1)


@pytest.mark.skipif(not ffmpeg_is_there(), reason="needs ffmpeg and ffprobe")
def test_an_hour_in_a_small_file_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    target = tmp_path / "hour.mp3"
    source = ["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "3600", "-b:a", "8k"]
    subprocess.run(["ffmpeg", "-loglevel", "error", *source, target], check=True, timeout=100)
    with pytest.raises(BadRecording) as error:
        decode(target.read_bytes())
    assert error.value.fault is Fault.TOO_LONG


def test_without_a_folder_for_them_nothing_is_taken(tmp_path: Path, handed_in: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text(OFFICE)
    for arguments in ((), ("--config", path)):
        result = run("prompts", "import", handed_in, *arguments)
        assert result.exit_code == 1 and "recordings isn't set" in result.output


def test_a_recording_whose_text_changed_is_used_and_named(city: Path, recordings: Path) -> None:
    place = PromptPlace(recordings=recordings)
    shipped = samples(AUDIO / "zh-CN", "invalid.0")
    (city.parent / "in").mkdir()
    (city.parent / "in/invalid.0.wav").write_bytes(wav(voice(2.0)))
    run("prompts", "import", city.parent / "in", "--config", city)
    told = json.loads((recordings / "invalid.0.json").read_text())
    told |= {"text": "按键错误。", "of": "0"}
    (recordings / "invalid.0.json").write_text(json.dumps(told))
    result = run("prompts", "check", "--config", city)
    assert result.exit_code == 1
    assert "invalid.0: stale: it says '按键错误。', its text is now '按键有误，请重新选择。'" in result.output
    assert "stale" in run("prompts", "list", "--config", city).output
    used = PromptStore("zh-CN", recordings=place.recordings).piece("invalid.0")
    assert len(used) != len(shipped)


def spoilt(recordings: Path, piece: str, made: Samples) -> None:
    """A recording that got past the import: somebody changed its file."""
    told = find_recording(recordings, piece)
    assert told is not None
    keep_recording(recordings, piece, made, told)


LOUD = np.full(9, 32767, dtype=np.int16)

# what somebody did to a recording, what the check says
SPOILT = [
    (lambda made: made // 4, "level -34.0 dBov, outside -22 ± 2"),
    (lambda made: (made * 2.4).astype(np.int16), "dBFS, over -6"),
    (lambda made: np.concatenate([made[:5000], LOUD, made[5000:]]), "clipped at 1 places"),
    (lambda made: np.concatenate([np.zeros(4000, np.int16), made]), "s of silence at its begin"),
    (lambda made: np.concatenate([made, np.zeros(4000, np.int16)]), "s of silence at its end"),
    (lambda made: np.tile(made, 8), "s long, more than"),
]


@pytest.mark.parametrize(("change", "told"), SPOILT)
def test_what_is_wrong_with_a_sound_is_named(
    city: Path, recordings: Path, handed_in: Path, change: object, told: str
) -> None:
    (handed_in / "invalid.wav").write_bytes(wav(voice(2.0)))
    run("prompts", "import", handed_in, "--config", city)
    spoilt(recordings, "invalid.0", change(samples(recordings, "invalid.0")))  # type: ignore[operator]
    result = run("prompts", "check", "--config", city)
    assert result.exit_code == 1
    assert any("invalid.0: " in line and told in line for line in result.output.splitlines()), result.output


def test_a_click_or_a_gap_at_a_joint_is_named(city: Path, recordings: Path, handed_in: Path) -> None:
    for name in GREETING[:3]:
        (handed_in / f"{name}.wav").write_bytes(wav(voice(0.8)))
    run("prompts", "import", handed_in, "--config", city)
    cut_hard = samples(recordings, "greeting.0")[:-900].copy()
    cut_hard[-3:] = 9000
    spoilt(recordings, "greeting.0", cut_hard)
    slow = np.concatenate([samples(recordings, "greeting.2"), np.zeros(3000, dtype=np.int16)])
    spoilt(recordings, "greeting.2", slow)
    output = run("prompts", "check", "--config", city).output
    assert "greeting.0 → office: a click, a step of 0.27" in output
    assert "greeting.2 → number.7 (and before 30 others): a gap of 0.4" in output


def test_what_cant_be_read_or_was_put_there_by_hand_is_named(city: Path, recordings: Path) -> None:
    recordings.mkdir()
    write_wav(recordings / "no_input.0.wav", samples(AUDIO / "zh-CN", "no_input.0"))
    (recordings / "invalid.0.wav").write_bytes(b"RIFF no")
    result = run("prompts", "check", "--config", city)
    assert result.exit_code == 1
    assert "no_input.0: nobody knows what" in result.output
    assert f"invalid.0: {recordings}/invalid.0.wav: " in result.output


def test_another_offices_name_is_missing_until_it_is_rendered(city: Path, tmp_path: Path) -> None:
    city.write_text(city.read_text().replace("示例市110联动办", "另一市110联动办"))
    result = run("prompts", "check", "--config", city)
    assert result.exit_code == 1 and "office: there is no sound for '另一市110联动办'" in result.output
    rendered = run("prompts", "render", "--config", city)
    assert "zh-CN: 另一市110联动办 is there" in rendered.output, rendered.output
    assert (tmp_path / "data/prompts/zh-CN/office.wav").exists()
    assert run("prompts", "check", "--config", city).exit_code == 0


def test_nothing_is_left_of_a_recording_whose_folder_is_full_or_gone(
    city: Path, recordings: Path, handed_in: Path
) -> None:
    recordings.write_bytes(b"a file where the folder should be")
    (handed_in / "invalid.wav").write_bytes(wav(voice(2.0)))
    result = run("prompts", "import", handed_in, "--config", city)
    assert result.exit_code == 1 and str(recordings) in result.output
    recordings.unlink()
    shutil.copytree(handed_in, recordings)  # the folder itself handed in: taken all the same
    assert run("prompts", "import", handed_in, "--config", city).exit_code == 0
