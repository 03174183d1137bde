"""What says that texts leave, written in sets: each statement is for a whole batch, whatever its size.

An object a row would cost several times what the gateway's own library takes for a text. Whoever calls these
holds the locks of the texts and of their callbacks, and flushed what it has changed of them as objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Double, Row, String, bindparam, false, insert, literal, select, true, update
from sqlalchemy.orm import Session

from callbacks.database import UtcDateTime, among, dbnow
from callbacks.models import (
    ASKING,
    Attempt,
    AttemptCallback,
    AttemptState,
    TextMessage,
    TextState,
    table_of,
)
from callbacks.service.core import move_all
from callbacks.states import State, Trigger
from callbacks.vocabulary import Channel

DueText = Row[*tuple[Any, ...]]  # of `texts`' question for what may leave


@dataclass(frozen=True, slots=True)
class Leave:
    """By whom and over which gateway texts leave, until when an answer is waited for.

    One token fences all: it's drawn anew for each batch.
    """

    owner: str
    gateway: str
    token: int
    lease_seconds: float
    reply_until: datetime


def let_leave(
    session: Session,
    texts: Sequence[DueText],
    asked: Mapping[int, Row[*tuple[Any, ...]]],
    leave: Leave,
    now: datetime,
) -> None:
    """They are being submitted from now on; `asked` are the questions' callbacks as they stood."""
    asking = [text for text in texts if text.kind in ASKING]
    begun = [text.id for text in asking if text.attempt_id is None]
    others = [text.id for text in texts if text.attempt_id is not None or text.kind not in ASKING]
    _begin_attempts(session, begun, leave.gateway, now)
    _revive(session, [text.attempt_id for text in asking if text.attempt_id is not None])
    sent = {
        text.callback_id: f"text {text.id}"
        for text in asking
        if asked[text.callback_id].state is State.SMS_QUEUED
    }
    move_all(session, sent, State.SMS_QUEUED, Trigger.TEXT_SENT, now, next_at=leave.reply_until)
    told = {"by": leave.owner, "fence": leave.token, "seconds": leave.lease_seconds, "now": now}
    for statement, ids in ((_LEAVE_WITH_ATTEMPT, begun), (_LEAVE, others)):
        if ids:
            session.execute(statement, {**told, "ids": ids})


def hold(session: Session, until: Mapping[int, datetime]) -> None:
    """These texts are looked at again at their time."""
    if until:
        session.execute(_HOLD, [{"text": text_id, "until": at} for text_id, at in until.items()])


def _begin_attempts(session: Session, text_ids: Sequence[int], gateway: str, now: datetime) -> None:
    """A question's attempt is live while it's being submitted."""
    if text_ids:
        session.execute(_ATTEMPTS, {"ids": text_ids, "gateway": gateway, "now": now})
        session.execute(_LINKS, {"ids": text_ids})


def _revive(session: Session, attempt_ids: Sequence[int]) -> None:
    """A text is tried again within its first attempt."""
    if attempt_ids:
        session.execute(_LIVE_AGAIN, {"of": attempt_ids})
        session.execute(_LINKS_LIVE_AGAIN, {"of": attempt_ids})


_NOW = bindparam("now", type_=UtcDateTime())
_THESE = among(TextMessage.id, "ids")

_COPIED = (TextMessage.number_encrypted, TextMessage.number_index, TextMessage.number_masked)
_ATTEMPT_OF_TEXT = {
    "channel": literal(Channel.SMS, Attempt.channel.type),
    "state": literal(AttemptState.SUBMITTING, Attempt.state.type),
    **{column.key: column for column in _COPIED},
    "trunk": bindparam("gateway", type_=String()),
    "token": literal(0),
    "claimed_at": _NOW,
    "invited_at": _NOW,
    "counts": false(),
}
_ATTEMPTS = insert(table_of(Attempt)).from_select(
    list(_ATTEMPT_OF_TEXT), select(*_ATTEMPT_OF_TEXT.values()).where(_THESE).order_by(TextMessage.id)
)
# The attempt that was begun just now is found by its number: uq_attempt_live_number lets it have one.
_BEGUN = (Attempt.number_index == TextMessage.number_index, Attempt.state == AttemptState.SUBMITTING)
_LINKS = insert(table_of(AttemptCallback)).from_select(
    ["attempt_id", "callback_id", "position", "live"],
    select(Attempt.id, TextMessage.callback_id, literal(0), true())
    .join(TextMessage, Attempt.number_index == TextMessage.number_index)
    .where(_THESE, *_BEGUN),
)
_LIVE_AGAIN = update(table_of(Attempt)).where(among(Attempt.id, "of")).values(state=AttemptState.SUBMITTING)
_LINKS_LIVE_AGAIN = (
    update(table_of(AttemptCallback)).where(among(AttemptCallback.attempt_id, "of")).values(live=True)
)
_LEAVE = (
    update(table_of(TextMessage))
    .where(_THESE)
    .values(
        state=TextState.SUBMITTING,
        submitted_at=_NOW,
        owner=bindparam("by"),
        token=bindparam("fence"),
        tries=TextMessage.tries + 1,
        lease_expires_at=dbnow(bindparam("seconds", type_=Double())),
    )
)
_LEAVE_WITH_ATTEMPT = _LEAVE.values(
    attempt_id=select(Attempt.id).where(*_BEGUN).correlate(TextMessage).scalar_subquery()
)
_HOLD = (
    update(table_of(TextMessage))
    .where(TextMessage.id == bindparam("text"))
    .values(not_before=bindparam("until", type_=UtcDateTime()))
)
