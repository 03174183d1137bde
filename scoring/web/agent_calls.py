"""Click to call on the agents' page: ask for a call of a number, give one up."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from callbacks.service.agent_calls import Asked, ask_for_call, cancel_call
from callbacks.service.agents import Told
from scoring.queries_agents import read_item
from scoring.web.agents import said_of_refusal
from scoring.web.call_words import REASONS
from scoring.web.context import deps, scope
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("agent_calls", __name__)

_LARGEST = 2**31


@pages.post("/agents/<int:callback_id>/call/<int:phone_id>")
@needs(Permission.WORK_AGENT_QUEUE)
def call(callback_id: int, phone_id: int) -> Response:
    """Rings the agent's telephone, which the form names, then the citizen's."""
    _must_see(callback_id)
    asked = ask_for_call(
        deps().writer,
        callback_id,
        phone_id if phone_id < _LARGEST else 0,
        current_user.login,
        request.form.get("telephone", ""),
        deps().now(),
        deps().targets,
    )
    if said := _refusal(asked):
        flash(said)
    return redirect(url_for("agents.item", callback_id=callback_id), 303)


@pages.post("/agents/<int:callback_id>/call/cancel")
@needs(Permission.WORK_AGENT_QUEUE)
def cancel(callback_id: int) -> Response:
    _must_see(callback_id)
    if not cancel_call(deps().writer, callback_id, current_user.login, deps().now()):
        flash(_("呼叫已经结束。"))
    return redirect(url_for("agents.item", callback_id=callback_id), 303)


def _must_see(callback_id: int) -> None:
    with deps().read_sessions() as session:
        if callback_id >= _LARGEST or read_item(session, scope(session), callback_id) is None:
            abort(404)


def _refusal(asked: Asked) -> str:
    if asked.result.told is not Told.DONE:
        return said_of_refusal(asked.result)
    if asked.why is None:
        return ""
    why = str(REASONS[asked.why])
    if asked.until is None:
        return _("没有呼叫：%(why)s。", why=why)
    until = f"{asked.until.astimezone(deps().zone):%m-%d %H:%M}"
    return _("没有呼叫：%(why)s。%(until)s之后可以再试。", why=why, until=until)
