"""Where a 3xx leads: to a host that was configured, or nowhere (RFC 3261 §8.1.3.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ivr.sip.errors import BadMessage
from ivr.sip.headers import bracketed, ip_of, parse_name_addr, parse_uri
from ivr.sip.hop import Hop
from ivr.sip.message import Response

__all__ = ["redirected"]


def redirected(
    response: Response, redirects: Mapping[str, Hop], may_call: Callable[[str], bool] = lambda _user: True
) -> tuple[str, Hop] | None:
    """The URI to call instead and where it is reached; None where no Contact's host is in `redirects`, or
    `may_call` says no to its user part.

    `redirects` has hosts, for a Contact that names no port, and hosts with a port ("192.0.2.9:5070",
    "[2001:db8::9]:5070"). Of several Contacts that of the highest q is taken, of equal ones the first.
    Headers that a Contact wants in the request are left out.
    """
    found: list[tuple[float, str, Hop]] = []
    try:
        for value in response.listed("Contact"):
            contact = parse_name_addr(value, "Contact")
            uri = parse_uri(contact.uri, "Contact")
            host = bracketed(ip_of(uri.host) or uri.host.lower())
            hop = redirects.get(f"{host}:{uri.port}" if uri.port else host)
            if uri.scheme == "sip" and hop and may_call(uri.user):
                found.append((_q(contact.params.get("q")), contact.uri.partition("?")[0], hop))
    except BadMessage:
        return None
    if not found:
        return None
    _, target, hop = max(found, key=lambda each: each[0])
    return target, hop


def _q(text: str | None) -> float:
    """0–1 (§20.10), 1 where it isn't told or is no number."""
    try:
        return min(1.0, max(0.0, float(text or "1")))
    except ValueError:
        return 1.0
