"""Pauses: what is held back, by whom and why; a new one is looked at again before it holds."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from callbacks.models_office import Pause, PauseScope
from callbacks.service.pauses import (
    BadPause,
    NewPause,
    PauseFault,
    add_pause,
    held_back,
    in_force,
    lift_pause,
    list_pauses,
)
from scoring.queries import Scope, units
from scoring.queries_agents import open_categories
from scoring.queries_pauses import read_past_pauses
from scoring.web import words
from scoring.web.context import chosen, deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("pauses", __name__)

_LOCAL = "%Y-%m-%dT%H:%M"  # what `datetime-local` sends: minutes of the office's clock


@pages.get("/pauses")
@needs(Permission.SEE_PAUSES)
def show() -> str:
    return _page(NewPause(PauseScope.ALL, ""), "", None)


@pages.post("/pauses/check")
@needs(Permission.SET_PAUSES)
def check() -> str | tuple[str, int]:
    """What it would hold back, before it holds: the form's next page says it and asks."""
    try:
        wanted, until = _wanted(), request.form.get("until", "")
        with deps().read_sessions() as session:
            number = held_back(deps().writer, session, wanted, deps().now())
            names = {unit.code: unit for unit in units(session, Scope())}
    except BadPause as error:
        return _refused(error)
    return render_template(
        "pause_check.html", wanted=wanted, until=until, number=number, unit=names.get(wanted.unit)
    )


@pages.post("/pauses")
@needs(Permission.SET_PAUSES)
def add() -> Response | tuple[str, int]:
    try:
        add_pause(deps().writer, _wanted(), current_user.login, deps().now())
    except BadPause as error:
        return _refused(error)
    flash(_("已暂停。正在进行的通话不受影响，之后不再开始新的。"))
    return redirect(url_for("pauses.show"), 303)


@pages.get("/pauses/<int:pause_id>/lift")
@needs(Permission.SET_PAUSES)
def ask_lift(pause_id: int) -> str:
    with deps().read_sessions() as session:
        return render_template("pause_lift.html", pause=_pause_or_404(session, pause_id))


@pages.post("/pauses/<int:pause_id>/lift")
@needs(Permission.SET_PAUSES)
def lift(pause_id: int) -> Response:
    if lift_pause(deps().writer, pause_id, current_user.login, deps().now()):
        flash(_("已恢复。等待的回访马上重新检查，按呼叫时段和上限进行。"))
    else:
        flash(_("此暂停已经结束，没有更改。"))
    return redirect(url_for("pauses.show"), 303)


def _page(wanted: NewPause, until: str, fault: PauseFault | None) -> str:
    now = deps().now()
    with deps().read_sessions() as session:
        holding = list_pauses(session, now)
        return render_template(
            "pauses.html",
            holding=holding,
            page=read_past_pauses(session, chosen(), now),
            chosen=chosen(),
            wanted=wanted,
            until=until,
            soonest=now.astimezone(deps().zone).strftime(_LOCAL),
            fault=fault and words.PAUSE_FAULTS[fault],
            fault_at=fault,
            units=units(session, Scope()),
            categories=open_categories(session),
            scopes=PauseScope,
        )


def _refused(error: BadPause) -> tuple[str, int]:
    """The form as it was filled in, with the reason beside its field."""
    form = request.form
    filled = NewPause(
        scope=_scope(),
        reason=form.get("reason", "")[:400],
        unit=form.get("unit", ""),
        category=form.get("category", ""),
        number=form.get("number", "")[:40],
    )
    return _page(filled, form.get("until", ""), error.fault), 400


def _wanted() -> NewPause:
    form = request.form
    return NewPause(
        scope=_scope(),
        reason=form.get("reason", ""),
        until=_until(form.get("until", "")),
        unit=form.get("unit", ""),
        category=form.get("category", ""),
        number=form.get("number", "")[:40],
    )


def _scope() -> PauseScope:
    try:
        return PauseScope(request.form.get("scope", ""))
    except ValueError:
        abort(400)


def _until(given: str) -> datetime | None:
    if not given:
        return None
    try:
        return datetime.strptime(given, _LOCAL).replace(tzinfo=deps().zone)
    except ValueError:
        raise BadPause(PauseFault.UNTIL) from None


def _pause_or_404(session: Session, pause_id: int) -> Pause:
    pause = session.get(Pause, pause_id) if pause_id < 2**31 else None
    if pause is None or not in_force(pause, deps().now()):
        abort(404)
    return pause
