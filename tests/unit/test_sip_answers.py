"""What a request that we don't do is answered with, and which header says why (RFC 3261 §8.2, §21)."""

from __future__ import annotations

import pytest

from ivr.sip import Account, DialogEnded, InviteAccepted, InviteFailed, InviteReceived, Registered
from ivr.sip.envelope import envelope_of
from ivr.sip.incoming import reply
from ivr.sip.message import MAX_SIZE, Request, Response, parse, serialise
from tests.sip_messages import SDP, invite, message
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent

ROWS = [
    # what is wrong with it, the request, the status, a header that says so
    ("a header without its end", message(Require='"100rel'), 420, ("Unsupported", '"100rel')),
    ("Accept without its end", invite(Accept='"application/sdp'), 406, None),
    ("Max-Forwards of no number", message(Max_Forwards="70x"), 400, None),
    ("Max-Forwards too high", message(Max_Forwards="256"), 400, None),
    ("Max-Forwards used up: it has arrived (§16.3 is a proxy's)", message(Max_Forwards="0"), 200, None),
    ("a method of others", message("PUBLISH sip:a@b SIP/2.0", CSeq="8 PUBLISH"), 405, ("Allow", "INVITE")),
    ("a method of nobody", message("NEW sip:a@b SIP/2.0", CSeq="8 NEW"), 501, ("Allow", "INVITE")),
    ("methods have their case", message("options sip:a@b SIP/2.0", CSeq="8 options"), 501, None),
    ("an extension", message(Require="precondition, x"), 420, ("Unsupported", "precondition, x")),
    ("an extension of proxies", message(Proxy_Require="x"), 200, None),
    ("another scheme", message("OPTIONS http://a.b SIP/2.0"), 416, None),
    ("an encoding", invite(Content_Encoding="gzip"), 415, ("Accept-Encoding", "identity")),
    ("a body of another kind", invite(b"x", Content_Type="text/plain"), 415, ("Accept", "application/sdp")),
    (
        "a description for something else",
        invite(SDP, Content_Disposition="early-session"),
        415,
        ("Accept", "application/sdp"),
    ),
    ("an answer of another kind", invite(Accept="text/plain"), 406, None),
    ("a description that is none", invite(b"hello"), 400, None),
    ("nothing that we can play", invite(SDP.replace(b"audio", b"video")), 488, ("Warning", "305 huifang ")),
    ("no dialog", message("BYE sip:a@b SIP/2.0", CSeq="8 BYE", To="<sip:a@b>;tag=1"), 481, None),
    (
        "no call to hand over",
        message("REFER sip:a@b SIP/2.0", CSeq="8 REFER", Refer_To="<sip:c@d>"),
        403,
        None,
    ),
    ("no subscription", message("NOTIFY sip:a@b SIP/2.0", CSeq="8 NOTIFY", Event="refer"), 481, None),
    ("no response", message("PRACK sip:a@b SIP/2.0", CSeq="8 PRACK", RAck="1 7 INVITE"), 481, None),
    ("another version", message("OPTIONS sip:a@b SIP/3.0"), 505, None),
    ("a body of more than 64 KiB", invite(SDP + b" " * MAX_SIZE), 413, None),
    ("a body that is announced to be", invite(SDP, "Content-Length: 65536"), 413, None),
    ("headers of more than 64 KiB", message(Subject="x" * MAX_SIZE), 513, None),
]


@pytest.mark.parametrize(
    ("request_", "status", "header"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_refusals(request_: bytes, status: int, header: tuple[str, str] | None) -> None:
    agent = new_agent(transfers=True)
    agent.receive(request_, THEIRS, 0.0)
    ((data, to),) = agent.take_outgoing()
    answer = parse(data)
    assert isinstance(answer, Response)
    assert answer.status == status
    assert to == THEIRS
    if header:
        assert (answer.first(header[0]) or "").startswith(header[1])
    while agent.deadline is not None:
        agent.handle_timer(agent.deadline)
    assert agent.idle


@pytest.mark.parametrize(
    "more",
    [
        {"Content_Type": "text/plain", "Content_Disposition": "render;handling=optional"},
        {"Content_Type": "text/plain", "Content_Disposition": "icon; Handling=OPTIONAL"},
    ],
)
def test_a_body_that_needs_no_understanding_is_passed_over(more: dict[str, str]) -> None:
    """§20.11: the call has no offer, then."""
    agent = new_agent()
    agent.receive(invite(b"hello", **more), THEIRS, 0.0)
    (event,) = agent.take_events()
    assert event.offer is None  # type: ignore[union-attr]


def test_what_can_go_nowhere_is_dropped() -> None:
    agent = new_agent()
    for datagram in (
        b"x" * (MAX_SIZE + 1),  # no message at all
        b"SIP/2.0 200 OK\r\n" + b"Subject: x\r\n" * 6000,  # a response
        message("ACK sip:a@b SIP/2.0", b" " * MAX_SIZE, CSeq="8 ACK"),  # what has no answer
    ):
        agent.receive(datagram, THEIRS, 0.0)
    assert not agent.take_outgoing()
    assert [event.reason.partition(" ")[0] for event in agent.take_events()] == ["malformed"] * 3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("via", "back"),
    [
        # names and values of no kind we'd write ourselves; rport and received are ours to say
        ("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa==;Hpt=8e48$2", None),
        ('SIP/2.0/UDP 192.0.2.2:5060;Role="3";branch=z9hG4bK1', None),
        (
            "SIP/2.0/UDP h;rport;branch=z9hG4bKa==",
            "SIP/2.0/UDP h;branch=z9hG4bKa==;rport=5060;received=192.0.2.2",
        ),
        (
            "SIP/2.0/UDP h;received=192.0.2.9;branch=z9hG4bK1",
            "SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.2",
        ),
        ('SIP/2.0/UDP h ; RPort=9 ;x=";rport"', 'SIP/2.0/UDP h;x=";rport";rport=5060;received=192.0.2.2'),
    ],
)
@pytest.mark.parametrize("wrong", [{}, {"From": '"'}])  # with a transaction and without one
def test_the_via_goes_back_as_it_was_written(via: str, back: str | None, wrong: dict[str, str]) -> None:
    """§8.2.6.2: they find their transaction by it, and some compare nothing but the text."""
    agent = new_agent()
    agent.receive(message(Via=via, **wrong), THEIRS, 0.0)
    ((data, _),) = agent.take_outgoing()
    assert parse(data).first("Via") == (back or via)


def test_a_100_says_when_the_request_was_sent() -> None:
    """§8.2.6.1: they learn by it how far we are; no other response has to."""
    agent = new_agent()
    agent.receive(invite(Timestamp="54"), THEIRS, 0.0)
    (event,) = agent.take_events()
    assert isinstance(event, InviteReceived)
    agent.provisional(event.call, 180, 1.0)
    trying, ringing = (parse(data) for data, _ in agent.take_outgoing())
    assert (trying.every("Timestamp"), ringing.every("Timestamp")) == (["54"], [])


ODD = (("Contact", "<sip:a@192.0.2.2;>"), ("Record-Route", "<sip:192.0.2.2:0;lr>"))


def answered(request: bytes, status: int) -> bytes:
    read = parse(request)
    assert isinstance(read, Request)
    return serialise(reply(read, envelope_of(read), THEIRS, status, to_tag="s", headers=ODD))


def test_what_is_malformed_where_it_is_not_needed_is_ignored() -> None:
    """§8.2.2: nobody is kept in a call, or waited for, for a Contact that nothing goes by."""
    agent = new_agent()
    agent.receive(invite(), THEIRS, 0.0)
    (event,) = agent.take_events()
    assert isinstance(event, InviteReceived)
    agent.answer(event.call, OUR_MEDIA, 0.0)
    _, (ok, _) = agent.take_outgoing()
    to = parse(ok).first("To")
    odd = [f"{name}: {value}" for name, value in ODD]
    agent.receive(message("BYE sip:a@b SIP/2.0", b"", *odd, To=to, CSeq="9 BYE"), THEIRS, 1.0)
    assert [parse(data).start_line for data, _ in agent.take_outgoing()] == ["SIP/2.0 200 OK"]
    (ended,) = agent.take_events()
    assert isinstance(ended, DialogEnded)

    agent.invite("c", "sip:1@192.0.2.2", THEIRS, OUR_MEDIA, "sip:2@192.0.2.1", 2.0)
    ((ours, _),) = agent.take_outgoing()
    agent.receive(answered(ours, 486), THEIRS, 2.0)
    (failed,) = agent.take_events()
    assert isinstance(failed, InviteFailed)
    assert failed.status == 486

    agent.register("r", Account("sip:192.0.2.2", THEIRS, "sip:office@192.0.2.2", None, 600), 3.0)
    register = agent.take_outgoing()[-1][0]
    agent.receive(answered(register, 200), THEIRS, 3.0)  # with somebody else's binding
    (registered,) = agent.take_events()
    assert isinstance(registered, Registered)


def test_a_call_is_not_lost_for_a_contact_that_can_not_be_read() -> None:
    """Its 200 is taken, and the ACK goes to where the INVITE went."""
    agent = new_agent()
    agent.invite("c", "sip:1@192.0.2.2", THEIRS, OUR_MEDIA, "sip:2@192.0.2.1", 0.0)
    ((ours, _),) = agent.take_outgoing()
    read = parse(ours)
    assert isinstance(read, Request)
    headers = (("Contact", "<sip:a@192.0.2.2;>"), ("Content-Type", "application/sdp"))
    ok = reply(read, envelope_of(read), THEIRS, 200, to_tag="s", headers=headers, body=SDP)
    agent.receive(serialise(ok), THEIRS, 1.0)
    assert [type(event) for event in agent.take_events()] == [InviteAccepted]
    ((ack, hop),) = agent.take_outgoing()
    assert (parse(ack).start_line, hop) == ("ACK sip:1@192.0.2.2 SIP/2.0", THEIRS)
