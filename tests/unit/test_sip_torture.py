"""The torture tests of RFC 4475, all of them, by the RFC's names of the messages.

"wsinv" and "intmeth" are the RFC's own text; the others are shorter messages with the same point. The last
column says what an endpoint must do: answer with a status, take the call, or drop it.

Some are about others' work. escnull, scalar02, regbadct, unksm2, regaut01, cparam01, cparam02 and regescrt
are a registrar's: REGISTER is a method that we know and don't do (405), and what is wrong in the message
comes before that (400). bext01, zeromf, novelsc and unkscm ask a proxy something else: Proxy-Require and
Max-Forwards are nothing to where a request has arrived (§20.29, §16.3), a scheme that we can't serve is 416.
esc01, semiuri, transports and bcast are read here as a proxy would have to. mpart01 is a MESSAGE, which we
know and don't do.
"""

from __future__ import annotations

import pytest

from ivr.sip import Dropped, InviteReceived
from ivr.sip.envelope import envelope_of
from ivr.sip.message import Request, Response, parse
from tests.sip_messages import SDP, invite, message, register
from tests.sip_world import THEIRS, new_agent

WSINV = rb"""INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.3
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
""".replace(b"\n", b"\r\n")

INTMETH = (
    b"!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    b":&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
    b'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" '
    b"<sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n"
    b"From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>"
    b";fromParam''~+*_!.-%=\""
    b'\xd1\x80\xd0\xb0\xd0\xb1\xd0\xbe\xd1\x82\xd0\xb0\xd1\x8e\xd1\x89\xd0\xb8\xd0\xb9"'
    b";tag=_token~1'+`*%!-.\r\n"
    b"Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
    b"CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n"
    b"Max-Forwards: 255\r\n"
    b"extensionHeader-!.%*+_`'~: \xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb\r\n"
    b"Content-Length: 0\r\n\r\n"
)

LONG = "x" * 8000
CALL, DROP = "call", "drop"

MESSAGES = [
    # §3.1.1 valid messages
    ("wsinv", WSINV, 481),  # its To has a tag: no dialog of ours
    ("wsinv without the tag", WSINV.replace(b" ;   tag    = 1918181833n", b""), CALL),
    ("intmeth", INTMETH, 501),
    ("esc01", invite(To="<sip:sips%3Auser%40example.com@example.net>"), CALL),
    ("escnull", register(To="<sip:null-%00-null@example.com>"), 405),
    ("esc02", message("RE%47IST%45R sip:example.com SIP/2.0", CSeq="8 RE%47IST%45R"), 501),  # no REGISTER
    ("lwsdisp", message(From="caller<sip:caller@example.com>;tag=323"), 200),
    ("longreq", invite(SDP, f"Unknown: {LONG}", From=f'"{LONG}" <sip:a@b>;tag=1', Call_ID=LONG), CALL),
    ("dblreq", register("Content-Length: 0") + invite(), 405),  # what follows the body is thrown away
    ("semiuri", message("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"), 200),
    ("transports", message(Via="SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UNKNOWN b, SIP/2.0/SCTP c"), 200),
    (
        "mpart01",
        message("MESSAGE sip:a@b SIP/2.0", b"--x--", CSeq="8 MESSAGE", Content_Type="multipart/mixed"),
        405,
    ),
    ("unreason", message("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять", CSeq="8 INVITE"), DROP),
    ("noreason", message("SIP/2.0 100 ", CSeq="8 INVITE"), DROP),
    # §3.1.2 invalid messages
    ("badinv01", invite(Via="SIP/2.0/UDP 192.0.2.15;;,;,,"), DROP),  # there is no way back
    ("badinv01 in Contact", invite(Contact='"Joe" <sip:joe@example.org>;;;;'), 400),
    ("clerr", invite(SDP, "Content-Length: 9999"), 400),
    ("ncl", invite(SDP, "Content-Length: -999"), 400),
    (
        "scalar02",
        register("Expires: 10000000000", CSeq="36893488147419103232 REGISTER", Max_Forwards="300"),
        400,
    ),
    ("scalar02 with a CSeq of the usual size", register(Max_Forwards="300"), 400),
    ("scalarlg", message("SIP/2.0 503 Service Unavailable", CSeq="9292394834772304023312 OPTIONS"), DROP),
    ("quotbal", invite(To='"Mr. J. User <sip:j.user@example.com>'), 400),
    ("ltgtruri", message("OPTIONS <sip:user@example.com> SIP/2.0"), 400),
    ("lwsruri", message("OPTIONS sip:user@example.com; lr SIP/2.0"), 400),
    ("lwsstart", message("OPTIONS  sip:user@example.com  SIP/2.0"), 400),
    ("trws", message("OPTIONS sip:remote-target@example.com SIP/2.0  "), 400),
    ("escruri", message("OPTIONS sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0"), 400),
    ("baddate", invite(Date="Fri, 01 Jan 2010 16:00:00 EST"), CALL),  # Date means nothing to us
    ("regbadct", register(Contact="sip:user@example.com?Route=%3Csip:sip.example.com%3E"), 400),
    ("badaspec", message(To='"Watson, Thomas" < sip:t.watson@example.org >'), 200),  # what is meant is clear
    ("baddn", message(From="Bell, Alexander <sip:a.g.bell@example.com>;tag=43"), 200),  # here too
    ("badvers", message("OPTIONS sip:t.watson@example.org SIP/7.0"), 505),
    ("mismatch01", message(CSeq="8 INVITE"), 400),
    ("mismatch02", message("NEWMETHOD sip:user@example.com SIP/2.0", CSeq="8 INVITE"), 400),
    ("bigcode", message("SIP/2.0 4294967301 better not break the receiver", CSeq="8 INVITE"), DROP),
    # §3.2 transaction layer
    ("badbranch", message(Via="SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK"), 200),
    # §3.3 application layer
    ("insuf", invite(Call_ID=None, From=None, To=None), 400),
    ("unkscm", message("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), 416),
    ("novelsc", message("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"), 416),
    ("unksm2", register(To="isbn:2983792873", From="<http://www.example.com>;tag=3234233"), 405),
    ("bext01", message(Require="nothingSupportsThis", Proxy_Require="noProxiesSupportThis"), 420),
    ("invut", invite(b"<audio/>", Content_Type="application/unknownformat"), 415),
    ("regaut01", register("Authorization: NoOneKnowsThisScheme opaque-data=here"), 405),
    ("multi01", invite(SDP, "CSeq: 59 INVITE", "Call-ID: other", "From: <sip:x@y>", "Max-Forwards: 5"), 400),
    ("mcl01", message("OPTIONS sip:a@b SIP/2.0", b"There", "Content-Length: 5", "Content-Length: 15"), 400),
    (
        "bcast",
        message("SIP/2.0 200 OK", Via="SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1", CSeq="8 INVITE"),
        DROP,
    ),
    ("zeromf", message(Max_Forwards="0"), 200),  # it has arrived
    ("cparam01", register(Contact="sip:+19725552222@gw1.example.net;unknownparam"), 405),
    ("cparam02", register(Contact="<sip:+19725552222@gw1.example.net;unknownparam>"), 405),
    ("regescrt", register(Contact="<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"), 405),
    ("sdp01", invite(Accept="text/nobodyKnowsThis"), 406),
    # §3.4 backward compatibility
    (
        "inv2543",
        invite(Via="SIP/2.0/UDP iftgw.example.com", From="<sip:+13035551111@ift.client.example.net>"),
        CALL,
    ),
]


@pytest.mark.parametrize(
    ("datagram", "outcome"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES]
)
def test_torture(datagram: bytes, outcome: int | str) -> None:
    agent = new_agent()
    agent.receive(datagram, THEIRS, 0.0)
    answers = [parse(data) for data, _ in agent.take_outgoing()]
    events = agent.take_events()
    statuses = [answer.status for answer in answers if isinstance(answer, Response)]
    assert len(statuses) == len(answers) == (0 if outcome == DROP else 1)
    if outcome == CALL:
        assert statuses == [100]
        assert [type(event) for event in events] == [InviteReceived]
        agent.reject(events[0].call, 486, 0.0)
    elif outcome == DROP:
        assert [type(event) for event in events] == [Dropped]
    else:
        assert statuses == [outcome]
        assert not [event for event in events if not isinstance(event, Dropped)]
    while agent.deadline is not None:
        agent.handle_timer(agent.deadline)
    assert agent.idle


def test_every_message_of_the_rfc_is_there() -> None:
    named = {
        "§3.1.1": "wsinv intmeth esc01 escnull esc02 lwsdisp longreq dblreq semiuri transports mpart01 "
        "unreason noreason",
        "§3.1.2": "badinv01 clerr ncl scalar02 scalarlg quotbal ltgtruri lwsruri lwsstart trws escruri "
        "baddate regbadct badaspec baddn badvers mismatch01 mismatch02 bigcode",
        "§3.2": "badbranch",
        "§3.3": "insuf unkscm novelsc unksm2 bext01 invut regaut01 multi01 mcl01 bcast zeromf cparam01 "
        "cparam02 regescrt sdp01",
        "§3.4": "inv2543",
    }
    assert {name for names in named.values() for name in names.split()} <= {row[0] for row in MESSAGES}


def test_what_wsinv_says() -> None:
    request = parse(WSINV)
    envelope = envelope_of(request)
    assert isinstance(request, Request)
    assert request.uri == "sip:vivekg@chair-dnrc.example.com;unknownparam"
    assert envelope.to.tag == "1918181833n"
    assert (envelope.from_.display, envelope.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (envelope.cseq, envelope.method) == (9, "INVITE")
    assert (envelope.via.host, envelope.via.branch) == ("192.0.2.2", "390skdjuw")
    assert len(envelope.more_vias) == 2
    assert envelope.contact == "sip:jdrosen@example.com"
    assert request.first("Newfangledheader") == "newfangled value continued newfangled value"
    assert request.first("Unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert len(request.body) == 150


def test_what_intmeth_says() -> None:
    envelope = envelope_of(parse(INTMETH))
    assert envelope.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert envelope.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert envelope.from_.display == "token1~` token2'+_ token3*%!.-"
    assert envelope.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert envelope.from_.tag == "_token~1'+`*%!-."


def test_a_repeated_old_invite_is_no_second_call() -> None:
    """RFC 3261 §17.2.3: without the cookie the transaction is found by the other headers."""
    agent = new_agent()
    datagram = next(row[1] for row in MESSAGES if row[0] == "inv2543")
    agent.receive(datagram, THEIRS, 0.0)
    agent.receive(datagram, THEIRS, 0.1)
    assert len(agent.take_events()) == 1
