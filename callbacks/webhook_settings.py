"""What a city sets for the systems that are told what became of a case."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator

from callbacks.outcomes import OutcomeKind
from callbacks.settings import Section


class WebhookSettings(Section):
    """A system's address. Renamed, it's a new webhook: what waits for the old name is sent no more."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    url: str = Field(max_length=500, description="https; http on this machine only")
    secret: SecretStr = Field(min_length=16, description="signs each request")
    events: frozenset[OutcomeKind] = Field(frozenset(), description="what is sent; empty is everything")
    timeout: timedelta = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(minutes=1),
        description="for the connection, and for each silence after it",
    )
    ca_file: Path | None = Field(None, description="PEM of a certificate authority of the office's own")
    platform: str | None = Field(
        None, min_length=1, max_length=80, description="the cases of one source platform"
    )

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        host = parts.hostname
        if not value.isascii() or not value.isprintable() or " " in value or host is None:
            raise ValueError("not an address")
        _ = parts.port  # raises ValueError on a port that isn't one
        if parts.username is not None or parts.fragment:
            raise ValueError("no login and no fragment in it: the secret signs")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
            raise ValueError("https is required, but on this machine")
        return value


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names_once(webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    names = [webhook.name for webhook in webhooks]
    if len(set(names)) != len(names):
        raise ValueError("two webhooks have the same name")
    return webhooks


Webhooks = Annotated[tuple[WebhookSettings, ...], AfterValidator(_names_once)]
