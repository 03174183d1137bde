"""Who asks, and whether the token opens this operation (RFC 6750)."""

from __future__ import annotations

from flask import current_app, g, request

from callbacks.api.deps import Operation, deps
from callbacks.api.problems import Problem
from callbacks.api.tokens import Caller, find_token, keep_use

OPENAPI = "openapi"  # the one endpoint without a token
_CHALLENGE = 'Bearer realm="huifang"'


def authenticate() -> None:
    """401 without a token in force, for unknown paths too; 403 without the operation's scope."""
    if request.endpoint == OPENAPI:
        return
    caller = _presented()
    if caller is None:
        headers = {"WWW-Authenticate": _CHALLENGE}
        raise Problem(401, "unauthorized", "send Authorization: Bearer and a token", headers=headers)
    g.caller = caller
    keep_use(deps().ctx, caller, deps().now())
    operation: Operation | None = current_app.extensions["api_operations"].get(request.endpoint)
    if operation is not None and operation.scope not in caller.scopes:
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{operation.scope}"'
        detail = f"this token hasn't the scope {operation.scope}"
        raise Problem(403, "insufficient_scope", detail, headers={"WWW-Authenticate": challenge})


def _presented() -> Caller | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return find_token(deps().read_sessions, token.strip()) if scheme.lower() == "bearer" else None


def token_key() -> str:
    """By what requests are counted: the token, as `authenticate` has found it; the document by address."""
    caller: Caller | None = g.get("caller")
    return f"address {request.remote_addr}" if caller is None else f"token {caller.id}"
