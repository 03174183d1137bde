"""Texts from citizens: kept whatever they say, answered, and counted when they answer an open question."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.models import (
    ASKING,
    Callback,
    Rating,
    Reply,
    Suppression,
    TextKind,
    TextMessage,
)
from callbacks.numbers import NumberKind, kind_of, mask
from callbacks.service.answers import (
    Answer,
    change,
    count_rating,
    counted_rating,
    keep_uncounted,
    tell_counted,
)
from callbacks.service.claims import hand_over
from callbacks.service.closing import cancel_queued_text
from callbacks.service.core import Context, audit, close_question, is_suppressed, lock_callbacks, move
from callbacks.service.texts import queue_answer
from callbacks.states import ON_THE_LINE, OPEN, TAKES_LATE_ANSWER, State, Trigger
from callbacks.vocabulary import SYSTEM, Channel

log = structlog.get_logger(__name__)
_AT_ONCE = 20  # in one transaction: more would make the first ones wait


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
    return replies_came(ctx, [incoming], now)[0]


def replies_came(ctx: Context, incoming: Sequence[IncomingReply], now: datetime) -> list[str]:
    """Several replies, in their order: what they ask the database for, they ask together.

    A transaction takes a run of replies from different numbers; those of one number are steps. Taken again
    after a failure, what was stored is found.
    """
    return [outcome for run in _runs(incoming) for outcome in ctx.run(partial(_store, ctx, run, now))]


def _runs(incoming: Iterable[IncomingReply]) -> Iterator[list[IncomingReply]]:
    run: dict[str, IncomingReply] = {}
    for each in incoming:
        if each.number in run or len(run) == _AT_ONCE:
            yield list(run.values())
            run = {}
        run[each.number] = each
    yield list(run.values())


def _store(ctx: Context, incoming: Sequence[IncomingReply], now: datetime, session: Session) -> list[str]:
    before = _seen(ctx, session, incoming, now)
    replies = [before.get(_identity(each)) or _new_reply(ctx, each, now) for each in incoming]
    fresh = [reply for reply in replies if reply.id is None]
    session.add_all(fresh)
    session.flush()
    _take(ctx, session, fresh, now)
    for reply in before.values():
        reply.redelivered += 1
    return ["redelivered" if reply in before.values() else reply.outcome for reply in replies]


def _take(ctx: Context, session: Session, replies: Sequence[Reply], now: datetime) -> None:
    """Does what each asks. The ratings among them are told together, or before their callback's next one."""
    questions = _questions_of(ctx, session, replies)
    callbacks = _callbacks_of(session, questions)
    counted: list[Rating] = []
    for reply, question in zip(replies, questions, strict=True):
        callback = None if question is None else callbacks.get(question.callback_id or 0)
        if callback is not None and any(rating.callback_id == callback.id for rating in counted):
            tell_counted(ctx, session, counted, now)
            counted.clear()
        if reply.emergency:
            _alarm(ctx, session, reply, question, now)
        reply.outcome = _outcome(ctx, session, reply, question, callback, counted, now)
    tell_counted(ctx, session, counted, now)


def _identity(incoming: IncomingReply) -> str:
    return incoming.delivery or incoming.digest


def _seen(
    ctx: Context, session: Session, incoming: Sequence[IncomingReply], now: datetime
) -> dict[str, Reply]:
    """Those that came before, by their identity: the provider's id for good, a digest for ten minutes."""
    deliveries = [each.delivery for each in incoming if each.delivery is not None]
    digests = [each.digest for each in incoming if each.delivery is None]
    found: dict[str, Reply] = {}
    if digests:
        told = {"digests": digests, "since": now - ctx.policy.reply_dedupe}
        found |= {reply.digest: reply for reply in session.scalars(_SEEN_DIGESTS, told)}
    if deliveries:
        by_id = session.scalars(_SEEN_DELIVERIES, {"deliveries": deliveries})
        found |= {reply.delivery: reply for reply in by_id if reply.delivery is not None}
    return found


_SEEN_DIGESTS = (
    select(Reply)
    .where(Reply.digest.in_(bindparam("digests", expanding=True)), Reply.received_at > bindparam("since"))
    .order_by(Reply.id)
)
_SEEN_DELIVERIES = select(Reply).where(Reply.delivery.in_(bindparam("deliveries", expanding=True)))


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


def _questions_of(ctx: Context, session: Session, replies: Sequence[Reply]) -> list[TextMessage | None]:
    """The question that each reply answers, if it's clear."""
    asked: dict[str, list[TextMessage]] = {}
    for text in session.scalars(_ASKED, {"numbers": [reply.number_index for reply in replies]}):
        asked.setdefault(text.number_index, []).append(text)
    return [_question_of(ctx, reply, asked.get(reply.number_index, [])) for reply in replies]


def _question_of(ctx: Context, reply: Reply, asked: Sequence[TextMessage]) -> TextMessage | None:
    """The question that was asked from the sender code which the reply went to: the open one, else the last.

    A reply to a code that isn't ours (a network that rewrites it) is matched by number alone, and only
    where that leaves no doubt. `asked`: the number's questions, the open ones first, then the newest.
    """
    if reply.sender_code in ctx.office.sender_codes:
        return next((text for text in asked if text.sender_code == reply.sender_code), None)
    doubtful = len(asked) > 1 and asked[0].open == asked[1].open
    return None if not asked or doubtful else asked[0]


_ASKED = (
    select(TextMessage)
    .where(TextMessage.number_index.in_(bindparam("numbers", expanding=True)))
    .where(TextMessage.kind.in_(ASKING), TextMessage.submitted_at.is_not(None))
    .order_by(TextMessage.open.desc(), TextMessage.submitted_at.desc())
)


def _callbacks_of(session: Session, questions: Iterable[TextMessage | None]) -> dict[int, Callback]:
    """The callbacks that were asked for, locked, their cases at hand."""
    asked = {text.callback_id for text in questions if text is not None and text.callback_id is not None}
    return {callback.id: callback for callback in lock_callbacks(session, asked)} if asked else {}


def _alarm(ctx: Context, session: Session, reply: Reply, question: TextMessage | None, now: datetime) -> None:
    audit(session, now, SYSTEM, "emergency_reply", f"reply:{reply.id}")
    raise_alarm(session, AlarmKind.EMERGENCY_REPLY, f"reply:{reply.id}", now, number=reply.number_masked)
    to = reply if question is None else question  # danger is answered, whether or not we ever asked
    if question is not None or kind_of(ctx.privacy.decrypt(reply.number_encrypted)) is NumberKind.MOBILE:
        queue_answer(ctx, session, TextKind.EMERGENCY, None, to, now)


def _outcome(
    ctx: Context,
    session: Session,
    reply: Reply,
    question: TextMessage | None,
    callback: Callback | None,
    counted: list[Rating],
    now: datetime,
) -> str:
    if question is None or callback is None:
        if reply.opt_out:
            suppress_texts(session, reply.number_index, now)
        return "unmatched"
    reply.callback_id = callback.id
    if reply.opt_out:
        return _opted_out(ctx, session, reply, question, callback, now)
    if reply.rating is not None and not _is_comment(session, reply, callback):
        return _rated(ctx, session, reply, question, callback, counted, now)
    return _words(ctx, session, reply, question, callback, now)


def _is_comment(session: Session, reply: Reply, callback: Callback) -> bool:
    """Within the minutes a digit changes the rating, words are a comment even where they'd be one (§8.2)."""
    current = counted_rating(session, callback.id) if callback.state is State.RATED else None
    if current is None or current.settled_at is not None or current.channel is not Channel.SMS:
        return False
    body = [sign for sign in unicodedata.normalize("NFKC", reply.body) if sign.isalnum()]
    alone = len(body) == 1 and unicodedata.numeric(body[0], None) is not None  # 一, 壹。
    return not alone and not any(sign.isdigit() for sign in body)


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
    counted: list[Rating],
    now: datetime,
) -> str:
    assert reply.rating is not None
    answer = Answer(
        reply.rating, Channel.SMS, reply.body, question.attempt_id, reply.id, comment=reply.comment
    )
    takes = _takes_rating(question, callback, now)
    if takes and (rating := count_rating(ctx, session, callback, answer, now)) is not None:
        counted.append(rating)
        _thank(ctx, session, reply.rating, question, callback, now)
        return "rated"
    current = counted_rating(session, callback.id)
    if current is not None and current.channel is Channel.SMS and current.value == reply.rating:
        if reply.comment and current.settled_at is None:  # the same again, but with words: 3，没人来
            _add_words(current, reply.comment)
            return "comment"
        return "uncounted"  # the same again says nothing new
    mine = current is not None and _is_theirs(session, current, reply)
    if mine and change(ctx, session, callback, answer, now) is not None:
        _thank(ctx, session, reply.rating, question, callback, now)
        return "changed"
    keep_uncounted(ctx, session, callback, answer, now)
    queue_answer(ctx, session, TextKind.CLOSED, callback, question, now)
    return "uncounted"


def _is_theirs(session: Session, rating: Rating, reply: Reply) -> bool:
    """Whether the rating was texted from the reply's number: only the same person may change it."""
    before = None if rating.reply_id is None else session.get(Reply, rating.reply_id)
    return before is not None and before.number_index == reply.number_index


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
        _add_words(current, reply.body)
        return "comment"
    if callback.state not in OPEN:
        queue_answer(ctx, session, TextKind.CLOSED, callback, question, now)
        return "closed"
    callback.unclear_texts += 1
    if callback.unclear_texts == 1:
        queue_answer(ctx, session, TextKind.CLARIFY, callback, question, now)
        return "clarify"
    if callback.state in OPEN - ON_THE_LINE - {State.AGENT_QUEUE}:
        hand_over(ctx, session, callback, "unclear", now)
        return "handed_over"
    return "comment"


def _add_words(rating: Rating, words: str) -> None:
    rating.comment = f"{rating.comment}\n{words}".strip()
