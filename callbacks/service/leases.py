"""Leases: renewed while a worker lives, settled when it doesn't (architecture.md; domain.md §1)."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from callbacks.database import dbnow
from callbacks.models import Attempt, TextMessage, TextState
from callbacks.service.calls import CallOutcome, finish
from callbacks.service.claims import release
from callbacks.service.core import BY_TELEPHONE, LIVE, Context, lock_callbacks
from callbacks.service.submits import text_unknown
from callbacks.vocabulary import Disposition


def owner_name(role: str, pid: int | None = None) -> str:
    """The owner of a process's leases: known to the supervisor, too, when the process is dead."""
    return f"{role}:{socket.gethostname()[:40]}:{pid or os.getpid()}"


def is_gone(owner: str) -> bool:
    """Whether an owner of this machine is no process any more; False for another machine's."""
    _, _, where = owner.partition(":")
    host, _, pid = where.rpartition(":")
    if host != socket.gethostname()[:40] or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's, so it's there
        return False
    return False


@dataclass(frozen=True, slots=True)
class Renewal:
    """Which of the asked attempts are no longer ours, and which should be hung up."""

    lost: frozenset[int]
    cancel: frozenset[int]


def renew(ctx: Context, owner: str, attempt_ids: Collection[int]) -> Renewal:
    """Extends the owner's live leases by the database's clock."""
    if not attempt_ids:
        return Renewal(frozenset(), frozenset())

    def work(session: Session) -> Renewal:
        mine = (Attempt.id.in_(attempt_ids), Attempt.owner == owner, Attempt.state.in_(LIVE))
        expiry = dbnow(ctx.policy.lease.total_seconds())
        session.execute(update(Attempt).where(*mine).values(lease_expires_at=expiry))
        rows = session.execute(select(Attempt.id, Attempt.cancel_requested).where(*mine)).all()
        held = {row.id for row in rows}
        cancel = frozenset(row.id for row in rows if row.cancel_requested)
        return Renewal(frozenset(attempt_ids) - held, cancel)

    return ctx.run(work)


def settle_leases(ctx: Context, now: datetime, owner: str | None = None, limit: int = 200) -> int:
    """Settles leases that expired, or all of `owner`, which is known to be dead. Returns how many.

    Lost before `invited_at`: costs nothing. Lost after: `unknown`, it may have rung, so it counts.
    """

    def work(session: Session) -> int:
        attempts = _lost_attempts(session, owner, limit)
        for attempt in attempts:
            callbacks = lock_callbacks(session, [link.callback_id for link in attempt.links])
            if attempt.invited_at is None:
                release(ctx, session, attempt, callbacks, now, now)
            else:
                outcome = CallOutcome(Disposition.UNKNOWN, cause_raw="lease lost")
                finish(ctx, session, attempt, callbacks, outcome, now)
        texts = _lost_texts(session, owner, limit)
        for text in texts:
            text_unknown(ctx, session, text, now)
        return len(attempts) + len(texts)

    return ctx.run(work)


def _lost_attempts(session: Session, owner: str | None, limit: int) -> list[Attempt]:
    query = (
        select(Attempt)
        .where(Attempt.channel.in_(BY_TELEPHONE), Attempt.state.in_(LIVE))
        .where(_lost(Attempt, owner))
        .order_by(Attempt.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def _lost_texts(session: Session, owner: str | None, limit: int) -> list[TextMessage]:
    query = (
        select(TextMessage)
        .where(TextMessage.state == TextState.SUBMITTING, _lost(TextMessage, owner))
        .order_by(TextMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def _lost(table: type[Attempt] | type[TextMessage], owner: str | None) -> ColumnElement[bool]:
    expired = table.lease_expires_at < dbnow()
    return expired if owner is None else or_(expired, table.owner == owner)
