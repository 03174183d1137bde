"""The start page: what waits today. And the address by which a watchdog sees that the desk lives."""

from __future__ import annotations

from flask import Blueprint, render_template
from sqlalchemy import text

from scoring.queries_overview import read_overview
from scoring.web.context import deps, scope
from scoring.web.permissions import Permission, needs, public
from scoring.web.present import day_start

pages = Blueprint("overview", __name__)


@pages.get("/")
@needs(Permission.SEE_OVERVIEW)
def show() -> str:
    now = deps().now()
    with deps().read_sessions() as session:
        found = read_overview(
            session,
            scope(session),
            now,
            day_start(now, deps().zone),
            deps().policy.rating_scale.dissatisfied,
        )
    return render_template("overview.html", found=found, at=now)


@pages.get("/healthz")
@public
def health() -> tuple[dict[str, str], int]:
    with deps().read_sessions() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}, 200
