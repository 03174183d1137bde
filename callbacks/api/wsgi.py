"""The API as a WSGI application of its own: no cookie, no form, no page, so nothing of the desk's applies.

`beside` puts it and the desk behind one port. Every request is authenticated before it's read, and every
answer that isn't a 200 is problem+json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask_limiter import Limiter, RateLimitExceeded
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from callbacks.api.auth import OPENAPI, authenticate, token_key
from callbacks.api.cases import SEND_CASES
from callbacks.api.codes import TELL_CODE
from callbacks.api.deps import ApiDeps, Operation, deps
from callbacks.api.openapi import document
from callbacks.api.outcomes import READ_OUTCOMES
from callbacks.api.problems import Problem, busy
from callbacks.api.ratings import SEND_RATING
from callbacks.api.requests import MOST_BYTES, read_call
from callbacks.api.source_counts import SEND_COUNT
from callbacks.api.tokens import Caller
from callbacks.database import is_away

log = structlog.get_logger(__name__)

PREFIX = "/api/v1"
OPERATIONS = (SEND_CASES, SEND_RATING, TELL_CODE, READ_OUTCOMES, SEND_COUNT)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _InOrder(DefaultJSONProvider):
    """Fields in the order in which they were meant to be read."""

    sort_keys = False


def create_api(given: ApiDeps) -> Flask:
    """The WSGI application of the API."""
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MOST_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.json = _InOrder(app)
    app.url_map.merge_slashes = False  # else a redirect, which programs rarely follow with their body
    app.extensions["api"] = given
    app.extensions["api_operations"] = {operation.id: operation for operation in OPERATIONS}
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)
    app.before_request(authenticate)
    app.after_request(_finish)
    # After the authentication, since it counts by the token.
    Limiter(token_key, app=app, storage_uri="memory://", default_limits=[given.limit])
    for operation in OPERATIONS:
        path = f"{PREFIX}{operation.path}"
        app.add_url_rule(path, operation.id, _view(operation), methods=[operation.method])
    served = document(OPERATIONS, PREFIX, given.ctx.policy.rating_scale)
    app.add_url_rule(f"{PREFIX}/openapi.json", OPENAPI, lambda: jsonify(served), methods=["GET"])
    return app


def beside(desk: Wsgi, others: Mapping[str, Wsgi]) -> Wsgi:
    """What is below a prefix of `others`, like /api/, goes there, and so does /api; all else to `desk`."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        chosen = next((app for prefix, app in others.items() if f"{path}/".startswith(prefix)), desk)
        return chosen(environ, start_response)

    return application


def _view(operation: Operation) -> Callable[[], Response]:
    def view() -> Response:
        return jsonify(operation.handle(read_call(operation, deps(), g.caller)))

    return view


def _finish(response: Response) -> Response:
    """Logged by the operation and the token's name: nothing of a request's content or address."""
    caller: Caller | None = g.get("caller")
    log.info(
        "api_request",
        operation=request.endpoint,
        token=caller.name if caller else None,
        status=response.status_code,
        bytes=request.content_length,
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _http(error: HTTPException) -> Response:
    """Flask's own refusals, with the headers that tell what would be right."""
    status = error.code or 500
    code = error.name.lower().replace(" ", "_")
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    if isinstance(error, RateLimitExceeded) and error.limit is not None:
        headers["Retry-After"] = str(error.limit.limit.get_expiry())  # by then its window is over
    return Problem(status, code, _DETAILS.get(status, error.name), headers=headers).response()


_DETAILS = {
    404: "there is no such path",
    405: "this path takes other methods",
    413: f"a body has at most {MOST_BYTES // 2**20} MiB",
    429: "too many requests by this token; wait as Retry-After says",
}


def _fault(error: Exception) -> Response:
    """Logged with its place, without values. A database that's away comes back: 503, and try again."""
    if isinstance(error, DBAPIError) and is_away(error):
        log.warning("database_away", operation=request.endpoint)
        return busy("the database is away", 503, "database_away").response()
    frames = extract_tb(error.__traceback__)
    place = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("api_failed", operation=request.endpoint, kind=type(error).__name__, place=place)
    return Problem(500, "internal_error", "the fault is ours, and logged").response()
