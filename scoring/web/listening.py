"""Each listening to a citizen's voice goes into the audit, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import request
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Audit
from callbacks.service.core import audit
from scoring.web.context import deps

__all__ = ["note_listening"]

_ONE_LISTENING = timedelta(hours=1)


def note_listening(session: Session, action: str, subject: str, **what: Any) -> None:
    """A player asks for parts: what comes within the hour after a beginning is the same listening."""
    begins = request.range is None or request.range.ranges[0][0] == 0
    if begins or not _has_heard(session, action, subject, what):
        audit(session, deps().now(), current_user.login, action, subject, **what)


def _has_heard(session: Session, action: str, subject: str, what: dict[str, Any]) -> bool:
    query = select(Audit.detail).where(
        Audit.subject == subject,
        Audit.action == action,
        Audit.actor == current_user.login,
        Audit.at >= deps().now() - _ONE_LISTENING,
    )
    return any(what.items() <= detail.items() for detail in session.scalars(query))
