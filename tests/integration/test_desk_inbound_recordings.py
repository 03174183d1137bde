"""A 110 call's recordings at the desk: heard by who may, each listening in the audit, failures shown."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_read_sessions
from callbacks.models import Audit
from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.privacy import Privacy
from callbacks.recording_file import wav_head
from scoring.web.desk import create_desk
from tests.integration.desk_data import desk_deps
from tests.integration.desk_office import TARGETS, build_office
from tests.integration.desk_pages import sign_in_to

PAGE = "/inbound/in-answered"
OF_CALLER, OF_LEG = f"{PAGE}/in-answered.wav", f"{PAGE}/in-answered-1.wav"
SAID = bytes(range(256)) * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def app(sessions: sessionmaker[Session], engine: Engine, privacy: Privacy, folder: Path) -> Flask:
    deps = desk_deps(sessions, make_read_sessions(engine), privacy)
    deps = replace(deps, targets=TARGETS, recordings=folder)
    build_office(sessions, deps)
    with sessions() as session:
        names = [
            *session.scalars(select(InboundCall.recording)),
            *session.scalars(select(InboundLeg.recording)),
        ]
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(wav_head(len(SAID), "pcma") + SAID)
    return create_desk(deps)


def rows(page: str) -> list[list[str]]:
    """The cells of the recordings' table as a reader sees them."""
    (table,) = [each for each in re.findall(r"<table.*?</table>", page, re.DOTALL) if "说话人" in each]
    found = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found]
    return [[" ".join(html.unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in cells]


def heard(sessions: sessionmaker[Session]) -> list[tuple[str, str, str]]:
    with sessions() as session:
        lines = session.scalars(
            select(Audit).where(Audit.action == "hear_recording").order_by(Audit.id)
        ).all()
    return [(line.actor, line.subject, line.detail["leg"]) for line in lines]


def test_the_page_shows_who_was_recorded_since_when_how_long_and_what_failed(app: Flask) -> None:
    client = sign_in_to(app, "supervisor")
    page = client.get(PAGE).text
    assert rows(page) == [
        ["09:47:19", "来电人", "91秒", ""],
        ["09:47:19", "seat-1", "46秒", "录音失败"],
    ]
    assert f'src="{OF_CALLER}"' in page and f'src="{OF_LEG}"' in page
    # One that goes on is as long as its file.
    assert rows(client.get("/inbound/in-talks").text) == [
        ["10:01:36", "来电人", "3秒", "录音未结束"],
        ["10:01:36", "seat-2", "3秒", "录音未结束"],
    ]
    assert "通话录音" not in client.get("/inbound/in-waits").text
    alarms = client.get("/alarms").text
    assert "通话录音失败" in alarms and f'href="{PAGE}"' in alarms and "No space left on device" in alarms


def test_a_listening_is_in_the_audit_and_a_part_of_one_isnt_another(
    app: Flask, sessions: sessionmaker[Session]
) -> None:
    client = sign_in_to(app, "supervisor")
    whole = client.get(OF_CALLER, buffered=True)
    assert (whole.status_code, whole.mimetype) == (200, "audio/wav")
    assert whole.data == wav_head(len(SAID), "pcma") + SAID
    assert whole.headers["Cache-Control"] == "no-store"
    part = client.get(OF_CALLER, buffered=True, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.data) == (206, whole.data[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.data)}"
    assert heard(sessions) == [("supervisor", "inbound:in-answered", "in-answered")]
    assert client.get(OF_LEG, buffered=True, headers={"Range": "bytes=0-"}).status_code == 206
    assert heard(sessions)[1:] == [("supervisor", "inbound:in-answered", "in-answered-1")]


def test_who_leaves_out_the_beginning_is_in_the_audit_too(
    app: Flask, sessions: sessionmaker[Session]
) -> None:
    client = sign_in_to(app, "agent")
    for first in (1, 58, 9000):
        part = client.get(OF_LEG, buffered=True, headers={"Range": f"bytes={first}-"})
        assert part.status_code == 206
    assert heard(sessions) == [("agent", "inbound:in-answered", "in-answered-1")]


@pytest.mark.parametrize(("login", "page", "status"), [
    ("agent", 200, 200), ("head", 200, 200), ("inspector", 200, 200),
    ("admin", 200, 403),  # who runs the machine has no business with it
    ("city", 403, 403),  # a unit never learns who calls
])  # fmt: skip
def test_who_may_hear(
    app: Flask, sessions: sessionmaker[Session], login: str, page: int, status: int
) -> None:
    client = sign_in_to(app, login)
    shown = client.get(PAGE)
    assert (shown.status_code, "<audio" in shown.text) == (page, status == 200)
    assert client.get(OF_CALLER, buffered=True).status_code == status
    assert len(heard(sessions)) == (status == 200)


@pytest.mark.parametrize("path", [
    f"{PAGE}/in-gave-up.wav", f"{PAGE}/none.wav", "/inbound/none/none.wav",
    f"{PAGE}/in-talks-1.wav",  # another call's
    "/inbound/in-gave-up/in-gave-up.wav",  # not recorded
    f"{PAGE}/..%2F..%2Fhuifang.wav", f"{PAGE}/in%00.wav",
])  # fmt: skip
def test_what_isnt_there_is_404_and_no_listening(
    app: Flask, sessions: sessionmaker[Session], path: str
) -> None:
    assert sign_in_to(app, "supervisor").get(path).status_code == 404
    assert heard(sessions) == []


def test_a_file_that_is_elsewhere_or_gone_is_404(
    app: Flask, sessions: sessionmaker[Session], folder: Path
) -> None:
    client = sign_in_to(app, "supervisor")
    with sessions.begin() as session:
        session.execute(update(InboundCall).values(recording="../recordings.key"))
    (folder.parent / "recordings.key").write_text("secret")
    assert client.get(OF_CALLER, buffered=True).status_code == 404
    for file in folder.rglob("*.wav"):
        file.unlink()
    assert client.get(OF_LEG, buffered=True).status_code == 404
    assert client.get("/inbound/in-talks").status_code == 200
    assert heard(sessions) == []


def test_what_was_purged_says_so(app: Flask, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        session.execute(update(InboundCall).values(recording=None))
    client = sign_in_to(app, "supervisor")
    assert rows(client.get(PAGE).text)[0] == ["09:47:19", "来电人", "91秒", "录音已按规定删除。"]
    assert client.get(OF_CALLER, buffered=True).status_code == 404
