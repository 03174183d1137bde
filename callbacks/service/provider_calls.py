"""Calls that a provider carries by webhooks: each step's change of the dialogue is written once, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.orm import Session

from callbacks.models_systems import ProviderCall
from callbacks.service import late
from callbacks.service.core import Context

__all__ = [
    "Known",
    "Step",
    "advance",
    "begin_call",
    "end_call",
    "find_call",
    "forget_calls",
    "is_of",
    "play_pending",
]

_KEPT = timedelta(days=1)  # a provider's own repeats come within hours


@dataclass(frozen=True, slots=True)
class Known:
    """A call as it stands. `token` fences the writes of its attempt; `document` answered the last step."""

    key: str
    attempt_id: int
    token: int
    sid: str | None
    step: int
    dialogue: Mapping[str, Any]
    document: str
    is_pending: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What a step comes to. `records` are what the citizen pressed, as `callbacks.service.late` keeps it."""

    dialogue: Mapping[str, Any]
    document: str
    records: Sequence[Mapping[str, Any]] = ()


def begin_call(ctx: Context, key: str, attempt_id: int, dialogue: Mapping[str, Any], now: datetime) -> None:
    """Before the provider is asked to call: its webhooks may be quicker than its answer."""

    def work(session: Session) -> None:
        row = ProviderCall(key=key, attempt_id=attempt_id, dialogue=dict(dialogue), pending={}, made_at=now)
        session.add(row)

    ctx.run(work)


def find_call(ctx: Context, key: str) -> Known | None:
    with ctx.sessions() as session:
        row = session.get(ProviderCall, key)
        if row is None:
            return None
        return Known(
            key=key,
            attempt_id=row.attempt_id,
            token=int(key.partition("-")[2], 16),
            sid=row.sid,
            step=row.step,
            dialogue=row.dialogue,
            document=row.document,
            is_pending=bool(row.pending),
            is_over=row.ended_at is not None,
        )


def is_of(ctx: Context, key: str, sid: str) -> bool:
    """Whether the call has the provider's id `sid`; the first that is told is the call's for good."""

    def work(session: Session) -> bool:
        mine = ProviderCall.key == key
        session.execute(update(ProviderCall).where(mine, ProviderCall.sid.is_(None)).values(sid=sid))
        row = session.get(ProviderCall, key, populate_existing=True)
        return row is not None and row.sid == sid

    return ctx.run(work)


def advance(ctx: Context, known: Known, step: Step) -> bool:
    """Goes on by one step. False where another request has gone on already: nothing is changed then."""

    def work(session: Session) -> bool:
        where = (ProviderCall.key == known.key, ProviderCall.step == known.step)
        values = {
            "step": known.step + 1,
            "dialogue": dict(step.dialogue),
            "document": step.document,
            "pending": {"records": [dict(record) for record in step.records]} if step.records else {},
        }
        result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
            update(ProviderCall).where(*where).values(values)
        )
        return result.rowcount == 1

    return ctx.run(work)


def play_pending(ctx: Context, key: str) -> None:
    """Stores what was pressed at the last step. Again, or by two at a time, it changes nothing."""
    with ctx.sessions() as session:
        row = session.get(ProviderCall, key)
        step, records = (row.step, row.pending.get("records", [])) if row is not None else (0, [])
    for record in records:
        late.play_key(ctx, record)
    if records:
        where = (ProviderCall.key == key, ProviderCall.step == step)
        ctx.run(lambda session: session.execute(update(ProviderCall).where(*where).values(pending={})))


def end_call(ctx: Context, key: str, now: datetime) -> bool:
    """The provider said that the call is over. False when it had said so before."""

    def work(session: Session) -> bool:
        open_one = (ProviderCall.key == key, ProviderCall.ended_at.is_(None))
        result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
            update(ProviderCall).where(*open_one).values(ended_at=now)
        )
        return result.rowcount == 1

    return ctx.run(work)


def forget_calls(ctx: Context, now: datetime) -> None:
    """Those that ended a day ago, or began two days ago and never told their end."""
    old = (ProviderCall.ended_at < now - _KEPT) | (ProviderCall.made_at < now - 2 * _KEPT)
    ctx.run(lambda session: session.execute(delete(ProviderCall).where(old)))
