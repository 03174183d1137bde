"""The telephone's dialogues: their pictures and words, and an upload that is checked before it holds."""

from __future__ import annotations

from collections.abc import Callable

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
    flash(_("已保存。新的通话使用新流程，已开始的通话不变。"))
    return redirect(url_for("flows.one", name=name), 303)


@pages.post("/flows/<name>/stock")
@needs(Permission.CHANGE_FLOWS)
def stock(name: str) -> Response:
    """Back to the flow that came with the program."""
    _keep(_known(name), "stock_flow", lambda: _shelf().restore(name))
    flash(_("已恢复系统自带的流程，新的通话开始使用。"))
    return redirect(url_for("flows.one", name=name), 303)


def _keep(held: FlowOnShelf, action: str, change: Callable[[], FlowOnShelf]) -> None:
    """The change and who made it, or neither."""

    def work(session: Session) -> None:
        now = change()
        who, when = current_user.login, deps().now()
        audit(session, when, who, action, f"flow:{held.name}", version=now.version, instead_of=held.version)

    deps().writer.run(work)


def _page(held: FlowOnShelf, faults: tuple[str, ...] = ()) -> str:
    sound = not held.faults
    return render_template(
        "flow.html",
        flow=held,
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
