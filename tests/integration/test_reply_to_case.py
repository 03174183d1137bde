"""Which case a reply is for, and what becomes of the second, the late and the contradictory one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from callbacks.ledger import read_ledger
from callbacks.models import Rating, TextKind, TextMessage
from callbacks.models_office import Alarm
from callbacks.service.answers import Answer
from callbacks.service.planning import settle_due
from callbacks.service.replies import IncomingReply, reply_came
from callbacks.service.submits import submitted
from callbacks.service.texts import claim_texts
from callbacks.service.web_answers import web_rated
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.ledger import ScoreLedger
from sms.reply import parse
from tests.integration.office import MOBILE, OFFICE, Desk, make_desk

CODE = OFFICE.sender_code
OTHER = "13803790002"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    office = OFFICE.model_copy(update={"extension_codes": 2})
    desk.ctx = replace(desk.ctx, office=office, subscribers=(ScoreLedger("Asia/Shanghai"),))
    return desk


def ask(desk: Desk, *numbers: str) -> list[int]:
    """Closed cases, one a number; their questions leave as far as they may."""
    callbacks = [desk.close(number) for number in numbers]
    desk.plan()
    for _ in callbacks:
        send(desk)
    return callbacks


def send(desk: Desk) -> None:
    """One attempt to a number at a time: its next question leaves half a minute later."""
    desk.later(seconds=31)
    for text in claim_texts(desk.ctx, "sms:test:1", "smsc", 20, 20.0, desk.now):
        submitted(desk.ctx, text.text_id, text.token, "smsc", [f"id{text.text_id}"], desk.now)


def says(desk: Desk, words: str, code: str = CODE, number: str = MOBILE) -> str:
    read = parse(words)
    reply = IncomingReply(
        gateway="smsc",
        digest=f"{desk.now.isoformat()} {number} {code} {words}",
        number=number,
        sender_code=code,
        body=words,
        rating=read.rating,
        opt_out=read.opt_out,
        emergency=read.emergency,
        unclear=read.unclear,
        comment=read.comment,
    )
    outcome = reply_came(desk.ctx, reply, desk.now)
    desk.later(seconds=1)
    return outcome


def codes(desk: Desk) -> dict[int | None, str]:
    """Callback → the code that its question was asked from."""
    asked = [text for text in desk.texts() if text.kind is TextKind.EVAL]
    return {text.callback_id: text.sender_code for text in asked}


def counted(desk: Desk, callback_id: int) -> list[int]:
    return [rating.value for rating in desk.ratings(callback_id) if rating.counted]


def test_two_questions_to_a_number_have_two_codes_and_a_fourth_waits(desk: Desk) -> None:
    first, second, third, fourth = ask(desk, MOBILE, MOBILE, MOBILE, MOBILE)
    assert codes(desk) == {first: CODE, second: f"{CODE}01", third: f"{CODE}02"}
    assert desk.state(fourth) is State.PENDING
    assert says(desk, "3", f"{CODE}01") == "rated"  # the code tells which case it's for
    assert says(desk, "1") == "rated"
    assert (counted(desk, first), counted(desk, second), counted(desk, third)) == ([1], [3], [])
    desk.later(minutes=31)
    settle_due(desk.ctx, desk.now)  # two codes are free again
    desk.plan()
    send(desk)
    assert codes(desk)[fourth] == CODE
    assert says(desk, "2") == "rated"
    assert counted(desk, fourth) == [2]


def test_another_number_has_the_first_code_too(desk: Desk) -> None:
    mine, theirs = ask(desk, MOBILE, OTHER)
    assert set(codes(desk).values()) == {CODE}
    assert says(desk, "3", number=OTHER) == "rated"
    assert (counted(desk, mine), counted(desk, theirs)) == ([], [3])


def test_a_code_that_a_network_rewrote_counts_only_where_there_is_no_doubt(desk: Desk) -> None:
    first, _second = ask(desk, MOBILE, MOBILE)
    assert says(desk, "1", "10690000") == "unmatched"  # which of the two?
    assert says(desk, "1", CODE) == "rated"
    [third] = ask(desk, OTHER)
    assert says(desk, "3", "10690000", OTHER) == "rated"
    assert (counted(desk, first), counted(desk, third)) == ([1], [3])


# What is said within the thirty minutes after a rating of 1, and what it comes to.
AFTERWARDS = [
    ("3", "changed", [3], ""),  # a digit is always a change
    ("３，没人来", "changed", [3], ""),
    ("叁", "changed", [3], ""),
    ("1", "uncounted", [1], ""),  # the same again says nothing new
    ("没人来过", "comment", [1], "没人来过"),  # words are always a comment,
    ("不满意", "comment", [1], "不满意"),  # also those that would be a rating alone
    ("谢谢", "comment", [1], "谢谢"),
]


@pytest.mark.parametrize(("words", "outcome", "value", "comment"), AFTERWARDS, ids=[a[0] for a in AFTERWARDS])
def test_within_the_minutes(desk: Desk, words: str, outcome: str, value: list[int], comment: str) -> None:
    [callback] = ask(desk, MOBILE)
    assert says(desk, "1") == "rated"
    assert says(desk, words) == outcome
    assert counted(desk, callback) == value
    if comment:
        assert desk.ratings(callback)[0].comment == comment


def test_a_second_change_and_an_answer_after_the_minutes_are_kept_and_not_counted(desk: Desk) -> None:
    [callback] = ask(desk, MOBILE)
    assert [says(desk, words) for words in ("1", "3", "2")] == ["rated", "changed", "uncounted"]
    desk.later(minutes=31)
    settle_due(desk.ctx, desk.now)
    assert says(desk, "1") == "uncounted"
    kept = [(rating.value, rating.counted) for rating in desk.ratings(callback)]
    assert kept == [(1, False), (3, True), (2, False), (1, False)]
    assert [text.kind for text in desk.texts()][-1] is TextKind.CLOSED  # a courtesy to who still writes


def test_a_contradiction_by_another_way_is_kept_beside_the_first(desk: Desk) -> None:
    [callback] = ask(desk, MOBILE)
    assert web_rated(desk.ctx, callback, Answer(1, Channel.WEB, "1"), desk.now) == "rated"
    assert says(desk, "3") == "uncounted"
    with desk.session() as session:
        rows = session.execute(select(Rating.channel, Rating.value, Rating.counted).order_by(Rating.id)).all()
        assert read_ledger(session).balanced
    assert [tuple(row) for row in rows] == [(Channel.WEB, 1, True), (Channel.SMS, 3, False)]


@pytest.mark.parametrize(("words", "rating"), [("救命，有人要自杀", None), ("3，快来人，着火了", 3)])
def test_danger_alarms_a_seat_beside_whatever_else_it_says(desk: Desk, words: str, rating: Any) -> None:
    [callback] = ask(desk, MOBILE)
    says(desk, words)
    with desk.session() as session:
        [alarm] = session.scalars(select(Alarm)).all()
        answer = session.scalars(select(TextMessage).where(TextMessage.kind == TextKind.EMERGENCY)).one()
    assert (alarm.kind, alarm.subject) == ("emergency_reply", "reply:1")
    assert (answer.priority, answer.sender_code) == (0, CODE)
    assert counted(desk, callback) == ([] if rating is None else [rating])
