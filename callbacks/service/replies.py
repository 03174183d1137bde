"""Texts from citizens: kept whatever they say, answered, and counted when they answer an open question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.models import (
    ASKING,
    Callback,
    Reply,
    Suppression,
    TextKind,
    TextMessage,
)
from callbacks.numbers import mask
from callbacks.service.answers import Answer, change, counted_rating, keep_uncounted, rate
from callbacks.service.claims import hand_over
from callbacks.service.closing import cancel_queued_text
from callbacks.service.core import Context, audit, close_question, is_suppressed, lock_callbacks, move
from callbacks.service.texts import queue_answer
from callbacks.states import OPEN, TAKES_LATE_ANSWER, State, Trigger
from callbacks.vocabulary import Channel

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IncomingReply:
    """A citizen's text as it came and as `sms.reply` read it.

    `digest` is the same for a redelivered PDU; `delivery` is the provider's own id of the delivery, which
    is the same for a repeated push however late it comes.
    """

    gateway: str
    digest: str
    number: str
    sender_code: str
    body: str
    rating: int | None = None
    opt_out: bool = False
    emergency: bool = False
    unclear: bool = False
    comment: str = ""
    delivery: str | None = None


def reply_came(ctx: Context, incoming: IncomingReply, now: datetime) -> str:
    """Stores the reply and does what it asks. Returns the outcome, a word that is stored with it.

    `redelivered`, `unmatched`, `rated`, `changed`, `uncounted`, `comment`, `opted_out`, `clarify`,
    `handed_over`, `closed`.
    """

    def work(session: Session) -> str:
        before = _same_before(ctx, session, incoming, now)
        if before is not None:
            before.redelivered += 1
            return "redelivered"
        reply = _new_reply(ctx, incoming, now)
        session.add(reply)
        session.flush()
        question = _question_of(ctx, session, reply)
        if incoming.emergency:
            _alarm(ctx, session, reply, question, now)
        reply.outcome = _outcome(ctx, session, reply, question, now)
        return reply.outcome

    return ctx.run(work)


def _same_before(ctx: Context, session: Session, incoming: IncomingReply, now: datetime) -> Reply | None:
    if incoming.delivery is not None:
        return session.scalar(select(Reply).where(Reply.delivery == incoming.delivery))
    since = now - ctx.policy.reply_dedupe
    query = select(Reply).where(Reply.digest == incoming.digest, Reply.received_at > since)
    return session.scalar(query.order_by(Reply.id.desc()).limit(1))


def _new_reply(ctx: Context, incoming: IncomingReply, now: datetime) -> Reply:
    return Reply(
        gateway=incoming.gateway,
        digest=incoming.digest,
        delivery=incoming.delivery,
        number_encrypted=ctx.privacy.encrypt(incoming.number),
        number_index=ctx.privacy.index(incoming.number),
        number_masked=mask(incoming.number),
        sender_code=incoming.sender_code,
        body=incoming.body,
        received_at=now,
        rating=incoming.rating,
        opt_out=incoming.opt_out,
        emergency=incoming.emergency,
        unclear=incoming.unclear,
        comment=incoming.comment,
    )


def _question_of(ctx: Context, session: Session, reply: Reply) -> TextMessage | None:
    """The question that was asked from the sender code which the reply went to: the open one, else the last.

    A reply to a code that isn't ours (a network that rewrites it) is matched by number alone, and only
    where that leaves no doubt.
    """
    asked = (
        select(TextMessage)
        .where(TextMessage.number_index == reply.number_index, TextMessage.kind.in_(ASKING))
        .where(TextMessage.submitted_at.is_not(None))
        .order_by(TextMessage.open.desc(), TextMessage.submitted_at.desc())
    )
    if reply.sender_code in ctx.office.sender_codes:
        return session.scalar(asked.where(TextMessage.sender_code == reply.sender_code).limit(1))
    questions = list(session.scalars(asked.limit(2)))
    doubtful = len(questions) == 2 and questions[0].open == questions[1].open
    return None if not questions or doubtful else questions[0]


def _alarm(ctx: Context, session: Session, reply: Reply, question: TextMessage | None, now: datetime) -> None:
    audit(session, now, "system", "emergency_reply", f"reply:{reply.id}")
    raise_alarm(session, AlarmKind.EMERGENCY_REPLY, f"reply:{reply.id}", now, number=reply.number_masked)
    if question is not None:
        queue_answer(ctx, session, TextKind.EMERGENCY, None, question, now)


def _outcome(
    ctx: Context, session: Session, reply: Reply, question: TextMessage | None, now: datetime
) -> str:
    if question is None or question.callback_id is None:
        if reply.opt_out:
            suppress_texts(session, reply.number_index, now)
        return "unmatched"
    callback = lock_callbacks(session, [question.callback_id])[0]
    reply.callback_id = callback.id
    if reply.opt_out:
        return _opted_out(ctx, session, reply, question, callback, now)
    if reply.rating is not None:
        return _rated(ctx, session, reply, question, callback, now)
    return _words(ctx, session, reply, question, callback, now)


def suppress_texts(session: Session, number_index: str, now: datetime) -> None:
    """The number takes no more texts; calls and the case's coverage go on."""
    if not is_suppressed(session, number_index, Channel.SMS):
        session.add(Suppression(number_index=number_index, channel=Channel.SMS, reason="opt_out", at=now))


def _opted_out(
    ctx: Context,
    session: Session,
    reply: Reply,
    question: TextMessage,
    callback: Callback,
    now: datetime,
) -> str:
    suppress_texts(session, reply.number_index, now)
    close_question(session, question, now)
    if callback.state in OPEN:
        if ctx.policy.after_opt_out == "refused":
            move(ctx, session, callback, Trigger.REFUSE, now, detail="opt_out")
            cancel_queued_text(session, callback.id, now)
        elif callback.state is State.AWAIT_REPLY:
            move(ctx, session, callback, Trigger.CALL, now, next_at=now, detail="opt_out")
    queue_answer(ctx, session, TextKind.OPTOUT, callback, question, now)
    return "opted_out"


def _rated(
    ctx: Context,
    session: Session,
    reply: Reply,
    question: TextMessage,
    callback: Callback,
    now: datetime,
) -> str:
    assert reply.rating is not None
    answer = Answer(
        reply.rating, Channel.SMS, reply.body, question.attempt_id, reply.id, comment=reply.comment
    )
    if _takes_rating(question, callback, now) and rate(ctx, session, callback, answer, now) is not None:
        _thank(ctx, session, reply.rating, question, callback, now)
        return "rated"
    current = counted_rating(session, callback.id)
    if current is not None and current.channel is Channel.SMS and current.value == reply.rating:
        return "uncounted"  # the same again says nothing new
    if question.open and change(ctx, session, callback, answer, now) is not None:
        _thank(ctx, session, reply.rating, question, callback, now)
        return "changed"
    keep_uncounted(ctx, session, callback, answer, now)
    queue_answer(ctx, session, TextKind.CLOSED, callback, question, now)
    return "uncounted"


def _takes_rating(question: TextMessage, callback: Callback, now: datetime) -> bool:
    """An open question, or a late answer within the 72 hours that the text promised."""
    valid = question.answerable_until is not None and now < question.answerable_until
    return question.open or (callback.state in TAKES_LATE_ANSWER and valid)


def _thank(
    ctx: Context, session: Session, value: int, question: TextMessage, callback: Callback, now: datetime
) -> None:
    kind = TextKind.REASON if value in ctx.policy.rating_scale.dissatisfied else TextKind.THANKS
    queue_answer(ctx, session, kind, callback, question, now)


def _words(
    ctx: Context,
    session: Session,
    reply: Reply,
    question: TextMessage,
    callback: Callback,
    now: datetime,
) -> str:
    """Words after a rating are its comment; before one they are asked once more, then a person reads them."""
    current = counted_rating(session, callback.id)
    if current is not None and current.settled_at is None:
        current.comment = f"{current.comment}\n{reply.body}".strip()
        return "comment"
    if callback.state not in OPEN:
        queue_answer(ctx, session, TextKind.CLOSED, callback, question, now)
        return "closed"
    callback.unclear_texts += 1
    if callback.unclear_texts == 1:
        queue_answer(ctx, session, TextKind.CLARIFY, callback, question, now)
        return "clarify"
    if callback.state in (State.SMS_QUEUED, State.AWAIT_REPLY):
        hand_over(ctx, session, callback, "unclear", now)
        return "handed_over"
    return "comment"
