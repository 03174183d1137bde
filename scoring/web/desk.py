"""The desk: the pages of the supervisors, server-rendered, without another host or inline script."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, abort, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response

from scoring.web import (
    accountability,
    adjustments,
    agent_calls,
    agents,
    alarms,
    audit_page,
    auth,
    cases,
    dissatisfaction,
    errors,
    evidence,
    exports_cases,
    exports_decisions,
    exports_flags,
    exports_items,
    exports_months,
    exports_office,
    exports_progress,
    exports_scores,
    exports_settings,
    exports_watch,
    flags,
    flows_page,
    hard_cases,
    inbound,
    item_acts,
    item_bulk,
    items,
    language,
    ledger,
    messages,
    months,
    nodes,
    objections,
    overview,
    pauses,
    people,
    policy_page,
    progress,
    prompts_page,
    ranking,
    remarks,
    templates_page,
    templating,
    units_page,
)
from scoring.web.context import DeskDeps, load_user
from scoring.web.headers import HEADERS
from scoring.web.permissions import PUBLIC, Permission, declared, public
from scoring.web.uploads import allow_files

__all__ = ["DeskDeps", "create_desk"]

_ADDRESS_LIMIT = "30 per minute"
_LOGIN_LIMIT = "10 per minute"
_SESSION = timedelta(hours=10)


def create_desk(deps: DeskDeps) -> Flask:
    """The WSGI application of the desk."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=deps.secret_key,
        SESSION_COOKIE_NAME="huifang",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=deps.secure_cookies,
        PERMANENT_SESSION_LIFETIME=_SESSION,
        MAX_CONTENT_LENGTH=64 * 1024,
        WTF_CSRF_TIME_LIMIT=None,  # bound to the session: a desk stays open all day
        WTF_CSRF_SSL_STRICT=False,  # TLS may end at a proxy; the token itself is always checked
    )
    app.extensions["desk"] = deps
    app.before_request(allow_files)
    CSRFProtect(app)
    _logins(app)
    language.set_up(app)
    templating.set_up(app, deps)
    errors.set_up(app)
    for module in (
        auth,
        overview,
        agents,
        agent_calls,
        dissatisfaction,
        items,
        item_acts,
        item_bulk,
        hard_cases,
        cases,
        nodes,
        ranking,
        months,
        progress,
        pauses,
        policy_page,
        templates_page,
        flows_page,
        prompts_page,
        ledger,
        alarms,
        inbound,
        messages,
        adjustments,
        objections,
        accountability,
        evidence,
        flags,
        remarks,
        exports_items,
        exports_months,
        exports_progress,
        exports_settings,
        exports_cases,
        exports_decisions,
        exports_scores,
        exports_watch,
        exports_flags,
        exports_office,
        units_page,
        people,
        audit_page,
    ):
        app.register_blueprint(module.pages)
    public(app.view_functions["static"])
    _limit_logins(app)
    app.before_request(_enforce)
    app.after_request(_protect)
    return app


def _logins(app: Flask) -> None:
    manager = LoginManager(app)
    manager.user_loader(load_user)
    manager.session_protection = "strong"


def _limit_logins(app: Flask) -> None:
    """By address, and closer by address and login: guessing is slow, and nobody locks another out."""
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    view = app.view_functions["auth.sign_in"]
    by_login = limiter.limit(_LOGIN_LIMIT, key_func=_address_and_login)
    limited: Callable[..., Any] = limiter.limit(_ADDRESS_LIMIT)(by_login(view))
    app.view_functions["auth.sign_in"] = limited


def _address_and_login() -> str:
    return f"{get_remote_address()} {request.form.get('login', '').strip().lower()[:40]}"


def _enforce() -> None:
    """A route that declares nothing is refused: forgetting is safe."""
    if request.endpoint is None:
        return  # 404 or 405, which Flask raises next
    permission = declared(current_app.view_functions.get(request.endpoint))
    if permission == PUBLIC:
        return
    if not current_user.is_authenticated:
        abort(401)
    if not isinstance(permission, Permission) or not current_user.may(permission):
        abort(403)


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
