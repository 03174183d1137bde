"""Signing in and out, and the switch of language."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from callbacks.models import Audit
from scoring.users import verify
from scoring.web.context import DeskUser, deps
from scoring.web.language import LANGUAGES, gettext
from scoring.web.permissions import Permission, needs, public

pages = Blueprint("auth", __name__)
log = structlog.get_logger()


@pages.get("/login")
@public
def login() -> str | Response:
    if current_user.is_authenticated:
        return redirect(inside(request.args.get("next", "")))
    return render_template("login.html", login="", fault=None)


@pages.post("/login")
@public
def sign_in() -> str | Response | tuple[str, int]:
    name, password = request.form.get("login", ""), request.form.get("password", "")
    with deps().sessions.begin() as database:
        user = verify(database, name, password)
        if user is not None:
            _note(database, user.login, "login")
    if user is None:
        log.warning("login refused", address=request.remote_addr)
        fault = gettext("用户名或密码不对，请重新输入。")
        return render_template("login.html", login=name[:40], fault=fault), 401
    login_user(DeskUser(user))
    session.permanent = True
    return redirect(inside(request.args.get("next", "")))


@pages.post("/logout")
@needs(Permission.SIGNED_IN)
def sign_out() -> Response:
    logout_user()
    return redirect(url_for("auth.login"))


@pages.post("/language")
@public
def language() -> Response:
    asked = request.form.get("lang", "")
    if asked in LANGUAGES:
        session["lang"] = asked
    return redirect(inside(request.form.get("next", "")))


def _note(database: Session, login: str, action: str) -> None:
    detail = {"address": request.remote_addr}
    database.add(Audit(at=deps().now(), actor=login, action=action, subject=login, detail=detail))


def inside(target: str) -> str:
    """`target` when it is a path of this desk, else the start: never another host."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    if plain and not parts.scheme and not parts.netloc:
        return target
    return url_for("overview.show")
