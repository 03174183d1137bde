"""The page of the prompts: each is heard; a recording passes the checks, or it changes nothing."""

from __future__ import annotations

import html
import io
import json
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit
from callbacks.privacy import Privacy
from prompts.catalogue import load_catalogue
from prompts.decoding import ffmpeg_is_there
from prompts.pieces import all_pieces
from prompts.place import PromptPlace
from prompts.recording_faults import MESSAGES, Fault
from prompts.recordings import file_hash
from prompts.render import AUDIO
from scoring.web.desk import create_desk
from scoring.web.prompt_words import FAULTS, ORIGINS
from tests.integration.desk_data import Town, desk_deps
from tests.integration.desk_pages import WHO_SETS_WORDS, sign_in_to, token
from tests.voices import voice, wav

GOOD = wav(voice(1.2, around=0.1), bits=24, channels=2, extensible=True)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def app(
    town: Town,
    sessions: sessionmaker[Session],
    read_sessions: sessionmaker[Session],
    privacy: Privacy,
    recordings: Path,
) -> Flask:
    """The desk of a city that has a folder for its recordings."""
    deps = desk_deps(sessions, read_sessions, privacy)
    return create_desk(replace(deps, prompts=PromptPlace(recordings=recordings)))


def upload(
    client: FlaskClient, content: bytes, name: str = "a.wav", piece: str = "invalid.0", seen: str = ""
) -> TestResponse:
    form = {"csrf_token": token(client, "/me"), "seen": seen, "file": (io.BytesIO(content), name)}
    return client.post(f"/prompts/{piece}/recording", data=form)


def back(client: FlaskClient, seen: str, piece: str = "invalid.0") -> TestResponse:
    form = {"csrf_token": token(client, "/me"), "seen": seen}
    return client.post(f"/prompts/{piece}/speech", data=form)


def text_of(answer: TestResponse) -> str:
    spaced = re.sub(r"</t[dh]>|</d[td]>", " ", answer.text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", spaced)).split())


def deeds(sessions: sessionmaker[Session]) -> list[tuple[str, str, str]]:
    with sessions() as session:
        found = session.scalars(select(Audit).where(Audit.subject.startswith("prompt:")).order_by(Audit.id))
        return [(line.actor, line.action, line.subject) for line in found]


def test_every_prompt_is_listed_and_heard(head: FlaskClient) -> None:
    page = head.get("/prompts")
    pieces = {piece.id for piece in all_pieces(load_catalogue(), "zh-CN")}
    assert page.text.count("<audio") == len(pieces) + 1  # the office's name
    assert "greeting.0 您好，这里是" in text_of(page) and "录音0条，其余为合成语音" in text_of(page)
    answer = head.get("/prompts/greeting.0/sound.wav")
    assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
    assert answer.data == (AUDIO / "zh-CN/greeting.0.wav").read_bytes()
    assert head.get("/prompts/number.32").status_code == 404
    assert head.get("/prompts/number.32/sound.wav").status_code == 404
    assert head.get("/prompts/..%2Fmanifest/sound.wav").status_code == 404


def test_a_recording_takes_speechs_place_and_gives_it_back(
    head: FlaskClient, recordings: Path, sessions: sessionmaker[Session]
) -> None:
    answer = upload(head, GOOD, "录音室 第3条.wav")
    assert answer.status_code == 303, text_of(answer)
    page = head.get("/prompts/invalid.0")
    assert "已更换。从下一个电话开始使用这段录音。" in page.text
    assert "声音来源 录音 时长 1.5秒" in text_of(page)
    assert "录入人 head 录入时间 2026-11-23 10:02" in text_of(page)
    with wave.open(io.BytesIO(head.get("/prompts/invalid.0/sound.wav").data)) as made:
        assert (made.getframerate(), made.getnchannels(), made.getsampwidth()) == (8000, 1, 2)
    assert "录音1条" in text_of(head.get("/prompts"))
    seen = file_hash(recordings / "invalid.0.wav")
    assert f'name="seen" value="{seen}"' in page.text
    assert back(head, seen).status_code == 303
    assert list(recordings.iterdir()) == []
    assert deeds(sessions) == [
        ("head", "record_prompt", "prompt:invalid.0"),
        ("head", "speech_prompt", "prompt:invalid.0"),
    ]
    with sessions() as session:
        detail = session.scalars(select(Audit.detail).where(Audit.action == "record_prompt")).one()
    assert detail["file"] == "录音室 第3条.wav" and len(detail["source"]) == 64
    shown = text_of(sign_in_to(head.application, "head").get("/audit"))
    assert "更换提示音" in shown and "提示音恢复合成语音" in shown


# what is sent, what is said of it
REFUSED = [
    (b"", "文件里没有声音"),
    ("不是声音".encode(), "这不是WAV、MP3或M4A声音文件"),
    (GOOD[:-100], "这个WAV文件不完整或已损坏"),
    (wav(np.zeros(48000)), "没有声音（−∞ dBov）"),
    (wav(np.clip(voice(2.0, loudness=0.9) * 3, -1, 1)), "处爆音（削波）"),
    (wav(voice(20.0, rate=8000), rate=8000), "长20.0秒，这段文字最多7.5秒"),
    (wav(voice(2.0, pause=2.0)), "在1.0秒处停顿了2.0秒"),
    (wav(voice(1.0, rate=4000), rate=4000), "采样率是4000Hz"),
    (b"ID3\4" + bytes(99), "这个MP3文件不完整或已损坏" if ffmpeg_is_there() else "需要服务器装有ffmpeg"),
]


@pytest.mark.parametrize(("content", "told"), REFUSED)
def test_a_refused_recording_says_why_and_the_old_one_goes_on(
    head: FlaskClient, recordings: Path, sessions: sessionmaker[Session], content: bytes, told: str
) -> None:
    upload(head, GOOD)
    before = {path.name: path.read_bytes() for path in recordings.iterdir()}
    done = deeds(sessions)
    answer = upload(head, content, "坏的.wav", seen=file_hash(recordings / "invalid.0.wav"))
    assert answer.status_code == 400
    shown = text_of(answer)
    assert "没有更换。坏的.wav：" in shown and told in shown
    assert {path.name: path.read_bytes() for path in recordings.iterdir()} == before
    assert deeds(sessions) == done
    english = head.post("/language", data={"csrf_token": token(head, "/me"), "lang": "en"})
    assert english.status_code in (302, 303)
    again = text_of(upload(head, content, "bad.wav", seen=file_hash(recordings / "invalid.0.wav")))
    assert "Not replaced. bad.wav: " in again and told not in again


def test_every_reason_is_said_in_both_languages_with_the_same_values() -> None:
    assert set(FAULTS) == set(MESSAGES) == set(Fault)
    for fault in Fault:
        holes = set(re.findall(r"%\((\w+)\)s", str(FAULTS[fault])))
        assert holes == set(re.findall(r"\{(\w+)\}", MESSAGES[fault])), fault
    assert len(ORIGINS) == 3


def test_no_file_is_no_change(head: FlaskClient) -> None:
    answer = upload(head, b"", "")
    assert answer.status_code == 400 and "请选择一个声音文件" in text_of(answer)


def test_who_comes_second_is_told(head: FlaskClient, recordings: Path) -> None:
    """The page that was open before doesn't know of the recording that came meanwhile."""
    assert upload(head, GOOD).status_code == 303
    kept = (recordings / "invalid.0.wav").read_bytes()
    answer = upload(head, wav(voice(2.5)), seen="")
    assert answer.status_code == 409 and "这条提示音刚才已被更换" in text_of(answer)
    assert back(head, "0" * 64).status_code == 409
    assert (recordings / "invalid.0.wav").read_bytes() == kept


def test_a_changed_text_is_named_and_its_recording_is_used(head: FlaskClient, recordings: Path) -> None:
    upload(head, GOOD)
    told = json.loads((recordings / "invalid.0.json").read_text())
    (recordings / "invalid.0.json").write_text(json.dumps(told | {"text": "按键错误。"}))
    assert "文字已改、需重录：1条" in text_of(head.get("/prompts"))
    page = text_of(head.get("/prompts/invalid.0"))
    assert "文字已改，录音仍是原来的：按键错误。" in page
    sound = head.get("/prompts/invalid.0/sound.wav").data
    assert sound == (recordings / "invalid.0.wav").read_bytes()


def test_a_peak_that_keeps_it_soft_is_told(head: FlaskClient) -> None:
    made = voice(2.0, loudness=0.1)
    for place in range(6000, len(made), 12000):
        made[place : place + 200] += np.hanning(200) * 0.45
    answer = upload(head, wav(made))
    assert answer.status_code == 303, text_of(answer)
    assert "音量偏低（" in head.get("/prompts/invalid.0").text


def test_a_folder_that_cant_be_written_is_named_and_no_deed_is_kept(
    head: FlaskClient, recordings: Path, sessions: sessionmaker[Session]
) -> None:
    recordings.write_bytes(b"a file where the folder should be")
    answer = upload(head, GOOD)
    assert answer.status_code == 503 and "录音文件夹不能写入" in text_of(answer)
    assert deeds(sessions) == []


def test_a_city_without_a_folder_hears_and_changes_nothing(
    town: Town, sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    place = PromptPlace(office="另一市110联动办")  # nobody has rendered its name yet
    app = create_desk(replace(desk_deps(sessions, read_sessions, privacy), prompts=place))
    head = sign_in_to(app, "head")
    assert "没有设置录音文件夹" in text_of(head.get("/prompts"))
    assert "上传录音" not in head.get("/prompts/invalid.0").text
    assert upload(head, GOOD).status_code == 409
    assert "还没有声音" in text_of(head.get("/prompts/office"))
    assert head.get("/prompts/office/sound.wav").status_code == 404


@pytest.mark.parametrize(("login", "sees", "changes"), WHO_SETS_WORDS)
def test_who_may_see_and_change(app: Flask, login: str, sees: bool, changes: bool) -> None:
    client = sign_in_to(app, login)
    for path in ("/prompts", "/prompts/invalid.0", "/prompts/invalid.0/sound.wav"):
        assert client.get(path).status_code == (200 if sees else 403)
    assert ("上传录音" in client.get("/prompts/invalid.0").text) is changes
    assert ('href="/prompts"' in client.get("/").text) is sees
    assert upload(client, GOOD).status_code == (303 if changes else 403)
    assert back(client, "x").status_code == (409 if changes else 403)
