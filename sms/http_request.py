"""The request that sends one text, from its description. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from sms.events import Submission
from sms.http_settings import RequestSettings, SigningSettings
from sms.http_signing import sign
from sms.http_template import names, percent, render

_SIGNATURE = re.compile(r"^【[^【】]*】")
_CONTENT_TYPES = {
    "form": "application/x-www-form-urlencoded; charset=utf-8",
    "json": "application/json; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """As it goes on the wire. `url` carries the query."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


def values_of(
    submission: Submission,
    request: RequestSettings,
    now: datetime,
    nonce: str,
    account: str = "",
    secret: str = "",
) -> dict[str, str]:
    """What templates may ask for, but the signature. `now` is aware, `nonce` never used twice."""
    text = submission.text if request.own_signature else _SIGNATURE.sub("", submission.text)
    return {
        "number": submission.destination,
        "text": text,
        "sender_code": submission.source,
        "ref": str(submission.ref),
        "timestamp": written_time(now, request.timestamp, request.timestamp_zone),
        "nonce": nonce,
        "account": account,
        "secret": secret,
    }


def written_time(now: datetime, pattern: str, zone: str) -> str:
    """`now` as the provider writes times: unix, unix_ms or strftime's pattern."""
    if now.tzinfo is None:
        raise ValueError("an aware datetime is needed")
    match pattern:
        case "unix":
            return str(int(now.timestamp()))
        case "unix_ms":
            return str(round(now.timestamp() * 1000))
        case _:
            return now.astimezone(ZoneInfo(zone)).strftime(pattern)


def build(request: RequestSettings, values: Mapping[str, str]) -> HttpRequest:
    """The request of a text whose `values` are given."""
    if request.signing is not None:
        values = {**values, "signature": _signature(request, request.signing, values)}
    headers = {} if request.body is None else {"Content-Type": _CONTENT_TYPES[request.encoding]}
    headers |= {name: render(template, values) for name, template in request.headers.items()}
    query = _joined(_filled(request.query, values))
    return HttpRequest(
        request.method, f"{request.url}?{query}" if query else request.url, headers, _body(request, values)
    )


def _signature(request: RequestSettings, signing: SigningSettings, values: Mapping[str, str]) -> str:
    where = urlsplit(request.url)
    fields = {name: text for name, text in _fields(request).items() if "signature" not in names(text)}
    known = {
        **values,
        "method": request.method,
        "host": where.netloc,
        "path": where.path or "/",
        "pairs": _joined(dict(sorted(_filled(fields, values).items()))),
    }
    if "body" in names(signing.string):
        known["body"] = (_body(request, values) or b"").decode()
    text = render(signing.string, known).encode()
    return sign(signing.algorithm, render(signing.key, values), text, signing.written)


def _fields(request: RequestSettings) -> dict[str, str]:
    """Query and form together: what a signature of sorted fields is over."""
    form = (request.body or {}) if request.encoding == "form" else {}
    return request.query | {name: text for name, text in form.items() if isinstance(text, str)}


def _filled(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: render(template, values) for name, template in templates.items()}


def _joined(pairs: Mapping[str, str]) -> str:
    return "&".join(f"{percent(name)}={percent(value)}" for name, value in pairs.items())


def _body(request: RequestSettings, values: Mapping[str, str]) -> bytes | None:
    if request.body is None:
        return None
    if request.encoding == "json":
        return json.dumps(_tree(request.body, values), ensure_ascii=False, separators=(",", ":")).encode()
    form = {name: text for name, text in request.body.items() if isinstance(text, str)}
    return _joined(_filled(form, values)).encode()


def _tree(tree: JsonValue, values: Mapping[str, str]) -> JsonValue:
    match tree:
        case str():
            return render(tree, values)
        case list():
            return [_tree(each, values) for each in tree]
        case dict():
            return {name: _tree(each, values) for name, each in tree.items()}
        case _:
            return tree
