"""The tree of units: what hangs on each; an administrator adds and changes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from callbacks.models import Unit
from callbacks.service.core import find_unit
from callbacks.service.units import (
    BadUnit,
    StaleUnit,
    UnitFault,
    UnitWords,
    add_unit,
    change_unit,
    stamp,
    subject_of,
)
from callbacks.vocabulary import UnitGroup, UnitLevel
from scoring.queries import Scope, units
from scoring.queries_audit import deeds_on
from scoring.queries_units import read_tree
from scoring.web import words_audit, words_settings
from scoring.web.audit_page import said_of
from scoring.web.context import chosen, deps, scope
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("units", __name__)

_DEEDS = 20


@dataclass(frozen=True, slots=True)
class Given:
    """What a form says of a unit; `last_day` as it was typed."""

    name: str = ""
    name_en: str = ""
    parent: str = ""
    last_day: str = ""
    code: str = ""
    group: UnitGroup = UnitGroup.COUNTY
    level: UnitLevel = UnitLevel.TOWNSHIP


@pages.get("/units")
@needs(Permission.SEE_UNITS)
def show() -> str:
    return _tree(Given(), None)


@pages.post("/units")
@needs(Permission.CHANGE_UNITS)
def add() -> Response | tuple[str, int]:
    given = _given(request.form.get("code", "").strip()[:40])
    try:
        group, level = UnitGroup(request.form.get("group", "")), UnitLevel(request.form.get("level", ""))
    except ValueError:
        abort(400)
    given = Given(given.name, given.name_en, given.parent, given.last_day, given.code, group, level)
    try:
        add_unit(deps().writer, given.code, group, level, _words(given), current_user.login, deps().now())
    except BadUnit as error:
        return _tree(given, error.fault), 400
    flash(_("已新增单位。"))
    return redirect(url_for("units.edit", code=given.code), 303)


@pages.get("/units/<code>/edit")
@needs(Permission.CHANGE_UNITS)
def edit(code: str) -> str:
    return _one(code)


@pages.post("/units/<code>/edit")
@needs(Permission.CHANGE_UNITS)
def change(code: str) -> Response | tuple[str, int]:
    given, seen = _given(code), request.form.get("seen", "")[:16]
    try:
        change_unit(deps().writer, code, seen, _words(given), current_user.login, deps().now())
    except BadUnit as error:
        return _one(code, given, error.fault), 400
    except StaleUnit:
        return _one(code, given, stale=True), 409
    flash(_("已保存，马上生效。"))
    return redirect(url_for("units.edit", code=code), 303)


def _tree(given: Given, fault: UnitFault | None) -> str:
    with deps().read_sessions() as session:
        return render_template(
            "units.html",
            rows=read_tree(session, scope(session), chosen().group),
            chosen=chosen(),
            parents=units(session, Scope()),
            groups=UnitGroup,
            levels=words_settings.LEVELS,
            given=given,
            fault=fault and words_settings.UNIT_FAULTS[fault],
            fault_at=fault,
            now=deps().now(),
            a_day=timedelta(days=1),
        )


def _one(
    code: str, given: Given | None = None, fault: UnitFault | None = None, *, stale: bool = False
) -> str:
    with deps().read_sessions() as session:
        unit = find_unit(session, code)
        if unit is None:
            abort(404)
        every = units(session, Scope())
        return render_template(
            "unit_edit.html",
            unit=unit,
            given=given or _as_it_is(unit, {each.id: each.code for each in every}),
            seen=stamp(unit),
            parents=every,
            levels=words_settings.LEVELS,
            deeds=deeds_on(session, subject_of(code), _DEEDS),
            fault=fault and words_settings.UNIT_FAULTS[fault],
            fault_at=fault,
            stale=stale,
            wa=words_audit,
            said=said_of,
        )


def _as_it_is(unit: Unit, codes: dict[int, str]) -> Given:
    last = (
        ""
        if unit.valid_to is None
        else f"{(unit.valid_to - timedelta(days=1)).astimezone(deps().zone):%Y-%m-%d}"
    )
    parent = "" if unit.parent_id is None else codes.get(unit.parent_id, "")
    return Given(unit.name, unit.name_en, parent, last, unit.code, unit.group, unit.level)


def _given(code: str) -> Given:
    form = request.form
    return Given(
        form.get("name", "")[:200],
        form.get("name_en", "")[:200],
        form.get("parent", "")[:32],
        form.get("last_day", "")[:10],
        code,
    )


def _words(given: Given) -> UnitWords:
    try:
        last = date.fromisoformat(given.last_day) if given.last_day else None
    except ValueError:
        raise BadUnit(UnitFault.VALID_TO) from None
    return UnitWords(given.name, given.name_en, given.parent, last)
