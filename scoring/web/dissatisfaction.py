"""The dissatisfaction list: one filter for the page and its counts."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user

from scoring.queries import units
from scoring.queries_dissatisfaction import (
    STAGES,
    count_items,
    listed_categories,
    read_items,
    sort_of,
    supervisors,
)
from scoring.web.context import chosen, deps, may, scope
from scoring.web.permissions import Permission, needs

pages = Blueprint("dissatisfaction", __name__)


@pages.get("/dissatisfaction")
@needs(Permission.SEE_DISSATISFACTION)
def show() -> str:
    wanted, now = chosen(), deps().now()
    with deps().read_sessions() as session:
        bounds = scope(session)
        people = supervisors(session) if may(Permission.WORK_ITEMS) else ()
        counts = count_items(session, bounds, wanted, now, current_user.login)
        return render_template(
            "dissatisfaction.html",
            page=read_items(session, bounds, wanted, now),
            counts=counts,
            chosen=wanted,
            sort=sort_of(wanted),
            stages=STAGES,
            units=units(session, bounds, wanted.group),
            categories=listed_categories(session, bounds, wanted),
            people=people,
            names={person.login: person.name for person in people},
            at=now,
        )
