"""Voice messages of a case, for readers who may know who rated: a voice tells that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from callbacks.models import Callback
from callbacks.models_voice import VoiceMessage
from scoring.queries import Scope


@dataclass(frozen=True, slots=True)
class MessageRow:
    """`is_kept` is False when it was purged."""

    id: int
    at: datetime
    round: int  # of the callback
    seconds: float
    is_kept: bool


def read_messages(session: Session, scope: Scope, callbacks: Collection[int]) -> tuple[MessageRow, ...]:
    """The first first; nothing for a unit."""
    if not scope.numbers:
        return ()
    query = (
        select(
            VoiceMessage.id,
            VoiceMessage.at,
            Callback.round,
            VoiceMessage.seconds,
            VoiceMessage.content.is_not(None),
        )
        .join(Callback, Callback.id == VoiceMessage.callback_id)
        .where(VoiceMessage.callback_id.in_(callbacks))
        .order_by(VoiceMessage.at, VoiceMessage.id)
    )
    return tuple(MessageRow(*row) for row in session.execute(query))


def messages_of_caller(session: Session, token: str) -> tuple[MessageRow, ...]:
    """What somebody who called us said about no case, the first first."""
    kept = VoiceMessage.content.is_not(None)
    query = (
        select(VoiceMessage.id, VoiceMessage.at, literal(1), VoiceMessage.seconds, kept)
        .where(VoiceMessage.inbound_token == token)
        .order_by(VoiceMessage.at, VoiceMessage.id)
    )
    return tuple(MessageRow(*row) for row in session.execute(query))


def left_messages(session: Session, tokens: Collection[str]) -> frozenset[str]:
    """Those of the callers who did."""
    query = select(VoiceMessage.inbound_token).where(VoiceMessage.inbound_token.in_(tokens)).distinct()
    return frozenset(token for token in session.scalars(query) if token)
