"""Texts that we send: queued, then claimed, which commits that they leave."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.database import among
from callbacks.gates import Facts, Hold, Never, PauseRule, may_begin
from callbacks.models import (
    ASKING,
    QUEUED_TEXT,
    Attempt,
    Callback,
    Case,
    CasePhone,
    Reply,
    Suppression,
    TextKind,
    TextMessage,
    TextState,
)
from callbacks.service.core import (
    LIVE,
    Context,
    close_question,
    free_sender_code,
    pause_rules,
)
from callbacks.service.reminder_clocks import HANDLER_TEXTS
from callbacks.service.reminders import may_reminder_leave
from callbacks.service.submits import fail_text
from callbacks.service.templates import current
from callbacks.service.text_attempts import DueText, Leave, hold, let_leave
from callbacks.states import State
from callbacks.vocabulary import Channel
from callbacks.wording import text_body

_BUSY_PAUSE = timedelta(seconds=30)
_CLOSED_A_DAY = 3  # to one number
_ANSWERS, _BULK = 0, 1  # priorities


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """A text whose submitting is committed; `token` fences what is written of it later."""

    text_id: int
    token: int
    kind: TextKind
    number: str
    masked: str
    sender_code: str
    body: str


def queue_question(
    ctx: Context, session: Session, callback: Callback, phone: CasePhone, at: datetime, now: datetime
) -> bool:
    """Queues the evaluation text; False when the number's open question is another's in this instant."""
    code = free_sender_code(ctx, session, phone.number_index, callback.id)
    if code is None:
        return False
    kind = TextKind.EVAL if callback.round == 1 else TextKind.RE_EVAL
    text = _new_text(ctx, session, kind, callback, phone, now)
    text.sender_code = code
    text.open, text.priority, text.not_before = True, _BULK, at
    text.answerable_until = at + ctx.policy.text_answerable
    try:
        with session.begin_nested():
            session.add(text)
            session.flush()
    except IntegrityError:
        return False
    return True


def queue_answer(
    ctx: Context,
    session: Session,
    kind: TextKind,
    callback: Callback | None,
    phone: CasePhone | TextMessage | Reply,
    now: datetime,
) -> None:
    """Queues an answer to a citizen's own text: before bulk, and ungated for ten minutes.

    That it's over is told thrice a day at most: a telephone that answers by itself would never end.
    """
    if kind is TextKind.CLOSED and _told_often(session, phone.number_index, now):
        return
    text = _new_text(ctx, session, kind, callback, phone, now)
    if not isinstance(phone, CasePhone) and phone.sender_code in ctx.office.sender_codes:
        text.sender_code = phone.sender_code  # a reply to this, too, finds its question
    text.priority, text.ungated_until = _ANSWERS, now + ctx.policy.ungated_answer
    session.add(text)


def newest_question(session: Session, callback_id: int) -> TextMessage | None:
    """The text that asked about a callback, the newest: whoever answers it has its number."""
    query = select(TextMessage).where(TextMessage.callback_id == callback_id, TextMessage.kind.in_(ASKING))
    return session.scalar(query.order_by(TextMessage.id.desc()).limit(1))


def queue_notice(
    ctx: Context,
    session: Session,
    kind: TextKind,
    callback: Callback,
    phone: CasePhone | TextMessage,
    now: datetime,
) -> None:
    """Queues a text that answers nothing: it leaves in the window, after the answers."""
    text = _new_text(ctx, session, kind, callback, phone, now)
    text.priority = _BULK
    session.add(text)


def _told_often(session: Session, number_index: str, now: datetime) -> bool:
    told = session.scalar(_TOLD_CLOSED, {"number": number_index, "since": now - timedelta(days=1)})
    return (told or 0) >= _CLOSED_A_DAY


_TOLD_CLOSED = select(func.count()).where(
    TextMessage.number_index == bindparam("number"),
    TextMessage.kind == TextKind.CLOSED,
    TextMessage.created_at > bindparam("since"),
)


def _new_text(
    ctx: Context,
    session: Session,
    kind: TextKind,
    callback: Callback | None,
    phone: CasePhone | TextMessage | Reply,
    now: datetime,
) -> TextMessage:
    case = callback.case if callback is not None else None
    return TextMessage(
        kind=kind,
        callback_id=callback.id if callback is not None else None,
        number_encrypted=phone.number_encrypted,
        number_index=phone.number_index,
        number_masked=phone.number_masked,
        sender_code=ctx.office.sender_code,
        body=text_body(kind, ctx.office, ctx.policy.windows.timezone, case, current(session, kind)),
        state=TextState.QUEUED,
        not_before=now,
        created_at=now,
    )


def claim_texts(
    ctx: Context, owner: str, gateway: str, limit: int, lease_seconds: float, now: datetime
) -> list[ClaimedText]:
    """Takes up to `limit` texts that may leave now, answers before bulk; their submitting is committed."""

    def work(session: Session) -> list[ClaimedText]:
        due = _due(session, limit, now)
        if not due:
            return []
        batch = _batch_of(session, due, now)
        leaving = [text for text in due if _may_leave(ctx, session, text, batch, now)]
        leaving = [text for text in leaving if _may_ask(session, text, batch, now)]
        session.flush()  # what was refused, cancelled or reminded is written before the sets are
        hold(session, batch.held)
        leave = Leave(owner, gateway, secrets.randbits(31), lease_seconds, now + ctx.policy.reply_wait)
        let_leave(session, leaving, batch.asked, leave, now)
        return [_claimed(ctx, text, leave.token) for text in leaving]

    return ctx.run(work)


def _due(session: Session, limit: int, now: datetime) -> list[DueText]:
    """Locked, answers before bulk: each of the two is the beginning of an index, however many texts wait."""
    due: list[DueText] = []
    for priority in (_ANSWERS, _BULK):
        if len(due) < limit:
            due += session.execute(_DUE, {"priority": priority, "now": now, "limit": limit - len(due)}).all()
    return due


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the gates must know of a batch of texts, and what they said.

    `asked`: the questions' callbacks, locked. `busy`: numbers with a live attempt. `held`: texts that don't
    leave now, until when.
    """

    pauses: Sequence[PauseRule]
    asked: Mapping[int, Row[*tuple[Any, ...]]] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    busy: set[str] = field(default_factory=set)
    held: dict[int, datetime] = field(default_factory=dict)


def _batch_of(session: Session, texts: Sequence[DueText], now: datetime) -> _Batch:
    pauses = pause_rules(session, now)
    asking = [text for text in texts if text.kind in ASKING]
    if not asking:
        return _Batch(pauses)
    numbers = sorted({text.number_index for text in asking})
    asked = session.execute(_ASKED, {"ids": [text.callback_id for text in asking]})
    suppressed = session.scalars(_SUPPRESSED, {"numbers": numbers, "channel": Channel.SMS})
    busy = session.scalars(_BUSY, {"numbers": numbers})
    return _Batch(pauses, {row.id: row for row in asked}, frozenset(suppressed), set(busy))


_SUPPRESSED = select(Suppression.number_index).where(
    among(Suppression.number_index, "numbers"),
    Suppression.channel == bindparam("channel"),
)
_BUSY = select(Attempt.number_index).where(among(Attempt.number_index, "numbers"), Attempt.state.in_(LIVE))
_DUE = (
    select(
        TextMessage.id,
        TextMessage.kind,
        TextMessage.callback_id,
        TextMessage.attempt_id,
        TextMessage.number_encrypted,
        TextMessage.number_index,
        TextMessage.number_masked,
        TextMessage.sender_code,
        TextMessage.body,
        TextMessage.ungated_until,
    )
    .where(
        QUEUED_TEXT,  # in words, as ix_text_next has it: a parameter might be anything
        TextMessage.priority == bindparam("priority"),
        TextMessage.not_before <= bindparam("now"),
    )
    .order_by(TextMessage.not_before, TextMessage.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_ASKED = (
    select(Callback.id, Callback.state, Callback.unit_id, Callback.deadline, Case.category)
    .join(Callback.case)
    .where(among(Callback.id, "ids"))
    .order_by(Callback.id)
    .with_for_update(of=Callback)
)


def _claimed(ctx: Context, text: DueText, token: int) -> ClaimedText:
    number = ctx.privacy.decrypt(text.number_encrypted)
    return ClaimedText(text.id, token, text.kind, number, text.number_masked, text.sender_code, text.body)


def _may_leave(ctx: Context, session: Session, text: DueText, batch: _Batch, now: datetime) -> bool:
    if text.kind in HANDLER_TEXTS:
        return _may_remind(ctx, session, session.get_one(TextMessage, text.id), batch, now)
    gated = text.ungated_until is None or now >= text.ungated_until
    match may_begin(Channel.SMS, _facts(text, batch), now, ctx.policy, gated=gated):
        case Hold(until, _):
            batch.held[text.id] = until
            return False
        case Never(reason):
            fail_text(ctx, session, session.get_one(TextMessage, text.id), reason, now)
            return False
    return True


def _may_remind(ctx: Context, session: Session, text: TextMessage, batch: _Batch, now: datetime) -> bool:
    may = may_reminder_leave(ctx, session, text, now, batch.pauses, ctx.reminders)
    if may:  # the next one's daily cap counts it
        text.state, text.submitted_at = TextState.SUBMITTING, now
    session.flush()
    return may


def _facts(text: DueText, batch: _Batch) -> Facts:
    """What the gate must know of a text; only a question can be paused by unit, opted out of, or too late."""
    if text.kind not in ASKING:
        return Facts(number_index=text.number_index, pauses=batch.pauses)
    callback = batch.asked[text.callback_id]
    return Facts(
        number_index=text.number_index,
        unit_id=callback.unit_id,
        category=callback.category,
        pauses=batch.pauses,
        suppressed=text.number_index in batch.suppressed,
        deadline=callback.deadline,
    )


def _may_ask(session: Session, text: DueText, batch: _Batch, now: datetime) -> bool:
    """A question leaves while its case still waits for it, and one at a time to a number."""
    if text.kind not in ASKING:
        return True
    if text.number_index in batch.busy:
        batch.held[text.id] = now + _BUSY_PAUSE
        return False
    if batch.asked[text.callback_id].state not in (State.SMS_QUEUED, State.AWAIT_REPLY):
        _cancel(session, session.get_one(TextMessage, text.id), now)
        return False
    batch.busy.add(text.number_index)
    return True


def _cancel(session: Session, text: TextMessage, now: datetime) -> None:
    text.state, text.ended_at = TextState.CANCELLED, now
    close_question(session, text, now)


def expire_questions(ctx: Context, now: datetime, limit: int = 200) -> int:
    """After 72 h a reply isn't an answer any more; the number is free for the next question."""

    def work(session: Session) -> int:
        query = (
            select(TextMessage)
            .where(TextMessage.open, TextMessage.answerable_until <= now)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        texts = list(session.scalars(query))
        for text in texts:
            close_question(session, text, now)
        return len(texts)

    return ctx.run(work)
