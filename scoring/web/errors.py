"""Error pages that say why and what's next, in both languages."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

import structlog
from flask import Flask, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from scoring.queries_filter import BadFilter
from scoring.web.language import gettext
from scoring.web.language import lazy_gettext as _l
from scoring.web.uploads import brings_files

log = structlog.get_logger()

# status → what happened, what to do
_TEXTS = {
    400: (_l("请求有误"), _l("请返回上一页，检查后再试。")),
    403: (_l("没有权限"), _l("您的角色不能查看此页。如确有需要，请联系系统管理员。")),
    404: (_l("没有找到"), _l("此页或案件不存在，或不属于您的单位。请核对编号。")),
    405: (_l("请求有误"), _l("请从页面上的按钮操作。")),
    413: (_l("内容太大"), _l("附件最多5个，合计不超过12MB，请压缩或分次提交。")),
    429: (_l("尝试过于频繁"), _l("请一分钟后再试。忘记密码请联系系统管理员重设。")),
    500: (_l("系统出错"), _l("错误已记录。请稍后再试；如果一直如此，请联系系统管理员。")),
}
_SHORT = _l("这张表单不超过64KB，请缩短后再试。")  # one without files


def set_up(app: Flask) -> None:
    app.register_error_handler(BadFilter, _bad_filter)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _page(status: int, detail: str = "") -> tuple[str, int]:
    title, hint = _TEXTS.get(status, _TEXTS[400 if status < 500 else 500])
    return render_template("error.html", status=status, title=title, hint=hint, detail=detail), status


def _bad_filter(error: BadFilter) -> tuple[str, int]:
    detail = gettext("查询条件 %(field)s 的值“%(value)s”无法识别。", field=error.field, value=error.value)
    return _page(400, detail)


def _csrf(error: CSRFError) -> tuple[str, int]:
    return _page(400, gettext("此页打开太久，表单已失效。请重新打开页面再提交。"))


def _http(error: HTTPException) -> tuple[str, int] | Response:
    status = error.code or 500
    files = status == 413 and brings_files()
    if status == 401 or (files and not current_user.is_authenticated):  # the session has ended meanwhile
        target = request.full_path.rstrip("?") if request.method == "GET" else ""
        return redirect(url_for("auth.login", next=target or None))
    if 300 <= status < 400:
        return error.get_response()
    if status == 413 and not files:
        return render_template("error.html", status=413, title=_TEXTS[413][0], hint=_SHORT, detail=""), 413
    return _page(status)


def _fault(error: Exception) -> tuple[str, int]:
    """Logged with its place, without values: what a citizen wrote doesn't belong into a log."""
    frames = extract_tb(error.__traceback__)
    place = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("a page failed", endpoint=request.endpoint, kind=type(error).__name__, place=place)
    return _page(500)
