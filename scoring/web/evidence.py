"""Files behind deductions, objections and accountability, to be saved; who took which is in the audit."""

from __future__ import annotations

from flask import Blueprint, Response, abort
from sqlalchemy import select
from sqlalchemy.orm import Session

from scoring.models_decisions import Accountability, Adjustment, Objection
from scoring.models_items import Evidence
from scoring.web.context import deps, scope
from scoring.web.downloads import send_evidence
from scoring.web.permissions import Permission, needs

pages = Blueprint("evidence", __name__)

_UNITS = {
    "adjustment": (Adjustment.id, Adjustment.unit_id),
    "objection": (Objection.id, Objection.unit_id),
    "accountability": (Accountability.id, Accountability.unit_id),
}


@pages.get("/evidence/<int:evidence_id>")
@needs(Permission.SEE_ADJUSTMENTS)
def save(evidence_id: int) -> Response:
    with deps().sessions.begin() as session:
        file = session.get(Evidence, evidence_id) if evidence_id < 2**31 else None
        if file is None or not _may_see(session, file.subject):
            abort(404)
        return send_evidence(session, file)


def _may_see(session: Session, subject: str) -> bool:
    """An item's files have their own page, and their own rule."""
    kind, _, name = subject.partition(":")
    if kind not in _UNITS:
        return False
    key, unit = _UNITS[kind]
    unit_id = session.scalar(select(unit).where(key == int(name)))
    return unit_id is not None and scope(session).covers(unit_id)
