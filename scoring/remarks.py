"""Remarks that a discipline inspector signs on a subject (`item:5`, `month:2026-11`). Append-only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.days import MONTH
from callbacks.models import Base, Case, Unit
from callbacks.service.core import Context, audit
from scoring.models_decisions import Accountability, Adjustment, Objection, Remark
from scoring.models_items import DissatisfactionItem
from scoring.reasons import checked_reason

_ROWS: dict[str, type[Base]] = {
    "item": DissatisfactionItem,
    "case": Case,
    "adjustment": Adjustment,
    "objection": Objection,
    "accountability": Accountability,
    "unit": Unit,
}


class BadRemark(ValueError):
    """No words, too many, or no such subject; the message says which."""


def sign_remark(ctx: Context, subject: str, body: str, by: str, now: datetime) -> int:
    """Keeps the remark under the inspector's login; returns its id."""
    words = checked_reason(body, BadRemark("words"))

    def work(session: Session) -> int:
        if not _exists(session, subject):
            raise BadRemark("subject")
        row = Remark(subject=subject, body=words, by=by, at=now)
        session.add(row)
        session.flush()
        audit(session, now, by, "remark", subject, remark=row.id)
        return row.id

    return ctx.run(work)


def remarks_of(session: Session, subject: str) -> Sequence[Remark]:
    """Oldest first."""
    return session.scalars(select(Remark).where(Remark.subject == subject).order_by(Remark.id)).all()


def _exists(session: Session, subject: str) -> bool:
    """Rows by their id; a month by its name."""
    kind, _, name = subject.partition(":")
    if kind == "month":
        return MONTH.fullmatch(name) is not None
    plain = name.isascii() and name.isdigit() and len(name) < 10
    return kind in _ROWS and plain and session.get(_ROWS[kind], int(name)) is not None
