"""The agents' queue as pages show it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case
from callbacks.states import OPEN


def open_categories(session: Session) -> tuple[str, ...]:
    """The categories of the cases that are being followed up."""
    query = select(Case.category).join(Callback, Callback.case_id == Case.id).where(Callback.state.in_(OPEN))
    return tuple(session.scalars(query.distinct().order_by(Case.category)))
