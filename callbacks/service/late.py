"""What a citizen pressed in a call whose process died before the database was back; played in once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, Callback, Rating
from callbacks.policy import number_to_try
from callbacks.service.answers import Answer, change, counted_rating, give_resolution, keep_uncounted, rate
from callbacks.service.calls import bar
from callbacks.service.claims import hand_over
from callbacks.service.core import Context, lock_callbacks, view_of
from callbacks.service.messages import keep_message, message_of
from callbacks.states import ON_THE_LINE, OPEN, State
from callbacks.vocabulary import Channel

Record = Mapping[str, Any]


def rated_record(attempt_id: int, callback_id: int, answer: Answer, at: datetime) -> dict[str, Any]:
    """A key that rates, as a spool keeps it."""
    return {
        "kind": "rated",
        "attempt": attempt_id,
        "callback": callback_id,
        "value": answer.value,
        "raw": answer.raw,
        "prompt": answer.prompt_id,
        "ms": answer.ms_since_prompt_end,
        "at": at.isoformat(),
    }


def resolved_record(attempt_id: int, callback_id: int, resolved: bool, at: datetime) -> dict[str, Any]:
    """The answer to "solved?", as a spool keeps it."""
    told = {"attempt": attempt_id, "callback": callback_id, "resolved": resolved, "at": at.isoformat()}
    return {"kind": "resolved", **told}


def reason_record(attempt_id: int, callback_id: int, reason: str, at: datetime) -> dict[str, Any]:
    """The main reason, as a spool keeps it."""
    told = {"attempt": attempt_id, "callback": callback_id, "reason": reason, "at": at.isoformat()}
    return {"kind": "reason", **told}


def left_record(attempt_id: int, key: str, at: datetime) -> dict[str, Any]:
    """Key 0 (a person, please) or 9 (wrong person), as a spool keeps it."""
    return {"kind": "left", "attempt": attempt_id, "key": key, "at": at.isoformat()}


def play_key(ctx: Context, record: Record) -> None:
    """Stores what was pressed, whatever became of the call since. Taken twice, it changes nothing.

    KeyError, ValueError or TypeError for a record that isn't one.
    """
    play = _PLAYS[record["kind"]]
    at = datetime.fromisoformat(record["at"]).astimezone(UTC)
    ctx.run(lambda session: play(ctx, session, record, at))


def _rated(ctx: Context, session: Session, record: Record, at: datetime) -> None:
    callback = _callback(session, record)
    answer = Answer(
        value=record["value"],
        channel=Channel.VOICE,
        raw=record["raw"],
        attempt_id=record["attempt"],
        prompt_id=record["prompt"],
        ms_since_prompt_end=record["ms"],
    )
    if session.scalar(select(exists().where(Rating.attempt_id == answer.attempt_id, Rating.at == at))):
        return
    if rate(ctx, session, callback, answer, at) is not None:
        return
    old = counted_rating(session, callback.id)
    same_call = old is not None and old.attempt_id == answer.attempt_id
    if not same_call or change(ctx, session, callback, answer, at) is None:
        keep_uncounted(ctx, session, callback, answer, at)


def _resolved(ctx: Context, session: Session, record: Record, at: datetime) -> None:
    rating = counted_rating(session, _callback(session, record).id)
    if rating is not None and rating.attempt_id == record["attempt"]:
        give_resolution(ctx, session, rating.callback_id, bool(record["resolved"]), at)


def _reason(_ctx: Context, session: Session, record: Record, _at: datetime) -> None:
    rating = counted_rating(session, _callback(session, record).id)
    if rating is not None and rating.attempt_id == record["attempt"] and not rating.reason:
        rating.reason = str(record["reason"])


def _message(_ctx: Context, session: Session, record: Record, at: datetime) -> None:
    about = {"callback_id": record["callback"], "attempt_id": record["attempt"]}
    keep_message(session, message_of(record), at, **about)


def _left(ctx: Context, session: Session, record: Record, at: datetime) -> None:
    """A call that is up again meanwhile says more than the lost one."""
    attempt = session.get_one(Attempt, record["attempt"])
    callbacks = [link.callback_id for link in attempt.links]
    leave(ctx, session, callbacks, record["key"], attempt.number_index, at)


def leave(
    ctx: Context, session: Session, callbacks: Iterable[int], key: str, number_index: str | None, at: datetime
) -> None:
    """Key 0: a person goes on; key 9: that number isn't rung again for these cases."""
    for callback in lock_callbacks(session, list(callbacks)):
        if callback.state not in OPEN - ON_THE_LINE - {State.AGENT_QUEUE}:
            continue
        if key == "0":
            hand_over(ctx, session, callback, "key_0", at)
        else:
            _wrong_person(ctx, session, callback, number_index, at)


def _wrong_person(
    ctx: Context, session: Session, callback: Callback, number_index: str | None, at: datetime
) -> None:
    for phone in callback.case.phones:
        if phone.number_index == number_index:
            bar(phone, at)
    if number_to_try(view_of(ctx, session, callback).phones, (), ctx.policy) is None:
        hand_over(ctx, session, callback, "wrong_person", at)


def _callback(session: Session, record: Record) -> Callback:
    return lock_callbacks(session, [record["callback"]])[0]


_PLAYS: Mapping[str, Callable[[Context, Session, Record, datetime], None]] = {
    "rated": _rated,
    "resolved": _resolved,
    "reason": _reason,
    "left": _left,
    "message": _message,
}
