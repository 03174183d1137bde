"""Voice messages: kept once by whatever way they come, heard by who may, purged when their time is over."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_read_sessions
from callbacks.models import Audit
from callbacks.models_voice import VoiceMessage
from callbacks.privacy import Privacy
from callbacks.service import late
from callbacks.service.answers import Answer
from callbacks.service.calls import rated
from callbacks.service.messages import Message, message_left, message_record, purge_messages
from callbacks.vocabulary import Channel
from scoring.web.desk import create_desk
from tests.integration.desk_data import desk_deps
from tests.integration.desk_office import TARGETS, build_office
from tests.integration.desk_pages import sign_in_to
from tests.integration.office import Desk, make_desk

SAID = Message(bytes(range(256)) * 125, "pcma", 4.0)


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


def kept(desk: Desk) -> list[VoiceMessage]:
    with desk.session() as session:
        return list(session.scalars(select(VoiceMessage).order_by(VoiceMessage.id)))


def test_a_message_is_kept_once_though_the_spool_brings_it_again(desk: Desk) -> None:
    callback, call = desk.call()
    assert message_left(desk.ctx, call.attempt_id, call.token, callback, SAID, desk.now)
    late.play_key(desk.ctx, message_record(call.attempt_id, callback, SAID, desk.now))
    [message] = kept(desk)
    assert (message.content, message.codec, message.seconds) == (SAID.content, "pcma", 4.0)
    assert not message_left(desk.ctx, call.attempt_id, call.token + 1, callback, SAID, desk.now)  # stale


def test_what_the_database_missed_comes_from_the_spool(desk: Desk) -> None:
    callback, call = desk.call()
    late.play_key(desk.ctx, message_record(call.attempt_id, callback, SAID, desk.now))
    assert [message.content for message in kept(desk)] == [SAID.content]


def test_messages_go_after_90_days_and_of_the_dissatisfied_when_their_year_is_assessed(desk: Desk) -> None:
    for last, value in ((1, 1), (3, 3)):
        callback, call = desk.call(f"0379631100{last:02}")
        rated(
            desk.ctx, call.attempt_id, call.token, callback,
            Answer(value, Channel.VOICE, str(value), attempt_id=call.attempt_id), desk.now,
        )  # fmt: skip
        content = bytes([value]) * 8000
        message_left(desk.ctx, call.attempt_id, call.token, callback, Message(content, "pcma", 1), desk.now)
    assert purge_messages(desk.ctx, desk.now + timedelta(days=89)) == 0
    assert purge_messages(desk.ctx, desk.now + timedelta(days=91)) == 1
    assert [message.content is None for message in kept(desk)] == [True, False]
    assert purge_messages(desk.ctx, desk.now + timedelta(days=456)) == 1
    assert purge_messages(desk.ctx, desk.now + timedelta(days=456)) == 0


@pytest.fixture
def app(sessions: sessionmaker[Session], engine: Engine, privacy: Privacy) -> Flask:
    deps = replace(desk_deps(sessions, make_read_sessions(engine), privacy), targets=TARGETS)
    build_office(sessions, deps)
    return create_desk(deps)


def test_a_listening_is_in_the_audit_and_a_part_of_one_isnt_another(
    app: Flask, sessions: sessionmaker[Session]
) -> None:
    client = sign_in_to(app, "supervisor")
    page = client.get("/cases/LD20261116-0001").text
    assert 'src="/messages/1.wav"' in page and "群众留言" in page
    heard = client.get("/messages/1.wav")
    assert (heard.status_code, heard.mimetype) == (200, "audio/wav")
    assert heard.data[:4] == b"RIFF" and struct.unpack_from("<HHI", heard.data, 20) == (6, 1, 8000)
    part = client.get("/messages/1.wav", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.data) == (206, heard.data[100:200])
    with sessions() as session:
        lines = session.scalars(select(Audit).where(Audit.action == "hear_message")).all()
    assert [(line.actor, line.detail["message"]) for line in lines] == [("supervisor", 1)]


def test_who_asks_for_the_later_part_alone_has_heard_it_too(
    app: Flask, sessions: sessionmaker[Session]
) -> None:
    client = sign_in_to(app, "supervisor")
    for first in (1, 100):
        assert client.get("/messages/1.wav", headers={"Range": f"bytes={first}-"}).status_code == 206
    with sessions() as session:
        lines = session.scalars(select(Audit).where(Audit.action == "hear_message")).all()
    assert [line.actor for line in lines] == ["supervisor"]


@pytest.mark.parametrize(("login", "status"), [
    ("agent", 200), ("head", 200), ("inspector", 200),
    ("admin", 403),  # who runs the machine has no business with it
    ("city", 403),  # a voice tells who rated: a unit never learns that
])  # fmt: skip
def test_who_may_hear(app: Flask, login: str, status: int) -> None:
    client = sign_in_to(app, login)
    assert client.get("/messages/1.wav").status_code == status
    assert client.get("/messages/99.wav").status_code == (404 if status == 200 else 403)
