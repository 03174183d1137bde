"""Requests to an agent of ours, put together by the headers in which they differ from the usual one."""

from __future__ import annotations

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 49217 RTP/AVP 0\r\n"

USUAL = {
    "Via": "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1",
    "Max-Forwards": "70",
    "From": "<sip:caller@example.com>;tag=323",
    "To": "<sip:user@example.com>",
    "Call-ID": "name.of@192.0.2.2",
    "CSeq": "8 OPTIONS",
}


def message(
    start: str = "OPTIONS sip:user@example.com SIP/2.0", body: bytes = b"", *more: str, **changes: str | None
) -> bytes:
    """The usual OPTIONS with some headers changed (None: left out) and some more."""
    headers = USUAL | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [start, *(f"{name}: {value}" for name, value in headers.items() if value is not None), *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def invite(body: bytes = SDP, *more: str, **changes: str | None) -> bytes:
    changes = {
        "CSeq": "8 INVITE",
        "Contact": "<sip:caller@192.0.2.2>",
        "Content_Type": "application/sdp",
    } | changes
    return message("INVITE sip:user@example.com SIP/2.0", body, *more, **changes)


def register(*more: str, **changes: str | None) -> bytes:
    return message("REGISTER sip:example.com SIP/2.0", b"", *more, **{"CSeq": "8 REGISTER"} | changes)
