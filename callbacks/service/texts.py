"""Texts that we send: queued, then claimed, which commits that they leave."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
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
        if not texts:
            return []
        about = _about(session, texts, now)
        with session.no_autoflush:  # one flush for all: what must be seen earlier is flushed by name
            leaving = [text for text in texts if _may_leave(ctx, session, text, about, now)]
            leaving = _begin_attempts(ctx, session, leaving, about, gateway, now)
        for text in leaving:
            text.state, text.submitted_at, text.owner = TextState.SUBMITTING, now, owner
            text.token, text.tries = secrets.randbits(31), text.tries + 1
        session.flush()
        leased = update(TextMessage).where(TextMessage.id.in_([text.id for text in leaving]))
        session.execute(leased.values(lease_expires_at=dbnow(lease_seconds)), execution_options=_UNREAD)
        return [_claimed(ctx, text) for text in leaving]

    return ctx.run(work)


@dataclass(slots=True)
class _About:
    """What the gates must know of a batch of texts. `busy`: numbers with a live attempt."""

    pauses: Sequence[PauseRule]
    suppressed: frozenset[str]
    busy: set[str]


def _about(session: Session, texts: Sequence[TextMessage], now: datetime) -> _About:
    numbers = {"numbers": sorted({text.number_index for text in texts if text.kind in ASKING})}
    if not numbers["numbers"]:
        return _About(pause_rules(session, now), frozenset(), set())
    suppressed = frozenset(session.scalars(_SUPPRESSED, {**numbers, "channel": Channel.SMS}))
    return _About(pause_rules(session, now), suppressed, {*session.scalars(_BUSY, numbers)})


_SUPPRESSED = select(Suppression.number_index).where(
    Suppression.number_index.in_(bindparam("numbers", expanding=True)),
    Suppression.channel == bindparam("channel"),
)
_BUSY = select(Attempt.number_index).where(
    Attempt.number_index.in_(bindparam("numbers", expanding=True)), Attempt.state.in_(LIVE)
)
_UNREAD = {"synchronize_session": False}
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


def _may_leave(ctx: Context, session: Session, text: TextMessage, about: _About, now: datetime) -> bool:
    if text.kind in HANDLER_TEXTS:
        may = may_reminder_leave(ctx, session, text, now, about.pauses, ctx.reminders)
        if may:  # the next one's daily cap counts it
            text.state, text.submitted_at = TextState.SUBMITTING, now
        session.flush()
        return may
    gated = text.ungated_until is None or now >= text.ungated_until
    gate = may_begin(Channel.SMS, _facts(text, about), now, ctx.policy, gated=gated)
    match gate:
        case Hold(until, _):
            text.not_before = until
            return False
        case Never(reason):
            fail_text(ctx, session, text, reason, now)
            return False
    return True


def _facts(text: TextMessage, about: _About) -> Facts:
    """What the gate must know of a text; only a question can be paused by unit, opted out of, or too late."""
    callback = text.callback
    if callback is None or text.kind not in ASKING:
        return Facts(number_index=text.number_index, pauses=about.pauses)
    return Facts(
        number_index=text.number_index,
        unit_id=callback.unit_id,
        category=callback.case.category,
        pauses=about.pauses,
        suppressed=text.number_index in about.suppressed,
        deadline=callback.deadline,
    )


def _begin_attempts(
    ctx: Context,
    session: Session,
    texts: Sequence[TextMessage],
    about: _About,
    gateway: str,
    now: datetime,
) -> list[TextMessage]:
    """Those that leave: for a question its attempt is live while it is being submitted."""
    asking = [text.callback_id or 0 for text in texts if text.kind in ASKING]
    callbacks = {each.id: each for each in lock_callbacks(session, asking)} if asking else {}
    leaving: list[TextMessage] = []
    new: list[tuple[TextMessage, Attempt]] = []
    for text in texts:
        if text.kind in ASKING:
            callback = callbacks[text.callback_id or 0]
            if not _may_ask(session, text, callback, about, now):
                continue
            about.busy.add(text.number_index)
            if text.attempt_id is None:
                new.append((text, _new_attempt(text, callback, gateway, now)))
            else:
                _revive(session, text.attempt_id)
            if callback.state is State.SMS_QUEUED:
                until = now + ctx.policy.reply_wait
                move(ctx, session, callback, Trigger.TEXT_SENT, now, next_at=until, detail=f"text {text.id}")
        leaving.append(text)
    session.add_all(attempt for _, attempt in new)
    session.flush()
    for text, attempt in new:
        text.attempt_id = attempt.id
        assert text.callback_id is not None
        session.add(AttemptCallback(attempt_id=attempt.id, callback_id=text.callback_id, position=0))
    return leaving


def _may_ask(session: Session, text: TextMessage, callback: Callback, about: _About, now: datetime) -> bool:
    if text.number_index in about.busy:
        text.not_before = now + _BUSY_PAUSE
        return False
    if callback.state not in (State.SMS_QUEUED, State.AWAIT_REPLY):
        text.state, text.ended_at = TextState.CANCELLED, now
        close_question(session, text, now)
        return False
    return True


def _revive(session: Session, attempt_id: int) -> None:
    """The text is tried again within its first attempt."""
    attempt = session.get_one(Attempt, attempt_id)
    attempt.state = AttemptState.SUBMITTING
    for link in attempt.links:
        link.live = True


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
