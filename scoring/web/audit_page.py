"""The audit: who did what, the chain's head, and what its last verification came to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from callbacks.audit_verify import count_waiting, last_link
from callbacks.service.audit_checks import check_audit, last_check
from scoring.queries_audit import AuditRow, actions, read_audit
from scoring.queries_filter import Filter
from scoring.web import words_audit
from scoring.web.context import chosen, deps
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.present import mask_text

pages = Blueprint("audit", __name__)

_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
NEWEST = 2_000  # links that a reader's button verifies: the clock does them all at night


@pages.get("/audit")
@needs(Permission.SEE_AUDIT)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        links, head = last_link(session)
        return render_template(
            "audit.html",
            page=read_audit(session, wanted, deps().zone),
            chosen=wanted,
            actions=actions(session),
            check=last_check(session),
            links=links,
            head=head,
            waiting=count_waiting(session),
            wa=words_audit,
            said=said_of,
            newest=NEWEST,
        )


@pages.post("/audit/verify")
@needs(Permission.SEE_AUDIT)
def verify() -> Response:
    """The newest links now; what it came to is a line of the audit, and an alarm where it's broken."""
    verdict = check_audit(
        deps().writer, deps().read_sessions, current_user.login, deps().now(), newest=NEWEST
    )
    if verdict.fault is None:
        flash(_("已核对最近%(n)s条，没有改动。", n=verdict.verified))
    return redirect(url_for("audit.show"), 303)


@listed(pages, "/audit", Permission.SEE_AUDIT, "export")
def export(session: Session, chosen: Filter) -> Listing[AuditRow]:
    """The lines of the page's filter, each with its link's number."""
    columns: list[Column[AuditRow]] = [
        Column(_("编号"), lambda row: row.id),
        Column(_("链上序号"), lambda row: row.seq),
        Column(_("时间"), lambda row: row.at),
        Column(_("操作人"), lambda row: row.actor),
        Column(_("操作"), lambda row: words_audit.action(row.action)),
        Column(_("对象"), lambda row: mask_text(row.subject)),
        Column(_("内容"), lambda row: said_of(row.detail)),
    ]
    zone = deps().zone
    rows = every(lambda at: read_audit(session, at, zone), chosen)
    return Listing("audit", _("审计"), columns, rows, chosen, chosen.day or chosen.month)


def said_of(detail: Mapping[str, Any]) -> str:
    """A line's details as they are stored, numbers masked; what is empty is left out."""
    told = {key: value for key, value in detail.items() if value not in (None, "", {}, [])}
    return "; ".join(f"{key}: {_told(value)}" for key, value in told.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told(value: Any) -> str:
    """A hash is told by its beginning: it's no telephone number, and long."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return f"{value[:12]}…"
    return mask_text(_plain(value))
