"""The telephone's dialogues: their pictures and words, and an upload that is checked before it holds."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from threading import Lock

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask import Response as FlaskResponse
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from callbacks.flow_shelf import FlowOnShelf, FlowRefused, FlowShelf
from callbacks.service.core import audit
from scoring.web.context import deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("flows", __name__)

_changing = Lock()  # one change at a time: it's compared with what was seen, then written


class _Moved(Exception):
    """Somebody else was faster."""


@pages.get("/flows")
@needs(Permission.SEE_FLOWS)
def show() -> str:
    return render_template("flows.html", flows=_shelf().flows())


@pages.get("/flows/<name>")
@needs(Permission.SEE_FLOWS)
def one(name: str) -> str:
    return _page(_known(name))


@pages.get("/flows/<name>.toml")
@needs(Permission.SEE_FLOWS)
def source(name: str) -> FlaskResponse:
    """The file, to change and bring back."""
    content = _shelf().source(_known(name).name)
    headers = {"Content-Disposition": f'attachment; filename="{name}.toml"'}
    return FlaskResponse(content, mimetype="application/toml", headers=headers)


@pages.post("/flows/<name>")
@needs(Permission.CHANGE_FLOWS)
def replace(name: str) -> str | Response | tuple[str, int]:
    """All that is wrong, and nothing is changed; or the new one is kept for the calls to come."""
    held = _known(name)
    file = request.files.get("file")
    content = b"" if file is None else file.stream.read()
    if not content:
        return _page(held, (_("没有选择文件，或文件是空的。"),)), 400
    try:
        _keep(held, "save_flow", lambda: _shelf().replace(name, content))
    except FlowRefused as error:
        return _page(held, error.faults), 400
    except _Moved:
        return _moved(name)
    flash(_("已保存。新的通话使用新流程，已开始的通话不变。"))
    return redirect(url_for("flows.one", name=name), 303)


@pages.post("/flows/<name>/stock")
@needs(Permission.CHANGE_FLOWS)
def stock(name: str) -> Response | tuple[str, int]:
    """Back to the flow that came with the program."""
    try:
        _keep(_known(name), "stock_flow", lambda: _shelf().restore(name))
    except _Moved:
        return _moved(name)
    flash(_("已恢复系统自带的流程，新的通话开始使用。"))
    return redirect(url_for("flows.one", name=name), 303)


def _keep(held: FlowOnShelf, action: str, change: Callable[[], FlowOnShelf]) -> None:
    """The change and who made it, or neither; _Moved where the flow isn't what the form was made from."""

    def work(session: Session) -> None:
        now = change()
        who, when = current_user.login, deps().now()
        audit(session, when, who, action, f"flow:{held.name}", version=now.version, instead_of=held.version)

    with _changing:
        if request.form.get("seen", "") != _seen(held.name):
            raise _Moved
        deps().writer.run(work)


def _seen(name: str) -> str:
    """What tells whether it's still the flow that somebody saw."""
    return sha256(_shelf().source(name)).hexdigest()[:16]


def _moved(name: str) -> tuple[str, int]:
    return _page(_known(name), (_("这个流程刚才已被更换，您的操作没有执行。请看现在的流程，再决定。"),)), 409


def _page(held: FlowOnShelf, faults: tuple[str, ...] = ()) -> str:
    sound = not held.faults
    return render_template(
        "flow.html",
        flow=held,
        seen=_seen(held.name),
        faults=faults,
        writable=_shelf().writable,
        picture=Markup(_shelf().svg(held.name)) if sound else None,  # our own, its words escaped
        text=_shelf().text(held.name) if sound else None,
    )


def _shelf() -> FlowShelf:
    """404 where this office has no telephone."""
    shelf = deps().flows
    return shelf if shelf is not None else abort(404)


def _known(name: str) -> FlowOnShelf:
    return next((flow for flow in _shelf().flows() if flow.name == name), None) or abort(404)
