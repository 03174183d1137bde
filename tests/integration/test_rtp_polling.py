"""A call's packets are read with the tick that sends: all, whoever else writes and however they come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

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


def test_few_phases_are_used_and_none_is_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("ivr.rtp_loop.time", SimpleNamespace(monotonic=lambda: clock.now, sleep=lambda _: 0))
    first, last = media_ports(50)
    loop = RtpLoop(PortPool(HOST, first, last), 50, 60.0, Counters())
    try:
        with udp_socket(HOST, 0) as far:
            port = int(far.getsockname()[1])
            for number in range(50):
                session = loop.open(f"call-{number}")
                loop.negotiate(session, Remote((HOST, port), 9, "pcma", 8, 101, frozenset({HOST})))
                loop.start(session, clock.now)
            sent = []
            for ms in range(1, 41):
                clock.now = 1000.0002 + ms / 1000
                loop.turn(0.0)
                sent.append(len(list(waiting(far))))
    finally:
        loop.close()
    assert sorted(count for count in sent[:20] if count) == [10, 40]
    assert sent[:20] == sent[20:]


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
                while (now := time.monotonic()) < until:
                    loop.turn(until - now)
            block = session._incoming.receiver.block(time.monotonic())
    finally:
        loop.close()
    assert block is not None
    assert block.lost == 0
    assert block.jitter > 20
