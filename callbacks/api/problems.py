"""What goes wrong, told as problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, json
from pydantic import ValidationError

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 5


class ApiError(Exception):
    """The root of the API's errors."""


class Problem(ApiError):
    """A request that gets no answer but this one. `code` is the word that a program may look at."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors = status, code, detail, list(errors)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return Response(json.dumps(body), self.status, self.headers, content_type=MEDIA_TYPE)


def not_found(detail: str) -> Problem:
    return Problem(404, "not_found", detail)


def busy(detail: str, status: int = 409, code: str = "under_way") -> Problem:
    """Worth another try soon."""
    return Problem(status, code, detail, headers={"Retry-After": str(_RETRY_SECONDS)})


def invalid(error: ValidationError) -> Problem:
    """Each field by its path and what is wrong with it; never the value, which may be a citizen's."""
    errors = [
        {"field": ".".join(str(part) for part in found["loc"]) or "-", "fault": found["msg"]}
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem(422, "invalid", "the request isn't of the documented form", errors=errors[:100])
