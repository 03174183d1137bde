"""Offer and answer: which codec, where to, and what's left out (RFC 3264)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.description import parse_description
from ivr.sip.errors import BadDescription, Unacceptable
from ivr.sip.sdp import LocalMedia, LocalSession, Media, offered

OURS = LocalMedia("192.0.2.1", 20000)
HEAD = ("v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", "c=IN IP4 192.0.2.2", "t=0 0")
PLAIN = Media("192.0.2.2", 30000, 30001, "pcma", 8, None, 20, True, True)


def sdp(*lines: str, head: tuple[str, ...] = HEAD) -> bytes:
    return "".join(f"{line}\r\n" for line in (*head, *lines)).encode()


def test_our_offer() -> None:
    lines = LocalSession("t0000001", OURS).offer().decode().split("\r\n")
    assert lines[1].startswith("o=- ") and lines[1].endswith(" 1 IN IP4 192.0.2.1")
    assert lines[0:1] + lines[2:] == [
        "v=0",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


EVENTS = ("a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("m=audio 30000 RTP/AVP 8",), PLAIN),  # static types need no rtpmap
        (("m=audio 30000 RTP/AVP 0 8",), replace(PLAIN, codec="pcmu", payload_type=0)),  # theirs comes first
        (("m=audio 30000 RTP/AVP 18 8",), PLAIN),  # G.729 isn't ours
        (("m=audio 30000 RTP/AVP 97", "a=rtpmap:97 pcma/8000/1"), replace(PLAIN, payload_type=97)),
        (("m=audio 30000 RTP/AVP 8 96", *EVENTS), replace(PLAIN, dtmf_payload=96)),  # their own number
        (("m=audio 30000 RTP/AVP 8", "a=ptime:30"), replace(PLAIN, ptime=30)),
        (("m=audio 30000 RTP/AVP 8", "a=ptime:2000"), PLAIN),  # nonsense: 20
        (("m=audio 30000 RTP/AVP 8", "a=ptime:30.0"), replace(PLAIN, ptime=30)),  # RFC 8866: may be a real
        (("m=audio 30000 RTP/AVP 8", "a=ptime:50"), replace(PLAIN, ptime=40)),  # the next that we can
        (("m=audio 30000 RTP/AVP 8", "a=maxptime:10"), replace(PLAIN, ptime=10)),  # 20 would be too long
        (("m=audio 30000 RTP/AVP 8", "a=maxptime:150"), PLAIN),  # they bear more than we send
        (("m=audio 30000 RTP/AVP 8", "a=ptime:60", "a=maxptime:40"), replace(PLAIN, ptime=40)),
        (("a=ptime:60", "m=audio 30000 RTP/AVP 8"), replace(PLAIN, ptime=60)),  # of the whole session
        (("m=audio 30000 RTP/AVP 8", "a=rtcp:40001 IN IP4 192.0.2.2"), replace(PLAIN, rtcp_port=40001)),
        (
            ("m=audio 30000 RTP/AVP 8", "a=rtcp:40001 IN IP4 192.0.2.9"),
            replace(PLAIN, rtcp_port=40001, rtcp_host="192.0.2.9"),
        ),
        (
            (
                "m=audio 30000 RTP/AVP 8",
                "a=rtcp:40001 IN IP6 2001:db8::9",
            ),  # not of our kind: by voice's host
            replace(PLAIN, rtcp_port=40001),
        ),
        (("m=audio 30000 RTP/AVP 8", "a=rtcp:0"), PLAIN),
        (("m=audio 30000 RTP/AVP 8", "c=IN IP4 192.0.2.3"), replace(PLAIN, host="192.0.2.3")),  # m's own c=
        (("m=audio 30000 RTP/AVP 8", "a=sendonly"), replace(PLAIN, sends=False)),  # hold
        (("m=audio 30000 RTP/AVP 8", "a=recvonly"), replace(PLAIN, receives=False)),
        (("m=audio 30000 RTP/AVP 8", "a=inactive"), replace(PLAIN, sends=False, receives=False)),
        (("m=audio 30000 RTP/AVP 8", "c=IN IP4 0.0.0.0"), replace(PLAIN, host="0.0.0.0", sends=False)),
        (("a=inactive", "m=audio 30000 RTP/AVP 8", "a=sendrecv"), PLAIN),  # the stream's own direction wins
        (("m=image 9 udptl t38", "m=audio 30000 RTP/AVP 8"), PLAIN),
        (("m=image 0 udptl", "m=audio 30000 RTP/AVP 8"), PLAIN),  # switched off, without a format
        (("m=audio 0 RTP/AVP 0", "m=audio 30000 RTP/AVP 8"), PLAIN),  # the first is switched off
        (("m=audio 30002 RTP/SAVP 8", "m=audio 30000 RTP/AVP 8"), PLAIN),
        (("m=audio 30000/2 RTP/AVP 8",), PLAIN),
    ],
)
def test_what_they_offer(lines: tuple[str, ...], expected: Media) -> None:
    assert offered(sdp(*lines), OURS.host) == expected


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=video 30000 RTP/AVP 31",),
        ("m=audio 30000 RTP/AVP 18",),
        ("m=audio 0 RTP/AVP 8",),
        ("m=audio 30000 RTP/SAVP 8",),
        ("m=image 30000 udptl t38",),
        ("m=audio 30000 RTP/AVP 8", "c=IN IP6 2001:db8::1"),
        ("m=audio 30000 RTP/AVP 8", "c=IN IP4 2001:db8::1"),
        ("m=audio 30000 RTP/AVP 8", "c=IN IP4 somewhere.example.com"),  # names aren't resolved here
        ("m=audio 30000 RTP/AVP 97", "a=rtpmap:97 PCMA/16000"),
    ],
)
def test_what_we_cant_take(lines: tuple[str, ...]) -> None:
    with pytest.raises(Unacceptable):
        offered(sdp(*lines), OURS.host)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"v=1\r\n",
        b"v=0\r\nnonsense\r\n",
        sdp("m=audio"),
        sdp("m=audio x RTP/AVP 8"),
        sdp("m=audio 70000 RTP/AVP 8"),
        sdp("m=audio 30000 RTP/AVP 8", "c=IN IP4"),
    ],
)
def test_what_is_no_description(body: bytes) -> None:
    with pytest.raises(BadDescription):
        offered(body, OURS.host)


OURS_IPV6 = LocalMedia("2001:db8::1", 20000)
IPV6 = "c=IN IP6 2001:DB8:0:0::2"
THERE = replace(PLAIN, host="2001:db8::2")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("m=audio 30000 RTP/AVP 8", IPV6), THERE),  # in its one spelling
        (("m=audio 30000 RTP/AVP 8", "c=IN IP6 ::"), replace(THERE, host="::", sends=False)),
        (
            ("m=audio 30000 RTP/AVP 8", IPV6, "a=rtcp:40001 IN IP6 2001:db8::3"),
            replace(THERE, rtcp_port=40001, rtcp_host="2001:db8::3"),
        ),
        # both kinds, as RFC 4091 had it and gateways still do: the one that we reach
        (("m=audio 4000 RTP/AVP 8", "c=IN IP4 192.0.2.2", "m=audio 30000 RTP/AVP 8", IPV6), THERE),
    ],
)
def test_what_they_offer_to_an_ipv6_address(lines: tuple[str, ...], expected: Media) -> None:
    assert offered(sdp(*lines), OURS_IPV6.host) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ("m=audio 30000 RTP/AVP 8",),  # the session's c= is IPv4
        ("m=audio 30000 RTP/AVP 8", "c=IN IP6 192.0.2.2"),
        ("m=audio 30000 RTP/AVP 8", "c=IN IP6 fe80::2%eth0"),  # a zone is nobody else's (RFC 4007 §11)
    ],
)
def test_what_an_ipv6_address_cant_take(lines: tuple[str, ...]) -> None:
    with pytest.raises(Unacceptable):
        offered(sdp(*lines), OURS_IPV6.host)


def test_our_descriptions_name_an_ipv6_address() -> None:
    session = LocalSession("t0000001", OURS_IPV6)
    answer, _ = session.answer(sdp("m=audio 30000 RTP/AVP 8", IPV6))
    for body in (session.offer(), answer):
        lines = body.decode().split("\r\n")
        assert lines[1].endswith(" IN IP6 2001:db8::1") and lines[3] == "c=IN IP6 2001:db8::1"
        assert offered(body, "2001:db8::9").host == "2001:db8::1"


def test_every_stream_but_one_is_refused_in_its_place() -> None:
    body = sdp(
        "m=video 4000 RTP/AVP 31 32", "m=audio 30000 RTP/AVP 0 8 96", *EVENTS, "m=image 5000 udptl t38"
    )
    answer, media = LocalSession("t0000001", OURS).answer(body)
    streams = parse_description(answer).streams
    assert [(stream.kind, stream.port, stream.formats) for stream in streams] == [
        ("video", 0, ("31", "32")),
        ("audio", 20000, ("0", "96")),  # their first codec and their number of the events
        ("image", 0, ("t38",)),
    ]
    assert (media.codec, media.dtmf_payload) == ("pcmu", 96)


def test_what_was_refused_stays_in_its_place_when_we_offer() -> None:
    """RFC 3264 §8: an offer has as many m-lines as the description before, in their order."""
    ours = LocalSession("t0000001", OURS)
    first, _ = ours.answer(
        sdp("m=video 4000 RTP/AVP 31", "m=audio 30000 RTP/AVP 8", "m=image 5000 udptl t38")
    )
    again = ours.offer()
    assert [(stream.kind, stream.port) for stream in parse_description(again).streams] == [
        ("video", 0),
        ("audio", 20000),
        ("image", 0),
    ]
    assert [body.split()[3] for body in (first, again)] == [b"1", b"2"]  # o='s version
    answered = sdp("m=video 0 RTP/AVP 31", "m=audio 30004 RTP/AVP 0", "m=image 0 udptl t38")
    assert ours.agreed(answered).port == 30004


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("a=sendrecv", "sendrecv"),
        ("a=sendonly", "recvonly"),
        ("a=recvonly", "sendonly"),
        ("a=inactive", "inactive"),
        ("c=IN IP4 0.0.0.0", "recvonly"),
    ],
)
def test_directions_are_mirrored(theirs: str, ours: str) -> None:
    answer, _ = LocalSession("t0000001", OURS).answer(sdp("m=audio 30000 RTP/AVP 8", theirs))
    assert (ours, "") in parse_description(answer).streams[0].attributes


def test_our_preference_decides_only_what_is_known() -> None:
    session = LocalSession("t0000001", replace(OURS, codecs=("pcma",), dtmf=False))
    answer, media = session.answer(sdp("m=audio 30000 RTP/AVP 0 8 96", *EVENTS))
    assert (media.codec, media.dtmf_payload) == ("pcma", None)
    assert b"telephone-event" not in answer
    with pytest.raises(Unacceptable):
        session.answer(sdp("m=audio 30000 RTP/AVP 0"))


def version(body: bytes) -> tuple[str, int]:
    words = body.decode().split("\r\n")[1].split()
    return words[1], int(words[2])


def test_the_origin_stays_and_its_version_grows_with_a_change() -> None:
    session = LocalSession("t0000001", OURS)
    name, first = version(session.offer())
    assert version(session.offer()) == (name, first)  # nothing changed
    held, _ = session.answer(sdp("m=audio 30000 RTP/AVP 8", "a=sendonly"))
    assert version(held) == (name, first + 1)
    resumed, _ = session.answer(sdp("m=audio 30000 RTP/AVP 8"))
    assert version(resumed) == (name, first + 2)


@pytest.mark.parametrize("theirs", ["a=sendrecv", "a=sendonly", "a=inactive"])
def test_what_stays_unchanged_is_said_again_word_for_word(theirs: str) -> None:
    """A refresh offers what they have of us (RFC 4028 §7.4), on hold as well."""
    session = LocalSession("t0000001", OURS)
    answer, media = session.answer(
        sdp("m=video 4000 RTP/AVP 31", "m=audio 30000 RTP/AVP 8 96", *EVENTS, theirs)
    )
    assert session.unchanged() == answer
    again = session.agreed(sdp("m=video 0 RTP/AVP 31", "m=audio 30000 RTP/AVP 8 96", *EVENTS, theirs))
    assert again == media


line = st.sampled_from(
    [*HEAD, "m=audio 3 RTP/AVP 8", "a=rtpmap:8", "a=", "m=", "c=IN IP4 1.1.1.1"]
) | st.text(max_size=12)


@given(st.lists(line, max_size=8).map(lambda lines: "\r\n".join(["v=0", *lines]).encode()) | st.binary())
def test_nothing_else_is_raised(body: bytes) -> None:
    try:
        answer, media = LocalSession("t0000001", OURS).answer(body)
    except (BadDescription, Unacceptable):
        return
    assert 0 < media.port < 65536
    assert offered(answer, OURS.host).codec == media.codec
