"""An INVITE whose body has several parts: an emergency call tells where the caller is, and is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.errors import BadMessage
from ivr.sip.incoming import sdp_of
from ivr.sip.message import Request
from ivr.sip.multipart import part_of

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
PLACE = b"<presence>113.66,34.75</presence>"


def body(*parts: tuple[str, bytes], boundary: str = "b1", end: bytes = b"--") -> bytes:
    out = b"a preamble that nobody reads\r\n"
    for kind, content in parts:
        head = f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-ID: <x@y>\r\n\r\n".encode()
        out += head + content
    return out + f"\r\n--{boundary}".encode() + end + b"\r\n"


def invite(content: bytes, kind: str) -> Request:
    return Request((("Content-Type", kind),), content, "INVITE", "sip:110@10.0.0.2")


BODIES = [
    # Content-Type, the body, what is offered
    ('multipart/mixed;boundary=b1', body(("application/sdp", SDP), ("application/pidf+xml", PLACE)), SDP),
    ('multipart/mixed; boundary="b1"', body(("application/pidf+xml", PLACE), ("application/sdp", SDP)), SDP),
    ('Multipart/Related;type="application/sdp";boundary=b1', body(("Application/SDP", SDP)), SDP),
    ("application/sdp", SDP, SDP),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "content", "found"), BODIES)
def test_the_session_is_found(kind: str, content: bytes, found: bytes) -> None:
    assert sdp_of(invite(content, kind)) == found


REFUSED = [
    # Content-Type, the body, the status
    ("multipart/mixed;boundary=b1", body(("application/pidf+xml", PLACE)), 415),  # a place, and no session
    ("multipart/mixed", body(("application/sdp", SDP)), 415),
    ("multipart/mixed;boundary=other", body(("application/sdp", SDP)), 400),
    ("multipart/mixed;boundary=b1", body(("application/sdp", SDP), end=b""), 400),  # cut off
    ("text/plain", b"help", 415),
]


@pytest.mark.parametrize(("kind", "content", "status"), REFUSED)
def test_what_has_none_is_refused(kind: str, content: bytes, status: int) -> None:
    with pytest.raises(BadMessage) as told:
        sdp_of(invite(content, kind))
    assert told.value.status == status


@given(st.binary(max_size=300), st.text(max_size=20))
def test_whatever_comes_is_a_part_none_or_a_fault(content: bytes, boundary: str) -> None:
    try:
        found = part_of(content, boundary, "application/sdp")
    except ValueError:
        return
    assert found is None or found in content
