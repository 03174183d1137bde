"""The code by which a citizen without a number rates on the web (domain.md §1): made, shown, answered.

One code a callback. It's told to the source platform, which shows it beside the case; whoever has it answers
that one question and sees nothing of the person. The question is open to the callback's deadline.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from callbacks.models import Callback, Rating
from callbacks.models_systems import WebCode
from callbacks.privacy import Privacy
from callbacks.service.answers import Answer, counted_rating
from callbacks.service.core import Context, is_sensitive, lock_callbacks
from callbacks.service.web_answers import alarm_if_urgent, web_rated
from callbacks.states import OPEN, TAKES_LATE_ANSWER
from callbacks.vocabulary import Channel

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without 0 O, 1 I L
LENGTH = 10  # 31**10 ≈ 2**49: the page's limit of guesses does the rest
LONGEST_COMMENT = 500  # characters
_SHOWN = 4  # the last characters of a case number tell its owner which one it is
_SPACES = re.compile(r"[\s-]+")


class CodeState(StrEnum):
    """What the page of a code offers."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"


class WebOutcome(StrEnum):
    """What became of an answer; the first four are `web_rated`'s own words."""

    RATED = "rated"
    CHANGED = "changed"
    SAME = "same"
    UNCOUNTED = "uncounted"
    EXPIRED = "expired"
    UNKNOWN = "unknown"  # no such code


@dataclass(frozen=True, slots=True)
class TellableCode:
    """A code as the platform shows it."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WebQuestion:
    """What the page of a code shows. No name, no number, no free text of the case: those hold personal data.

    `category` and `unit` are empty for a sensitive case, of which only the date is ever said.
    """

    callback_id: int
    case_masked: str
    category: str
    unit: str
    accepted_at: datetime
    closed_at: datetime
    state: CodeState
    expires_at: datetime
    changeable_until: datetime | None  # answered here, and may be changed until then
    resolution_given: bool  # "solved?" is answered already
    round: int = 1  # from 2 on the matter was dealt with anew
    given: int | None = None  # the rating that counts, where it was given here


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What the citizen chose; ValueError for a comment that no table takes."""

    value: int
    resolved: bool | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        if len(self.comment) > LONGEST_COMMENT or "\0" in self.comment:
            raise ValueError(f"a comment has at most {LONGEST_COMMENT} characters, and no NUL")


class NotOnTheScale(ValueError):
    """The rating isn't one of the scale that is in use."""


def new_code() -> str:
    """Ten characters that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def code_for(ctx: Context, callback_id: int, now: datetime) -> TellableCode | None:
    """The callback's code, the same at every call; None when its question isn't open."""

    def work(session: Session) -> TellableCode | None:
        callback = lock_callbacks(session, [callback_id])[0]
        if callback.state not in OPEN or callback.exclusion is not None or now >= callback.deadline:
            return None
        kept = session.scalar(select(WebCode).where(WebCode.callback_id == callback_id))
        if kept is not None:
            return TellableCode(ctx.privacy.decrypt(kept.code_encrypted), kept.expires_at)
        code = new_code()
        session.add(_kept(ctx.privacy, callback, code, now))
        return TellableCode(code, callback.deadline)

    return ctx.run(work)


def _kept(privacy: Privacy, callback: Callback, code: str, now: datetime) -> WebCode:
    return WebCode(
        callback_id=callback.id,
        code_index=_index(privacy, code),
        code_encrypted=privacy.encrypt(code),
        made_at=now,
        expires_at=callback.deadline,
        told_at=now,
    )


def open_code(ctx: Context, presented: str, now: datetime) -> WebQuestion | None:
    """The question behind a code as somebody typed it; None when there's none. The first look is kept."""

    def work(session: Session) -> WebQuestion | None:
        code = _find(ctx, session, presented)
        if code is None:
            return None
        if code.seen_at is None:
            code.seen_at = now
        return _question(ctx, session, code, now)

    return ctx.run(work)


def answer_code(ctx: Context, presented: str, answer: WebAnswer, now: datetime) -> WebOutcome:
    """Stores the answer to the code's question; NotOnTheScale when the office's scale has no such rating."""
    if answer.value not in ctx.policy.rating_scale:
        raise NotOnTheScale(f"{answer.value}; one of {', '.join(map(str, ctx.policy.rating_scale.labels))}")
    question = open_code(ctx, presented, now)
    if question is None:
        return WebOutcome.UNKNOWN
    if question.state is CodeState.EXPIRED:
        ctx.run(lambda session: _heed(ctx, session, question.callback_id, answer.comment, now))
        return WebOutcome.EXPIRED
    given = Answer(answer.value, Channel.WEB, str(answer.value), comment=answer.comment)
    outcome = web_rated(ctx, question.callback_id, given, now, answer.resolved)
    # Beside the fact: that the question is answered is told by the rating, so a crash here loses nothing.
    ctx.run(lambda session: _use(session, question.callback_id, now))
    return WebOutcome(outcome)


def _use(session: Session, callback_id: int, now: datetime) -> None:
    unused = WebCode.callback_id == callback_id, WebCode.used_at.is_(None)
    session.execute(update(WebCode).where(*unused).values(used_at=now))


def _heed(ctx: Context, session: Session, callback_id: int, words: str, now: datetime) -> None:
    """Nothing is stored of an answer that comes too late, but danger is danger."""
    alarm_if_urgent(ctx, session, session.get_one(Callback, callback_id), words, now)


def _find(ctx: Context, session: Session, presented: str) -> WebCode | None:
    """By the keyed index, so that neither a query nor its time tells anything of other codes."""
    code = _SPACES.sub("", presented).upper()
    if len(code) != LENGTH or not set(code) <= set(ALPHABET):
        return None
    return session.scalar(select(WebCode).where(WebCode.code_index == _index(ctx.privacy, code)))


def _index(privacy: Privacy, code: str) -> str:
    return privacy.index(f"web code {code}")


def _question(ctx: Context, session: Session, code: WebCode, now: datetime) -> WebQuestion:
    callback, rating = code.callback, counted_rating(session, code.callback_id)
    case, hidden = callback.case, is_sensitive(ctx, callback.case)
    return WebQuestion(
        callback_id=callback.id,
        case_masked=f"…{case.number[-_SHOWN:]}",
        category="" if hidden else case.category,
        unit="" if hidden else callback.unit.name,
        accepted_at=case.accepted_at,
        closed_at=callback.closed_at,
        state=_state(code, callback, rating, now),
        expires_at=code.expires_at,
        changeable_until=_changeable_until(ctx, rating, now),
        resolution_given=rating is not None and rating.resolved is not None,
        round=callback.round,
        given=_given_here(ctx, rating),
    )


def _state(code: WebCode, callback: Callback, rating: Rating | None, now: datetime) -> CodeState:
    if rating is not None:
        return CodeState.ANSWERED
    if now >= code.expires_at or callback.state not in OPEN | TAKES_LATE_ANSWER:
        return CodeState.EXPIRED
    return CodeState.OPEN


def _given_here(ctx: Context, rating: Rating | None) -> int | None:
    """What was said on the telephone or by text isn't shown to whoever has the code."""
    if rating is None or rating.channel is not Channel.WEB or rating.scale != ctx.policy.scale:
        return None
    return rating.value


def _changeable_until(ctx: Context, rating: Rating | None, now: datetime) -> datetime | None:
    """One change by the same channel within the minutes, as `answers.change` takes it."""
    if (
        rating is None
        or rating.channel is not Channel.WEB
        or rating.is_change
        or rating.settled_at is not None
    ):
        return None
    until = rating.at + ctx.policy.change_window
    return until if now < until else None
