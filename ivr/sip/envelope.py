"""The headers by which a message finds its transaction and its dialog, read once (RFC 3261 §8.1.1). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.sip.errors import BadMessage
from ivr.sip.headers import NameAddr, Via, parse_cseq, parse_name_addr, parse_uri, parse_via
from ivr.sip.message import Request, Response

__all__ = ["Envelope", "envelope_of"]

_ONCE = ("Call-ID", "CSeq", "From", "To", "Max-Forwards", "Content-Type")
_NEEDED = ("Via", "Call-ID", "CSeq", "From", "To")
_TARGETED = ("INVITE", "UPDATE")  # whose Contact and Record-Route a dialog goes by


@dataclass(frozen=True, slots=True)
class Envelope:
    """`via` is the topmost, `more_vias` the others as they were written; `contact` is the first one's URI.

    `contact` and `record_route` are read only where they're needed: elsewhere a malformed one is ignored
    (§8.2.2), so that no BYE and no refusal is lost for it.
    """

    via: Via
    more_vias: tuple[str, ...]
    call_id: str
    cseq: int
    method: str
    from_: NameAddr
    to: NameAddr
    contact: str | None
    record_route: tuple[str, ...]


def envelope_of(message: Request | Response) -> Envelope:
    """BadMessage where a needed header is missing, repeated or unreadable."""
    try:
        return _read(message)
    except BadMessage as bad:
        if isinstance(message, Request):
            raise BadMessage(bad.place, bad.reason, message) from None
        raise


def _read(message: Request | Response) -> Envelope:
    names = [name for name, _ in message.headers]
    for name in _NEEDED:
        if name not in names:
            raise BadMessage(name, "missing")
    for name in _ONCE:
        if names.count(name) > 1:
            raise BadMessage(name, "more than one")
    vias = message.listed("Via")
    cseq, method = parse_cseq(message.first("CSeq") or "")
    call_id = message.first("Call-ID") or ""
    if not call_id or " " in call_id:
        raise BadMessage("Call-ID", f"{call_id[:40]!r}")
    if isinstance(message, Request):
        if method != message.method:
            raise BadMessage("CSeq", f"its method {method[:20]!r} isn't the request's")
        if parse_uri(message.uri, "request line").headers:
            raise BadMessage("request line", "headers in the Request-URI")  # §19.1.1
        _check_max_forwards(message.first("Max-Forwards") or "0")
    has_target = _has_target(message, method)
    return Envelope(
        via=parse_via(vias[0]),
        more_vias=tuple(vias[1:]),
        call_id=call_id,
        cseq=cseq,
        method=method,
        from_=parse_name_addr(message.first("From") or "", "From"),
        to=parse_name_addr(message.first("To") or "", "To"),
        contact=_contact(message) if has_target else None,
        record_route=tuple(_routes(message)) if has_target else (),
    )


def _has_target(message: Request | Response, method: str) -> bool:
    if isinstance(message, Request):
        return method in (*_TARGETED, "REGISTER")
    return method in _TARGETED and message.status < 300


def _check_max_forwards(text: str) -> None:
    """0–255 (§20.22). It is a proxy's to count down: what has come to us has arrived, at 0 as well."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < 256):
        raise BadMessage("Max-Forwards", f"{text[:20]!r}")


def _contact(message: Request | Response) -> str | None:
    contacts = message.listed("Contact")
    if not contacts or contacts == ["*"]:
        return None
    try:
        uris = [parse_name_addr(contact, "Contact").uri for contact in contacts]
    except BadMessage:
        if isinstance(message, Request):
            raise
        return None  # a call isn't lost for that: it goes on to where it went so far
    return uris[0]


def _routes(message: Request | Response) -> list[str]:
    routes = message.listed("Record-Route")
    for route in routes:
        parse_name_addr(route, "Record-Route")
    return routes
