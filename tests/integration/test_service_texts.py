"""Texts and replies on the real tables: what is sent, what comes back, and which answer counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from sqlalchemy import select

from callbacks.ledger import read_ledger
from callbacks.models import Audit, Reply, TextKind, TextMessage, TextState
from callbacks.service.closing import reopen_case
from callbacks.service.planning import settle_due
from callbacks.service.replies import IncomingReply, reply_came
from callbacks.service.submits import not_submitted, receipt_came, submit_unknown, submitted
from callbacks.service.texts import ClaimedText, claim_texts, expire_questions
from callbacks.settings import PolicySettings
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.ledger import ScoreLedger
from scoring.models import ScoreEntry
from scoring.models_items import DissatisfactionItem
from sms.reply import parse
from tests.integration.office import FREE, LANDLINE, MOBILE, OFFICE, Desk, make_desk

GATEWAY = "smsc"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    desk.ctx = replace(desk.ctx, subscribers=(*desk.ctx.subscribers, ScoreLedger("Asia/Shanghai")))
    return desk


def claim(desk: Desk) -> list[ClaimedText]:
    return claim_texts(desk.ctx, "sms:test:1", GATEWAY, 10, 20.0, desk.now)


def asked(desk: Desk, number: str = MOBILE, **case: object) -> int:
    """A closed case whose evaluation text is with the citizen."""
    callback_id = desk.close(number, **case)
    desk.plan()
    [text] = claim(desk)
    assert submitted(desk.ctx, text.text_id, text.token, GATEWAY, [f"id{text.text_id}"], desk.now)
    return callback_id


def says(desk: Desk, words: str, number: str = MOBILE, digest: str | None = None) -> str:
    read = parse(words)
    incoming = IncomingReply(
        gateway=GATEWAY,
        digest=digest or f"{desk.now.isoformat()} {words}",
        number=number,
        sender_code=OFFICE.sender_code,
        body=words,
        rating=read.rating,
        opt_out=read.opt_out,
        emergency=read.emergency,
        unclear=read.unclear,
        comment=read.comment,
    )
    return reply_came(desk.ctx, incoming, desk.now)


def kinds(desk: Desk) -> list[TextKind]:
    """The texts after the first, in their order."""
    return [text.kind for text in desk.texts()][1:]


def test_from_closing_to_a_rating_by_text(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)
    desk.plan()
    assert desk.state(callback_id) is State.SMS_QUEUED
    [text] = claim(desk)
    assert text.number == MOBILE and text.masked == "138****0001"
    assert text.body.startswith("【示例市110联动】您11月20日反映的事项（编号尾号0001）")
    assert desk.state(callback_id) is State.AWAIT_REPLY  # committed before the submit leaves
    submitted(desk.ctx, text.text_id, text.token, GATEWAY, ["A1"], desk.now)
    receipt_came(desk.ctx, GATEWAY, "A1", "delivered", "000", desk.later(seconds=3))
    assert desk.texts()[0].state is TextState.DELIVERED
    desk.later(minutes=5)
    assert says(desk, "１，修好了") == "rated"
    [rating] = desk.ratings(callback_id)
    assert (rating.value, rating.channel) == (1, Channel.SMS)
    assert (rating.raw, rating.comment) == ("１，修好了", "修好了")
    assert kinds(desk) == [TextKind.THANKS]
    with desk.session() as session:
        assert read_ledger(session).balanced


def test_a_receipt_that_beats_the_submits_answer_waits_for_it(desk: Desk) -> None:
    desk.close(MOBILE)
    desk.plan()
    [text] = claim(desk)
    receipt_came(desk.ctx, GATEWAY, "A1", "delivered", "000", desk.now)
    assert desk.texts()[0].state is TextState.SUBMITTING
    submitted(desk.ctx, text.text_id, text.token, GATEWAY, ["A1"], desk.now)
    assert desk.texts()[0].state is TextState.DELIVERED


def test_an_undeliverable_text_leads_to_the_call(desk: Desk) -> None:
    callback_id = asked(desk)
    receipt_came(desk.ctx, GATEWAY, f"id{desk.texts()[0].id}", "undeliverable", "001", desk.now)
    assert desk.state(callback_id) is State.CALL_QUEUED
    assert not desk.texts()[0].open


def test_three_transient_refusals_lead_to_the_call(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)
    desk.plan()
    for _ in range(3):
        [text] = claim(desk)
        not_submitted(desk.ctx, text.text_id, text.token, "throttled", False, desk.now)
        desk.later(minutes=1)
    assert claim(desk) == []
    assert desk.state(callback_id) is State.CALL_QUEUED


def test_an_unknown_submit_is_not_sent_again_and_its_answer_still_counts(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)
    desk.plan()
    [text] = claim(desk)
    submit_unknown(desk.ctx, text.text_id, text.token, desk.now)
    desk.later(minutes=9)
    desk.plan()
    assert desk.state(callback_id) is State.AWAIT_REPLY
    desk.later(minutes=1)
    desk.plan()
    assert desk.state(callback_id) is State.CALL_QUEUED
    assert claim(desk) == []
    assert says(desk, "2") == "rated"


def test_a_stale_token_writes_nothing(desk: Desk) -> None:
    desk.close(MOBILE)
    desk.plan()
    [text] = claim(desk)
    assert not submitted(desk.ctx, text.text_id, text.token + 1, GATEWAY, ["A1"], desk.now)


def test_no_answer_for_a_day_leads_to_the_call_and_the_text_stays_answerable(desk: Desk) -> None:
    callback_id = asked(desk)
    desk.later(hours=24)
    desk.plan()
    assert desk.state(callback_id) is State.CALL_QUEUED
    desk.later(hours=47)
    assert says(desk, "1") == "rated"


def test_after_72_hours_the_question_is_over(desk: Desk) -> None:
    asked(desk)
    desk.later(hours=72)
    assert expire_questions(desk.ctx, desk.now) == 1
    assert says(desk, "1") == "uncounted"
    assert kinds(desk) == [TextKind.CLOSED]


def entries(desk: Desk) -> Counter[str]:
    """What the ratings brought."""
    total: Counter[str] = Counter()
    with desk.session() as session:
        query = select(ScoreEntry.changes).where(ScoreEntry.rating_id.is_not(None))
        for changes in session.scalars(query):
            for name, value in changes.items():
                total[name] += Fraction(value)
    return total


def items(desk: Desk) -> int:
    with desk.session() as session:
        return len(session.scalars(select(DissatisfactionItem)).all())


def test_one_change_within_thirty_minutes(desk: Desk) -> None:
    callback_id = asked(desk)
    assert says(desk, "3") == "rated"
    desk.later(minutes=29)
    assert says(desk, "1") == "changed"
    assert says(desk, "2") == "uncounted"  # once
    assert [(r.value, r.counted) for r in desk.ratings(callback_id)] == [(3, False), (1, True), (2, False)]
    assert entries(desk) == {"rated": 1, "rated_raw": 1, "positive": 1, "weight_first": 1}
    desk.later(minutes=31)
    settle_due(desk.ctx, desk.now)
    assert items(desk) == 0  # it was changed to satisfied meanwhile


def test_the_item_opens_only_when_the_minutes_are_over(desk: Desk) -> None:
    asked(desk)
    says(desk, "不满意")
    settle_due(desk.ctx, desk.later(minutes=29))
    assert items(desk) == 0
    settle_due(desk.ctx, desk.later(minutes=1))
    assert items(desk) == 1
    assert says(desk, "1") == "uncounted"  # too late for a change
    assert entries(desk) == {"rated": 1, "rated_raw": 1}
    assert kinds(desk) == [TextKind.REASON, TextKind.VERIFYING, TextKind.CLOSED]


def test_words_after_a_rating_are_its_comment(desk: Desk) -> None:
    callback_id = asked(desk)
    says(desk, "3")
    assert says(desk, "师傅来了两次都没修好") == "comment"
    assert desk.ratings(callback_id)[0].comment == "师傅来了两次都没修好"


def test_unclear_is_asked_once_more_and_then_read_by_a_person(desk: Desk) -> None:
    callback_id = asked(desk)
    assert says(desk, "还行吧") == "clarify"
    assert kinds(desk) == [TextKind.CLARIFY]
    assert says(desk, "就那样") == "handed_over"
    assert desk.state(callback_id) is State.AGENT_QUEUE
    assert says(desk, "2") == "rated"  # a clear answer still wins


def test_opt_out_refuses_and_a_later_answer_still_counts(desk: Desk) -> None:
    callback_id = asked(desk)
    assert says(desk, "退订") == "opted_out"
    assert desk.state(callback_id) is State.REFUSED
    second = desk.close(MOBILE)
    desk.plan()
    assert desk.state(second) is State.CALL_QUEUED  # no more texts to this number; the case stays covered
    desk.later(hours=1)
    assert says(desk, "1") == "rated"
    assert desk.ratings(callback_id)[0].late and desk.callback(callback_id).late


def test_an_emergency_is_a_flag_beside_the_rating(desk: Desk) -> None:
    callback_id = asked(desk)
    assert says(desk, "3，有人要自杀") == "rated"
    assert desk.ratings(callback_id)[0].value == 3
    assert kinds(desk) == [TextKind.EMERGENCY, TextKind.REASON]
    with desk.session() as session:
        assert session.scalars(select(Audit.action)).all() == ["emergency_reply"]


def test_a_redelivered_reply_is_stored_once(desk: Desk) -> None:
    asked(desk)
    assert says(desk, "1", digest="d") == "rated"
    assert says(desk, "1", digest="d") == "redelivered"
    with desk.session() as session:
        [reply] = session.scalars(select(Reply)).all()
    assert reply.redelivered == 1
    assert kinds(desk) == [TextKind.THANKS]


def test_a_text_from_nobody_we_asked_is_kept(desk: Desk) -> None:
    asked(desk)
    assert says(desk, "1", number="13803790099") == "unmatched"


def test_the_second_question_to_a_number_is_asked_when_the_first_is_over(desk: Desk) -> None:
    first, second = desk.close(MOBILE), desk.close(MOBILE)
    desk.plan()
    assert [desk.state(first), desk.state(second)] == [State.SMS_QUEUED, State.PENDING]
    [text] = claim(desk)
    submitted(desk.ctx, text.text_id, text.token, GATEWAY, ["A1"], desk.now)
    other = desk.close("13803790002")
    desk.plan()
    assert desk.state(other) is State.SMS_QUEUED  # another number isn't held up
    desk.later(minutes=5)
    assert says(desk, "1") == "rated"
    desk.later(minutes=29)
    desk.plan()
    assert desk.state(second) is State.PENDING  # a digit would still be the first one's change
    settle_due(desk.ctx, desk.later(minutes=1))
    desk.later(minutes=5)
    desk.plan()
    assert desk.state(second) is State.SMS_QUEUED
    [_, text] = claim(desk)[-2:]
    submitted(desk.ctx, text.text_id, text.token, GATEWAY, ["A2"], desk.now)
    assert says(desk, "2") == "rated"
    assert [r.value for r in desk.ratings(first) + desk.ratings(second)] == [1, 2]


def test_the_second_question_is_a_call_when_the_first_stays_open_for_a_day(desk: Desk) -> None:
    first, second = desk.close(MOBILE), desk.close(MOBILE)
    desk.plan()
    [text] = claim(desk)
    submitted(desk.ctx, text.text_id, text.token, GATEWAY, ["A1"], desk.now)
    desk.later(hours=23, minutes=59)
    desk.plan()
    assert [desk.state(first), desk.state(second)] == [State.AWAIT_REPLY, State.PENDING]
    desk.later(minutes=1)
    desk.plan()
    assert [desk.state(first), desk.state(second)] == [State.CALL_QUEUED, State.CALL_QUEUED]
    [call] = desk.claim()
    assert [case.callback_id for case in call.cases] == [first, second]  # one call asks for both
    assert len([text for text in desk.texts() if text.kind is TextKind.EVAL]) == 1


def test_the_deadline_ends_it_and_a_late_answer_counts(sessions, privacy) -> None:
    policy = FREE.model_copy(update={"round_deadline": timedelta(hours=5)})
    desk = make_desk(sessions, privacy, policy)
    callback_id = asked(desk)
    desk.later(hours=5)
    desk.plan()
    assert desk.state(callback_id) is State.UNREACHED
    assert says(desk, "2") == "rated"
    assert desk.state(callback_id) is State.RATED
    assert desk.ratings(callback_id)[0].late


def test_a_reopened_case_is_cancelled_and_its_late_reply_kept(desk: Desk) -> None:
    callback_id = asked(desk)
    with desk.ctx.sessions.begin() as session:
        reopen_case(desk.ctx, session, desk_case(session, callback_id), desk.now)
    assert desk.state(callback_id) is State.CANCELLED
    assert says(desk, "1") == "uncounted"
    assert [(r.value, r.counted) for r in desk.ratings(callback_id)] == [(1, False)]
    assert kinds(desk) == [TextKind.CLOSED]
    with desk.session() as session:
        assert read_ledger(session).balanced


def desk_case(session, callback_id: int):
    from callbacks.models import Callback

    return session.get_one(Callback, callback_id).case


def test_at_night_only_the_answer_to_a_citizens_own_text_leaves(sessions, privacy) -> None:
    policy = PolicySettings(first_step_delay=timedelta(0))
    desk = make_desk(sessions, privacy, policy)
    asked(desk)
    desk.later(hours=11)  # 23:00
    desk.close("13803790002")
    desk.plan()
    says(desk, "1")
    assert [text.body[-20:] for text in claim(desk)] == [desk.texts()[-1].body[-20:]]
    queued = [text for text in desk.texts() if text.state is TextState.QUEUED]
    assert [text.not_before for text in queued] == [desk.now + timedelta(hours=9)]  # 08:00


def test_an_answer_that_is_late_by_ten_minutes_waits_for_the_morning(sessions, privacy) -> None:
    desk = make_desk(sessions, privacy, PolicySettings(first_step_delay=timedelta(0)))
    asked(desk)
    desk.later(hours=11)  # 23:00
    says(desk, "1")
    desk.later(minutes=10)  # the gateway was away
    assert claim(desk) == []
    desk.later(hours=8, minutes=50)
    assert len(claim(desk)) == 1


def test_the_bulk_waits_behind_an_answer(desk: Desk) -> None:
    asked(desk)
    for last in range(2, 5):
        desk.close(f"1380379000{last}")
    desk.plan()
    says(desk, "1")
    first = claim_texts(desk.ctx, "sms:test:1", GATEWAY, 1, 20.0, desk.now)
    assert [text.body for text in first] == [desk.texts()[-1].body]


def test_a_question_whose_case_was_answered_elsewhere_does_not_leave(desk: Desk) -> None:
    desk.close(MOBILE)
    desk.plan()
    with desk.ctx.sessions.begin() as session:
        text = session.scalars(select(TextMessage)).one()
        text.not_before = desk.now + timedelta(hours=1)
        reopen_case(desk.ctx, session, desk_case(session, text.callback_id or 0), desk.now)
    desk.later(hours=2)
    assert claim(desk) == []
    assert desk.texts()[0].state is TextState.CANCELLED


def test_a_landline_is_never_texted(desk: Desk) -> None:
    callback_id = desk.close(LANDLINE)
    desk.plan()
    assert desk.state(callback_id) is State.CALL_QUEUED
    assert desk.texts() == []


def test_a_gateway_that_begins_its_ids_anew_gives_its_receipts_to_the_newer_text(desk: Desk) -> None:
    desk.close(MOBILE)
    desk.close("13803790002")
    desk.plan()
    first, second = claim(desk)
    submitted(desk.ctx, first.text_id, first.token, GATEWAY, ["A1"], desk.now)
    receipt_came(desk.ctx, GATEWAY, "A1", "delivered", "000", desk.now)
    assert submitted(desk.ctx, second.text_id, second.token, GATEWAY, ["A1"], desk.later(hours=1))
    receipt_came(desk.ctx, GATEWAY, "A1", "delivered", "000", desk.now)
    assert [text.state for text in desk.texts()] == [TextState.DELIVERED, TextState.DELIVERED]
