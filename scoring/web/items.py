"""An item's own page: the citizen's words beside the unit's reply, its clock, its steps, its papers."""

from __future__ import annotations

from itertools import groupby

from flask import Blueprint, Response, abort, render_template
from flask_login import current_user

from callbacks.service.core import audit
from scoring.models_items import Evidence
from scoring.queries import UnitRow, unit_row
from scoring.queries_item import ItemStory, StepRow, read_item_story
from scoring.web import item_words
from scoring.web.context import deps, scope
from scoring.web.permissions import Permission, needs

pages = Blueprint("items", __name__)

_LARGEST = 2**31


@pages.get("/dissatisfaction/<int:item_id>")
@needs(Permission.SEE_DISSATISFACTION)
def show(item_id: int) -> str:
    return item_page(item_id)


@pages.get("/dissatisfaction/<int:item_id>/notice/<any(supervision, rectification):kind>")
@needs(Permission.WORK_ITEMS)
def notice(item_id: int, kind: str) -> str:
    """督办通知单 or 整改通知单: a page to print, without the citizen's number."""
    story, unit = _story_or_404(item_id)
    return render_template(
        "item_notice.html", story=story, unit=unit, kind=kind, words=item_words, at=deps().now()
    )


@pages.get("/dissatisfaction/<int:item_id>/evidence/<int:evidence_id>")
@needs(Permission.SEE_DISSATISFACTION)
def evidence(item_id: int, evidence_id: int) -> Response:
    """A file of the item, always to be saved and never shown: what was uploaded isn't ours. In the audit."""
    _story_or_404(item_id)
    with deps().sessions.begin() as session:
        file = session.get(Evidence, evidence_id) if evidence_id < _LARGEST else None
        if file is None or file.subject != f"item:{item_id}":
            abort(404)
        detail = {"sha256": file.sha256, "name": file.name}
        audit(session, deps().now(), current_user.login, "evidence", file.subject, **detail)
        response = Response(file.content, mimetype="application/octet-stream")
        response.headers.set("Content-Disposition", "attachment", filename=file.name)
    return response


def item_page(item_id: int) -> str:
    story, unit = _story_or_404(item_id)
    return render_template(
        "item.html", story=story, unit=unit, days=_by_day(story.steps), words=item_words, at=deps().now()
    )


def _story_or_404(item_id: int) -> tuple[ItemStory, UnitRow]:
    with deps().read_sessions() as session:
        story = read_item_story(session, scope(session), item_id) if item_id < _LARGEST else None
        if story is None:
            abort(404)
        return story, unit_row(story.item.unit)


def _by_day(steps: tuple[StepRow, ...]) -> list[tuple[str, list[StepRow]]]:
    """The steps by the office's days."""
    days = groupby(steps, key=lambda step: f"{step.at.astimezone(deps().zone):%Y-%m-%d}")
    return [(day, list(found)) for day, found in days]
