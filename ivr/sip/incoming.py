"""A request of theirs, and what it is answered with (RFC 3261 §8.2, §18.2; RFC 3581). Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadMessage
from ivr.sip.headers import Via, ip_of, parse_via, split_list
from ivr.sip.hop import Hop
from ivr.sip.message import Header, Request, Response, parse, serialise
from ivr.sip.underway import ServerTransaction

__all__ = ["Incoming", "refusal_of_stranger", "reply", "reply_address", "reply_malformed"]

_PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 302: "Moved Temporarily",
    400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 422: "Session Interval Too Small",
    469: "Bad Info Package",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented",
    503: "Service Unavailable", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request with its envelope, where it came from and the transaction that answers it."""

    request: Request
    envelope: Envelope
    source: Hop
    transaction: ServerTransaction


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
    sent_at = request.every("Timestamp")[:1] if status == 100 else []  # §8.2.6.1
    copied = [
        ("Via", _stamped(request.listed("Via")[0], envelope.via, source)),
        *(("Via", via) for via in envelope.more_vias),
        ("From", request.first("From") or ""),
        ("To", to),
        ("Call-ID", envelope.call_id),
        ("CSeq", f"{envelope.cseq} {envelope.method}"),
        *(("Timestamp", value) for value in sent_at),
    ]
    phrase = reason or _PHRASES.get(status) or _PHRASES.get(status // 100 * 100, "Failure")
    return Response((*copied, *headers), body, status, phrase)


def _stamped(text: str, via: Via, source: Hop) -> str:
    """A Via as it was written (§8.2.6.2): who sent it may look for nothing else. With received and rport
    (§18.2.1, RFC 3581 §4).
    """
    asks = "rport" in via.params
    if not asks and ip_of(via.host) == source.host:
        return text
    parts = split_list(text, "Via", ";")
    kept = [part for part in parts if part.partition("=")[0].rstrip().lower() not in ("received", "rport")]
    rport = [f"rport={source.port}"] if asks else []
    return ";".join([*kept, *rport, f"received={source.host}"])


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
    headers = [("Via", _stamped(vias[0], via, source)), *(("Via", via) for via in vias[1:])]
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
