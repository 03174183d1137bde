"""TLS of SIP: certificates are verified unless a city says otherwise (RFC 3261 §26.3.1, RFC 5922)."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

from pydantic import Field

from callbacks.settings import Section

__all__ = ["TlsError", "TlsSettings", "client_context", "server_context"]


class TlsError(Exception):
    """A certificate that can't be used; the message names the setting."""


class TlsSettings(Section):
    """Our own certificate, shown to who connects and to trunks that ask for one."""

    port: int = Field(5061, ge=0, le=65535, description="our SIP port over TLS; 0 takes any free one")
    certificate: Path = Field(description="PEM file: ours, then those between it and its authority")
    key: Path = Field(description="PEM file: its private key, readable by the service alone")
    authorities: Path | None = Field(
        None, description="PEM file: who may have signed theirs; none: whom the machine trusts"
    )
    client_certificates: Literal["required", "off"] = Field(
        "off", description="whether who connects to us must show one that those have signed"
    )


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """For who connects to us. TlsError."""
    asks = settings.client_certificates == "required"
    context = _context(ssl.Purpose.CLIENT_AUTH, settings.authorities if asks else None)
    _load_own(context, settings)
    if asks:
        if settings.authorities is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    settings: TlsSettings | None, *, authorities: Path | None = None, verify: bool = True
) -> ssl.SSLContext:
    """For a trunk that we connect to; `authorities` are its own, before those of `settings`. TlsError."""
    authorities = authorities or (settings.authorities if settings else None)
    context = _context(ssl.Purpose.SERVER_AUTH, authorities)
    if settings is not None:
        _load_own(context, settings)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _context(purpose: ssl.Purpose, authorities: Path | None) -> ssl.SSLContext:
    """Trusting those `authorities` alone: what is loaded later is trusted beside the machine's."""
    try:
        context = ssl.create_default_context(purpose, cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"authorities {authorities}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load_own(context: ssl.SSLContext, settings: TlsSettings) -> None:
    for name, path in (("certificate", settings.certificate), ("key", settings.key)):
        if not path.is_file():
            raise TlsError(f"tls.{name}: there is no file {path}")
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"tls.certificate {settings.certificate}, tls.key {settings.key}: {error}") from error
