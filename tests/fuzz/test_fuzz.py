"""Whatever comes, no parser raises but what it says, no agent raises at all, and what we write can be read.

Six targets share the time (`tests.fuzz.budget`). What they found stands as a test of
its own beside what it mended.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ivr.media.dtmf import KeyReceiver
from ivr.media.relay import Relay
from ivr.media.rtcp import read_reports
from ivr.media.rtp import BadPacket, Receiver, Sender
from ivr.media.rtp import parse as parse_rtp
from ivr.sip import InviteReceived, LocalMedia
from ivr.sip.crypto import new_cryptos
from ivr.sip.envelope import envelope_of
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.framing import Framer
from ivr.sip.headers import parse_name_addr, parse_via
from ivr.sip.incoming import reply
from ivr.sip.media import offered
from ivr.sip.message import Request, parse, serialise
from ivr.sip.sdp import LocalSession
from tests.fuzz import messages as made
from tests.fuzz.budget import fuzz
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent
from tests.unit.test_sip_fuzz import commands, pauses, play, requests, responses


def test_messages() -> None:
    """Read, or a BadMessage that names the place; what is read is the same when it is written again."""

    def check(data: bytes) -> None:
        try:
            message = parse(data)
            envelope = envelope_of(message)
        except BadMessage as bad:
            assert bad.place and bad.reason
            return
        again = parse(serialise(message))
        assert (again.headers, again.body) == (message.headers, message.body)
        sender = parse_name_addr(message.first("From") or "", "From")
        assert parse_name_addr(str(sender), "From") == sender
        if isinstance(message, Request):
            assert isinstance(again, Request)
            assert (again.method, again.uri) == (message.method, message.uri)
            answer = reply(message, envelope, THEIRS, 200)
            theirs, ours = message.listed("Via"), parse(serialise(answer)).listed("Via")
            assert ours[1:] == theirs[1:]  # handed back, whatever they say (§8.2.6.2)
            stamped = parse_via(ours[0])
            assert (stamped.branch, stamped.host) == (envelope.via.branch, envelope.via.host)

    assert fuzz(check, made.messages)


def test_an_agent_with_calls() -> None:
    """Messages amidst calls and commands: nothing is raised, each call has one end, nothing is left."""

    def check(story: list[Any]) -> None:
        play([step for step in story if not isinstance(step, bytes)])
        agent, now, calls = new_agent(transfers=True), 0.0, []
        for step in story:
            if isinstance(step, bytes):
                now += 0.3
                agent.receive(step, THEIRS, now)
            for event in agent.take_events():
                if isinstance(event, InviteReceived):
                    calls.append(event.call)
                    agent.answer(event.call, OUR_MEDIA, now)
        for call in calls:
            agent.bye(call, now)
        while agent.deadline is not None:
            now = max(now, agent.deadline)
            agent.handle_timer(now)
        assert agent.idle

    assert fuzz(check, st.lists(made.messages | responses | requests | commands | pauses, max_size=14))


def test_streams() -> None:
    """However octets are cut, a framer gives the same, and no more than it got."""

    def check(value: tuple[list[bytes], list[int]]) -> None:
        stream = b"".join(value[0])
        whole, cut = Framer(), Framer()
        at_once = list(whole.feed(stream))
        begin, piece_by_piece = 0, []
        for end in [*sorted(each % (len(stream) + 1) for each in value[1]), len(stream)]:
            piece_by_piece += cut.feed(stream[begin:end])
            begin = end
        if not whole.broken:
            assert piece_by_piece == at_once
        assert cut.broken == whole.broken
        assert sum(map(len, at_once)) <= len(stream)

    assert fuzz(
        check, st.tuples(st.lists(made.messages, max_size=4), st.lists(st.integers(0, 5000), max_size=6))
    )


def test_descriptions() -> None:
    """An offer is answered m-line by m-line, or refused; they read our answer as we meant it."""
    keys = new_cryptos(lambda size: bytes(range(size)))

    def check(value: tuple[bytes, bool, bool]) -> None:
        body, secure, by_us = value
        local = LocalMedia("192.0.2.1", 20000, crypto=keys if secure else (), plain=not secure)
        session = LocalSession("token1234", local)
        try:
            if by_us:
                session.offer()
                session.agreed(body)
                return
            answer, media = session.answer(body)
        except (BadDescription, Unacceptable) as error:
            assert str(error)
            return
        text = answer.decode()
        assert text.count("m=") == body.replace(b"\r\n", b"\n").count(b"\nm=")
        assert text.startswith("v=0\r\no=- ") and media.port
        if not secure:
            assert offered(answer, "192.0.2.2").codec == media.codec

    bodies = st.builds(made.spoilt, made.descriptions, made.edits)
    assert fuzz(check, st.tuples(bodies, st.booleans(), st.booleans()))


def test_rtp() -> None:
    """Packets of any kind: a BadPacket, or counted, relayed, and keys told at most once a packet."""

    def check(datagrams: list[bytes]) -> None:
        receiver, keys, relay, sender = Receiver(), KeyReceiver(), Relay(), Sender(1, 2, 3)
        for number, datagram in enumerate(datagrams):
            try:
                packet = parse_rtp(datagram)
            except BadPacket as error:
                assert str(error)
                continue
            receiver.take(packet, number * 0.02)
            told = keys.receive(packet, number * 0.02)
            relay.keys.take(packet, told is not None, sender, 101)
            relay.voice.take(packet, "pcma")
            frame = relay.voice.frame("pcmu")
            assert frame is None or len(frame) == 160
        receiver.block(9.0)

    assert fuzz(check, st.lists(made.rtp_packets, max_size=12))


def test_rtcp() -> None:
    """Reports, or a BadPacket; no share of loss beyond the whole, no time below zero."""

    def check(datagram: bytes) -> None:
        try:
            reports = read_reports(datagram)
        except BadPacket as error:
            assert str(error)
            return
        assert all(0 <= block.fraction <= 255 for report in reports for block in report.blocks)

    assert fuzz(check, made.rtcp_packets)
