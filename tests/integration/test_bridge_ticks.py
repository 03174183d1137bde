"""A bridge of two telephones, packet by packet and tick by tick: what is said, and when it's heard."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import pytest

from ivr.counters import Counters
from ivr.media.audio import Audio
from ivr.media.dtmf import send_key
from ivr.media.g711 import SILENCE
from ivr.media.ports import PortPool, udp_socket
from ivr.media.remote import Remote
from ivr.media.rtp import RtpPacket, Sender, parse
from ivr.media.session import MediaSession
from ivr.rtp_loop import RtpLoop
from tests.loopback_city import HOST, media_ports

PROMPT = Audio((b"\x70" * 160,) * 5, (b"\x70" * 160,) * 5)


class Telephone:
    """A far end and the session of ours that it talks to; says 0, 1, 2 …, a number 20 ms long."""

    def __init__(self, loop: RtpLoop, port: int) -> None:
        self.session: MediaSession = loop.open(f"call-{port}")
        self.socket: socket.socket = udp_socket(HOST, port)
        address = (HOST, port)
        loop.negotiate(self.session, Remote(address, port + 1, "pcma", 8, 101, frozenset({HOST})))
        self.sender = Sender(port, 0, 0)
        self._said = count()

    def say(self, frames: int = 1) -> None:
        for _ in range(frames):
            self.send(self.sender.frame(8, bytes([next(self._said)]) * 160))

    def send(self, octets: bytes) -> None:
        self.socket.sendto(octets, (HOST, self.session.port))

    def hears(self) -> list[RtpPacket]:
        packets = []
        while True:
            try:
                packets.append(parse(self.socket.recv(2048)))
            except BlockingIOError:
                return packets


class Bridge:
    """Two telephones whose sessions are joined; `turn` is 20 ms in which each read what had come."""

    def __init__(self) -> None:
        first, _ = media_ports(10)
        self.loop = RtpLoop(PortPool(HOST, first, first + 15), 2, 60.0, Counters())
        self.one, self.two = Telephone(self.loop, first + 16), Telephone(self.loop, first + 18)
        self.now = time.monotonic()

    def start(self, session: MediaSession) -> None:
        session.start(self.now)

    def turn(self) -> None:
        self.now += 0.02
        for telephone in (self.one, self.two):
            while telephone.session.read(self.now):
                pass
        for telephone in (self.one, self.two):
            telephone.session.tick(self.now)


@pytest.fixture
def bridge(request: pytest.FixtureRequest) -> Iterator[Bridge]:
    if "clock" in request.fixturenames:
        request.getfixturevalue("clock")  # before the loop looks at it first
    made = Bridge()
    yield made
    made.loop.close()
    for telephone in (made.one, made.two):
        telephone.socket.close()


def joined(bridge: Bridge) -> tuple[Telephone, Telephone]:
    one, two = bridge.one, bridge.two
    for telephone in (one, two):
        bridge.start(telephone.session)
    one.session.join(two.session)
    return one, two


def voice(packets: list[RtpPacket]) -> list[int]:
    """The numbers of the frames that were heard, keys left out."""
    return [packet.payload[0] for packet in packets if packet.payload_type == 8]


def test_what_is_said_is_heard_at_the_next_tick(bridge: Bridge) -> None:
    one, two = joined(bridge)
    for at in range(5):
        one.say()
        bridge.turn()
        assert voice(two.hears()) == [at]


def test_what_was_said_during_a_prompt_isnt_heard_after_it(bridge: Bridge) -> None:
    one, two = joined(bridge)
    two.session.play("hold", PROMPT)
    for at in range(8):
        one.say()
        bridge.turn()
        assert voice(two.hears()) == [0x70 if at < 5 else at]


def test_what_was_said_while_a_key_was_told_isnt_heard_after_it(bridge: Bridge) -> None:
    one, two = joined(bridge)
    two.session.press("5", 0.1)  # five frames, and two that tell its end again
    for at in range(10):
        one.say()
        bridge.turn()
        assert voice(two.hears()) == ([] if at < 7 else [at])


def test_a_key_doesnt_delay_the_voice_after_it(bridge: Bridge) -> None:
    one, two = joined(bridge)
    for octets in send_key(one.sender, "5", 0.1, 101):
        one.send(octets)
        bridge.turn()
    assert voice(two.hears()) == []
    for at in range(4):
        one.say()
        bridge.turn()
        assert voice(two.hears()) == [at]


def test_who_comes_late_hears_before_it_speaks(bridge: Bridge) -> None:
    """The process was away for three frames: they wait in the socket, and leave without a gap."""
    one, two = bridge.one, bridge.two
    for telephone in (one, two):
        bridge.loop.start(telephone.session, bridge.now)
    one.session.join(two.session)
    bridge.loop.turn(0.0)
    two.hears()
    one.say(3)
    time.sleep(0.065)
    bridge.loop.turn(0.0)
    heard = voice(two.hears())
    assert heard[:3] == [0, 1, 2]
    assert set(heard[3:]) <= {SILENCE["pcma"]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The loop's own time, which passes when a test says so; `on_sleep` is what happens while it sleeps."""
    clock = SimpleNamespace(now=1000.0, on_sleep=lambda: None)
    time = SimpleNamespace(monotonic=lambda: clock.now, sleep=lambda _seconds: clock.on_sleep())
    monkeypatch.setattr("ivr.rtp_loop.time", time)
    return clock


@pytest.mark.parametrize("phase", [0, 7, 13, 19])
def test_each_sends_half_a_frame_after_the_others_packets(
    clock: SimpleNamespace, bridge: Bridge, phase: int
) -> None:
    one, two = bridge.one, bridge.two
    for telephone in (one, two):
        bridge.loop.start(telephone.session, clock.now)
    bridge.loop.bridge([one.session, two.session])
    said, heard = [], []
    for ms in range(400):
        clock.now = 1000.0002 + ms / 1000
        if ms % 20 == phase:
            one.say()
            said.append(ms)
        bridge.loop.turn(0.0)
        heard += [(number, ms) for number in voice(two.hears()) if number != SILENCE["pcma"]]
    assert [number for number, _ in heard] == list(range(len(heard))) and len(heard) >= 19
    assert {ms - said[number] for number, ms in heard[1:]} == {10}


def test_many_calls_are_read_once_a_millisecond(clock: SimpleNamespace) -> None:
    """What comes while the loop waits for the end of the ms is heard with what woke it."""
    first, _ = media_ports(30)
    heard: list[bytes] = []
    loop = RtpLoop(PortPool(HOST, first, first + 59), 21, 60.0, Counters())
    try:
        sessions = [loop.open(f"c{at}", lambda payload, *_: heard.append(payload)) for at in range(21)]
        for session in sessions:
            loop.negotiate(session, Remote((HOST, 9), 10, "pcma", 8, 101, frozenset({HOST})))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:

            def send(session: MediaSession) -> None:
                far.sendto(Sender(1, 0, 0).frame(8, bytes(160)), (HOST, session.port))

            clock.on_sleep = lambda: send(sessions[1])
            send(sessions[0])
            loop.turn(0.5)
        assert len(heard) == 2
    finally:
        loop.close()
