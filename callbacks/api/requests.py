"""A request is read: its body's kind, size, JSON and form, its query, its idempotency key."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from flask import request
from pydantic import ValidationError

from callbacks.api.deps import ApiDeps, Call, Operation
from callbacks.api.problems import Problem, invalid
from callbacks.api.tokens import Caller

MOST_BYTES = 4 * 2**20
KEY = r"^[\x21-\x7e]{1,100}$"
_KEY = re.compile(KEY)


def read_call(operation: Operation, deps: ApiDeps, caller: Caller) -> Call:
    """The call, or a problem: 400 no JSON, 413 too large, 415 of another kind, 422 of another form."""
    raw = request.get_data() if operation.body is not None else b""
    try:
        body = _body(operation, raw)
    except ValidationError as error:
        raise invalid(error) from None
    return Call(deps, caller, deps.now(), raw, body, _key() if operation.keyed else None)


def _body(operation: Operation, raw: bytes) -> Any:
    if operation.body is not None:
        return operation.body.model_validate(_json(raw))
    if operation.query is not None:
        return operation.query.model_validate(_query())
    return None


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.match(key):
        raise Problem(400, "bad_key", "an Idempotency-Key has 1 to 100 visible ASCII characters")
    return key


def _query() -> dict[str, str]:
    """Each parameter once; of two with one name neither is meant."""
    return {name: values[0] if len(values) == 1 else "" for name, values in request.args.lists()}


def _json(raw: bytes) -> Any:
    if request.mimetype != "application/json" or request.headers.get("Content-Encoding"):
        raise Problem(415, "not_json", "send application/json, not compressed")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except (json.JSONDecodeError, _Refused) as error:  # which tell a place, never the content
        raise Problem(400, "not_json", f"the body isn't JSON: {error}") from None
    except (ValueError, RecursionError):
        raise Problem(400, "not_json", "the body isn't JSON: not UTF-8, or nested too deeply") from None


class _Refused(ValueError):
    """What a lenient reader would take."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("an object names a field twice")  # RFC 8259 §4: what it means is anybody's guess
    return found


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is no number")
