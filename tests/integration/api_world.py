"""An office with an API: its clock, its tokens, and a client that speaks JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from callbacks.api import ApiDeps, create_api
from callbacks.api.tokens import make_token
from callbacks.intake_settings import IntakeSettings, SourceSettings
from tests.integration.office import Desk

_FORUM = SourceSettings(name="forum", platform="论坛")
_DAILY = SourceSettings(name="WX", sequence=r"WX(\d{8})(\d{4})")
SOURCES = IntakeSettings(sources=(_FORUM, _DAILY))
ALL = ("cases:write", "ratings:write", "outcomes:read")


@dataclass
class Api:
    """The application and how a system asks it."""

    desk: Desk
    app: Flask
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, name: str = "forum", scopes: tuple[str, ...] = ALL, platform: str | None = None) -> str:
        if name not in self.tokens:
            self.tokens[name] = make_token(self.desk.ctx, name, scopes, platform, "admin", self.desk.now)
        return self.tokens[name]

    def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {token or self.token()}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        return self.app.test_client().post(f"/api/v1{path}", headers=sent, **given)

    def get(self, path: str, token: str | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return self.app.test_client().get(f"/api/v1{path}", headers=headers)

    def send(self, *rows: Any, **headers: str) -> list[dict[str, Any]]:
        """The results of these rows."""
        answer = self.post("/cases", {"cases": list(rows)}, **headers)
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.get_json()["results"]
        return results


def make_api(desk: Desk, limit: str = "10000 per minute") -> Api:
    read = desk.ctx.sessions
    deps = ApiDeps(desk.ctx, read, lambda: desk.now, "https://callbacks.example.gov.cn/", limit, SOURCES)
    return Api(desk, create_api(deps))


@contextmanager
def problem(answer: TestResponse, status: int, code: str) -> Iterator[dict[str, Any]]:
    """Checks that the answer is this problem, and hands its body over."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    body = answer.get_json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"] and body["detail"]
    yield body


def case(number: str = "LD-1", **more: Any) -> dict[str, Any]:
    """A row that is right."""
    return {
        "number": number,
        "source_channel": "phone",
        "category": "water",
        "lead_unit": "u1",
        "accepted_at": "2026-11-20T09:00:00+08:00",
    } | more
