"""A far end that says anything, legal or not, in any order: lost, doubled, too late, of several branches."""

from __future__ import annotations

import re
from random import Random

from ivr.sip import (
    AckReceived,
    CancelReceived,
    Credentials,
    DialogEnded,
    Dropped,
    InviteAccepted,
    InviteFailed,
    InviteReceived,
    ReinviteReceived,
    SipEvent,
)
from ivr.sip.envelope import Envelope, envelope_of
from ivr.sip.message import Request, Response, parse
from tests.sip_world import OUR_MEDIA, OURS, THEIRS, new_agent

URI, CALLER = "sip:13803790001@192.0.2.2:5060", "sip:037963110110@192.0.2.1"
SOON, LATE = (0.01, 0.1, 0.4, 0.6, 2.0), (5.0, 35.0, 61.0, 1000.0)
KINDS = ("voice",) * 4 + ("hold", "zero", "fax", "off", "none")
STATUSES = (100, 180, 183, 183, 199, 200, 200, 200, 302, 401, 422, 481, 487, 488, 491, 503)
METHODS = ("ACK", "ACK", "ACK", "INVITE", "INVITE", "UPDATE", "UPDATE", "PRACK", "INFO", "REFER", "NOTIFY")
ENDS = (InviteFailed, DialogEnded, CancelReceived)


class FarEnd:
    """`agreed` is the port at which they hear by the last answer of either side, `told` as we know it."""

    def __init__(self, random: Random, inbound: bool) -> None:
        self.random, self.inbound, self.now = random, inbound, 0.0
        self.agent, self.call = new_agent(OURS, "t", transfers=True), "c"
        self.requests: list[tuple[Request, Envelope]] = []  # ours
        self.said: list[bytes] = []
        self.heard: dict[str, None] = {}  # what we said, in order
        self.events: list[SipEvent] = []
        self.call_id, self.our_tag = "in1", ""
        self.cseq, self.port = 0, 30000
        self.invites: list[tuple[int, str, str]] = []  # theirs: CSeq, branch, To tag
        self.offers: dict[int, bytes] = {}  # theirs, by CSeq
        self.unanswered: tuple[str, int] | None = None  # by whose INVITE our offer goes, and its CSeq
        self.accepted: set[tuple[int, str]] = set()  # 2xx to INVITEs: CSeq, tag
        self.acknowledged: set[tuple[int, str]] = set()
        self.described: dict[str, tuple[int, bytes]] = {}  # by their tag: version, body
        self.agreed = self.told = 0

    # What they say.

    def description(self) -> bytes:
        """Each at another port; b"" for none."""
        kind = self.random.choice(KINDS)
        if kind == "none":
            return b""
        self.port += 2
        host = "0.0.0.0" if kind == "zero" else "192.0.2.2"
        audio = f"m=audio {0 if kind == 'off' else self.port} RTP/AVP 8\r\n"
        fax = f"m=image {self.port} udptl t38\r\n"
        hold = "a=sendonly\r\n" if kind == "hold" else ""
        lines = f"v=0\r\no=- 7 {self.port} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        return f"{lines}{fax if kind == 'fax' else audio}{hold}".encode()

    def say(self, start: str, headers: list[str], body: bytes) -> None:
        described = ["Content-Type: application/sdp"] if body.startswith(b"v=0") else []
        data = "\r\n".join([start, *headers, *described, "", ""]).encode() + body
        self.said.append(data)
        self.hear(data)

    def hear(self, data: bytes) -> None:
        message, endpoint = parse(data), self.agent._endpoint
        envelope = envelope_of(message)
        if isinstance(message, Request):
            dialog = (envelope.call_id, envelope.to.tag, envelope.from_.tag)
            is_answer = message.method == "ACK" and self.unanswered == ("theirs", envelope.cseq)
            if is_answer and dialog in endpoint.dialogs:
                self.unanswered, self.agreed = None, port_of(message.body) or self.agreed
            elif message.body.startswith(b"v=0"):
                self.offers.setdefault(envelope.cseq, message.body)
        elif (
            envelope.method == "INVITE"
            and message.status >= 200
            and self.unanswered == ("ours", envelope.cseq)
        ):
            self.unanswered = None
            if message.status < 300:
                self.agreed = port_of(message.body) or self.agreed
        if isinstance(message, Response) and envelope.method == "INVITE" and message.status // 100 == 2:
            transaction = endpoint.layer._clients.get((envelope.via.branch, "INVITE"))
            if transaction is not None and transaction.machine.state.name != "COMPLETED":
                self.accepted.add((envelope.cseq, envelope.to.tag))
        self.agent.receive(data, THEIRS, self.now)
        self.collect()

    def respond(self, request: Request, envelope: Envelope, status: int) -> None:
        random, tag = self.random, self.random.choice("ABC")
        to = (request.first("To") or "") + ("" if envelope.to.tag else f";tag={tag}")
        headers = [f"{name}: {request.first(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        headers += [f"To: {to}", "Contact: <sip:trunk@192.0.2.2>"]
        if 100 < status < 200 and random.random() < 0.4:
            headers += ["Require: 100rel", f"RSeq: {random.randint(1, 3)}"]
        if status == 401:
            headers.append(f'WWW-Authenticate: Digest realm="a", nonce="{random.randint(1, 3)}"')
        if status == 422:
            headers.append("Min-SE: 2000")
        if status // 100 == 2:
            headers.append(f"Session-Expires: 90;refresher={random.choice(['uac', 'uas'])}")
            headers.append(f"Allow: INVITE, ACK, BYE{random.choice(['', ', UPDATE'])}")
        has_body = 100 < status < 300 and request.method == "INVITE"
        self.say(f"SIP/2.0 {status} X", headers, self.description() if has_body else b"")

    def ask(self, method: str, tag: str) -> None:
        random = self.random
        self.cseq += 1
        cseq, branch = self.cseq, f"z9hG4bKx{self.cseq}"
        if method in ("ACK", "CANCEL"):
            if not self.invites:
                return
            cseq, of_invite, to_tag = random.choice(self.invites[-2:])
            branch, tag = (of_invite, to_tag) if method == "CANCEL" else (branch, tag)
        elif method == "INVITE":
            self.invites.append((cseq, branch, tag))
        tagged = f";tag={tag}" if tag else ""
        ours, theirs = f"<sip:huifang@192.0.2.1>{tagged}", "<sip:13803790002@192.0.2.2>;tag=F"
        if not self.inbound:
            ours, theirs = f"<{CALLER}>;tag={self.our_tag}", f"<{URI}>;tag={random.choice('ABC')}"
        headers = [f"Via: SIP/2.0/UDP 192.0.2.2;branch={branch}", f"From: {theirs}", f"To: {ours}"]
        headers += [f"Call-ID: {self.call_id}", f"CSeq: {cseq} {method}", "Contact: <sip:trunk@192.0.2.2>"]
        body = self.description() if method in ("INVITE", "UPDATE", "ACK", "PRACK") else b""
        if method == "INVITE" and not tag and random.random() < 0.4:
            headers.append("Require: 100rel")
        if method == "PRACK":
            rseqs = re.findall(r"RSeq: (\d+)", "".join(self.heard)) or ["1"]
            headers.append(f"RAck: {rseqs[-1]} 1 INVITE")
        if method == "REFER":
            headers.append("Refer-To: <sip:110@192.0.2.2>")
        if method == "NOTIFY":
            headers += ["Event: refer", "Subscription-State: active", "Content-Type: message/sipfrag"]
            body = random.choice([b"SIP/2.0 100 Trying", b"SIP/2.0 200 OK"])
        self.say(f"{method} sip:huifang@192.0.2.1 SIP/2.0", headers, body)

    # What we say.

    def collect(self) -> None:
        for event in self.agent.take_events():
            if isinstance(event, Dropped):
                continue
            assert not any(isinstance(each, ENDS) for each in self.events), f"{event} after the end"
            self.events.append(event)
            if isinstance(event, InviteReceived):
                self.call = event.call
            if isinstance(event, AckReceived | InviteAccepted | ReinviteReceived):
                self.told = event.media.port
            if isinstance(event, InviteAccepted):
                self.agreed = event.media.port
        for data, _ in self.agent.take_outgoing():
            self.heard_of_us(data)

    def heard_of_us(self, data: bytes) -> None:
        text = data.decode()
        if text in self.heard:
            return  # again
        self.heard[text] = None
        message = parse(data)
        envelope = envelope_of(message)
        if isinstance(message, Request):
            self.requests.append((message, envelope))
            if not self.inbound:
                self.call_id, self.our_tag = envelope.call_id, envelope.from_.tag
            if message.method == "ACK":
                self.acknowledged.add((envelope.cseq, envelope.to.tag))
        elif self.inbound:
            self.our_tag = envelope.to.tag or self.our_tag
        if message.body.startswith(b"v=0"):
            is_request = isinstance(message, Request)
            self.described_by_us(message, envelope, envelope.to.tag if is_request else envelope.from_.tag)

    def described_by_us(self, message: Request | Response, envelope: Envelope, tag: str) -> None:
        version = int(message.body.split()[3])
        before, same = self.described.get(tag, self.described.get("", (0, b"")))
        assert (version, message.body) == (before, same) or version == before + 1, "o='s version"
        self.described[tag] = version, message.body
        theirs = self.offers.get(envelope.cseq) if isinstance(message, Response) else None
        if isinstance(message, Request) and not envelope.to.tag:
            return  # the first INVITE of the call, or what a refusal has taught
        assert self.unanswered is None, "an offer, or an answer, while our offer has no answer"
        if theirs is not None:
            self.agreed = port_of(theirs)
        else:
            self.unanswered = ("ours" if isinstance(message, Request) else "theirs"), envelope.cseq

    # What happens.

    def run(self, steps: int) -> None:
        if self.inbound:
            self.ask("INVITE", "")
        else:
            login = Credentials("office", "secret")
            self.agent.invite("c", URI, THEIRS, OUR_MEDIA, CALLER, 0.0, credentials=login)
            self.collect()
        for _ in range(steps):
            self.step()
            is_up = any(isinstance(event, AckReceived | InviteAccepted) for event in self.events)
            if is_up and not any(isinstance(event, ENDS) for event in self.events):
                assert self.told == self.agreed, "where the voice goes"
        self.agent.bye(self.call, self.now)
        self.collect()
        self.wait(10_000.0)

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.25:
            self.wait(self.random.choice(SOON if self.random.random() < 0.8 else LATE))
        elif chance < 0.5 and self.requests:
            request, envelope = self.random.choice(self.requests[-4:])
            if request.method != "ACK":
                self.respond(request, envelope, self.random.choice(STATUSES))
        elif chance < 0.55 and self.inbound:
            self.ask("CANCEL", "")
        elif chance < 0.58 and self.our_tag:
            self.ask("BYE", self.our_tag)
        elif chance < 0.8 and self.our_tag:
            self.ask(self.random.choice(METHODS), self.our_tag)
        elif chance < 0.88 and self.said and self.now < 30:
            self.hear(self.random.choice(self.said[-6:]))
        else:
            self.order()

    def order(self) -> None:
        """What our own side may want at any moment."""
        agent, call, now = self.agent, self.call, self.now
        match self.random.choice(("ring", "early", "answer", "answer", "refer", "told", "info", "bye")):
            case "ring":
                agent.provisional(call, 180, now)
            case "early":
                agent.provisional(call, 183, now, local=OUR_MEDIA)
            case "answer":
                agent.answer(call, OUR_MEDIA, now)
            case "refer":
                agent.refer(call, "sip:110@192.0.2.2", now)
            case "told":
                agent.refer_result(call, 200, now)
            case "info":
                agent.info(call, "5", now)
            case "bye" if self.random.random() < 0.3:
                agent.bye(call, now)
        self.collect()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.agent.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.agent.handle_timer(self.now)
            self.collect()
        self.now = until


def port_of(body: bytes) -> int:
    """Of a voice that we can play, 0 without."""
    found = re.search(rb"m=audio (\d+) ", body)
    return int(found[1]) if found else 0
