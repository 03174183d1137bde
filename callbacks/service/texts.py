"""Texts that we send: queued, then claimed, which commits that they leave."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.gates import Facts, Hold, Never, PauseRule, may_begin
from callbacks.models import (
    ASKING,
    Attempt,
    Callback,
    Case,
    CasePhone,
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
    text.open, text.priority, text.not_before = True, 1, at
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
    phone: CasePhone | TextMessage,
    now: datetime,
) -> None:
    """Queues an answer to a citizen's own text: before bulk, and ungated for ten minutes."""
    text = _new_text(ctx, session, kind, callback, phone, now)
    if isinstance(phone, TextMessage):
        text.sender_code = phone.sender_code  # a reply to this, too, finds its question
    text.priority, text.ungated_until = 0, now + ctx.policy.ungated_answer
    session.add(text)


def _new_text(
    ctx: Context,
    session: Session,
    kind: TextKind,
    callback: Callback | None,
    phone: CasePhone | TextMessage,
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
        due = session.execute(_DUE, {"now": now, "limit": limit}).all()
        if not due:
            return []
        batch = _batch_of(session, due, now)
        leaving = [text for text in due if _may_leave(ctx, session, text, batch, now)]
        states = _lock_asking(session, leaving)
        leaving = [text for text in leaving if _may_ask(session, text, states, batch, now)]
        session.flush()  # what was refused, cancelled or reminded is written before the sets are
        hold(session, batch.held)
        leave = Leave(owner, gateway, secrets.randbits(31), lease_seconds, now + ctx.policy.reply_wait)
        let_leave(session, leaving, states, leave, now)
        return [_claimed(ctx, text, leave.token) for text in leaving]

    return ctx.run(work)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the gates must know of a batch of texts, and what they said.

    `busy`: numbers with a live attempt. `held`: texts that don't leave now, until when.
    """

    pauses: Sequence[PauseRule]
    suppressed: frozenset[str] = frozenset()
    busy: set[str] = field(default_factory=set)
    held: dict[int, datetime] = field(default_factory=dict)


def _batch_of(session: Session, texts: Sequence[DueText], now: datetime) -> _Batch:
    pauses = pause_rules(session, now)
    numbers = sorted({text.number_index for text in texts if text.kind in ASKING})
    if not numbers:
        return _Batch(pauses)
    suppressed = session.scalars(_SUPPRESSED, {"numbers": numbers, "channel": Channel.SMS})
    return _Batch(pauses, frozenset(suppressed), {*session.scalars(_BUSY, {"numbers": numbers})})


_SUPPRESSED = select(Suppression.number_index).where(
    Suppression.number_index.in_(bindparam("numbers", expanding=True)),
    Suppression.channel == bindparam("channel"),
)
_BUSY = select(Attempt.number_index).where(
    Attempt.number_index.in_(bindparam("numbers", expanding=True)), Attempt.state.in_(LIVE)
)
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
        Callback.unit_id,
        Callback.deadline,
        Case.category,
    )
    .join(TextMessage.callback, isouter=True)
    .join(Callback.case, isouter=True)
    .where(TextMessage.state == TextState.QUEUED, TextMessage.not_before <= bindparam("now"))
    .order_by(TextMessage.priority, TextMessage.not_before, TextMessage.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=TextMessage)
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
    if text.callback_id is None or text.kind not in ASKING:
        return Facts(number_index=text.number_index, pauses=batch.pauses)
    return Facts(
        number_index=text.number_index,
        unit_id=text.unit_id,
        category=text.category,
        pauses=batch.pauses,
        suppressed=text.number_index in batch.suppressed,
        deadline=text.deadline,
    )


def _lock_asking(session: Session, texts: Sequence[DueText]) -> dict[int, State]:
    """The states of the questions' callbacks, locked in the order of their ids."""
    ids = [text.callback_id for text in texts if text.kind in ASKING]
    return dict(session.execute(_LOCKED_STATES, {"ids": ids}).all()) if ids else {}


_LOCKED_STATES = (
    select(Callback.id, Callback.state)
    .where(Callback.id.in_(bindparam("ids", expanding=True)))
    .order_by(Callback.id)
    .with_for_update()
)


def _may_ask(
    session: Session, text: DueText, states: Mapping[int, State], batch: _Batch, now: datetime
) -> bool:
    """A question leaves while its case still waits for it, and one at a time to a number."""
    if text.kind not in ASKING:
        return True
    if text.number_index in batch.busy:
        batch.held[text.id] = now + _BUSY_PAUSE
        return False
    if states[text.callback_id] not in (State.SMS_QUEUED, State.AWAIT_REPLY):
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
