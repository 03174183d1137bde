"""The ledger: each closing in exactly one place, proved each night, and what never came to us."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, abort, render_template, request

from callbacks.days import day_of, read_day
from scoring.queries_ledger import read_ledger_page
from scoring.web.context import deps
from scoring.web.permissions import Permission, needs

pages = Blueprint("ledger", __name__)


@pages.get("/ledger")
@needs(Permission.SEE_WATCH)
def show() -> str:
    timezone, now = deps().policy.windows.timezone, deps().now()
    with deps().read_sessions() as session:
        found = read_ledger_page(session, chosen_day(day_of(now, timezone)), timezone)
    return render_template("ledger.html", found=found, at=now, today=day_of(now, timezone))


def chosen_day(today: date) -> date | None:
    """The day of the query string; today's isn't over, so it's shown as it stands."""
    given = request.args.get("day", "")
    if not given:
        return None
    try:
        day = read_day(given)
    except ValueError:
        abort(404)
    if day > today or day.year < 2000:
        abort(404)
    return None if day == today else day
