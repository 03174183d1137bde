"""GET /metrics as a WSGI application beside the desk: for the addresses that may ask, and no others."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

PATH = "/metrics"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def create_metrics(registry: CollectorRegistry, allowed: Sequence[Network]) -> Wsgi:
    """The application. Nothing of a citizen is in it, but how the office stands isn't everybody's matter."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, kind, body, more = _answer(environ, registry, allowed)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(status, headers + more)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]

    return application


def _answer(
    environ: dict[str, Any], registry: CollectorRegistry, allowed: Sequence[Network]
) -> tuple[str, str, bytes, list[tuple[str, str]]]:
    text = "text/plain; charset=utf-8"
    if not may_ask(str(environ.get("REMOTE_ADDR", "")), allowed):
        return "403 Forbidden", text, b"web.metrics_from doesn't name this address\n", []
    if environ.get("PATH_INFO") != PATH:
        return "404 Not Found", text, b"there is only /metrics\n", []
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return "405 Method Not Allowed", text, b"GET\n", [("Allow", "GET, HEAD")]
    return "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry), []


def may_ask(address: str, allowed: Sequence[Network]) -> bool:
    """Whether one of the networks has the address; an IPv4 one may come dressed as IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in allowed)
