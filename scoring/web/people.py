"""People: who may use the desk, as what, of which unit; and everybody's own password."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user, login_user
from werkzeug.wrappers import Response

from callbacks.vocabulary import Role
from scoring.models import User
from scoring.people import (
    BadPerson,
    PersonFault,
    StalePerson,
    add_person,
    change_own_password,
    change_person,
    give_password,
    stamp,
    subject_of,
    switch_person,
)
from scoring.queries import Scope, units
from scoring.queries_audit import deeds_on
from scoring.queries_people import person, read_people
from scoring.web import words_audit, words_settings
from scoring.web.audit_page import said_of
from scoring.web.context import DeskUser, chosen, deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("people", __name__)

_DEEDS = 20


@dataclass(frozen=True, slots=True)
class Given:
    """What a form says of a person."""

    login: str
    name: str
    role: Role
    unit: str


@pages.get("/people")
@needs(Permission.SEE_PEOPLE)
def show() -> str:
    return _list(Given("", "", Role.AGENT, ""), None)


@pages.post("/people")
@needs(Permission.CHANGE_PEOPLE)
def add() -> str | tuple[str, int]:
    given = _given(request.form.get("login", "").strip()[:80])
    try:
        user, password = add_person(
            deps().writer,
            given.login,
            given.name,
            given.role,
            given.unit,
            current_user.login,
            deps().now(),
        )
    except BadPerson as error:
        return _list(given, error.fault), 400
    return render_template("password.html", person=user, password=password, new=True)


@pages.get("/people/<login>")
@needs(Permission.SEE_PEOPLE)
def one(login: str) -> str:
    return _one(login)


@pages.post("/people/<login>")
@needs(Permission.CHANGE_PEOPLE)
def change(login: str) -> str | Response | tuple[str, int]:
    given, seen = _given(login), _seen()
    try:
        change_person(
            deps().writer,
            login,
            seen,
            current_user.login,
            deps().now(),
            name=given.name,
            role=given.role,
            unit=given.unit,
        )
    except BadPerson as error:
        return _one(login, given, error.fault), 400
    except StalePerson:
        return _one(login, given, stale=True), 409
    flash(_("已保存，马上生效。"))
    return redirect(url_for("people.one", login=login), 303)


@pages.post("/people/<login>/active")
@needs(Permission.CHANGE_PEOPLE)
def switch(login: str) -> str | Response | tuple[str, int]:
    active = request.form.get("active") == "yes"
    try:
        switch_person(deps().writer, login, _seen(), current_user.login, deps().now(), active=active)
    except BadPerson as error:
        return _one(login, fault=error.fault), 400
    except StalePerson:
        return _one(login, stale=True), 409
    flash(_("已启用，可以登录。") if active else _("已停用，马上退出。"))
    return redirect(url_for("people.one", login=login), 303)


@pages.post("/people/<login>/password")
@needs(Permission.CHANGE_PEOPLE)
def new_password(login: str) -> str | tuple[str, int]:
    """Shown in the answer itself and nowhere kept: sent again, the form is stale."""
    try:
        password = give_password(deps().writer, login, _seen(), current_user.login, deps().now())
    except BadPerson as error:
        return _one(login, fault=error.fault), 400
    except StalePerson:
        return _one(login, stale=True), 409
    with deps().read_sessions() as session:
        return render_template("password.html", person=person(session, login), password=password, new=False)


@pages.get("/me")
@needs(Permission.SIGNED_IN)
def me() -> str:
    return _me(None)


@pages.post("/me")
@needs(Permission.SIGNED_IN)
def own_password() -> str | Response | tuple[str, int]:
    form = request.form
    try:
        user = change_own_password(
            deps().writer,
            current_user.login,
            form.get("old", ""),
            form.get("new", ""),
            form.get("again", ""),
            deps().now(),
        )
    except BadPerson as error:
        return _me(error.fault), 400
    login_user(DeskUser(user))  # the password is part of the session: others end, this one goes on
    flash(_("密码已更改。其他设备上的登录已退出。"))
    return redirect(url_for("people.me"), 303)


def _list(given: Given, fault: PersonFault | None) -> str:
    with deps().read_sessions() as session:
        return render_template(
            "people.html",
            page=read_people(session, chosen()),
            chosen=chosen(),
            units=units(session, Scope()),
            roles=Role,
            given=given,
            fault=fault and words_settings.PERSON_FAULTS[fault],
            fault_at=fault,
        )


def _one(
    login: str, given: Given | None = None, fault: PersonFault | None = None, *, stale: bool = False
) -> str:
    with deps().read_sessions() as session:
        found = person(session, login)
        if found is None:
            abort(404)
        every = units(session, Scope())
        unit = next((each for each in every if each.id == found.unit_id), None)
        is_of = Given(found.login, found.name, found.role, unit.code if unit else "")
        return render_template(
            "person.html",
            person=found,
            unit=unit,
            given=given or is_of,
            seen=stamp(found),
            units=every,
            roles=Role,
            deeds=deeds_on(session, subject_of(login), _DEEDS),
            fault=fault and words_settings.PERSON_FAULTS[fault],
            fault_at=fault,
            stale=stale,
            wa=words_audit,
            said=said_of,
        )


def _me(fault: PersonFault | None) -> str:
    with deps().read_sessions() as session:
        user = session.get_one(User, current_user.id)
        unit = next((each for each in units(session, Scope()) if each.id == user.unit_id), None)
    return render_template(
        "me.html",
        person=user,
        unit=unit,
        fault=fault and words_settings.PERSON_FAULTS[fault],
        fault_at=fault,
        faults=PersonFault,
    )


def _given(login: str) -> Given:
    form = request.form
    try:
        role = Role(form.get("role", ""))
    except ValueError:
        abort(400)
    return Given(login, form.get("name", "")[:200], role, form.get("unit", "")[:32])


def _seen() -> str:
    return request.form.get("seen", "")[:16]
