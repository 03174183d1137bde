"""The web's code: one a callback, answered once with one change, and nothing personal behind it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Case
from callbacks.models_systems import WebCode
from callbacks.privacy import Privacy
from callbacks.service.closing import reopen_case
from callbacks.service.planning import settle_due
from callbacks.service.web_codes import (
    ALPHABET,
    CodeState,
    NotOnTheScale,
    WebAnswer,
    WebOutcome,
    answer_code,
    code_for,
    new_code,
    open_code,
)
from callbacks.states import State
from callbacks.vocabulary import Exclusion
from tests.integration.office import MOBILE, Desk, make_desk


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


def told(desk: Desk, callback_id: int) -> str:
    code = code_for(desk.ctx, callback_id, desk.now)
    assert code is not None
    return code.code


def test_a_code_has_ten_characters_that_nobody_takes_for_others():
    assert not set("0O1IL") & set(ALPHABET)
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 10 and set(code) <= set(ALPHABET) for code in codes)


def test_a_callback_has_one_code_and_the_table_has_it_only_encrypted(desk: Desk):
    callback_id = desk.close(platform="city-forum")
    code = told(desk, callback_id)
    desk.later(hours=1)
    assert told(desk, callback_id) == code
    with desk.session() as session:
        row = session.scalars(select(WebCode)).one()
    assert code not in (row.code_index, row.code_encrypted)
    assert row.told_at is not None and row.seen_at is None
    assert row.expires_at == desk.callback(callback_id).deadline


def test_two_who_ask_at_once_are_told_the_same_code(desk: Desk):
    callback_id, codes = desk.close(platform="city-forum"), []
    threads = [Thread(target=lambda: codes.append(told(desk, callback_id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 4 and len(set(codes)) == 1


TYPED = ["{}{}", "{}-{}", " {} {}\n", "-{}\u3000{}"]


def test_a_code_is_read_however_it_is_typed(desk: Desk):
    code = told(desk, desk.close(platform="city-forum"))
    for typed in TYPED:
        question = open_code(desk.ctx, typed.format(code[:5], code[5:]), desk.now)
        assert question is not None and question.state is CodeState.OPEN, typed
        question = open_code(desk.ctx, typed.format(code[:5], code[5:]).lower(), desk.now)
        assert question is not None and question.state is CodeState.OPEN, typed


GUESSES = [
    "",
    "ABCDEFGHJK",  # well formed, nobody's
    "ABCDEFGHJ",  # too short
    "ABCDEFGHJ0",  # a sign that no code has
    "一二三四五六七八九十",
    "A" * 100_000,
]


def test_a_guess_finds_nothing(desk: Desk):
    told(desk, desk.close(platform="city-forum"))
    for presented in GUESSES:
        assert open_code(desk.ctx, presented, desk.now) is None
        assert answer_code(desk.ctx, presented, WebAnswer(1), desk.now) is WebOutcome.UNKNOWN


def test_the_question_holds_nothing_of_the_person(desk: Desk):
    callback_id = desk.close(MOBILE, platform="city-forum", summary="张三 13803790001 家停水")
    question = open_code(desk.ctx, told(desk, callback_id), desk.now)
    assert question is not None
    shown = repr(asdict(question))
    assert MOBILE not in shown and "张三" not in shown
    assert question.case_masked == "…0001"
    assert (question.category, question.unit) == ("water", "市供水集团")


def test_of_a_sensitive_case_only_the_date_is_said(desk: Desk):
    question = open_code(desk.ctx, told(desk, desk.close(platform="city-forum", sensitive=True)), desk.now)
    assert question is not None
    assert (question.category, question.unit) == ("", "")


def test_an_answer_counts_and_may_be_changed_once(desk: Desk):
    callback_id = desk.close(platform="city-forum")
    code = told(desk, callback_id)
    assert answer_code(desk.ctx, code, WebAnswer(3, False, "没有人来"), desk.now) is WebOutcome.RATED
    assert desk.state(callback_id) is State.RATED
    question = open_code(desk.ctx, code, desk.later(minutes=10))
    assert question is not None
    assert question.state is CodeState.ANSWERED
    assert question.changeable_until == desk.now + timedelta(minutes=20)
    assert question.resolution_given
    assert answer_code(desk.ctx, code, WebAnswer(3), desk.now) is WebOutcome.SAME
    assert answer_code(desk.ctx, code, WebAnswer(2), desk.now) is WebOutcome.CHANGED
    assert answer_code(desk.ctx, code, WebAnswer(1), desk.now) is WebOutcome.UNCOUNTED
    question = open_code(desk.ctx, code, desk.now)
    assert question is not None and question.changeable_until is None
    counted = [rating for rating in desk.ratings(callback_id) if rating.counted]
    assert [(rating.value, rating.resolved) for rating in counted] == [(2, False)]
    assert desk.ratings(callback_id)[0].comment == "没有人来"


def test_after_the_minutes_an_answer_is_only_a_note(desk: Desk):
    callback_id = desk.close(platform="city-forum")
    code = told(desk, callback_id)
    answer_code(desk.ctx, code, WebAnswer(1), desk.now)
    desk.later(minutes=31)
    question = open_code(desk.ctx, code, desk.now)
    assert question is not None and question.changeable_until is None
    assert answer_code(desk.ctx, code, WebAnswer(3), desk.now) is WebOutcome.UNCOUNTED
    assert [rating.value for rating in desk.ratings(callback_id) if rating.counted] == [1]


def test_the_first_look_and_the_first_use_are_kept(desk: Desk):
    code = told(desk, desk.close(platform="city-forum"))
    first = desk.later(minutes=1)
    open_code(desk.ctx, code, first)
    used = desk.later(minutes=1)
    answer_code(desk.ctx, code, WebAnswer(1), used)
    answer_code(desk.ctx, code, WebAnswer(2), desk.later(minutes=1))
    with desk.session() as session:
        row = session.scalars(select(WebCode)).one()
    assert (row.seen_at, row.used_at) == (first, used)


def test_a_code_ends_with_its_question(desk: Desk):
    callback_id = desk.close(platform="city-forum")
    code = told(desk, callback_id)
    desk.now = desk.callback(callback_id).deadline
    settle_due(desk.ctx, desk.now)
    question = open_code(desk.ctx, code, desk.now)
    assert question is not None and question.state is CodeState.EXPIRED
    assert answer_code(desk.ctx, code, WebAnswer(1), desk.now) is WebOutcome.EXPIRED
    assert desk.ratings(callback_id) == []
    assert code_for(desk.ctx, callback_id, desk.now) is None


def test_a_case_that_is_opened_again_takes_no_answer(desk: Desk):
    callback_id = desk.close(platform="city-forum")
    code = told(desk, callback_id)
    desk.ctx.run(lambda s: reopen_case(desk.ctx, s, s.scalars(select(Case)).one(), desk.now))
    assert answer_code(desk.ctx, code, WebAnswer(1), desk.now) is WebOutcome.EXPIRED


def test_an_excluded_closing_has_no_code(desk: Desk):
    callback_id = desk.close(platform="city-forum", exclusion=Exclusion.DUPLICATE)
    assert code_for(desk.ctx, callback_id, desk.now) is None


def test_the_scale_decides_what_a_rating_is(desk: Desk):
    callback_id = desk.close(platform="city-forum")
    code = told(desk, callback_id)
    with pytest.raises(NotOnTheScale):
        answer_code(desk.ctx, code, WebAnswer(4), desk.now)
    ctx = replace(desk.ctx, policy=desk.ctx.policy.model_copy(update={"scale": "cn5"}))
    assert answer_code(ctx, code, WebAnswer(4), desk.now) is WebOutcome.RATED


@pytest.mark.parametrize("comment", ["好" * 501, "a\0b"])
def test_a_comment_that_no_table_takes_is_refused(comment: str):
    with pytest.raises(ValueError, match="500"):
        WebAnswer(1, comment=comment)
