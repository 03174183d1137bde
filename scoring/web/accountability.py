"""责任追究 at the desk: the list, a record by the office's head, a page to print."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from scoring.accountability import BadRecord, NewRecord, RecordFault, record
from scoring.decisions import Measure
from scoring.models_decisions import Accountability
from scoring.queries import Scope, units
from scoring.queries_decisions import read_records
from scoring.queries_item import read_evidence
from scoring.web import words_decisions
from scoring.web.context import chosen, deps, scope
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.uploads import sent_files, takes_files

pages = Blueprint("accountability", __name__)


@pages.get("/accountability")
@needs(Permission.SEE_ACCOUNTABILITY)
def show() -> str:
    return _list(None)


@pages.post("/accountability")
@needs(Permission.RECORD_ACCOUNTABILITY)
@takes_files
def add() -> Response | tuple[str, int]:
    form = request.form
    try:
        measure = Measure(form.get("measure", ""))
    except ValueError:
        abort(400)
    wanted = NewRecord(
        measure,
        form.get("unit", "").strip()[:32],
        _day(form.get("on_day", "")),
        form.get("reason", ""),
        form.get("case", "").strip()[:64],
        sent_files(),
    )
    now = deps().now()
    try:
        made = record(deps().writer, wanted, current_user.login, now, now.astimezone(deps().zone).date())
    except BadRecord as error:
        return _list(error.fault), 400
    flash(_("已记录。记录不能更改或删除。"))
    return redirect(url_for("accountability.one", record_id=made), 303)


@pages.get("/accountability/<int:record_id>")
@needs(Permission.SEE_ACCOUNTABILITY)
def one(record_id: int) -> str:
    with deps().read_sessions() as session:
        row = session.get(Accountability, record_id) if record_id < 2**31 else None
        if row is None or not scope(session).covers(row.unit_id):
            abort(404)
        subject = f"accountability:{row.id}"
        return render_template(
            "accountability_one.html", row=row, files=read_evidence(session, subject), subject=subject
        )


def _list(fault: RecordFault | None) -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        return render_template(
            "accountability.html",
            page=read_records(session, bounds, wanted),
            chosen=wanted,
            units=units(session, bounds),
            everyone=units(session, Scope()),
            measures=Measure,
            fault=fault and words_decisions.RECORD_FAULTS[fault],
            given=request.form,
            today=f"{deps().now().astimezone(deps().zone):%Y-%m-%d}",
        )


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None
