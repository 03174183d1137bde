"""Voice messages: kept once, and purged when the law's time for them is over (PIPL art. 19)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from callbacks.models import Rating
from callbacks.models_voice import VoiceMessage
from callbacks.service.calls import on_live
from callbacks.service.core import Context, audit
from callbacks.vocabulary import SYSTEM

_KEPT = timedelta(days=90)
_DISSATISFIED_KEPT = timedelta(days=455)  # until the year is assessed, however early in it


@dataclass(frozen=True, slots=True)
class Message:
    """Octets of `codec` (pcma, pcmu) at 8 kHz, `seconds` of them."""

    content: bytes
    codec: str
    seconds: float


def message_left(
    ctx: Context, attempt_id: int, token: int, callback_id: int, message: Message, now: datetime
) -> bool:
    """Fenced like every write of a call; False when the token is stale."""
    return on_live(
        ctx,
        attempt_id,
        token,
        lambda session, _attempt, _callbacks: keep_message(
            session, message, now, callback_id=callback_id, attempt_id=attempt_id
        ),
    )


def keep_message(
    session: Session,
    message: Message,
    at: datetime,
    *,
    callback_id: int | None = None,
    attempt_id: int | None = None,
    inbound_token: str | None = None,
) -> None:
    """Once, however often it comes; about a callback, or of the caller of that token about none."""
    digest = hashlib.sha256(message.content).hexdigest()
    about = VoiceMessage.callback_id == callback_id
    if callback_id is None:
        about = VoiceMessage.inbound_token == inbound_token
    if session.scalar(select(exists().where(about, VoiceMessage.sha256 == digest))):
        return
    session.add(
        VoiceMessage(
            callback_id=callback_id,
            attempt_id=attempt_id,
            inbound_token=inbound_token,
            at=at,
            codec=message.codec,
            seconds=message.seconds,
            sha256=digest,
            content=message.content,
        )
    )
    subject = f"inbound:{inbound_token}" if callback_id is None else f"callback:{callback_id}"
    audit(session, at, SYSTEM, "voice_message", subject, seconds=round(message.seconds, 1))


def has_message(ctx: Context, attempt_id: int, callback_id: int) -> bool:
    """Whether one is kept of that call about that callback."""
    with ctx.sessions() as session:
        mine = (VoiceMessage.attempt_id == attempt_id, VoiceMessage.callback_id == callback_id)
        return bool(session.scalar(select(exists().where(*mine))))


def message_record(attempt_id: int, callback_id: int, message: Message, at: datetime) -> dict[str, Any]:
    """As a spool keeps it."""
    return {
        "kind": "message",
        "attempt": attempt_id,
        "callback": callback_id,
        **told_message(message),
        "at": at.isoformat(),
    }


def told_message(message: Message) -> dict[str, Any]:
    """What a record says of it; `message_of` reads it."""
    return {
        "codec": message.codec,
        "seconds": message.seconds,
        "content": base64.b64encode(message.content).decode(),
    }


def message_of(record: Mapping[str, Any]) -> Message:
    """What `told_message` wrote."""
    return Message(base64.b64decode(record["content"]), str(record["codec"]), float(record["seconds"]))


def purge_messages(ctx: Context, now: datetime) -> int:
    """Takes away what was said 90 days ago, of the dissatisfied when their year is assessed; how many."""

    def work(session: Session) -> int:
        dissatisfied = exists().where(
            Rating.callback_id == VoiceMessage.callback_id, Rating.counted, Rating.value >= _worst(ctx)
        )
        old = or_(
            VoiceMessage.at < now - _DISSATISFIED_KEPT,
            (VoiceMessage.at < now - _KEPT) & ~dissatisfied,
        )
        query = select(VoiceMessage.id).where(VoiceMessage.content.is_not(None), old)
        ids = list(session.scalars(query))
        session.execute(update(VoiceMessage).where(VoiceMessage.id.in_(ids)).values(content=None))
        if ids:
            audit(session, now, SYSTEM, "purge_messages", "voice_messages", number=len(ids))
        return len(ids)

    return ctx.run(work)


def _worst(ctx: Context) -> int:
    """The first value that is dissatisfied on the office's scale."""
    return min(ctx.policy.rating_scale.dissatisfied)
