"""Who calls 110: who waits, who gave up and is to be rung back, how quickly people answer; a caller."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, send_from_directory, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from callbacks.service.inbound import mark_rung_back
from scoring.queries_inbound import (
    MOST,
    read_caller,
    read_calls,
    read_inbound,
    read_recorded,
    recorded_legs,
    waited,
)
from scoring.web.context import chosen, deps
from scoring.web.language import gettext as _
from scoring.web.listening import note_listening
from scoring.web.permissions import Permission, needs
from scoring.web.present import day_start

pages = Blueprint("inbound", __name__)


@pages.get("/inbound")
@needs(Permission.SEE_INBOUND)
def show() -> str:
    now, wanted = deps().now(), chosen()
    with deps().read_sessions() as session:
        return render_template(
            "inbound.html",
            page=read_inbound(session, day_start(now, deps().zone)),
            calls=read_calls(session, wanted),
            chosen=wanted,
            most=MOST,
            waited=waited,
            at=now,
        )


@pages.get("/inbound/<token>")
@needs(Permission.SEE_INBOUND)
def one(token: str) -> str:
    """What an operator's telephone opens as it rings: the INVITE's Call-Info names it (RFC 3261 §20.9)."""
    if not token.isprintable() or len(token) > 60:
        abort(404)
    with deps().read_sessions() as session:
        found = read_caller(session, token)
        if found is None:
            abort(404)
        recorded = recorded_legs(found.call, deps().recordings)
        brings_in = {} if found.call.ended_at else deps().transfers
        return render_template(
            "inbound_one.html",
            found=found,
            waited=waited,
            recorded=recorded,
            at=deps().now(),
            brings_in=brings_in,
        )


@pages.get("/inbound/<token>/<leg>.wav")
@needs(Permission.HEAR_MESSAGES)
def hear(token: str, leg: str) -> Response:
    """What was said on a leg of a call, the caller's being named as the call is."""
    folder = deps().recordings
    with deps().sessions.begin() as session:
        row = read_recorded(session, token, leg)
        if folder is None or row is None or row.recording is None:
            abort(404)
        response = send_from_directory(
            folder.absolute(), row.recording, mimetype="audio/wav", conditional=True, etag=False
        )
        note_listening(session, "hear_recording", f"inbound:{token}", leg=leg)
    return response


@pages.post("/inbound/<int:call_id>/rung-back")
@needs(Permission.RING_BACK)
def rung_back(call_id: int) -> Response:
    done = call_id < 2**31 and mark_rung_back(deps().writer, call_id, current_user.login, deps().now())
    flash(_("已登记回拨。") if done else _("此来电已有人回拨，或已接通。"))
    return redirect(url_for("inbound.show"), 303)
