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
    now = deps().now()
    with deps().read_sessions() as session:
        rows = read_hard_cases(session, scope(session))
    return render_template("hard_cases.html", rows=rows, today=now.astimezone(deps().zone).date(), at=now)


@pages.get("/appeals")
@needs(Permission.SEE_APPEALS)
def appeals() -> str:
    """Those that wait; `stage=ended`: those that were decided."""
    decided = chosen().stage is Stage.ENDED
    with deps().read_sessions() as session:
        rows = read_appeals(session, scope(session), decided=decided)
    return render_template(
        "appeals.html",
        rows=rows,
        decided=decided,
        login=current_user.login,
        words=item_words,
        at=deps().now(),
    )
