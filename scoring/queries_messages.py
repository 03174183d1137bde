"""Voice messages of a case, for readers who may know who rated: a voice tells that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Callback
from callbacks.models_voice import VoiceMessage
from scoring.queries import Scope


@dataclass(frozen=True, slots=True)
class MessageRow:
    """`is_kept` is False when it was purged."""

    id: int
    at: datetime
    round: int
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
