"""What `app.py` hands to the API, and what every operation gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import current_app
from pydantic import BaseModel
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.tokens import Caller
from callbacks.intake_settings import IntakeSettings
from callbacks.models_systems import ApiScope
from callbacks.service.core import Context


@dataclass(frozen=True)
class ApiDeps:
    """`now` is the domain's clock, aware. `public_url` is where citizens reach the desk's public pages.

    `limit` is how often one token may ask one operation, in Flask-Limiter's words. `intake` names the
    sources of cases.
    """

    ctx: Context
    read_sessions: sessionmaker[Session]
    now: Callable[[], datetime]
    public_url: str
    limit: str = "300 per minute"
    intake: IntakeSettings = field(default_factory=IntakeSettings)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated and read: `raw` is its body, `query` or `body` the model of it."""

    deps: ApiDeps
    caller: Caller
    now: datetime
    raw: bytes
    body: Any
    key: str | None  # Idempotency-Key


@dataclass(frozen=True, slots=True)
class Operation:
    """A route and all that the OpenAPI document says of it. `handle` answers 200 with a JSON object.

    `body` is the model of the JSON body, or `query` that of the query string.
    """

    id: str
    method: str
    path: str
    scope: ApiScope
    summary: str
    description: str
    answer: type[BaseModel]
    handle: Callable[[Call], dict[str, Any]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    keyed: bool = False  # takes an Idempotency-Key
    statuses: tuple[int, ...] = ()  # besides those that every operation may answer


def deps() -> ApiDeps:
    """The dependencies of the application that answers."""
    found: ApiDeps = current_app.extensions["api"]
    return found
