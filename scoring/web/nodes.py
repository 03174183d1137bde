"""节点监控: who is late, who was urged, and when."""

from __future__ import annotations

from flask import Blueprint, render_template

from scoring.queries import units
from scoring.queries_nodes import RECENT, count_late, read_nodes
from scoring.web.context import chosen, deps, scope
from scoring.web.permissions import Permission, needs

pages = Blueprint("nodes", __name__)


@pages.get("/nodes")
@needs(Permission.SEE_NODES)
def show() -> str:
    wanted, now, sign_within = chosen(), deps().now(), deps().scoring.sign_within
    with deps().read_sessions() as session:
        bounds = scope(session)
        total, late = count_late(session, bounds, wanted, sign_within, now)
        return render_template(
            "nodes.html",
            page=read_nodes(session, bounds, wanted, sign_within, now),
            total=total,
            late=late,
            chosen=wanted,
            units=units(session, bounds, wanted.group),
            days=RECENT.days,
            at=now,
        )
