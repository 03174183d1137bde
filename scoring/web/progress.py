"""How far the callbacks are. The page renews itself by its own script, and by a link without one."""

from __future__ import annotations

from flask import Blueprint, render_template

from callbacks.days import day_of
from scoring.queries import units
from scoring.queries_progress import read_progress
from scoring.queries_traffic import read_trunk_days
from scoring.web.context import chosen, deps, may, scope
from scoring.web.permissions import Permission, needs

pages = Blueprint("progress", __name__)


@pages.get("/progress")
@needs(Permission.SEE_PROGRESS)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        found = read_progress(session, bounds, wanted)
        choices = units(session, bounds, wanted.group)
        timezone = deps().policy.windows.timezone
        today = day_of(deps().now(), timezone)
        trunks = read_trunk_days(session, today, timezone) if may(Permission.SEE_WATCH) else ()
    return render_template(
        "progress.html", found=found, chosen=wanted, units=choices, trunks=trunks, at=deps().now()
    )
