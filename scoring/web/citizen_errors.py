"""What a citizen reads when something goes wrong: why, and what to do; always that 110 is for emergencies."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

import structlog
from flask import Flask, make_response, render_template, request
from flask_limiter import RateLimitExceeded
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from callbacks.database import is_away
from scoring.web.language import lazy_gettext as _l

log = structlog.get_logger(__name__)

# status → what happened, what to do
_TEXTS = {
    400: (_l("请求有误"), _l("请返回上一页，检查后再试。")),
    404: (_l("没有此页"), _l("请核对网址，或输入您的评价码。")),
    413: (_l("内容太长"), _l("请返回上一页，缩短留言后再提交。")),
    429: (_l("尝试次数太多"), _l("请过十分钟再试。您的评价码没有失效。")),
    500: (_l("系统出错"), _l("请过几分钟再试。您的评价码没有失效。")),
    503: (_l("系统暂时不能保存"), _l("您的评价还没有保存。请稍候再提交一次。")),
}
_FIELDS = ("code", "rating", "resolved", "comment")


def set_up(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _page(status: int, again: dict[str, str] | None = None) -> Response:
    title, hint = _TEXTS.get(status, _TEXTS[400 if status < 500 else 500])
    return make_response(
        render_template("citizen_error.html", title=title, hint=hint, again=again or {}), status
    )


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if 300 <= status < 400:
        return error.get_response()
    response = _page(status)
    if isinstance(error, RateLimitExceeded) and error.limit is not None:
        response.headers["Retry-After"] = str(error.limit.limit.get_expiry())
    return response


def _fault(error: Exception) -> Response:
    """An answer that met an absent database is handed back, to be sent again. Values aren't logged."""
    if isinstance(error, DBAPIError) and is_away(error):
        log.warning("database_away", endpoint=request.endpoint)
        again = {name: request.form[name] for name in _FIELDS if name in request.form}
        return _page(503, again if request.endpoint == "take_answer" else None)
    frames = extract_tb(error.__traceback__)
    place = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("a page failed", endpoint=request.endpoint, kind=type(error).__name__, place=place)
    return _page(500)
