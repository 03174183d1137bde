"""Texts that we send: queued, then claimed, which commits that they leave."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager

from callbacks.database import dbnow
from callbacks.gates import Facts, Hold, Never, PauseRule, may_begin
from callbacks.models import (
    ASKING,
    Attempt,
    AttemptCallback,
    AttemptState,
    Callback,
    CasePhone,
    TextKind,
    TextMessage,
    TextState,
)
from callbacks.service.core import (
    Context,
    close_question,
    free_sender_code,
    is_line_busy,
    is_suppressed,
    lock_callbacks,
    move,
    pause_rules,
)
from callbacks.service.reminder_clocks import HANDLER_TEXTS
from callbacks.service.reminders import may_reminder_leave
from callbacks.service.submits import fail_text
from callbacks.service.templates import current
from callbacks.states import State, Trigger
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
        texts = list(session.scalars(_LEAVING, {"now": now, "limit": limit}))
        pauses = pause_rules(session, now) if texts else []
        claimed = []
        for text in texts:
            if not _may_leave(ctx, session, text, now, pauses):
                continue
            if _submit(ctx, session, text, owner, gateway, now):
                text.state, text.submitted_at, text.owner = TextState.SUBMITTING, now, owner
                text.lease_expires_at = dbnow(lease_seconds)
                text.token, text.tries = secrets.randbits(31), text.tries + 1
                claimed.append(_claimed(ctx, text))
        return claimed

    return ctx.run(work)


_LEAVING = (
    select(TextMessage)
    .join(TextMessage.callback, isouter=True)
    .join(Callback.case, isouter=True)
    .where(TextMessage.state == TextState.QUEUED, TextMessage.not_before <= bindparam("now"))
    .order_by(TextMessage.priority, TextMessage.not_before, TextMessage.id)
    .limit(bindparam("limit"))
    .options(contains_eager(TextMessage.callback, Callback.case))
    .with_for_update(skip_locked=True, of=TextMessage)
)


def _claimed(ctx: Context, text: TextMessage) -> ClaimedText:
    number = ctx.privacy.decrypt(text.number_encrypted)
    assert text.token is not None
    return ClaimedText(
        text.id, text.token, text.kind, number, text.number_masked, text.sender_code, text.body
    )


def _may_leave(
    ctx: Context, session: Session, text: TextMessage, now: datetime, pauses: Sequence[PauseRule]
) -> bool:
    if text.kind in HANDLER_TEXTS:
        return may_reminder_leave(ctx, session, text, now, pauses, ctx.reminders)
    gated = text.ungated_until is None or now >= text.ungated_until
    gate = may_begin(Channel.SMS, _facts(session, text, pauses), now, ctx.policy, gated=gated)
    match gate:
        case Hold(until, _):
            text.not_before = until
            return False
        case Never(reason):
            fail_text(ctx, session, text, reason, now)
            return False
    return True


def _facts(session: Session, text: TextMessage, pauses: Sequence[PauseRule]) -> Facts:
    """What the gate must know of a text; only a question can be paused by unit, opted out of, or too late."""
    callback = text.callback
    if callback is None or text.kind not in ASKING:
        return Facts(number_index=text.number_index, pauses=pauses)
    return Facts(
        number_index=text.number_index,
        unit_id=callback.unit_id,
        category=callback.case.category,
        pauses=pauses,
        suppressed=is_suppressed(session, text.number_index, Channel.SMS),
        deadline=callback.deadline,
    )


def _submit(
    ctx: Context, session: Session, text: TextMessage, owner: str, gateway: str, now: datetime
) -> bool:
    """For a question: its attempt, live while it is being submitted."""
    if text.kind not in ASKING:
        return True
    if is_line_busy(session, text.number_index):
        text.not_before = now + _BUSY_PAUSE
        return False
    callback = lock_callbacks(session, [text.callback_id or 0])[0]
    if callback.state not in (State.SMS_QUEUED, State.AWAIT_REPLY):
        text.state, text.ended_at = TextState.CANCELLED, now
        close_question(session, text, now)
        return False
    if text.attempt_id is None:
        attempt = _new_attempt(text, callback, gateway, now)
        session.add(attempt)
        session.flush()
        text.attempt_id = attempt.id
        session.add(AttemptCallback(attempt_id=attempt.id, callback_id=callback.id, position=0))
    else:
        attempt = session.get_one(Attempt, text.attempt_id)
        attempt.state = AttemptState.SUBMITTING
        for link in attempt.links:
            link.live = True
    if callback.state is State.SMS_QUEUED:
        until = now + ctx.policy.reply_wait
        move(ctx, session, callback, Trigger.TEXT_SENT, now, next_at=until, detail=f"text {text.id}")
    session.flush()
    return True


def _new_attempt(text: TextMessage, callback: Callback, gateway: str, now: datetime) -> Attempt:
    return Attempt(
        channel=Channel.SMS,
        state=AttemptState.SUBMITTING,
        number_encrypted=text.number_encrypted,
        number_index=text.number_index,
        number_masked=text.number_masked,
        trunk=gateway,
        token=0,
        claimed_at=now,
        invited_at=now,
        counts=False,
    )


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
