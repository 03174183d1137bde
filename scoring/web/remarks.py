"""Remarks of the discipline inspector: signed on the page of what they are about."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, abort, flash, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from scoring.models_decisions import Remark
from scoring.remarks import BadRemark, remarks_of, sign_remark
from scoring.web.auth import inside
from scoring.web.context import deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("remarks", __name__)


@pages.post("/remarks")
@needs(Permission.SIGN_REMARKS)
def sign() -> Response:
    form = request.form
    try:
        body = form.get("body", "")
        sign_remark(deps().writer, form.get("subject", "")[:80], body, current_user.login, deps().now())
    except BadRemark:
        abort(400)
    flash(_("意见已签署。意见不能更改或删除。"))
    return redirect(inside(form.get("next", "")), 303)


def remarks_on(subject: str) -> Sequence[Remark]:
    """For templates: what was signed on a subject."""
    with deps().read_sessions() as session:
        return remarks_of(session, subject)
