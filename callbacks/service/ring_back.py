"""Who was called and rings back: their open callbacks, and what they answer about them (domain.md §1, §8.1).

There is no attempt of ours, so nothing here is fenced; a record that comes twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, CasePhone, Rating
from callbacks.numbers import NumberKind
from callbacks.service.answers import Answer, counted_rating, give_resolution
from callbacks.service.core import Context, is_sensitive, lock_callbacks
from callbacks.service.late import leave
from callbacks.service.messages import keep_message, message_of
from callbacks.service.web_answers import take_answer
from callbacks.states import OPEN
from callbacks.vocabulary import Channel

MOST_CASES = 3


@dataclass(frozen=True, slots=True)
class CallerCase:
    """A case that may be asked about; its category is spoken on an ordinary case's mobile alone."""

    callback_id: int
    accepted_at: datetime
    category: str | None
    round: int


def cases_of_caller(ctx: Context, number: str) -> list[CallerCase]:
    """Up to three of the number's open callbacks, in the queue's order; sensitive ones are for a person."""

    def work(session: Session) -> list[CallerCase]:
        query = (
            select(Callback, CasePhone.kind)
            .join(CasePhone, CasePhone.case_id == Callback.case_id)
            .where(CasePhone.number_index == ctx.privacy.index(number), CasePhone.barred_at.is_(None))
            .where(Callback.state.in_(OPEN))
            .order_by(Callback.priority, Callback.closed_at, Callback.id)
        )
        found = []
        for callback, kind in session.execute(query):
            case = callback.case
            if not is_sensitive(ctx, case):
                category = case.category if kind is NumberKind.MOBILE else None
                found.append(CallerCase(callback.id, case.accepted_at, category, callback.round))
        return found[:MOST_CASES]

    return ctx.run(work)


def keep_ring_back(ctx: Context, record: Mapping[str, Any]) -> None:
    """Stores what a caller pressed (`ivr.inbound.ring_back`); KeyError for a record that isn't one."""
    keep = _KEEPS[record["what"]]
    at = datetime.fromisoformat(record["at"]).astimezone(UTC)
    ctx.run(lambda session: keep(ctx, session, record, at))


def _rated(ctx: Context, session: Session, record: Mapping[str, Any], at: datetime) -> None:
    [callback] = lock_callbacks(session, [record["callback"]])
    same = (Rating.callback_id == callback.id, Rating.channel == Channel.VOICE, Rating.at == at)
    if session.scalar(select(exists().where(*same))):
        return
    answer = Answer(
        value=record["value"],
        channel=Channel.VOICE,
        raw=record["raw"],
        prompt_id=record["prompt"],
        ms_since_prompt_end=record["ms"],
    )
    take_answer(ctx, session, callback, answer, at)


def _resolved(ctx: Context, session: Session, record: Mapping[str, Any], at: datetime) -> None:
    if _theirs(session, record["callback"]) is not None:
        give_resolution(ctx, session, record["callback"], bool(record["resolved"]), at)


def _reason(_ctx: Context, session: Session, record: Mapping[str, Any], _at: datetime) -> None:
    rating = _theirs(session, record["callback"])
    if rating is not None and not rating.reason:
        rating.reason = str(record["reason"])


def _theirs(session: Session, callback_id: int) -> Rating | None:
    """The counted rating, where somebody gave it who rang back, and it can still be added to."""
    lock_callbacks(session, [callback_id])
    rating = counted_rating(session, callback_id)
    if rating is None or rating.channel is not Channel.VOICE or rating.attempt_id is not None:
        return None
    return rating if rating.settled_at is None else None


def _left(ctx: Context, session: Session, record: Mapping[str, Any], at: datetime) -> None:
    leave(ctx, session, record["callbacks"], record["key"], ctx.privacy.index(record["number"]), at)


def _message(_ctx: Context, session: Session, record: Mapping[str, Any], at: datetime) -> None:
    keep_message(session, message_of(record), at, callback_id=record["callback"])


def _own_message(_ctx: Context, session: Session, record: Mapping[str, Any], at: datetime) -> None:
    keep_message(session, message_of(record), at, inbound_token=record["call"])


_KEEPS = {
    "rated": _rated,
    "resolved": _resolved,
    "reason": _reason,
    "left": _left,
    "message": _message,
    "own_message": _own_message,
}
