"""`huifang announcements`: a city's folder is listed and checked, its faults are named, a call records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

import app
from ivr.announcement_folder import read_announcements
from ivr.settings import CityEarlyMedia
from prompts.sound import read_wav, write_wav
from tests.announced import TEXTS, said
from tests.far_ends import Sound, one_after_another, quiet, spoken
from tests.integration.test_cli import OFFICE
from tests.loopback_city import quick_city, running_city
from tests.voices import wav

NAMES = {f"{meaning}-{name}-移动": said(name) for name, (meaning, *_) in TEXTS.items()}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app.main, [str(argument) for argument in arguments], catch_exceptions=False)


def write(path: Path, sound: Sound) -> Path:
    write_wav(path, np.round(sound * 32767).astype(np.int16))
    return path


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A city's settings, whose key file is in `data`, and so its announcements."""
    (tmp_path / "data/announcements").mkdir(parents=True)
    path = tmp_path / "city.toml"
    path.write_text(OFFICE + f'[database]\nkey_file = "{tmp_path}/data/h.key"\n')
    return path


@pytest.fixture
def folder(city: Path) -> Path:
    return city.parent / "data/announcements"


@pytest.fixture
def filled(folder: Path) -> Path:
    for name, sound in NAMES.items():
        write(folder / f"{name}.wav", sound)
    return folder


def test_they_are_listed_with_what_they_mean(city: Path, filled: Path) -> None:
    rows = json.loads(run("announcements", "list", "--json", "--config", city).output)
    by_name = {row["name"]: row for row in rows}
    assert len(rows) == len(TEXTS)
    assert by_name["空号-移动"]["meaning"] == "unallocated"
    assert all(row["seconds"] >= row["sounds"] > row["alike"] + 1.2 for row in rows)
    assert by_name["关机-移动"]["alike"] > 1.0  # the carrier's 您好，您拨打的用户
    text = run("announcements", "list", "--folder", filled).output
    assert len(text.splitlines()) == len(TEXTS) and "s as in" in text


def test_a_good_folder_is_checked(city: Path, filled: Path) -> None:
    done = run("announcements", "check", "--config", city)
    assert (done.exit_code, done.output) == (0, f"{len(TEXTS)} announcements, 0 faults\n")
    assert "announcement" not in run("config", "check", "--config", city).output


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "gone-关机.wav",
            None,
            "'gone' is no meaning; its name begins with one of powered_off, ",
        ),
        ("answered-关机.wav", None, "'answered' is no meaning"),
        ("关机.wav", None, "'关机' is no meaning"),
        ("busy-正在通话中.txt", b"a note", "it's neither a WAV, an MP3 nor an M4A sound"),
        ("busy-empty.wav", b"", "there is no sound in it"),
        ("busy-cut.wav", b"RIFF\x10\x00\x00\x00WAVE", "it's an WAV file that is cut off or damaged"),
        ("busy-short.wav", wav(spoken("正忙。"), rate=8000), "s of sound; 2.4 are needed to know it again"),
        ("busy-silent.wav", wav(quiet(5.0), rate=8000), "0.0 s of sound; 2.4 are needed"),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_holds(
    city: Path, folder: Path, name: str, content: bytes | None, told: str
) -> None:
    good = write(folder / "unallocated-空号.wav", said("空号"))
    (folder / name).write_bytes(good.read_bytes() if content is None else content)
    (folder / ".hidden").write_text("passed over")
    for arguments in (("announcements", "check"), ("config", "check")):
        done = run(*arguments, "--config", city)
        assert done.exit_code == 1
        assert f"{folder / name}: " in done.output and told in done.output
    found = read_announcements(folder)
    assert len(found.faults) == 1
    assert "空号" in [each.announcement.name for each in found.recordings]


def test_the_voice_role_takes_what_it_can_read(city: Path, folder: Path) -> None:
    write(folder / "unallocated-空号.wav", said("空号"))
    (folder / "busy-empty.wav").write_bytes(b"")
    with capture_logs() as logs:
        found = app.announcements(app.load_settings(city)).announcements
    assert [each.announcement.name for each in found.heard(said("空号").astype(np.float32))] == ["空号"]
    told = f"{folder}/busy-empty.wav: there is no sound in it"
    assert [each["fault"] for each in logs if each["event"] == "announcement_left_out"] == [told]


def test_a_name_stands_once(folder: Path) -> None:
    for meaning in ("busy", "no_answer"):
        write(folder / f"{meaning}-移动.wav", said("空号"))
    assert read_announcements(folder).faults == (f"{folder}/no_answer-移动.wav: another is named 移动 too",)


def test_two_that_cant_be_told_apart_are_a_warning(city: Path, folder: Path) -> None:
    write(folder / "unallocated-空号.wav", said("空号"))
    write(folder / "busy-正忙.wav", one_after_another(0.123, said("空号"), spoken("谢谢。")))
    for arguments in (("announcements", "check"), ("config", "check")):
        done = run(*arguments, "--config", city)
        assert done.exit_code == 0
        assert (
            f"{folder}/busy-正忙.wav: " in done.output and "空号 too, which means unallocated" in done.output
        )


def test_a_folder_of_another_place(city: Path, tmp_path: Path) -> None:
    with city.open("a") as text:
        text.write(f'[voice]\nannouncements = "{tmp_path}/elsewhere"\n')
    assert "voice.announcements: " in run("config", "check", "--config", city).output
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere/busy-1.wav", said("正在通话中"))
    assert "1 announcements" in run("announcements", "check", "--config", city).output


def test_a_recording_is_matched(filled: Path, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"  # by a recorder of its own rate
    heard.write_bytes(wav(np.repeat(one_after_another(2.0, said("停机")), 2), rate=16000))
    done = run("announcements", "match", heard, "--folder", filled)
    assert done.exit_code == 0
    assert done.output.splitlines()[0] == "unallocated: 停机-移动"
    write(heard, said("停机")[:12000])
    done = run("announcements", "match", heard, "--folder", filled)
    assert done.exit_code == 1 and done.output.startswith("none is certain\n")
    assert run("announcements", "match", heard).exit_code == 1  # of which folder?


def test_a_call_records_what_the_network_says(tmp_path: Path) -> None:
    played, out = write(tmp_path / "played.wav", spoken("您拨打的号码已停机。")), tmp_path / "heard.wav"
    early = CityEarlyMedia(ending="66", file=played, status=480, q850=31)
    with running_city(quick_city(early_media=(early,))) as city:
        trunk = f"127.0.0.1:{city.port}"
        done = run("call", "13803790066", "--trunk", trunk, "--early", out)
        assert done.exit_code == 0 and f"early: {out}: " in done.output
        assert abs(len(read_wav(out)) - len(read_wav(played))) < 4000
        out.unlink()
        done = run("call", "13803790008", "--trunk", trunk, "--early", out)  # released at once
        assert "early: nothing was heard" in done.output and not out.exists()
