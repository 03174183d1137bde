"""A request of theirs, and what it is answered with (RFC 3261 §8.2, §18.2; RFC 3581). Pure."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadMessage
from ivr.sip.headers import Via, ip_of, parse_params, parse_via
from ivr.sip.hop import Hop
from ivr.sip.message import Header, Request, Response, parse, serialise
from ivr.sip.multipart import part_of, raw_part_of
from ivr.sip.underway import ServerTransaction

__all__ = [
    "METHODS",
    "REFERRING",
    "Incoming",
    "Refusal",
    "place_of",
    "refusal_of_stranger",
    "reply",
    "reply_address",
    "reply_malformed",
    "screen",
    "sdp_of",
    "takes_sdp",
]

# Whom we may be asked for; a mobile network may name the service and no number (RFC 5031).
_URI = re.compile(r"(sips?|tel|urn:service):", re.IGNORECASE)

_LONGEST_PLACE = 8000  # octets

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO")
REFERRING = ("REFER", "NOTIFY")  # where calls may be put through

_PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 302: "Moved Temporarily",
    400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
    420: "Bad Extension", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 484: "Hop Incomplete", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error",
    503: "Service Unavailable", 505: "Version Not Supported", 600: "Busy Everywhere", 603: "Decline",
    604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request with its envelope, where it came from and the transaction that answers it."""

    request: Request
    envelope: Envelope
    source: Hop
    transaction: ServerTransaction


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failure to answer with, instead of doing what was asked."""

    status: int
    headers: tuple[Header, ...] = ()
    reason: str = ""


def reply(
    request: Request,
    envelope: Envelope,
    source: Hop,
    status: int,
    *,
    to_tag: str = "",
    reason: str = "",
    headers: Sequence[Header] = (),
    body: bytes = b"",
) -> Response:
    """A response (§8.2.6): Via as it came with where it came from, From, To with our tag, Call-ID, CSeq."""
    to = request.first("To") or ""
    if to_tag and not envelope.to.tag:
        to = f"{to};tag={to_tag}"
    copied = [
        ("Via", str(_stamped(envelope.via, source))),
        *(("Via", via) for via in envelope.more_vias),
        ("From", request.first("From") or ""),
        ("To", to),
        ("Call-ID", envelope.call_id),
        ("CSeq", f"{envelope.cseq} {envelope.method}"),
    ]
    phrase = reason or _PHRASES.get(status) or _PHRASES.get(status // 100 * 100, "Failure")
    return Response((*copied, *headers), body, status, phrase)


def _stamped(via: Via, source: Hop) -> Via:
    """With received and rport (§18.2.1, RFC 3581 §4)."""
    asks = "rport" in via.params
    if not asks and ip_of(via.host) == source.host:
        return via
    params = dict(via.params) | {"received": source.host}
    if asks:
        params["rport"] = str(source.port)
    return replace(via, params=params)


def reply_address(via: Via, source: Hop) -> Hop:
    """Where a response goes: by the connection that the request came by, or to the port that it came from
    if it asks for that (§18.2.2, RFC 3581 §4).
    """
    if source.is_reliable or "rport" in via.params:
        return source
    return Hop.at(source.host, via.port, source.transport)


def reply_malformed(bad: BadMessage, source: Hop) -> tuple[Response, Hop] | None:
    """A response to a request that can't be read whole, and where it goes, without a transaction (§8.2.7).

    All it needs is a Via to go back by; of the rest it copies what is there. None where there is no way back,
    or for an ACK.
    """
    request = bad.request
    if request is None or request.method == "ACK":
        return None
    try:
        vias = request.listed("Via")
        via = parse_via(vias[0]) if vias else None
    except BadMessage:
        return None
    if via is None:
        return None
    copied = {name: request.first(name) or "" for name in ("From", "To", "Call-ID", "CSeq")}
    if copied["To"] and "tag=" not in copied["To"]:  # the same tag for the same request
        copied["To"] += f";tag={zlib.crc32(repr(copied).encode()):08x}"
    headers = [("Via", str(_stamped(via, source))), *(("Via", via) for via in vias[1:])]
    headers += [(name, value) for name, value in copied.items() if value]
    phrase = f"Bad {bad.place}" if bad.status == 400 else _PHRASES[bad.status]
    return Response(tuple(headers), b"", bad.status, phrase), reply_address(via, source)


def refusal_of_stranger(data: bytes, source: Hop) -> tuple[bytes, Hop] | None:
    """A 403 to whoever isn't known, without a transaction; None for what is no request."""
    try:
        message = parse(data)
    except BadMessage as bad:
        request = bad.request
    else:
        request = message if isinstance(message, Request) else None
    answered = reply_malformed(BadMessage("source", "unknown", request, 403), source)
    return None if answered is None else (serialise(answered[0]), answered[1])


def screen(request: Request, methods: Sequence[str]) -> Refusal | None:
    """What any request but ACK and CANCEL is refused for (§8.2.1–§8.2.3)."""
    if request.method not in methods:
        return Refusal(405, (("Allow", ", ".join(methods)),))
    if not _URI.match(request.uri):
        return Refusal(416)
    if required := [option for option in request.listed("Require") if option]:
        return Refusal(420, (("Unsupported", ", ".join(required)),))
    if request.body and (request.first("Content-Encoding") or "identity").lower() != "identity":
        return Refusal(415, (("Accept-Encoding", "identity"),))
    return None


def takes_sdp(request: Request) -> bool:
    """Whether an answer in SDP is among what they accept (§20.1; without Accept it is)."""
    ranges = [item.partition(";")[0].strip().lower() for item in request.listed("Accept")]
    return not ranges or any(item in ("application/sdp", "application/*", "*/*") for item in ranges)


def place_of(request: Request) -> bytes:
    """Where the caller is (PIDF-LO), as a part with its own headers; b"" where the body holds none.

    One that is very long is left out: it would tear the INVITE that tells it on into many datagrams.
    """
    kind, _, params = (request.first("Content-Type") or "").partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        return b""
    try:
        boundary = parse_params(params, "Content-Type").get("boundary") or ""
        found = raw_part_of(request.body, boundary, "application/pidf+xml") or b""
    except (BadMessage, ValueError):
        return b""
    return found if len(found) <= _LONGEST_PLACE else b""


def sdp_of(message: Request | Response) -> bytes | None:
    """The session description that a message carries; None without a body. BadMessage (415) for others.

    It may be one part of several: beside an emergency caller's place.
    """
    if not message.body:
        return None
    request = message if isinstance(message, Request) else None
    kind, semicolon, params = (message.first("Content-Type") or "").partition(";")
    kind = kind.strip().lower()
    if kind == "application/sdp":
        return message.body
    if kind.startswith("multipart/") and semicolon:
        boundary = parse_params(params, "Content-Type").get("boundary") or ""
        try:
            if (found := part_of(message.body, boundary, "application/sdp")) is not None:
                return found
        except ValueError as error:
            raise BadMessage("body", str(error), request) from None
    raise BadMessage("Content-Type", f"{kind[:40]!r}", request, 415 if kind else 400)
