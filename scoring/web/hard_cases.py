"""疑难件 and 申诉: what waits for a joint meeting, and what waits for two deciders."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user

from scoring.queries_decisions_list import read_appeals, read_hard_cases
from scoring.queries_filter import Stage
from scoring.web import item_words
from scoring.web.context import chosen, deps, scope
from scoring.web.permissions import Permission, needs

pages = Blueprint("hard_cases", __name__)


@pages.get("/hard-cases")
@needs(Permission.SEE_DISSATISFACTION)
def show() -> str:
    now, wanted = deps().now(), chosen()
    with deps().read_sessions() as session:
        page = read_hard_cases(session, scope(session), wanted)
    today = now.astimezone(deps().zone).date()
    return render_template("hard_cases.html", page=page, chosen=wanted, today=today, at=now)


@pages.get("/appeals")
@needs(Permission.SEE_APPEALS)
def appeals() -> str:
    """Those that wait; `stage=ended`: those that were decided."""
    wanted = chosen()
    with deps().read_sessions() as session:
        page = read_appeals(session, scope(session), wanted)
    return render_template(
        "appeals.html",
        page=page,
        chosen=wanted,
        decided=wanted.stage is Stage.ENDED,
        login=current_user.login,
        words=item_words,
        at=deps().now(),
    )
