"""Alarms: what is wrong, of what, since when, who has seen it. Every page's banner counts the open ones."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from callbacks.alarms import acknowledge_alarm
from scoring.queries_alarms import MOST, OpenAlarms, count_open, read_open, read_seen
from scoring.queries_trunks import read_trunks
from scoring.web.context import chosen, deps, may, scope
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("alarms", __name__)


@pages.get("/alarms")
@needs(Permission.SEE_WATCH)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        return render_template(
            "alarms.html",
            waiting=read_open(session, bounds),
            open=count_open(session),
            most=MOST,
            page=read_seen(session, bounds, wanted),
            chosen=wanted,
            trunks=read_trunks(session),
            at=deps().now(),
        )


@pages.post("/alarms/<int:alarm_id>/acknowledge")
@needs(Permission.ACKNOWLEDGE_ALARMS)
def acknowledge(alarm_id: int) -> Response:
    login, now = current_user.login, deps().now()
    was_open = alarm_id < 2**31 and deps().writer.run(
        lambda session: acknowledge_alarm(session, alarm_id, login, now)
    )
    flash(_("已确认。") if was_open else _("此告警已经有人确认。"))
    page = "overview.show" if request.form.get("from") == "overview" else "alarms.show"
    return redirect(url_for(page), 303)


def open_alarms() -> OpenAlarms:
    """For the banner of every page; asked once a request. Nothing for those who don't watch."""
    if "open_alarms" not in g:
        g.open_alarms = OpenAlarms()
        if may(Permission.SEE_WATCH):
            try:
                with deps().read_sessions() as session:
                    g.open_alarms = count_open(session)
            except DBAPIError:
                pass  # an error's page says so already, and has this banner too
    found: OpenAlarms = g.open_alarms
    return found
