"""Pushes of providers come to the web role: judged, stored element by element, then answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import structlog
from flask import Blueprint, Response, abort, jsonify, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import RequestEntityTooLarge

from sms.events import ReceiptArrived, ReplyArrived
from sms.http_json import shown
from sms.http_push import BadElement, BadPush
from sms.http_pushes import NotPushed, PushKind, PushRequest, PushSource

log = structlog.get_logger(__name__)

_LONGEST_PUSH = 1_048_576
_AGAIN_IN = "30"

# Keeps a delivery of a gateway: False, or DBAPIError, when it's kept nowhere (sms.inbound.Inbox.take).
Take = Callable[[str, ReceiptArrived | ReplyArrived, datetime], bool]


def create_blueprint(take: Take, sources: Iterable[PushSource]) -> Blueprint:
    """POST or GET /sms/<gateway>/receipts and /sms/<gateway>/replies of these gateways.

    A forged push gets 403, an unknown gateway or kind 404, one that can't be read 400, and one that can't
    be kept 503, so that it comes again; what was kept of it already is found then, and changes nothing.
    """
    by_name = {source.name: source for source in sources}
    pages = Blueprint("sms_pushes", __name__)

    @pages.route("/sms/<gateway>/<any(receipts, replies):kind>", methods=["GET", "POST"])
    def pushed(gateway: str, kind: str) -> Response:
        source = by_name.get(gateway)
        if source is None:
            abort(404)
        return _answer(source, PushKind(kind), take)

    return pages


def _answer(source: PushSource, kind: PushKind, take: Take) -> Response:
    try:
        push = _read_request()
        if not source.is_genuine(push):
            log.warning("push_forged", gateway=source.name, kind=kind.value)
            return _refusal(403, "not signed as agreed")
        elements = source.read(kind, push)
    except RequestEntityTooLarge:
        return _refusal(413, f"longer than {_LONGEST_PUSH} bytes")
    except NotPushed:
        return _refusal(404, f"no {kind.value} are taken from {source.name}")
    except BadPush as error:
        log.warning("push_unreadable", gateway=source.name, kind=kind.value, reason=shown(str(error), 120))
        return _refusal(400, shown(str(error), 120))
    refused = []
    for element in elements:
        if isinstance(element, BadElement):
            log.warning("push_refused", gateway=source.name, field=element.field, reason=element.reason)
            refused.append(element)
        elif not _kept(take, source.name, element):
            answer = _refusal(503, "nothing can be kept now")
            answer.headers["Retry-After"] = _AGAIN_IN
            return answer
    told = source.answer(kind, refused)
    return Response(told.body, told.status, content_type=told.content_type)


def _read_request() -> PushRequest:
    request.max_content_length = _LONGEST_PUSH
    return PushRequest(
        request.method,
        request.path,
        request.query_string.decode("latin-1"),
        {name.lower(): value for name, value in request.headers.items()},
        request.get_data(cache=False),
    )


def _kept(take: Take, gateway: str, element: ReceiptArrived | ReplyArrived) -> bool:
    try:
        return take(gateway, element, datetime.now(UTC))
    except DBAPIError as error:
        log.error("push_not_kept", gateway=gateway, error=type(error.orig).__name__)
        return False


def _refusal(status: int, reason: str) -> Response:
    answer = jsonify(error=reason)
    answer.status_code = status
    return answer
