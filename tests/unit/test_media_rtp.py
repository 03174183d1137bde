"""RTP octets against RFC 3550."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.rtp import BadPacket, Receiver, RtpPacket, Sender, parse

PLAIN = bytes.fromhex("80881234 0000a0a0 deadbeef".replace(" ", "")) + b"\xd5" * 4

GOOD = [
    # a plain A-law packet with the marker
    (PLAIN, RtpPacket(8, True, 0x1234, 0xA0A0, 0xDEADBEEF, b"\xd5" * 4)),
    # two contributing sources of a conference bridge stand before the payload
    (
        b"\x82\x00\x00\x01" + bytes(4) + b"\0\0\0\x07" + b"\0\0\0\x01\0\0\0\x02" + b"voice",
        RtpPacket(0, False, 1, 0, 7, b"voice"),
    ),
    # a header extension of one word
    (
        b"\x90\x00\x00\x01" + bytes(4) + b"\0\0\0\x07" + b"\xbe\xde\0\x01" + b"ext." + b"voice",
        RtpPacket(0, False, 1, 0, 7, b"voice"),
    ),
    # three octets of padding, the last one says so
    (
        b"\xa0\x65\x00\x01" + bytes(4) + b"\0\0\0\x07" + b"\x01\x0a\x00\xa0" + b"\0\0\x03",
        RtpPacket(101, False, 1, 0, 7, b"\x01\x0a\x00\xa0"),
    ),
    # no payload at all: a keep-alive
    (b"\x80\x08\x00\x01" + bytes(8), RtpPacket(8, False, 1, 0, 0, b"")),
]

BAD = [
    b"",  # an empty datagram opens a pinhole and is nothing else
    b"\x80\x08\x00\x01",  # cut in the header
    b"\x00" * 12,  # version 0: STUN has it
    b"OPTIONS sip:a@b SIP/2.0\r\n",  # SIP on the media port
    b"\x80\xc8\x00\x06" + bytes(24),  # RTCP on the RTP port
    b"\x82\x08\x00\x01" + bytes(8) + b"\0\0\0\x01",  # two CSRCs promised, one there
    b"\x90\x08\x00\x01" + bytes(8) + b"\xbe",  # the extension's header is cut
    b"\x90\x08\x00\x01" + bytes(8) + b"\xbe\xde\x00\x09",  # nine words promised, none there
    b"\xa0\x08\x00\x01" + bytes(8) + b"\x01\x09",  # more padding than payload
    b"\xa0\x08\x00\x01" + bytes(8) + b"\x01\x00",  # padding of nothing
    b"\xa0\x08\x00\x01" + bytes(8),  # padding promised, nothing there
]


@pytest.mark.parametrize(("datagram", "packet"), GOOD)
def test_a_packet_is_read(datagram: bytes, packet: RtpPacket) -> None:
    assert parse(datagram) == packet


@pytest.mark.parametrize("datagram", BAD)
def test_what_is_no_packet_is_refused(datagram: bytes) -> None:
    with pytest.raises(BadPacket):
        parse(datagram)


@given(st.binary(max_size=64))
def test_any_octets_are_a_packet_or_a_bad_packet(datagram: bytes) -> None:
    with contextlib.suppress(BadPacket):
        parse(datagram)


def test_the_sender_wraps_and_marks_its_first_packet() -> None:
    sender = Sender(ssrc=7, sequence=0xFFFF, timestamp=0xFFFFFFFF - 159)
    first, second = (parse(sender.frame(8, bytes(160))) for _ in range(2))
    assert (first.sequence, first.timestamp, first.marker) == (0xFFFF, 0xFFFFFFFF - 159, True)
    assert (second.sequence, second.timestamp, second.marker) == (0, 0, False)
    assert (sender.packets, sender.octets) == (2, 320)


def feed(receiver: Receiver, *sequences: int, ssrc: int = 7) -> list[bool]:
    packets = (RtpPacket(8, False, seq & 0xFFFF, seq * 160, ssrc, bytes(160)) for seq in sequences)
    return [receiver.take(packet, index * 0.02) for index, packet in enumerate(packets)]


def lost_and_highest(receiver: Receiver) -> tuple[int, int]:
    block = receiver.block(0.0)
    assert block is not None
    return block.lost, block.highest


def test_the_receiver_counts_over_the_wrap() -> None:
    receiver = Receiver()
    feed(receiver, 65534, 65535, 65536, 65538)  # 65537 is lost
    assert lost_and_highest(receiver) == (1, 65538)
    assert receiver.source == (7, 1)


def test_reordered_packets_are_not_lost() -> None:
    receiver = Receiver()
    assert feed(receiver, 10, 12, 11, 13) == [True] * 4
    assert lost_and_highest(receiver) == (0, 13)


def test_a_jump_must_prove_itself_by_a_second_packet() -> None:
    receiver = Receiver()
    assert feed(receiver, 10, 30000, 11, 40000, 40001) == [True, False, True, False, True]
    assert lost_and_highest(receiver) == (0, 40001)


def test_a_new_source_begins_anew() -> None:
    receiver = Receiver()
    feed(receiver, 10, 11)
    feed(receiver, 500, ssrc=8)
    assert (receiver.ssrc, receiver.received) == (8, 1)
    assert receiver.received_of_all == 3


def test_what_a_former_source_lost_stays_lost() -> None:
    receiver = Receiver()
    feed(receiver, 10, 12)
    feed(receiver, 500, 503, ssrc=8)
    assert (receiver.received_of_all, receiver.lost_of_all) == (4, 3)


def test_packets_of_a_key_are_no_jitter() -> None:
    """All of them tell the time at which it went down (RFC 4733 §2.1)."""
    receiver = Receiver()
    for at in range(50):
        stamp = 160 * (at if at < 20 or at > 30 else 20)
        receiver.take(RtpPacket(8, False, at, stamp, 7, b""), 100 + at * 0.02)
    block = receiver.block(101.0)
    assert block is not None and block.jitter == 0


STEPS = st.tuples(
    st.sampled_from([1, 1, 1, 1, 0, 2, -1, 4000, 65535]),  # how far the sequence number goes on
    st.sampled_from([160, 160, 0, 80, -160, 1 << 31]),  # and the timestamp
    st.sampled_from([7, 7, 7, 8]),  # the source
    st.sampled_from([8, 8, 8, 8 | 0x80, 101]),  # type and marker
    st.sampled_from([0x80, 0x80, 0x80, 0x90]),  # a plain header, or one with an extension
    st.one_of(st.floats(0, 10), st.none()),  # when it came
)


@given(st.lists(STEPS, max_size=30), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_packets_that_are_only_counted_count_as_others_do(
    steps: list[tuple[int, int, int, int, int, float | None]], sequence: int, timestamp: int
) -> None:
    whole, quick = Receiver(), Receiver()
    for ahead, later, ssrc, second, first, came_at in steps:
        sequence, timestamp = (sequence + ahead) & 0xFFFF, (timestamp + later) & 0xFFFFFFFF
        datagram = struct.pack("!BBHIII", first, second, sequence, timestamp, ssrc, 0xBEDE0000) + bytes(160)
        whole.take(parse(datagram), came_at)
        if not quick.take_next(datagram, 8, came_at):
            quick.take(parse(datagram), came_at)
    assert quick == whole


@pytest.mark.parametrize("datagram", [*BAD, *(datagram for datagram, _ in GOOD)])
def test_nothing_is_only_counted_but_the_packet_that_follows(datagram: bytes) -> None:
    receiver = Receiver()
    assert not receiver.take_next(datagram, 8, 0.0)
    assert receiver == Receiver()
