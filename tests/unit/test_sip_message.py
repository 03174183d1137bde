"""The grammar of SIP messages: what is read, what is refused, and that nothing else ever comes of bytes."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ivr.sip.envelope import envelope_of
from ivr.sip.errors import BadMessage
from ivr.sip.headers import (
    Cause,
    NameAddr,
    Uri,
    Via,
    parse_cseq,
    parse_name_addr,
    parse_params,
    parse_reason,
    parse_uri,
    parse_via,
    split_list,
)
from ivr.sip.message import MAX_SIZE, Request, Response, canonical, parse, serialise
from tests.sip_world import THEIRS, new_agent

LR = {"lr": None}
INVITE = b"""INVITE sip:13803790001@192.0.2.1:5060 SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKb1;rport\r
Max-Forwards: 70\r
From: "Operator \\"One\\"" <sip:037963110110@192.0.2.2>;tag=f1\r
To: <sip:13803790001@192.0.2.1>\r
Call-ID: c1@192.0.2.2\r
CSeq: 1 INVITE\r
Contact: <sip:trunk@192.0.2.2:5060>\r
Content-Type: application/sdp\r
Content-Length: 98\r
\r
v=0\r
o=- 1 1 IN IP4 192.0.2.2\r
s=-\r
c=IN IP4 192.0.2.2\r
t=0 0\r
m=audio 30000 RTP/AVP 8\r
a=ptime:20\r
"""


def test_names_get_one_spelling() -> None:
    message = parse(
        b"OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h\r\ncALL-id: 1\r\nx-MY-header : 2\r\nl: 0\r\n\r\n"
    )
    assert message.headers == (("Via", "SIP/2.0/UDP h"), ("Call-ID", "1"), ("X-My-Header", "2"))


def test_repeated_and_listed_headers_are_the_same() -> None:
    message = parse(
        b"OPTIONS sip:a@b SIP/2.0\r\nRoute: <sip:a;lr>, <sip:b,c@d;lr>\r\nRoute:\r\n\t<sip:e>\r\n\r\n"
    )
    assert message.listed("Route") == ["<sip:a;lr>", "<sip:b,c@d;lr>", "<sip:e>"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sip:a@b;tag=1", NameAddr("", "sip:a@b", {"tag": "1"})),  # without brackets parameters are To's
        ("<sip:a@b;x=y>;tag=1", NameAddr("", "sip:a@b;x=y", {"tag": "1"})),  # within they are the URI's
        ('"A \\"B\\" <c>" <sip:a@b>', NameAddr('A "B" <c>', "sip:a@b")),  # brackets and quotes in quotes
        ("Mr. Bean <tel:+86379>", NameAddr("Mr. Bean", "tel:+86379")),  # another scheme
        ('"ends in a backslash \\\\" <sip:a@b>', NameAddr("ends in a backslash \\", "sip:a@b")),
        ("<sip:a@b>;q;r = 2", NameAddr("", "sip:a@b", {"q": None, "r": "2"})),
    ],
)
def test_addresses(value: str, expected: NameAddr) -> None:
    assert parse_name_addr(value, "To") == expected
    assert parse_name_addr(str(expected), "To") == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "<sip:a@b",  # the bracket isn't closed
        '"Mr. J. User <sip:a@b>',  # nor the quote
        'Mr "J <sip:a@b>',
        "<sip:a@b> x;tag=1",
        "<sip:a@b>;;tag=1",
        "<sip:a@b>;tag=",
        "sip:a@b?Route=x",  # must stand in brackets
        "nothing",
        "<sip:>",
        "<sip:a@b:99999>",
        "<sip:a@b c>",
        "<sip:a@b;>",
        "<sip:a@b;lr=>",
        '<sip:a@b;"x"=1>',
    ],
)
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_name_addr(value, "To")
    assert caught.value.place == "To"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sip:a@b", Uri("sip", "a", "b")),
        ("SIPS:b:5061", Uri("sips", "", "b", 5061)),
        (
            "sip:+86%20379:pw@[2001:db8::1]:5060;lr",
            Uri("sip", "+86 379", "[2001:db8::1]", 5060, {"lr": None}),
        ),
        (
            "sip:a;b?c@d?Subject=x",
            Uri("sip", "a;b?c", "d", headers="Subject=x"),
        ),  # ; and ? in the user part (§19.1.1)
        (
            "sip:b;x/y:z&[1]$=(1);Transport=TCP;%6c",
            Uri("sip", "", "b", params={"x/y:z&[1]$": "(1)", "transport": "TCP", "%6c": None}),
        ),  # what a parameter may be made of in a URI, and not in a header
        ("tel:+86379", Uri("tel", "+86379", "")),
        ("nobodyKnowsThisScheme:x@y", Uri("nobodyknowsthisscheme", "x@y", "")),
    ],
)
def test_uris(value: str, expected: Uri) -> None:
    assert parse_uri(value, "request line") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("SIP/2.0/UDP h;branch=z9hG4bK1", Via("UDP", "h", None, {"branch": "z9hG4bK1"})),
        ("sip / 2.0 / tcp  h : 5061 ; rport", Via("TCP", "h", 5061, {"rport": None})),
        ("SIP/2.0/UDP [::1]:5060", Via("UDP", "[::1]", 5060)),
    ],
)
def test_vias(value: str, expected: Via) -> None:
    assert parse_via(value) == expected


@pytest.mark.parametrize(
    "value", ["", "SIP/2.0/UDP", "SIP/3.0/UDP h", "SIP/2.0/UDP h;;,;", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h i"]
)
def test_what_is_no_via(value: str) -> None:
    with pytest.raises(BadMessage):
        parse_via(value)


def test_cseq_is_bounded() -> None:
    assert parse_cseq("0009   INVITE") == (9, "INVITE")
    assert parse_cseq("2147483647 X") == (2147483647, "X")
    for bad in ("2147483648 X", "1", "X 1", "-1 X", "1 X Y", "", "９ X", "1" * 5000 + " X"):
        with pytest.raises(BadMessage):
            parse_cseq(bad)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['Q.850;cause=17;text="User busy"'], Cause(17, "User busy")),
        (['SIP;cause=486;text="Busy, here"'], Cause(None, "Busy, here")),  # the SIP cause is no Q.850 cause
        (['SIP;cause=200;text="elsewhere", q.850 ;cause=26'], Cause(26, "elsewhere")),
        (["SIP;cause=600", "Q.850;cause=1"], Cause(1, "")),  # two headers
        (["Q.850;cause=999"], Cause(None, "")),  # no cause of Q.850
        (["Q.850;cause=17", ";;;"], Cause(17, "")),  # the readable one counts
        (["Q.850;cause=16;text="], Cause(16, "")),  # and what can be read of one
        (['SIP;cause=486;, Q.850;text="busy";;cause=17'], Cause(17, "busy")),
        (['Q.850;cause=18, Q.850;text="open'], Cause(None, "")),
        ([], Cause(None, "")),
    ],
)
def test_reasons(lines: list[str], expected: Cause) -> None:
    assert parse_reason(lines) == expected


def test_the_body_ends_where_content_length_says() -> None:
    head = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 2\r\n\r\n"
    assert parse(head + b"abcd").body == b"ab"  # §18.3: the rest of a datagram is thrown away
    with pytest.raises(BadMessage, match="2, but 1 bytes follow"):
        parse(head + b"a")
    assert parse(b"OPTIONS sip:a@b SIP/2.0\r\n\r\nabcd").body == b"abcd"


@pytest.mark.parametrize(
    ("datagram", "place"),
    [
        (b"hello", "request line"),
        (b"INVITE sip:a@b SIP/2.0\r\nVia SIP/2.0/UDP h\r\n\r\n", "header"),  # no colon
        (b"INVITE sip:a@b SIP/2.0\r\nBad Name: x\r\n\r\n", "header"),
        (b"INVITE sip:a@b SIP/2.0\r\nSubject: a\nVia: b\r\n\r\n", "header"),  # a bare LF smuggles nothing in
        (b"INVITE sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        (b"INVITE sip:a@b SIP/2.0\r\nl: 0\r\nl: 0\r\n\r\n", "Content-Length"),
        (b"INVITE sip:a@b SIP/2.0\r\nSubject: x\r\n", "headers"),  # no empty line
        (b"INVITE  sip:a@b SIP/2.0\r\n\r\n", "request line"),
        (b"INVITE <sip:a@b> SIP/2.0\r\n\r\n", "request line"),
        (b"IN VITE sip:a@b SIP/2.0\r\n\r\n", "request line"),
        (b"INVITE sip:a@b SIP/7.0\r\n\r\n", "request line"),
        (b"SIP/2.0 4294967301 Big\r\n\r\n", "status line"),
        (b"SIP/7.0 200 OK\r\n\r\n", "status line"),
        (b"SIP/2.0 099 Low\r\n\r\n", "status line"),
        (b"x" * (MAX_SIZE + 1), "message"),
    ],
)
def test_what_is_no_message(datagram: bytes, place: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(datagram)
    assert caught.value.place == place


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_what_every_message_needs(name: str) -> None:
    lines = [line for line in INVITE.split(b"\r\n") if not line.startswith(name.encode() + b":")]
    with pytest.raises(BadMessage, match=f"{name}: missing"):
        envelope_of(parse(b"\r\n".join(lines)))


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards"])
def test_what_no_message_has_twice(name: str) -> None:
    message = parse(INVITE)
    value = message.first(name) or ""
    twice = Request((*message.headers, (name, value)), message.body, "INVITE", "sip:a@b")
    with pytest.raises(BadMessage, match=f"{name}: more than one"):
        envelope_of(parse(serialise(twice)))


tokens = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
header_names = tokens.map(canonical).filter(lambda name: name != "Content-Length")
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30).map(
    lambda text: text.strip(" \t")
)
header_lists = st.lists(st.tuples(header_names, texts), max_size=6).map(tuple)
uris = st.builds(
    "{}:{}@{}".format,
    st.sampled_from(["sip", "sips", "tel", "x-new"]),
    tokens,
    st.sampled_from(["192.0.2.1", "example.com:5060", "[2001:db8::1]"]),
)
requests = st.builds(Request, headers=header_lists, body=st.binary(max_size=50), method=tokens, uri=uris)
responses = st.builds(
    Response,
    headers=header_lists,
    body=st.binary(max_size=50),
    status=st.integers(100, 699),
    reason=texts,
)


@given(requests | responses)
def test_what_is_written_is_read_again(message: Request | Response) -> None:
    if isinstance(message, Request) and message.method[:4].upper() == "SIP/":
        return
    assert parse(serialise(message)) == message


@given(st.dictionaries(tokens.map(str.lower), st.none() | texts.filter(bool), max_size=4), texts)
def test_addresses_are_read_again(params: dict[str, str | None], display: str) -> None:
    address = NameAddr(display, "sip:a@b", params)
    assert parse_name_addr(str(address), "To") == address


def read_all(data: bytes) -> None:
    message = parse(data)
    envelope_of(message)
    for name, value in message.headers:
        split_list(value, name)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        read_all(data)
    except BadMessage as bad:
        assert bad.place and bad.reason


fragments = [
    b'"',
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"\r\n",
    b"\r",
    b"\n ",
    b"\\",
    b"\0",
    b"\xff",
    b"=",
    b"9" * 30,
]
pieces = st.sampled_from(fragments) | st.binary(max_size=4)
edit = st.tuples(st.integers(0, len(INVITE) + 20), st.integers(0, 6), pieces)
edits = st.lists(edit, min_size=1, max_size=4)


@given(edits)
@example([(338, 3, b"")])  # an empty Content-Length had no reason to tell
@settings(max_examples=300)
def test_mutated_messages_raise_nothing_else(edits: list[tuple[int, int, bytes]]) -> None:
    data = INVITE
    for at, cut, insert in edits:
        data = data[:at] + insert + data[at + cut :]
    try:
        read_all(data)
    except BadMessage as bad:
        assert bad.place and bad.reason
    agent = new_agent()
    agent.receive(data, THEIRS, 0.0)  # raises nothing at all
    for event in agent.take_events():
        if hasattr(event, "call"):
            agent.reject(event.call, 486, 0.0)
    while agent.deadline is not None:
        agent.handle_timer(agent.deadline)
    assert agent.idle


@pytest.mark.parametrize(
    "value",
    [
        '"' + '\\"' * 30000,
        '"' + "\\" * 60000 + '" <sip:a@b>',
        "<sip:a@b>" + ";a=1" * 15000,
        "<sip:a@b>, " * 5000 + "<sip:a@b>",
        "," * 60000,
        "<" * 60000,
    ],
)
def test_long_values_are_read_in_linear_time(value: str) -> None:
    """Two seconds is a thousand times what a linear parser needs and a tenth of what a quadratic one does."""
    began = time.process_time()
    for read in (parse_name_addr, split_list, parse_params):
        try:
            read(value, "To")
        except BadMessage:
            continue
    assert time.process_time() - began < 2.0


def test_a_response_is_read_without_the_lines_that_can_not_be() -> None:
    """A call that was answered isn't lost for a header that says nothing."""
    read = parse(b"SIP/2.0 200 OK\r\nTo: <sip:a@b>\r\nno header\r\nb@d: x\r\nCall-ID: 1\r\n\r\n")
    assert read.headers == (("To", "<sip:a@b>"), ("Call-ID", "1"))
    with pytest.raises(BadMessage, match="header"):
        parse(b"BYE sip:a@b SIP/2.0\r\nno header\r\n\r\n")
