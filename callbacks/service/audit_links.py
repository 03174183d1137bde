"""Links the audit's lines into their chain, in the order in which they were committed, one at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from callbacks.audit_chain import AuditLine, link
from callbacks.audit_faults import WINDOW
from callbacks.audit_verify import last_link
from callbacks.models import Audit, AuditLink
from callbacks.service.core import Context

_LOCK = 1100111
_BATCH = 500


def link_audit(ctx: Context, now: datetime, limit: int = _BATCH) -> int:
    """Links up to `limit` lines that aren't yet; returns how many."""
    return ctx.run(lambda session: _link(session, now, limit))


def link_all(session: Session, now: datetime) -> str:
    """Links what there is, this transaction's own lines too; returns the head."""
    session.flush()
    while _link(session, now, _BATCH) == _BATCH:
        pass
    return last_link(session)[1]


def _link(session: Session, now: datetime, limit: int) -> int:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    seq, previous = last_link(session)
    highest = session.scalar(select(func.max(AuditLink.audit_id))) or 0
    unlinked = select(Audit).where(
        Audit.id > highest - WINDOW,  # so far back a line's commit may be late (callbacks.audit_faults)
        ~exists().where(AuditLink.audit_id == Audit.id),
    )
    lines = session.scalars(unlinked.order_by(Audit.id).limit(limit)).all()
    for line in lines:
        seq += 1
        of = AuditLine(line.id, line.at, line.actor, line.action, line.subject, line.detail)
        found = link(previous, of)
        session.add(AuditLink(seq=seq, audit_id=line.id, previous=previous, hash=found, at=now))
        previous = found
    session.flush()
    return len(lines)
