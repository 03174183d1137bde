"""The audit chain's heads that were published with the months: each must stay in the chain."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from scoring.models import ScoreMonth


def published_heads(session: Session) -> dict[str, str]:
    """Month → the head that its publication printed."""
    query = select(ScoreMonth.month, ScoreMonth.audit_head).where(ScoreMonth.audit_head.is_not(None))
    return {month: head for month, head in session.execute(query) if head is not None}
