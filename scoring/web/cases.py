"""Finding cases, the lists behind the counts, and the case story."""

from __future__ import annotations

from itertools import groupby

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from callbacks.numbers import LANDLINE, MOBILE, normalise
from scoring.queries import units
from scoring.queries_cases import read_callbacks, read_cases
from scoring.queries_nodes import nodes_of
from scoring.queries_story import Event, Story, read_story
from scoring.web.context import chosen, deps, may, scope, times
from scoring.web.permissions import Permission, needs

pages = Blueprint("cases", __name__)


@pages.get("/cases")
@needs(Permission.SEE_CASES)
def search() -> str | Response:
    wanted = chosen()
    index = _index_of(wanted.q)
    if index is not None:
        return redirect(url_for("cases.search", phone=index))
    with deps().read_sessions() as session:
        bounds = scope(session)
        page = read_cases(session, bounds, wanted)
        choices = units(session, bounds, wanted.group)
    return render_template("cases.html", page=page, chosen=wanted, units=choices)


@pages.post("/cases")
@needs(Permission.SEE_CASES)
def find() -> Response:
    """A search is posted, so that a citizen's number never stands in an address or an access log."""
    q = request.form.get("q", "").strip()[:80]
    index = _index_of(q)
    found = url_for("cases.search", phone=index) if index else url_for("cases.search", q=q)
    return redirect(found, 303)


def _index_of(q: str) -> str | None:
    """The keyed index of a whole telephone number, for readers who may find by one."""
    if not may(Permission.SEE_NUMBERS):
        return None
    number = normalise(q, deps().office.area_code)
    whole = MOBILE.fullmatch(number) or LANDLINE.fullmatch(number)
    return deps().privacy.index(number) if whole else None


@pages.get("/cases/<path:number>")
@needs(Permission.SEE_CASES)
def story(number: str) -> str:
    if not number.isprintable():  # PostgreSQL takes no NUL
        abort(404)
    with deps().read_sessions() as session:
        bounds = scope(session)
        found = read_story(session, bounds, number)
        if found is None:
            abort(404)
        nodes = nodes_of(session, bounds, found.case, deps().scoring.sign_within)
    return render_template("case.html", story=found, nodes=nodes, days=by_day(found), at=deps().now())


def by_day(story: Story) -> list[tuple[str, list[Event]]]:
    """The story's events by the office's days."""
    days = groupby(story.events, key=lambda event: f"{event.at.astimezone(deps().zone):%Y-%m-%d}")
    return [(day, list(events)) for day, events in days]


@pages.get("/callbacks")
@needs(Permission.SEE_CASES)
def callbacks() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        page = read_callbacks(session, bounds, wanted, times(wanted.month))
        choices = units(session, bounds, wanted.group)
    return render_template("callbacks.html", page=page, chosen=wanted, units=choices, at=deps().now())
