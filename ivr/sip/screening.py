"""What any request is refused for, whatever it asks (RFC 3261 §8.2.1–§8.2.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from ivr.sip.message import Header, Request

__all__ = ["METHODS", "REFERRING", "Refusal", "screen"]

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE")
REFERRING = ("REFER", "NOTIFY")  # where calls may be put through

# 405 is for a method that we know and don't do, 501 for one that we have never heard of (§21.4.6, §21.5.2).
_KNOWN = frozenset({*METHODS, *REFERRING, "MESSAGE", "PUBLISH", "REGISTER", "SUBSCRIBE"})

# Whom we may be asked for; a mobile network may name the service and no number (RFC 5031).
_URI = re.compile(r"(sips?|tel|urn:service):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failure to answer with, instead of doing what was asked."""

    status: int
    headers: tuple[Header, ...] = ()
    reason: str = ""


def screen(request: Request, methods: Sequence[str], supported: Container[str]) -> Refusal | None:
    """What any request but ACK and CANCEL is refused for; `supported` are the option tags that we know.

    Max-Forwards and Proxy-Require aren't looked at: they are for whoever sends a request on (§16.3, §20.29).
    """
    if request.method not in methods:
        return Refusal(405 if request.method in _KNOWN else 501, (("Allow", ", ".join(methods)),))
    if not _URI.match(request.uri):
        return Refusal(416)
    if unknown := [option for option in request.options("Require") if option.lower() not in supported]:
        return Refusal(420, (("Unsupported", ", ".join(unknown)),))
    if request.body and (request.first("Content-Encoding") or "identity").lower() != "identity":
        return Refusal(415, (("Accept-Encoding", "identity"),))
    return None
