"""An INVITE whose body has several parts: an emergency call tells where the caller is, and is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.body import place_of, sdp_of
from ivr.sip.errors import BadMessage
from ivr.sip.message import Request, parse
from ivr.sip.multipart import part_of
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent

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


def invited(place: bytes, *geolocation: str) -> tuple[Request, list[str]]:
    """Our INVITE with that place, and its Geolocation headers."""
    agent = new_agent()
    headers = [("Geolocation", value) for value in geolocation]
    agent.invite(
        "c", "sip:801@192.0.2.2", THEIRS, OUR_MEDIA, "sip:110@192.0.2.1", 0.0, headers=headers, place=place
    )
    [(data, _)] = agent.take_outgoing()
    request = parse(data)
    assert isinstance(request, Request)
    return request, list(request.every("Geolocation"))


def test_a_place_goes_on_as_it_came() -> None:
    kind = "multipart/mixed;boundary=b1"
    came = place_of(invite(body(("application/sdp", SDP), ("application/pidf+xml", PLACE)), kind))
    assert came.endswith(PLACE)
    assert b"Content-ID: <x@y>" in came
    request, named = invited(came, "<cid:x@y>")
    assert place_of(request) == came
    assert (sdp_of(request) or b"").startswith(b"v=0")
    assert named == ["<cid:x@y>"]


NAMED = [
    # what the caller's INVITE names, what ours does that brings no place
    ("<cid:x@y>", []),
    ("<https://lis.example/1>", ["<https://lis.example/1>"]),
    ("<CID:x@y>;p=1, <https://lis.example/1>", ["<https://lis.example/1>"]),
    ("<https://lis.example/1>, <cid:x@y>", ["<https://lis.example/1>"]),
]


@pytest.mark.parametrize(("came", "told"), NAMED)
def test_a_place_that_doesnt_go_on_isnt_named(came: str, told: list[str]) -> None:
    request, named = invited(b"", came)
    assert named == told
    assert request.first("Content-Type") == "application/sdp"


PLACELESS = [
    ("application/sdp", SDP),
    ("multipart/mixed;boundary=b1", body(("application/sdp", SDP))),
    ("multipart/mixed;boundary=b1", body(("application/pidf+xml", PLACE), end=b"")),  # cut off
    ("multipart/mixed", body(("application/pidf+xml", PLACE))),
    ("multipart/mixed;boundary=b1", body(("application/pidf+xml", PLACE * 300))),  # far too long
]


@pytest.mark.parametrize(("kind", "content"), PLACELESS)
def test_there_is_no_place(kind: str, content: bytes) -> None:
    assert place_of(invite(content, kind)) == b""
