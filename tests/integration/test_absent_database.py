"""What a citizen did while the database was away: kept, played in in order, once; or not acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from callbacks.database import make_engine, make_sessions
from callbacks.models import Receipt, Reply, TextState
from callbacks.models_office import Alarm
from callbacks.service import calls, late
from callbacks.service.answers import Answer
from callbacks.service.core import Context
from callbacks.service.leases import settle_leases
from callbacks.service.submits import submitted
from callbacks.service.texts import claim_texts
from callbacks.spool import own_spool, play_orphans
from callbacks.states import State
from callbacks.vocabulary import Channel
from callbacks.writer import Writer
from sms.events import ReceiptArrived, ReceiptStatus, ReplyArrived
from sms.inbound import Inbox
from tests.integration.office import LANDLINE, MOBILE, OFFICE, Desk, make_desk

GATEWAY = "smsc"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def away(desk: Desk, tmp_path: Path) -> Iterator[Context]:
    """The same office with its database gone."""
    engine = make_engine(f"sqlite:///{tmp_path}/gone/huifang.db")
    yield replace(desk.ctx, sessions=make_sessions(engine))
    engine.dispose()


def reply(words: str) -> ReplyArrived:
    return ReplyArrived(7, MOBILE, OFFICE.sender_code, words, words.encode("utf-16-be"), words)


def asked(desk: Desk) -> int:
    callback_id = desk.close(MOBILE)
    desk.plan()
    [text] = claim_texts(desk.ctx, "sms:test:1", GATEWAY, 10, 20.0, desk.now)
    assert submitted(desk.ctx, text.text_id, text.token, GATEWAY, ["A1"], desk.now)
    return callback_id


def test_replies_and_receipts_are_played_in_in_their_order(desk: Desk, away: Context, tmp_path: Path) -> None:
    callback_id = asked(desk)
    inbox = Inbox(away, tmp_path / "spool", "sms")
    at = desk.later(minutes=5)
    assert inbox.take(GATEWAY, ReceiptArrived(1, "A1", ReceiptStatus.DELIVERED, "000"), at)
    assert inbox.take(GATEWAY, reply("3"), at)
    assert inbox.take(GATEWAY, reply("1"), desk.later(minutes=1))
    inbox.close()  # the process is over; the next one finds the database again
    now = desk.later(hours=2)
    inbox = Inbox(desk.ctx, tmp_path / "spool", "sms")
    assert inbox.take(GATEWAY, reply("谢谢"), now)  # its own spool waits: it goes behind
    inbox.catch_up(now)
    with desk.session() as session:
        rows = session.execute(select(Reply.body, Reply.outcome, Reply.received_at).order_by(Reply.id))
        told = [(row.body, row.outcome, row.received_at) for row in rows]
    assert [(body, outcome) for body, outcome, _ in told] == [
        ("3", "rated"),
        ("1", "changed"),  # within thirty minutes of the first, whenever we heard of it
        ("谢谢", "comment"),
    ]
    assert told[0][2] == at  # when the citizen wrote, not when we stored it
    assert desk.texts()[0].state is TextState.DELIVERED
    [counted] = [rating for rating in desk.ratings(callback_id) if rating.counted]
    assert (counted.value, counted.is_change) == (1, True)
    with desk.session() as session:
        assert session.scalars(select(Alarm.kind)).all() == ["spool"]
    inbox.close()


def test_what_was_stored_but_not_yet_marked_changes_nothing_again(
    desk: Desk, away: Context, tmp_path: Path
) -> None:
    """A kill between the commit and the mark: the record comes a second time."""
    callback_id = asked(desk)
    inbox = Inbox(away, tmp_path / "spool", "sms")
    at = desk.later(minutes=5)
    inbox.take(GATEWAY, ReceiptArrived(1, "A1", ReceiptStatus.DELIVERED, "000"), at)
    inbox.take(GATEWAY, reply("3"), at)
    inbox.close()
    [path] = (tmp_path / "spool").glob("*.spool")
    before = path.read_bytes()
    for _ in range(2):
        path.write_bytes(before)
        inbox = Inbox(desk.ctx, tmp_path / "spool", "sms")
        inbox.catch_up(desk.later(hours=1))
        inbox.close()
    assert len(desk.ratings(callback_id)) == 1
    with desk.session() as session:
        assert len(session.scalars(select(Reply)).all()) == 1
        assert len(session.scalars(select(Receipt)).all()) == 1


def test_a_spool_that_takes_nothing_acknowledges_nothing(desk: Desk, away: Context, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    inbox = Inbox(away, tmp_path / "spool", "sms")
    assert not inbox.take(GATEWAY, reply("3"), desk.now)


def test_a_seat_hears_that_replies_were_turned_away(desk: Desk, away: Context, tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/gone/huifang.db")
    ctx = replace(desk.ctx, sessions=make_sessions(engine))
    folder = tmp_path / "spool"
    folder.write_text("no folder")
    inbox = Inbox(ctx, folder, "sms")
    assert not inbox.take(GATEWAY, reply("3"), desk.now)
    inbox._ctx = desk.ctx  # the database is back
    inbox.catch_up(desk.now)
    with desk.session() as session:
        [alarm] = session.scalars(select(Alarm)).all()
        assert (alarm.kind, alarm.detail["refused"]) == ("spool", True)
    engine.dispose()


# -- keys


def key(value: int, attempt_id: int) -> Answer:
    return Answer(value, Channel.VOICE, str(value), attempt_id, prompt_id="q_rating", ms_since_prompt_end=900)


def wait_for(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never happened")


def test_keys_that_wait_survive_a_kill_of_the_role(desk: Desk, away: Context, tmp_path: Path) -> None:
    callback_id, call = desk.call()
    desk.later(seconds=20)
    answer = key(3, call.attempt_id)
    spool = own_spool(tmp_path / "spool", "voice", desk.ctx.privacy)
    writer = Writer(lambda: None, spool)
    attempt, token, at = call.attempt_id, call.token, desk.now
    writer.submit(lambda: calls.answered(away, attempt, token, at))
    writer.submit(
        lambda: calls.rated(away, attempt, token, callback_id, answer, at),
        record=late.rated_record(attempt, callback_id, answer, at),
    )
    writer.submit(
        lambda: calls.reason_given(away, attempt, token, callback_id, "attitude"),
        record=late.reason_record(attempt, callback_id, "attitude", at),
    )
    writer.submit(
        lambda: calls.resolved(away, attempt, token, callback_id, False, at),
        record=late.resolved_record(attempt, callback_id, False, at),
    )
    wait_for(lambda: spool.path.exists() and len(spool.path.read_bytes().splitlines()) == 3)
    assert not writer.close(0.1)  # killed, as it were: its jobs are gone
    wait_for(lambda: not writer._thread.is_alive())
    spool.close()
    with desk.ctx.sessions.begin() as session:
        session.get_one(type(desk.attempt(attempt)), attempt).lease_expires_at = at
    settle_leases(desk.ctx, desk.later(minutes=10))
    assert desk.state(callback_id) is State.RETRY_WAIT  # unknown: it will be called again …
    for _ in range(2):  # … and a second time does no harm
        play_orphans(
            tmp_path / "spool", "voice", desk.ctx.privacy, lambda record: late.play_key(desk.ctx, record)
        )
    assert desk.state(callback_id) is State.RATED
    [rating] = desk.ratings(callback_id)
    assert (rating.value, rating.reason, rating.resolved) == (3, "attitude", False)
    assert (rating.attempt_id, rating.at) == (attempt, at)


def test_a_record_that_was_written_at_last_leaves_the_spool(desk: Desk, tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/later/huifang.db")
    spool = own_spool(tmp_path / "spool", "voice", desk.ctx.privacy)
    writer = Writer(lambda: None, spool)
    got: list[int] = []

    def write(number: int) -> int:
        with engine.connect():
            return number

    for number in range(4):
        writer.submit(lambda number=number: write(number), got.append, {"n": number} if number % 2 else None)
    wait_for(lambda: spool.waiting)
    (tmp_path / "later").mkdir()
    wait_for(lambda: writer.deliver() or len(got) == 4)
    wait_for(lambda: not spool.waiting)
    assert got == [0, 1, 2, 3]
    assert writer.close(5)
    assert not list((tmp_path / "spool").iterdir())
    engine.dispose()


@pytest.mark.parametrize(
    ("pressed", "state", "why"),
    [("0", State.AGENT_QUEUE, "key_0"), ("9", State.AGENT_QUEUE, "wrong_person")],
)
def test_who_asked_for_a_person_or_is_the_wrong_one_isnt_called_again(
    desk: Desk, pressed: str, state: State, why: str
) -> None:
    callback_id, call = desk.call(LANDLINE)
    with desk.ctx.sessions.begin() as session:
        session.get_one(type(desk.attempt(call.attempt_id)), call.attempt_id).lease_expires_at = desk.now
    settle_leases(desk.ctx, desk.later(minutes=10))
    for _ in range(2):
        late.play_key(desk.ctx, late.left_record(call.attempt_id, pressed, desk.now))
    assert desk.state(callback_id) is state
    assert desk.callback(callback_id).handed_over == why
