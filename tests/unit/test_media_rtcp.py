"""RTCP octets against RFC 3550, and what both ends' reports come to."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.quality import MediaQuality, QualityMeter
from ivr.media.rtcp import TheirReport, ntp, read_reports, round_trip, write_report
from ivr.media.rtp import BadPacket, Receiver, ReportBlock, RtpPacket, Sender

BLOCK = ReportBlock(0xDEADBEEF, 64, 1, 0x10004, 12, 0xB7052000, 0x00054000)


def feed(receiver: Receiver, *sequences: int, ssrc: int = 7, jitter: float = 0.0) -> None:
    for seq in sequences:
        late = jitter * (seq % 2)
        receiver.take(RtpPacket(8, False, seq & 0xFFFF, seq * 160, ssrc, bytes(160)), seq * 0.02 + late)


def test_a_report_is_a_whole_compound_packet() -> None:
    sender, receiver = Sender(7, 0, 0), Receiver()
    assert write_report(sender, None, "callback@192.0.2.1", 0.0)[1] == 201  # nothing sent: RR
    sender.frame(8, bytes(160))
    feed(receiver, 1, 2, 4)
    packet = write_report(sender, receiver.block(1.0), "callback@192.0.2.1", 1_000_000_000.5, bye=True)
    assert packet[:2] == b"\x81\xc8"
    assert struct.unpack_from("!II", packet, 8) == (3_208_988_800, 0x80000000)
    assert struct.unpack_from("!II", packet, 20) == (1, 160)
    assert packet[32] == 256 // 4  # one of four was lost
    assert packet[-8:] == b"\x81\xcb\x00\x01\x00\x00\x00\x07"
    (report,) = read_reports(packet)
    assert (report.ssrc, report.sent_at) == (7, ntp(1_000_000_000.5) >> 16 & 0xFFFFFFFF)
    assert report.packets == 1
    assert report.blocks == (ReportBlock(7, 64, 1, 4, 0, 0, 0),)


@pytest.mark.parametrize("lost", [-0x800000, -1, 0, 0x7FFFFF])
def test_losses_have_a_sign(lost: int) -> None:
    packet = write_report(Sender(7, 0, 0), BLOCK._replace(lost=lost), "a@b", 0.0)
    assert read_reports(packet) == [TheirReport(7, None, None, (BLOCK._replace(lost=lost),))]


def test_reports_of_several_and_all_that_isnt_one_are_passed_over() -> None:
    """A bridge reports of many sources; an XR (RFC 3611) and a feedback (RFC 4585) are others' matter."""
    one, two = (write_report(Sender(ssrc, 0, 0), BLOCK, "a@b", 0.0) for ssrc in (1, 2))
    extended = b"\x80\xcf\x00\x01" + bytes(4)
    feedback = b"\x81\xcd\x00\x02" + bytes(8)
    assert [report.ssrc for report in read_reports(one + extended + two + feedback)] == [1, 2]


@pytest.mark.parametrize(
    "datagram",
    [
        b"\x80\xc8",  # cut
        b"\x81\xca\x00\x01" + bytes(4),  # begins with SDES
        b"\x80\xc9\x00\x01" + bytes(4) + b"\x80\xcb\x00\x09",  # the second promises too much
        b"\x80\xc9\x00\x01" + bytes(4) + b"\x80",  # a stray octet
        b"\x80\xc9\x00\x01" + bytes(4) + b"\x00\xcb\x00\x00",  # version 0 inside
        b"\x82\xc9\x00\x07" + bytes(28),  # two blocks promised, one there
        b"\x80\xc8\x00\x01" + bytes(4),  # an SR without its sender's part
    ],
)
def test_what_is_no_rtcp_is_refused(datagram: bytes) -> None:
    with pytest.raises(BadPacket):
        read_reports(datagram)


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda rest: b"\x81\xc8\x00\x0c" + rest))
def test_any_octets_are_rtcp_or_a_bad_packet(datagram: bytes) -> None:
    with contextlib.suppress(BadPacket):
        read_reports(datagram)


def test_the_round_trip_of_the_rfcs_own_example() -> None:
    """§6.4.1, figure 2: an SR of 0xb44db705.20000000, back at 0xb710.8000 after 5.25 s there."""
    came = 0xB44DB710 + 0.5 - 2_208_988_800
    assert ntp(came) >> 16 & 0xFFFFFFFF == 0xB7108000
    assert round_trip(BLOCK, came) == pytest.approx(6.125)


TRIPS = [
    # how it's told, seconds
    (BLOCK._replace(lsr=0, dlsr=0), None),  # no SR of ours came to them
    (BLOCK._replace(dlsr=0x000B6666), 0.0),  # they say they held it longer than we waited
    (BLOCK._replace(lsr=0x12345678), None),  # an SR that we sent in another life
]


@pytest.mark.parametrize(("block", "seconds"), TRIPS)
def test_a_round_trip_that_cant_be(block: ReportBlock, seconds: float | None) -> None:
    assert round_trip(block, 0xB44DB710 + 0.5 - 2_208_988_800) == seconds


def test_our_block_names_their_last_report_and_how_long_ago_it_came() -> None:
    receiver = Receiver()
    feed(receiver, 1, 2)
    receiver.hear_report(0xB7052000, 10.0)
    block = receiver.block(15.25)
    assert block is not None and (block.lsr, block.dlsr) == (0xB7052000, 0x00054000)
    feed(receiver, 9, ssrc=8)  # another source has sent none
    block = receiver.block(15.25)
    assert block is not None and (block.lsr, block.dlsr) == (0, 0)


def test_the_worst_of_both_ends_is_kept() -> None:
    sender, receiver, meter = Sender(7, 0, 0), Receiver(), QualityMeter()
    for _ in range(10):
        sender.frame(8, bytes(160))
    feed(receiver, *range(100), jitter=0.01)
    feed(receiver, *range(150, 200))  # a third of this interval is lost
    for after in (200, 300):
        block = receiver.block(0.0)
        assert block is not None
        meter.ours(block, receiver.interval)
        feed(receiver, *range(after, after + 100))
    meter.theirs(ReportBlock(7, 128, 9, 0, 80, 1, 1), 0.2)
    meter.theirs(ReportBlock(7, 0, 8, 0, 8, 1, 1), 0.05)
    quality = meter.result(sender, receiver)
    assert (quality.sent, quality.received, quality.lost) == (10, 350, 50)
    assert quality.worst_loss == 0.25 and quality.jitter_ms is not None and 0 < quality.jitter_ms <= 10
    assert (quality.far_lost, quality.far_jitter_ms, quality.far_worst_loss) == (8, 10.0, 0.5)
    assert quality.round_trip_ms == 200.0


def test_one_packet_lost_of_the_last_three_is_no_third() -> None:
    receiver, meter = Receiver(), QualityMeter()
    feed(receiver, *range(100))
    for more in ((), (100, 102)):
        feed(receiver, *more)
        block = receiver.block(0.0)
        assert block is not None
        meter.ours(block, receiver.interval)
    quality = meter.result(Sender(7, 0, 0), receiver)
    assert (quality.lost, quality.worst_loss) == (1, 0.0)


def test_who_was_never_heard_is_told_so() -> None:
    assert QualityMeter().result(Sender(7, 0, 0), Receiver()) == MediaQuality(0, 0, 0)


LOST = [
    # received, lost, in percent
    (0, 0, None),  # nothing was expected
    (0, 5, 100.0),
    (197, 3, 1.5),
    (6, 3, 33.33),
    (10, -2, 0.0),  # some came twice (RFC 3550 §6.4.1)
]


@pytest.mark.parametrize(("received", "lost", "percent"), LOST)
def test_loss_in_percent(received: int, lost: int, percent: float | None) -> None:
    assert MediaQuality(0, received, lost).lost_percent == percent
