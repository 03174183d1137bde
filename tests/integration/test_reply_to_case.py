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
from callbacks.service.texts import claim_texts, expire_questions
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


def silent(desk: Desk, **delta: float) -> None:
    """Time goes by, and the clock's work with it."""
    desk.later(**delta)
    settle_due(desk.ctx, desk.now)
    desk.plan()


def kinds(desk: Desk) -> list[TextKind]:
    """What we texted, the questions apart."""
    return [text.kind for text in desk.texts() if text.kind is not TextKind.EVAL]


def test_a_rating_begins_with_the_words_that_came_with_it(desk: Desk) -> None:
    [callback] = ask(desk, MOBILE)
    assert says(desk, "3，根本没人来") == "rated"
    assert says(desk, "电话也打不通") == "comment"
    assert desk.ratings(callback)[0].comment == "根本没人来\n电话也打不通"


def test_the_case_that_got_no_code_is_called_after_a_day(desk: Desk) -> None:
    """One open question per number and sender code, else an extension code, else it waits; not for ever."""
    callbacks = ask(desk, MOBILE, MOBILE, MOBILE, MOBILE)
    silent(desk, hours=23)
    assert desk.state(callbacks[3]) is State.PENDING
    silent(desk, hours=1)
    assert {desk.state(each) for each in callbacks} == {State.CALL_QUEUED}
    assert len([text for text in desk.texts() if text.kind is TextKind.EVAL]) == 3


def test_a_text_stays_answerable_while_its_case_waits_for_a_call(desk: Desk) -> None:
    [callback] = ask(desk, MOBILE)
    silent(desk, hours=71)
    assert desk.state(callback) is State.CALL_QUEUED
    assert says(desk, "2") == "rated"
    assert counted(desk, callback) == [2] and not desk.ratings(callback)[0].late


def test_an_answer_after_the_three_days_is_kept_and_not_counted(desk: Desk) -> None:
    [callback] = ask(desk, MOBILE)
    silent(desk, hours=73)
    expire_questions(desk.ctx, desk.now)
    assert says(desk, "1") == "uncounted"
    assert [(rating.value, rating.counted) for rating in desk.ratings(callback)] == [(1, False)]
    assert desk.state(callback) is State.CALL_QUEUED  # it is still to be asked


def test_the_citizens_second_number_changes_nothing_and_is_kept(desk: Desk) -> None:
    """The same person may change it: another telephone of the case may be another person's."""
    callback = desk.close(MOBILE, OTHER)
    desk.plan()
    send(desk)
    assert says(desk, "1") == "rated"
    assert says(desk, "3", number=OTHER) == "unmatched"  # nobody asked it
    assert counted(desk, callback) == [1]


def test_unclear_words_count_for_their_own_case(desk: Desk) -> None:
    first, second = ask(desk, MOBILE, MOBILE)
    assert says(desk, "还行吧", codes(desk)[first]) == "clarify"
    assert says(desk, "还行吧", codes(desk)[second]) == "clarify"  # the other case's first
    asked_again = [text.sender_code for text in desk.texts() if text.kind is TextKind.CLARIFY]
    assert asked_again == [CODE, f"{CODE}01"]  # each from the code that its answer finds its case by
    assert says(desk, "就那样", codes(desk)[second]) == "handed_over"
    assert [desk.state(each) for each in (first, second)] == [State.AWAIT_REPLY, State.AGENT_QUEUE]


def test_an_opt_out_ends_its_case_and_the_numbers_other_questions_are_called(desk: Desk) -> None:
    first, second = ask(desk, MOBILE, MOBILE)
    assert says(desk, "退订") == "opted_out"
    assert [desk.state(each) for each in (first, second)] == [State.REFUSED, State.AWAIT_REPLY]
    assert says(desk, "3", f"{CODE}01") == "rated"  # who unsubscribes may still say
    third = desk.close(MOBILE)
    desk.plan()
    assert desk.state(third) is State.CALL_QUEUED


@pytest.mark.parametrize("words", ["不行，快来人救命", "3，着火了", "退订", "还行吧", "1"])
def test_the_books_balance_whatever_is_said_twice(desk: Desk, words: str) -> None:
    [callback] = ask(desk, MOBILE)
    for _ in range(3):
        says(desk, words)
    assert len(counted(desk, callback)) <= 1
    with desk.session() as session:
        assert read_ledger(session).balanced


def test_a_telephone_that_answers_by_itself_is_told_thrice_a_day_that_it_is_over(desk: Desk) -> None:
    """Two machines would thank each other for ever, at our cost and the citizen's."""
    ask(desk, MOBILE)
    says(desk, "1")
    silent(desk, minutes=31)
    outcomes = [says(desk, "[自动回复]我正在开车") for _ in range(5)]
    assert outcomes == ["closed"] * 5
    assert kinds(desk) == [TextKind.THANKS, *[TextKind.CLOSED] * 3]
    silent(desk, days=1)
    says(desk, "怎么没人联系我")
    assert kinds(desk) == [TextKind.THANKS, *[TextKind.CLOSED] * 4]


# Found by reading domain.md beside callbacks/service/replies.py; each says where the two differ.


@pytest.mark.parametrize("hours", [25, 49])
def test_a_second_unclear_text_is_a_persons_to_read_while_a_call_waits_too(desk: Desk, hours: int) -> None:
    """§5: from any open state, not from those of the text alone."""
    [callback] = ask(desk, MOBILE)
    assert says(desk, "还行吧") == "clarify"
    silent(desk, hours=hours)
    assert desk.state(callback) is State.CALL_QUEUED
    assert says(desk, "就那样") == "handed_over"
    assert desk.state(callback) is State.AGENT_QUEUE


def test_a_late_rating_may_be_changed_within_the_minutes_too(desk: Desk) -> None:
    """§8.2: the thanks promise it, whichever state the answer found."""
    [callback] = ask(desk, MOBILE)
    assert says(desk, "退订") == "opted_out"
    assert says(desk, "1") == "rated"
    assert kinds(desk)[-1] is TextKind.THANKS
    assert says(desk, "3") == "changed"
    assert counted(desk, callback) == [3]
    assert desk.ratings(callback)[-1].late


def test_danger_from_a_number_that_was_not_asked_is_answered_too(desk: Desk) -> None:
    """§1: alarm at a seat, "dial 110" back; whether we asked something doesn't matter."""
    assert says(desk, "救命", number=OTHER) == "unmatched"
    with desk.session() as session:
        assert len(session.scalars(select(Alarm)).all()) == 1
    assert [(text.kind, text.number_masked) for text in desk.texts()] == [(TextKind.EMERGENCY, "138****0002")]


def test_danger_from_a_short_code_is_no_reason_to_text_it(desk: Desk) -> None:
    """§1: 3–6 digit codes are never texted."""
    assert says(desk, "宣传：着火请拨119", number="10086") == "unmatched"
    assert desk.texts() == []


def test_the_reason_that_comes_with_the_same_digit_is_the_ratings_comment(desk: Desk) -> None:
    """§8.2: words are always a comment. Who is asked for the reason often repeats the 3."""
    [callback] = ask(desk, MOBILE)
    assert says(desk, "3") == "rated"
    assert says(desk, "3，没人来过") == "comment"
    assert [(rating.value, rating.comment) for rating in desk.ratings(callback)] == [(3, "没人来过")]


def test_a_numeral_with_a_full_stop_is_a_digit_too(desk: Desk) -> None:
    [callback] = ask(desk, MOBILE)
    assert says(desk, "1") == "rated"
    assert says(desk, "三。") == "changed"
    assert counted(desk, callback) == [3]
