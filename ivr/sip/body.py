"""What a message's body holds: a session description, a place, or neither (RFC 3261 §8.2.3). Pure."""

from __future__ import annotations

from ivr.sip.errors import BadDescription, BadMessage, SipError
from ivr.sip.headers import parse_params, quote
from ivr.sip.message import Request, Response
from ivr.sip.multipart import part_of, raw_part_of
from ivr.sip.screening import Refusal

__all__ = ["place_of", "refusal_of", "sdp_of", "takes_sdp"]

_LONGEST_PLACE = 8000  # octets


def takes_sdp(request: Request) -> bool:
    """Whether an answer in SDP is among what they accept (§20.1; without Accept it is)."""
    ranges = [item.partition(";")[0].strip().lower() for item in request.options("Accept")]
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

    It may be one part of several: beside an emergency caller's place. What needn't be understood is passed
    over (handling=optional, §20.11).
    """
    if not message.body:
        return None
    try:
        return _described(message)
    except BadMessage:
        if _may_be_passed_over(message):
            return None
        raise


def _described(message: Request | Response) -> bytes:
    request = message if isinstance(message, Request) else None
    kind, semicolon, params = (message.first("Content-Type") or "").partition(";")
    kind = kind.strip().lower()
    if kind == "application/sdp" and _disposition(message)[0] in ("", "session"):
        return message.body
    if kind.startswith("multipart/") and semicolon:
        boundary = parse_params(params, "Content-Type").get("boundary") or ""
        try:
            if (found := part_of(message.body, boundary, "application/sdp")) is not None:
                return found
        except ValueError as error:
            raise BadMessage("body", str(error), request) from None
    raise BadMessage("Content-Type", f"{kind[:40]!r}", request, 415 if kind else 400)


def _disposition(message: Request | Response) -> tuple[str, str]:
    """What the body is for and how it wants to be handled, "" where it isn't told; it never raises."""
    kind, _, params = (message.first("Content-Disposition") or "").partition(";")
    try:
        handling = parse_params(params, "Content-Disposition").get("handling") if params else None
    except BadMessage:
        handling = None
    return kind.strip().lower(), (handling or "").lower()


def _may_be_passed_over(message: Request | Response) -> bool:
    return _disposition(message)[1] == "optional"


def refusal_of(fault: SipError, who: str) -> Refusal:
    """What a request is answered with whose description couldn't be used; `who` names us in a Warning."""
    match fault:
        case BadMessage(status=415):
            return Refusal(415, (("Accept", "application/sdp"),))
        case BadMessage(status=status, place=place):
            return Refusal(status, reason=f"Bad {place}")
        case BadDescription():
            return Refusal(400, reason="Bad Session Description")
        case _:  # §13.3.1.3: why, in a Warning (§20.43: 305, incompatible media format)
            return Refusal(488, (("Warning", f"305 {who} {quote(str(fault))}"),))
