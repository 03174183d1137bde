"""异议 at the desk: the list, a unit's lines that it may object to, the words of those who decide."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from scoring.decisions import Decision, ObjectionKind
from scoring.models_decisions import Objection
from scoring.objections import (
    BadObjection,
    NewObjection,
    ObjectionFault,
    ObjectionMoved,
    decide_objection,
    may_object,
    object_to,
    own_fault,
)
from scoring.queries import subtree, units
from scoring.queries_decisions import case_numbers, lines_of, read_objections, words_on
from scoring.queries_item import read_evidence
from scoring.web import words_decisions
from scoring.web.context import chosen, deps, may, scope, this_month
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.uploads import sent_files, takes_files

pages = Blueprint("objections", __name__)


@pages.get("/objections")
@needs(Permission.SEE_APPEALS)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        page = read_objections(session, bounds, wanted)
        numbers = case_numbers(session, [row.subject for row in page.rows])
        return render_template(
            "objections.html", page=page, chosen=wanted, units=units(session, bounds), numbers=numbers
        )


@pages.get("/objections/lines")
@needs(Permission.OBJECT)
def lines() -> str:
    """The lines of a month that took something from the reader's unit."""
    now = deps().now()
    month = chosen().month or this_month()
    with deps().read_sessions() as session:
        found = lines_of(session, scope(session), current_user.unit_id or 0, month)
        heard = may_object(session, month, now)
        return render_template("objection_lines.html", lines=found, month=month, heard=heard)


@pages.get("/objections/new")
@needs(Permission.OBJECT)
def new() -> str:
    return _form(request.args.get("kind", ""), request.args.get("subject", ""), None)


@pages.post("/objections/new")
@needs(Permission.OBJECT)
@takes_files
def add() -> Response | tuple[str, int]:
    form = request.form
    kind, subject = form.get("kind", ""), form.get("subject", "")[:80]
    wanted = NewObjection(_kind(kind), subject, form.get("reason", ""), sent_files())
    with deps().read_sessions() as session:
        own = subtree(session, current_user.unit_id) if current_user.unit_id is not None else frozenset()
    try:
        made = object_to(deps().writer, wanted, own, current_user.login, deps().now())
    except BadObjection as error:
        if error.fault is ObjectionFault.LINE:
            abort(404)
        return _form(kind, subject, error.fault), 400
    flash(_("异议已提交，由联动办两个人决定。"))
    return redirect(url_for("objections.one", objection_id=made), 303)


@pages.get("/objections/<int:objection_id>")
@needs(Permission.SEE_APPEALS)
def one(objection_id: int) -> str:
    return _one(objection_id, "")


@pages.post("/objections/<int:objection_id>")
@needs(Permission.DECIDE)
def settle(objection_id: int) -> Response | tuple[str, int]:
    form = request.form
    answer, seen = form.get("answer", ""), form.get("seen", "")
    if answer not in ("uphold", "reject") or seen not in ("0", "1", "2"):
        abort(400)
    with deps().read_sessions() as session:
        _row_or_404(session, objection_id)
    uphold, by = answer == "uphold", current_user.login
    try:
        reason, now = form.get("reason", ""), deps().now()
        decide_objection(deps().writer, objection_id, uphold, reason, by, now, int(seen))
    except ObjectionMoved:
        said = _("在此期间别人已经作了决定，您的决定没有记入。请看下面现在的情况，再作决定。")
        return _one(objection_id, said), 409
    except BadObjection as error:
        return _one(objection_id, str(words_decisions.OBJECTION_FAULTS[error.fault])), 400
    flash(_("决定已记入。"))
    return redirect(url_for("objections.one", objection_id=objection_id), 303)


def _kind(given: str) -> ObjectionKind:
    try:
        return ObjectionKind(given)
    except ValueError:
        abort(400)


def _form(kind: str, subject: str, fault: ObjectionFault | None) -> str:
    with deps().read_sessions() as session:
        return render_template(
            "objection_new.html",
            kind=_kind(kind),
            subject=subject,
            number=_number(session, subject),
            reason=request.form.get("reason", ""),
            fault=fault and words_decisions.OBJECTION_FAULTS[fault],
        )


def _number(session: Session, subject: str) -> str:
    """The case of a line; only of a line that there is in this form."""
    return case_numbers(session, [subject]).get(subject, "")


def _one(objection_id: int, fault: str) -> str:
    with deps().read_sessions() as session:
        row = _row_or_404(session, objection_id)
        said = words_on(session, row.id)
        subject = f"objection:{row.id}"
        spoken = current_user.login in (word.by for word in said)
        waits = may(Permission.DECIDE) and row.state is Decision.PROPOSED and not spoken
        own = own_fault(session, row, current_user.login) if waits else None
        return render_template(
            "objection.html",
            row=row,
            said=said,
            number=_number(session, row.subject),
            files=read_evidence(session, subject),
            subject=subject,
            decides=waits and own is None,
            own=own and words_decisions.OBJECTION_FAULTS[own],
            fault=fault,
            given=request.form,
        )


def _row_or_404(session: Session, objection_id: int) -> Objection:
    row = session.get(Objection, objection_id) if objection_id < 2**31 else None
    if row is None or not scope(session).covers(row.unit_id):
        abort(404)
    return row
