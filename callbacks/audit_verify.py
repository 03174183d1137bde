"""Reads the audit and its chain from the database and verifies them, a batch in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from callbacks.audit_chain import GENESIS, AuditLine
from callbacks.audit_faults import WINDOW, Link, Linked, Verdict, Walk, follow
from callbacks.models import Audit, AuditLink

_BATCH = 2_000


def verify_audit(
    session: Session, newest: int | None = None, heads: Mapping[str, str] | None = None
) -> Verdict:
    """Verifies the whole chain, or its `newest` links; `heads`, kept elsewhere, only with the whole."""
    last = last_link(session)
    walk = _walk_from(session, 0 if newest is None else max(0, last[0] - newest))
    walk.wanted = dict(heads or {}) if newest is None else {}

    def unlinked() -> Iterator[AuditLine]:
        yield from _unlinked(session, 0 if newest is None else walk.highest - WINDOW)

    return follow(walk, _links(session, walk.seq, last[0]), unlinked(), _links(session, 0))


def last_link(session: Session) -> tuple[int, str]:
    """The newest link's place and hash, which is the chain's head; (0, GENESIS) before the first."""
    query = select(AuditLink.seq, AuditLink.hash).order_by(AuditLink.seq.desc()).limit(1)
    found = session.execute(query).one_or_none()
    return (0, GENESIS) if found is None else (found.seq, found.hash)


def count_waiting(session: Session) -> int:
    """How many of the newest lines aren't linked yet."""
    highest = session.scalar(select(func.max(AuditLink.audit_id))) or 0
    query = select(func.count()).select_from(Audit).where(Audit.id > highest - WINDOW, ~_IS_LINKED)
    return session.scalar(query) or 0


_IS_LINKED = exists().where(AuditLink.audit_id == Audit.id)


def _walk_from(session: Session, seq: int) -> Walk:
    if seq == 0:
        return Walk()
    head = session.scalar(select(AuditLink.hash).where(AuditLink.seq == seq))
    return Walk() if head is None else Walk(seq=seq, head=head)


def _links(session: Session, after: int, until: int | None = None) -> Iterator[Linked]:
    """The links with their lines, in the chain's order."""
    query = select(AuditLink, Audit).outerjoin(Audit, Audit.id == AuditLink.audit_id)
    query = query.order_by(AuditLink.seq).limit(_BATCH)
    if until is not None:
        query = query.where(AuditLink.seq <= until)
    while rows := session.execute(query.where(AuditLink.seq > after)).all():
        for row, line in rows:
            after = row.seq
            yield (
                Link(row.seq, row.audit_id, row.previous, row.hash, row.at),
                None if line is None else _line(line),
            )
        session.expunge_all()


def _unlinked(session: Session, after: int) -> Iterator[AuditLine]:
    query = select(Audit).where(~_IS_LINKED).order_by(Audit.id).limit(_BATCH)
    while rows := session.scalars(query.where(Audit.id > after)).all():
        for row in rows:
            after = row.id
            yield _line(row)
        session.expunge_all()


def _line(row: Audit) -> AuditLine:
    return AuditLine(row.id, row.at, row.actor, row.action, row.subject, row.detail)
