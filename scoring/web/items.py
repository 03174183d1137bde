"""An item's own page: the citizen's words beside the unit's reply, its clock, its steps, its papers."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask_login import current_user

from callbacks.days import day_of
from scoring.item_rules import LONGEST_REASON, Party, acts_of
from scoring.item_states import ItemTrigger
from scoring.items import view_of_item
from scoring.models_items import DissatisfactionItem, Evidence
from scoring.queries import Scope, UnitRow, unit_row, units
from scoring.queries_dissatisfaction import these_items
from scoring.queries_item import ItemStory, StepRow, read_item_story
from scoring.web import item_words
from scoring.web.context import deps, may, scope
from scoring.web.downloads import send_evidence
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
    _story_or_404(item_id)
    with deps().sessions.begin() as session:
        file = session.get(Evidence, evidence_id) if evidence_id < _LARGEST else None
        if file is None or file.subject != f"item:{item_id}":
            abort(404)
        return send_evidence(session, file)


def item_page(item_id: int, *, fault: str = "", seen: int | None = None) -> str:
    """The page; after a refusal with why, with what was typed, and with who did what since `seen`."""
    story, unit = _story_or_404(item_id)
    party = _party()
    with deps().read_sessions() as session:
        view = view_of_item(session, session.get_one(DissatisfactionItem, item_id))
        choices = units(session, Scope()) if party is Party.OFFICE else ()
    now, windows = deps().now(), deps().writer.policy.windows
    acts = list(acts_of(party, view, now, deps().items, windows)) if party else []
    if not story.asks_time:
        acts = [act for act in acts if act is not ItemTrigger.REFUSE_TIME]
    appeal = story.appeal
    undecided = appeal is not None and appeal.upheld is None
    decides = undecided and all(word.by != current_user.login for word in story.decisions)
    return render_template(
        "item.html",
        story=story,
        unit=unit,
        days=_by_day(story.row.opened_at, story.steps),
        acts=acts,
        action=_action(item_id, party),
        decides=decides and may(Permission.DECIDE),
        units=choices,
        fault=fault,
        since=() if seen is None else story.since(seen),
        given=request.form if fault else {},
        longest=LONGEST_REASON,
        words=item_words,
        at=now,
    )


def must_see(item_id: int) -> None:
    """404 where there is no such item, or not for this reader."""
    with deps().read_sessions() as session:
        if item_id >= _LARGEST or not these_items(session, scope(session), (item_id,)):
            abort(404)


def _party() -> Party | None:
    """For whom the reader acts; None: only reads."""
    if may(Permission.WORK_ITEMS):
        return Party.OFFICE
    return Party.UNIT if may(Permission.HANDLE_ITEMS) else None


def _action(item_id: int, party: Party | None) -> str:
    endpoint = "item_acts.handle" if party is Party.UNIT else "item_acts.work"
    return url_for(endpoint, item_id=item_id)


def _story_or_404(item_id: int) -> tuple[ItemStory, UnitRow]:
    with deps().read_sessions() as session:
        story = read_item_story(session, scope(session), item_id) if item_id < _LARGEST else None
        if story is None:
            abort(404)
        return story, unit_row(story.item.unit)


def _by_day(listed: datetime, steps: tuple[StepRow, ...]) -> list[tuple[str, list[StepRow]]]:
    """The steps by the office's days; the first day is that on which it was listed."""
    found: dict[str, list[StepRow]] = {_day(listed): []}
    for step in steps:
        found.setdefault(_day(step.at), []).append(step)
    return list(found.items())


def _day(at: datetime) -> str:
    return day_of(at, deps().policy.windows.timezone).isoformat()
