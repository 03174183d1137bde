"""Whatever arrives amidst calls, the agent raises nothing, tells one end of each call and forgets it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.sip import (
    CancelReceived,
    Credentials,
    DialogEnded,
    InviteAccepted,
    InviteFailed,
    InviteReceived,
    UserAgent,
)
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent

SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    "m=audio 30000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n"
)
CHALLENGE = 'Digest realm="trunk", nonce="n", qop="auth", stale=true'

statuses = st.sampled_from([100, 180, 183, 199, 200, 202, 302, 401, 407, 422, 481, 486, 487, 491, 503, 603])
methods = st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "INFO", "OPTIONS", "PRACK", "UPDATE", "NEW"])
tags = st.sampled_from(["", ";tag=s1", ";tag=s2"])
extra_headers = st.sampled_from([
    "Record-Route: <sip:192.0.2.9;lr>", "Record-Route: <sip:router.example.com>", "Contact: <tel:+86379>",
    "Contact: *", f"WWW-Authenticate: {CHALLENGE}", "Reason: Q.850;cause=17;text=\"\x00\"", "Require: 100rel",
    "Contact: <sip:somebody@999.0.2.2:5060>", "Content-Encoding: gzip", "Retry-After: 1",
    "RSeq: 1", "RSeq: x", "RAck: 1 1 INVITE", 'Require: "', "Session-Expires: 90;refresher=uas",
    "Min-SE: 3600", "Session-Expires: 1;refresher=uac", "Supported: timer", "Allow: INVITE, UPDATE",
])  # fmt: skip
bodies = st.sampled_from(["", SDP, "Signal=1\r\n", "v=0\r\n"])
kinds = st.sampled_from(["application/sdp", "application/dtmf-relay", "text/plain"])
fragments = st.sampled_from(['"', "<", ">", ";", ",", "\r\n", "\0", "\udcff", "=", "9" * 12, "sip:"])
edits = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3), fragments), max_size=2)

responses = st.tuples(
    st.just("response"), statuses, st.sampled_from(["INVITE", "BYE", "INFO", "CANCEL", "PRACK", "UPDATE"]),
    tags, st.lists(extra_headers, max_size=3), bodies, kinds, edits,
)  # fmt: skip
requests = st.tuples(
    st.just("request"),
    methods,
    st.integers(1, 4),
    tags,
    st.lists(extra_headers, max_size=2),
    bodies,
    kinds,
    edits,
)
commands = st.tuples(
    st.just("command"), st.sampled_from(["cancel", "bye", "info", "answer", "ring", "reject"])
)
pauses = st.tuples(st.just("pause"), st.sampled_from([0.1, 0.6, 5.0, 40.0, 60.0]))


def mangled(text: str, edits: list[tuple[int, int, str]]) -> bytes:
    for at, cut, insert in edits:
        text = text[:at] + insert + text[at + cut :]
    return text.encode("utf-8", "surrogateescape")


class Table:
    """An agent with one outbound call, and what is needed to speak to it."""

    def __init__(self) -> None:
        self.agent: UserAgent = new_agent()
        self.now = 0.0
        self.sent: dict[str, list[str]] = {}
        self.names = ["c"]
        self.told: list[object] = []
        self.agent.invite(
            "c",
            "sip:1@192.0.2.2",
            THEIRS,
            OUR_MEDIA,
            "sip:2@192.0.2.1",
            0.0,
            credentials=Credentials("u", "p"),
        )
        self.settle()

    def settle(self) -> None:
        for data, _ in self.agent.take_outgoing():
            lines = data.decode("utf-8", "surrogateescape").split("\r\n")
            self.sent[lines[0].split(" ")[0]] = lines
        for event in self.agent.take_events():
            self.told.append(event)
            if isinstance(event, InviteReceived):
                self.names.append(event.call)

    def respond(self, status, method, tag, more, body, kind, edits) -> None:  # type: ignore[no-untyped-def]
        lines = self.sent.get(method) or self.sent["INVITE"]
        kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
        to = next(line for line in lines if line.startswith("To:")).partition(";tag=")[0] + tag
        contact = "Contact: <sip:trunk@192.0.2.2>"
        head = [f"SIP/2.0 {status} X", *kept, to, contact, f"Content-Type: {kind}", *more]
        self.receive(head, body, edits)

    def request(self, method, cseq, tag, more, body, kind, edits) -> None:  # type: ignore[no-untyped-def]
        lines = self.sent["INVITE"]
        ours = next(line for line in lines if line.startswith("From:"))[6:]
        call_id = next(line for line in lines if line.startswith("Call-ID:"))
        head = [
            f"{method} sip:huifang@192.0.2.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{cseq}{method if method == 'NEW' else ''}",
            f"From: <sip:1@192.0.2.2>{tag}",
            f"To: {ours if tag else '<sip:2@192.0.2.1>'}",
            call_id,
            f"CSeq: {cseq} {method}",
            "Contact: <sip:trunk@192.0.2.2>",
            f"Content-Type: {kind}",
            *more,
        ]
        self.receive(head, body, edits)

    def receive(self, head: list[str], body: str, edits: list[tuple[int, int, str]]) -> None:
        text = "\r\n".join([*head, "", body])
        self.agent.receive(mangled(text, edits), THEIRS, self.now)

    def command(self, name: str) -> None:
        agent, call, now = self.agent, self.names[-1], self.now
        match name:
            case "cancel":
                agent.cancel(call, now)
            case "bye":
                agent.bye(call, now)
            case "info":
                agent.info(call, "1", now)
            case "answer":
                agent.answer(call, OUR_MEDIA, now)
            case "ring":
                agent.provisional(call, 183, now, local=OUR_MEDIA)
            case "reject":
                agent.reject(call, 480, now, q850=20, text='a "word"')

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.agent.handle_timer(self.now)


stories = st.lists(responses | requests | commands | pauses, max_size=14)


@given(stories)
@settings(max_examples=200)
def test_nothing_upsets_the_agent(story: list[tuple[object, ...]]) -> None:
    play(story)


def play(story: list[tuple[object, ...]]) -> None:
    """Let it happen, then hang up, and look what was told and what is left."""
    table = Table()
    for kind, *arguments in story:
        match kind:
            case "response":
                table.respond(*arguments)
            case "request":
                table.request(*arguments)
            case "command":
                table.command(*arguments)
            case "pause":
                table.pause(*arguments)
        table.settle()
    for name in table.names:  # whoever is still there hangs up
        table.agent.bye(name, table.now)
    while table.agent.deadline is not None:
        table.now = max(table.now, table.agent.deadline)
        table.agent.handle_timer(table.now)
        table.settle()
    assert table.agent.idle
    told = [event for event in table.told if getattr(event, "call", None) == "c"]
    accepted = [event for event in told if isinstance(event, InviteAccepted)]
    assert len([event for event in told if isinstance(event, InviteFailed)]) == 1 - len(accepted)
    assert len([event for event in told if isinstance(event, DialogEnded)]) == len(accepted)
    for name in table.names[1:]:
        ends = [e for e in table.told if isinstance(e, CancelReceived | DialogEnded) and e.call == name]
        assert len(ends) <= 1
    for event in table.told:
        assert repr(event).encode("utf-8")
