"""The pauses that are over, as the desk lists them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from callbacks.models_office import Pause
from scoring.queries import Page, one_page
from scoring.queries_filter import Filter


def read_past_pauses(session: Session, chosen: Filter, now: datetime) -> Page[Pause]:
    """Lifted, or over by their time; the last to be set first."""
    over = or_(Pause.lifted_at.is_not(None), Pause.until <= now)
    key = Pause.at, Pause.id
    query: Any = select(*key, Pause).options(joinedload(Pause.unit)).where(over)
    rows, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    total = session.scalar(select(func.count(Pause.id)).where(over)) or 0
    return Page(tuple(row[2] for row in rows), total, before, after)
