"""The start page: what waits today. And the address by which a watchdog sees that the desk lives."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import text
from sqlalchemy.orm import Session

from scoring.queries import Scope
from scoring.queries_overview import read_overview
from scoring.queries_today import Today, read_today
from scoring.web.context import deps, may, scope
from scoring.web.permissions import Permission, needs, public
from scoring.web.present import day_start

pages = Blueprint("overview", __name__)


@pages.get("/")
@needs(Permission.SEE_OVERVIEW)
def show() -> str:
    now = deps().now()
    with deps().read_sessions() as session:
        bounds = scope(session)
        found = read_overview(
            session,
            bounds,
            now,
            day_start(now, deps().zone),
            deps().policy.rating_scale.dissatisfied,
        )
        today = _today(session, bounds, now)
    return render_template("overview.html", found=found, today=today, at=now)


def _today(session: Session, bounds: Scope, now: datetime) -> Today | None:
    """What waits for the reader; None for a reader who only looks on."""
    office = may(Permission.WORK_ITEMS)
    if not office and not may(Permission.HANDLE_ITEMS):
        return None
    day, login = now.astimezone(deps().zone).date(), current_user.login
    decides = may(Permission.DECIDE)
    return read_today(session, bounds, now, day, login, office=office, decides=decides)


@pages.get("/healthz")
@public
def health() -> tuple[dict[str, str], int]:
    with deps().read_sessions() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}, 200
