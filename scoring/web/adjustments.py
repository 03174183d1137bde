"""扣分 and 加分 at the desk: the list, a proposal with its evidence, a second person's decision."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from scoring.adjustments import (
    AdjustmentDecided,
    AdjustmentFault,
    BadAdjustment,
    NewAdjustment,
    decide,
    propose,
)
from scoring.decisions import AdjustmentKind
from scoring.models_decisions import Adjustment
from scoring.queries import Scope, units
from scoring.queries_decisions import read_adjustments
from scoring.queries_item import read_evidence
from scoring.web import words_decisions
from scoring.web.context import chosen, deps, scope
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.present import month_span
from scoring.web.uploads import sent_files, takes_files

pages = Blueprint("adjustments", __name__)


@pages.get("/adjustments")
@needs(Permission.SEE_ADJUSTMENTS)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        span = month_span(wanted.month, deps().zone) if wanted.month else None
        page = read_adjustments(session, bounds, wanted, span)
        return render_template(
            "adjustments.html", page=page, chosen=wanted, units=units(session, bounds), kinds=AdjustmentKind
        )


@pages.get("/adjustments/new")
@needs(Permission.PROPOSE_ADJUSTMENTS)
def new() -> str:
    return _form(None)


@pages.post("/adjustments/new")
@needs(Permission.PROPOSE_ADJUSTMENTS)
@takes_files
def add() -> Response | tuple[str, int]:
    form = request.form
    try:
        kind = AdjustmentKind(form.get("kind", ""))
    except ValueError:
        abort(400)
    wanted = NewAdjustment(
        kind,
        form.get("reason", ""),
        case=form.get("case", "").strip()[:64],
        unit=form.get("unit", "").strip()[:32],
        files=sent_files(),
    )
    try:
        made = propose(deps().writer, deps().scoring.adjustments, wanted, current_user.login, deps().now())
    except BadAdjustment as error:
        return _form(error.fault), 400
    flash(_("已提出，等第二个人决定。"))
    return redirect(url_for("adjustments.one", adjustment_id=made), 303)


@pages.get("/adjustments/<int:adjustment_id>")
@needs(Permission.SEE_ADJUSTMENTS)
def one(adjustment_id: int) -> str:
    return _one(adjustment_id, "")


@pages.post("/adjustments/<int:adjustment_id>")
@needs(Permission.DECIDE)
def settle(adjustment_id: int) -> Response | tuple[str, int]:
    answer = request.form.get("answer", "")
    if answer not in ("approve", "reject"):
        abort(400)
    with deps().read_sessions() as session:
        _row_or_404(session, adjustment_id)
    zone, now = deps().policy.windows.timezone, deps().now()
    reason = request.form.get("reason", "")
    try:
        decide(deps().writer, zone, adjustment_id, answer == "approve", reason, current_user.login, now)
    except AdjustmentDecided as error:
        said = _("%(who)s 已经先作了决定，您的决定没有记入。下面是现在的情况。", who=error.by)
        return _one(adjustment_id, said), 409
    except BadAdjustment as error:
        return _one(adjustment_id, str(words_decisions.ADJUSTMENT_FAULTS[error.fault])), 400
    flash(_("决定已记入。"))
    return redirect(url_for("adjustments.one", adjustment_id=adjustment_id), 303)


def _form(fault: AdjustmentFault | None) -> str:
    with deps().read_sessions() as session:
        return render_template(
            "adjustment_new.html",
            given=request.form if request.method == "POST" else request.args,
            fault=fault and words_decisions.ADJUSTMENT_FAULTS[fault],
            kinds=AdjustmentKind,
            points=deps().scoring.adjustments,
            units=units(session, Scope()),
        )


def _one(adjustment_id: int, fault: str) -> str:
    with deps().read_sessions() as session:
        row = _row_or_404(session, adjustment_id)
        subject = f"adjustment:{row.id}"
        return render_template(
            "adjustment.html",
            row=row,
            files=read_evidence(session, subject),
            subject=subject,
            fault=fault,
            given=request.form,
        )


def _row_or_404(session: Session, adjustment_id: int) -> Adjustment:
    row = session.get(Adjustment, adjustment_id) if adjustment_id < 2**31 else None
    if row is None or not scope(session).covers(row.unit_id):
        abort(404)
    return row
