"""Messages out of a stream, however it's cut, and what a stream can't hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.framing import Framer
from ivr.sip.message import Request, parse, serialise


def request(body: bytes, *headers: tuple[str, str]) -> bytes:
    return serialise(Request((("Call-ID", "c@192.0.2.2"), *headers), body, "INFO", "sip:1@192.0.2.1"))


def framed(octets: bytes, *cuts: int) -> tuple[list[bytes], Framer]:
    framer, found, begin = Framer(), [], 0
    for end in (*sorted(cuts), len(octets)):
        found += framer.feed(octets[begin:end])
        begin = max(begin, end)
    return found, framer


bodies = (
    st.binary(max_size=60) | st.just(b"\r\n\r\n") | st.just(b"INFO sip:2@192.0.2.1 SIP/2.0\r\nl: 9\r\n\r\n")
)


@given(st.lists(bodies, min_size=1, max_size=4), st.lists(st.integers(0, 900), max_size=8))
def test_however_the_octets_come_the_messages_are_the_same(contents: list[bytes], cuts: list[int]) -> None:
    sent = [request(body) for body in contents]
    stream = b"".join(sent)
    found, framer = framed(stream, *(cut for cut in cuts if cut < len(stream)))
    assert found == sent
    assert not framer.broken


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_noise_upsets_nothing(noise: bytes, cuts: list[int]) -> None:
    found, _ = framed(noise, *(cut for cut in cuts if cut < len(noise)))
    assert b"".join(found) in noise or not found


@pytest.mark.parametrize(
    "head",
    [
        b"l: 3",  # compact
        b"CONTENT-LENGTH\t:\t3",
        b"Content-Length:\r\n 3",  # folded
        b"Subject: Content-Length: 9\r\nContent-Length: 3",  # not at the begin of a line
        b"Subject: a\r\n Content-Length: 9\r\nContent-Length: 3",  # not a line of its own: it's folded
    ],
)
def test_the_length_is_found_however_it_is_written(head: bytes) -> None:
    message = b"INFO sip:1@192.0.2.1 SIP/2.0\r\n" + head + b"\r\n\r\nabc"
    assert framed(message + message)[0] == [message, message]


@pytest.mark.parametrize(
    "head",
    [
        b"Call-ID: 1",  # none: where it ends can't be known (RFC 3261 §18.3)
        b"Content-Length: -3",
        b"Content-Length: three",
        b"Content-Length: 3\r\nContent-Length: 4",  # which?
        b"Content-Length: 99999999999999",
        b"Content-Length: 65536",  # larger than we take
    ],
)
def test_what_can_not_be_framed_breaks_the_stream_and_is_given_to_be_answered(head: bytes) -> None:
    message = b"INFO sip:1@192.0.2.1 SIP/2.0\r\n" + head + b"\r\n\r\nabc"
    found, framer = framed(message + request(b""))
    assert framer.broken
    assert len(found) == 1
    assert found[0].startswith(message)
    assert not list(framer.feed(request(b"")))


def test_a_head_without_end_breaks_the_stream() -> None:
    framer = Framer()
    assert not list(framer.feed(b"INFO " + b"x" * 60_000))
    assert list(framer.feed(b"x" * 10_000))
    assert framer.broken


def test_empty_lines_are_keep_alives() -> None:
    message = request(b"")
    found, framer = framed(b"\r\n\r\n" + message + b"\r\n\r\n\r\n\r\n\r\n" + message)  # RFC 5626 §3.5.1
    assert found == [message, message]
    assert framer.pings == 3


def test_a_message_of_a_stream_needs_its_length() -> None:
    message = request(b"").replace(b"Content-Length: 0\r\n", b"")
    assert parse(message).body == b""
    with pytest.raises(Exception, match="Content-Length: missing in a stream"):
        parse(message, is_stream=True)
