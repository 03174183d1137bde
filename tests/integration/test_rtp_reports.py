"""What both ends tell each other by RTCP, and whether a silent far end is there, in virtual time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ivr.media.ports import udp_socket
from ivr.media.remote import MediaLost
from ivr.media.rtcp import read_reports, write_report
from ivr.media.rtp import Receiver, RtpPacket
from tests.loopback_city import HOST
from tests.rtp_office import FarEnd, Office, rtp_office

LOST_AFTER = 8.0
WALL = 1_750_000_000.0  # the far end's own


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with rtp_office(monkeypatch, LOST_AFTER) as made:
        yield made


def report(far: FarEnd, office: Office, receiver: Receiver | None = None, bye: bool = False) -> bytes:
    block = (receiver or Receiver()).block(office.clock.now)
    return write_report(far.sender, block, "far@192.0.2.2", WALL + office.ms / 1000, bye)


def lost(office: Office) -> bool:
    return any(isinstance(event, MediaLost) for event in office.events)


def heard_by(far: FarEnd, receiver: Receiver, but: range = range(0)) -> None:
    """Count what the far end heard, as if the packets of that place hadn't come."""
    for at, (ms, packet) in enumerate(far.heard):
        if at not in but:
            receiver.take(packet, ms / 1000)


def test_both_ends_tell_what_they_heard_and_how_long_it_took(office: Office) -> None:
    far, receiver = office.far_end(20), Receiver()
    office.run(5100, far)
    ((came_at, raw),) = far.reports
    (first,) = read_reports(raw)
    assert first.ssrc == far.heard[0][1].ssrc and [block.lost for block in first.blocks] == [0]
    heard_by(far, receiver, but=range(50, 60))
    assert first.sent_at is not None
    receiver.hear_report(first.sent_at, office.clock.now - (office.ms - came_at) / 1000)
    late = report(far, office, receiver)  # after some ms at the far end, which it says, 40 on the way
    office.run(40, far)
    far.tell(late)
    told_at = office.ms
    office.run(5000, far)
    _, (came_at, raw) = far.reports
    ((block,),) = [each.blocks for each in read_reports(raw)]
    assert block.lsr == read_reports(late)[0].sent_at
    assert block.dlsr / 65.536 == pytest.approx(came_at - told_at, abs=1.5)
    quality = far.session.quality
    assert quality is not None
    assert (quality.far_lost, quality.lost, quality.worst_loss) == (10, 0, 0.0)
    assert quality.far_worst_loss == pytest.approx(10 / 255, abs=0.005)
    assert quality.sent == len(far.heard) and quality.received == far.sender.packets
    assert quality.round_trip_ms == pytest.approx(40, abs=1.5)


def test_strangers_reports_are_ignored_and_counted(office: Office) -> None:
    far = office.far_end(20)
    office.run(100, far)
    receiver = Receiver()
    heard_by(far, receiver, but=range(1, 3))
    with udp_socket("127.0.0.9", 0) as stranger:
        stranger.sendto(report(far, office, receiver), (HOST, far.session.port + 1))
        office.run(10, far)
    assert office.counters["rtcp_stranger"] == 1
    assert far.session.quality is not None and far.session.quality.far_lost is None


def test_a_report_of_another_source_than_ours_says_nothing_of_it(office: Office) -> None:
    far, receiver = office.far_end(20), Receiver()
    office.run(100, far)
    receiver.take(RtpPacket(8, False, 1, 1, 4711, b""), 0.0)
    far.tell(report(far, office, receiver))
    office.run(10, far)
    assert office.counters["rtcp_received"] == 1
    assert far.session.quality is not None and far.session.quality.far_lost is None


def test_a_bye_by_rtcp_ends_nothing(office: Office) -> None:
    far = office.far_end(20)
    office.run(100, far)
    far.tell(report(far, office, bye=True))
    office.run(100, far)
    before = len(far.heard)
    office.run(100, far)
    assert len(far.heard) - before == 5 and not office.events


HOLDS = [
    # how they hold, whether reports go on
    ({"sends": False}, True),  # a=sendonly
    ({"sends": False, "receives": False}, True),  # a=inactive
    ({"sends": False, "address": ("0.0.0.0", 9)}, False),  # RFC 2543's: nobody is there
]


@pytest.mark.parametrize(("hold", "goes_on"), HOLDS)
def test_reports_go_on_while_they_hold(office: Office, hold: dict[str, object], goes_on: bool) -> None:
    far = office.far_end(20)
    office.run(1000, far)
    office.loop.negotiate(far.session, replace(far.remote, **hold))  # type: ignore[arg-type]
    office.run(11_000)
    assert len(far.reports) == (2 if goes_on else 0)
    assert not lost(office)


def noise(far: FarEnd) -> None:
    far.send(far.sender.frame(13, b"\x28"))


def rr(far: FarEnd) -> bytes:
    return struct.pack("!BBHI", 0x80, 201, 1, far.sender.ssrc)


def test_comfort_noise_is_heard_as_silence_not_as_loss(office: Office) -> None:
    far = office.far_end(20)
    for _ in range(3):  # from the first packet on
        noise(far)
        office.run(int(LOST_AFTER * 900))
    assert not office.events and not office.counters["rtp_other_type"]
    office.run(int(LOST_AFTER * 200))
    assert lost(office)


def test_what_was_not_agreed_is_no_voice(office: Office) -> None:
    far = office.far_end(20)
    office.run(20, far)
    for _ in range(12):
        far.send(far.sender.frame(18, bytes(20)))  # G.729
        office.run(1000)
    assert lost(office) and office.counters["rtp_other_type"] >= 8


SILENT = [
    # what their reports say, whether they're taken to be there
    ("nothing sent lately", False),
    ("as many as before", False),
    ("more than before, none of which came", True),
]


@pytest.mark.parametrize(("says", "is_lost"), SILENT)
def test_silence_that_they_tell_of_by_rtcp_is_none_of_the_networks(
    office: Office, says: str, is_lost: bool
) -> None:
    """A far end that detects voice sends nothing while nobody speaks, but reports."""
    far = office.far_end(20)
    office.run(1000, far)
    for _ in range(5):
        office.run(3000)
        if says.startswith("more"):
            far.sender.packets += 200
        far.tell(rr(far) if says.startswith("nothing") else report(far, office))
    assert lost(office) is is_lost
