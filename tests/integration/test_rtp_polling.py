"""A call's packets are read with the tick that sends: all, whoever else writes and however they come."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ivr.counters import Counters
from ivr.events import Codec, KeyPressed
from ivr.media.dtmf import send_key
from ivr.media.ports import PortPool, udp_socket
from ivr.media.remote import Remote
from ivr.media.rtp import RtpPacket, Sender
from ivr.rtp_loop import RtpLoop
from tests.loopback_city import HOST, media_ports
from tests.rtp_office import FarEnd, Office, rtp_office, waiting


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with rtp_office(monkeypatch) as made:
        yield made


def heard(far: FarEnd) -> list[int]:
    """The numbers of the packets that are heard of it from now on."""
    numbers: list[int] = []

    def hear(packet: RtpPacket, codec: Codec, now: float) -> None:
        numbers.append(packet.sequence)

    far.session.tap(hear)
    return numbers


@pytest.mark.parametrize("says", [10, 20, 60])
@pytest.mark.parametrize("wants", [10, 20, 60])
def test_what_comes_is_heard_however_long_the_packets_are_either_way(
    office: Office, says: int, wants: int
) -> None:
    far = office.far_end(wants, says=says)
    numbers = heard(far)
    office.run(1200, far)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= (1200 - 8 * wants) // says  # of which one more came is known after eight ticks


def test_what_comes_in_a_heap_is_heard_within_two_ticks(office: Office) -> None:
    far = office.far_end(20)
    numbers = heard(far)
    office.run(200, far)
    office.run(100)  # nothing, then all of it
    for _ in range(9):
        far.say()
    office.run(40)
    assert numbers == list(range(19))


def test_a_strangers_key_behind_the_first_packet_isnt_heard(office: Office) -> None:
    """It came before the source was known, so that the kernel hasn't dropped it."""
    far = office.far_end(20)
    with udp_socket(HOST, 0) as stranger:
        far.say()
        for packet in send_key(Sender(9, 1, 1), "5", 0.06, 101):
            stranger.sendto(packet, (HOST, far.session.port))
        office.run(200, far)
    assert office.counters["rtp_stranger"] == 5
    assert not [event for event in office.events if isinstance(event, KeyPressed)]


def test_a_flood_of_strangers_doesnt_stop_our_voice(office: Office) -> None:
    far = office.far_end(20)
    with udp_socket(HOST, 0) as stranger:
        for _ in range(200):
            stranger.sendto(bytes(172), (HOST, far.session.port))
        office.run(100, far)
    assert far.gaps == {20}
    assert far.session.last_packet_at is not None


def test_who_is_bridged_is_heard_at_once(office: Office) -> None:
    far, other = office.far_end(20), office.far_end(20)
    numbers = heard(far)
    office.run(100, far)
    office.loop.bridge([far.session, other.session])
    office.run(50)
    before = len(numbers)
    far.say()
    office.run(1)
    assert len(numbers) == before + 1


@contextmanager
def crowd(monkeypatch: pytest.MonkeyPatch, calls: int) -> Iterator[tuple[RtpLoop, socket.socket, Clock]]:
    """A loop with so many calls that send, whose turns a clock of the test's makes; who hears them all."""
    clock = Clock()
    monkeypatch.setattr("ivr.rtp_loop.time", clock)
    first, last = media_ports(calls)
    loop = RtpLoop(PortPool(HOST, first, last), calls, 60.0, Counters())
    try:
        with udp_socket(HOST, 0) as far:
            port = int(far.getsockname()[1])
            for number in range(calls):
                session = loop.open(f"call-{number}")
                loop.negotiate(session, Remote((HOST, port), 9, "pcma", 8, 101, frozenset({HOST})))
                loop.start(session, clock.now)
            yield loop, far, clock
    finally:
        loop.close()


class Clock:
    """Stands still but for who sleeps, and the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_few_phases_are_used_and_none_is_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    with crowd(monkeypatch, 120) as (loop, far, clock):
        sent = []
        for ms in range(1, 41):
            clock.now = 1000.0002 + ms / 1000
            loop.turn(0.0)
            sent.append(len(list(waiting(far))))
    assert sorted(count for count in sent[:20] if count) == [20, 100]
    assert sent[:20] == sent[20:]


@pytest.mark.parametrize(
    ("ms", "told_at"),
    [
        (12, 20),  # the next frame is due in 8 ms: what has come is told with it
        (5, 5),  # in 15 ms: it's told at once
    ],
)
def test_what_else_comes_waits_for_a_frame_that_is_due_soon(
    monkeypatch: pytest.MonkeyPatch, ms: int, told_at: int
) -> None:
    with crowd(monkeypatch, 1) as (loop, far, clock), udp_socket(HOST, 0) as sip:
        clock.now = 1000.0202  # its first frame leaves here, each following one 20 ms later
        loop.turn(0.0)
        told: list[float] = []
        loop.watch(sip.fileno(), lambda now: (sip.recv(9), told.append(now)))
        far.sendto(b"INVITE", sip.getsockname())
        clock.now = 1000.0202 + ms / 1000
        loop.turn(1.0)
        loop.unwatch(sip.fileno())
    assert [round((now - 1000.02) * 1000) for now in told] == [told_at]


@pytest.mark.parametrize(
    ("timeout_ms", "back_at"),
    [
        (4, 20),  # a timer of SIP's that is due 6 ms before the next frame waits for it
        (0, 10),  # something is to be told already
    ],
)
def test_a_timer_waits_for_a_frame_that_is_due_soon(
    monkeypatch: pytest.MonkeyPatch, timeout_ms: int, back_at: int
) -> None:
    with crowd(monkeypatch, 1) as (loop, _, clock):
        clock.now = 1000.0202
        loop.turn(0.0)
        clock.now += 0.01
        monkeypatch.setattr(loop, "_epoll", Patient(clock, loop._epoll))
        loop.turn(timeout_ms / 1000)
        assert round((clock.now - 1000.02) * 1000) == back_at


class Patient:
    """An epoll whose waits cost no time but the clock's."""

    def __init__(self, clock: Clock, epoll: select.epoll) -> None:
        self._clock, self._epoll = clock, epoll

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        self._clock.sleep(seconds)
        return self._epoll.poll(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)


def test_the_jitter_is_by_the_kernels_time_of_arrival() -> None:
    """Their clock says 10 ms and 30 ms in turn, while their packets leave evenly: a jitter of about 10 ms."""
    first, last = media_ports(2)
    loop = RtpLoop(PortPool(HOST, first, last), 1, 60.0, Counters())
    try:
        with udp_socket(HOST, 0) as far:
            session = loop.open("call")
            address = (HOST, int(far.getsockname()[1]))
            loop.negotiate(session, Remote(address, 9, "pcma", 8, 101, frozenset({HOST})))
            loop.start(session, time.monotonic())
            for number in range(48):
                stamp = 160 * number + 80 * (number % 2)
                far.sendto(Sender(1, number, stamp, packets=1).frame(8, bytes(160)), (HOST, session.port))
                until = time.monotonic() + 0.02
                while time.monotonic() < until:
                    loop.turn(0.0)
                    time.sleep(0.001)
            block = session._incoming.receiver.block(time.monotonic())
    finally:
        loop.close()
    assert block is not None
    assert block.lost == 0
    assert block.jitter > 20
