"""RFC 4733: each key exactly once, whatever the network does to its packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.media.dtmf import KEYS, KeyReceiver, send_key
from ivr.media.rtp import RtpPacket, Sender, parse

# One press of 3 as a desk telephone sends it: 101, marker first, duration growing, the end three times.
TELEPHONE_3 = [
    "80e503e800007d0000c0ffee030a00a0",
    "806503e900007d0000c0ffee030a0140",
    "806503ea00007d0000c0ffee030a01e0",
    "806503eb00007d0000c0ffee038a0280",
    "806503ec00007d0000c0ffee038a0280",
    "806503ed00007d0000c0ffee038a0280",
]


def keys_of(packets: list[RtpPacket]) -> list[str]:
    receiver = KeyReceiver()
    found = [receiver.receive(packet, index * 0.02) for index, packet in enumerate(packets)]
    return [key.key for key in found if key]


def wire(
    keys: str, seconds: float = 0.08, apart: int = 400, start: int = 0xFFFFFC00
) -> list[list[RtpPacket]]:
    """The packets of each key in turn, over the timestamp's wrap."""
    sender = Sender(ssrc=0xC0FFEE, sequence=65530, timestamp=start)
    pressed = []
    for key in keys:
        pressed.append([parse(packet) for packet in send_key(sender, key, seconds, 101)])
        sender.skip(apart)
    return pressed


def test_three_end_packets_are_one_key() -> None:
    packets = [parse(bytes.fromhex(packet)) for packet in TELEPHONE_3]
    assert keys_of(packets) == ["3"]


@pytest.mark.parametrize("lost", [{0}, {0, 1, 2}, {0, 1, 2, 3, 4}, {3, 4, 5}, {1, 2, 3, 4, 5}])
def test_a_lost_marker_or_end_loses_no_key(lost: set[int]) -> None:
    packets = [parse(bytes.fromhex(packet)) for at, packet in enumerate(TELEPHONE_3) if at not in lost]
    assert keys_of(packets) == ["3"]


def test_began_at_counts_back_from_the_first_packet_that_came() -> None:
    late = parse(bytes.fromhex(TELEPHONE_3[3]))  # 0x280 samples: 80 ms after it went down
    key = KeyReceiver().receive(late, now=10.0)
    assert key is not None
    assert key.began_at == pytest.approx(9.92)


def test_the_same_key_twice_is_two_keys() -> None:
    assert keys_of([packet for press in wire("33") for packet in press]) == ["3", "3"]


def test_a_held_key_is_one_key_over_its_segments() -> None:
    press = wire("5", seconds=18.0)[0]
    assert len({packet.timestamp for packet in press}) == 3  # 8.19 s each
    assert keys_of(press) == ["5"]
    assert keys_of([packet for packet in press if packet.timestamp != press[0].timestamp]) == ["5"]


def restamped(press: list[RtpPacket], step: int, duration: int | None = None) -> list[RtpPacket]:
    """As gateways send it that let the timestamp go on with each packet of a key."""
    return [
        packet._replace(
            timestamp=(packet.timestamp + step * at) % (1 << 32),
            payload=packet.payload if duration is None else packet.payload[:2] + duration.to_bytes(2),
        )
        for at, packet in enumerate(press)
    ]


@pytest.mark.parametrize("duration", [None, 0, 160])
@pytest.mark.parametrize("lost", [None, 0, 1, 3])
def test_a_key_whose_timestamp_goes_on_is_one_key(duration: int | None, lost: int | None) -> None:
    one, two = (restamped(press, 160, duration) for press in wire("33"))
    if lost is not None:
        del one[lost]
    assert keys_of([*one, *two]) == ["3", "3"]


def test_a_segment_that_ends_before_the_longest_is_the_same_key() -> None:
    """By whole packets: 65,440 samples, where the next would be one too many."""
    first, *more = wire("5")[0]
    ended = first._replace(payload=b"\x05\x0a" + (65440).to_bytes(2))
    on = [each._replace(timestamp=(each.timestamp + 65440) % (1 << 32)) for each in more]
    assert keys_of([first, ended, *on]) == ["5"]


def test_a_segment_that_overtakes_the_one_before_is_the_same_key() -> None:
    press = wire("5", seconds=9.0)[0]
    border = next(at for at, packet in enumerate(press) if packet.timestamp != press[0].timestamp)
    assert keys_of([press[border], press[border - 1], *press[border + 1 :]]) == ["5"]


def test_another_source_with_the_same_clock_is_another_key() -> None:
    press = wire("7")[0]
    other = [
        RtpPacket(p.payload_type, p.marker, p.sequence, p.timestamp, p.ssrc + 1, p.payload) for p in press
    ]
    assert keys_of(press + other) == ["7", "7"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",  # nothing
        b"\x03\x0a\x00",  # cut short
        b"\x10\x0a\x00\xa0",  # event 16: hook flash
        b"\x24\x0a\x00\xa0",  # event 36: a fax's tone
    ],
)
def test_what_is_no_key_is_ignored(payload: bytes) -> None:
    assert KeyReceiver().receive(RtpPacket(101, True, 1, 1, 1, payload), 0.0) is None


def test_the_sender_ends_three_times_and_grows_by_frames() -> None:
    press = wire("#", seconds=0.1, start=8000)[0]
    assert [packet.marker for packet in press] == [True, *[False] * 6]
    assert {packet.timestamp for packet in press} == {8000}
    durations = [int.from_bytes(packet.payload[2:]) for packet in press]
    assert durations == [160, 320, 480, 640, 800, 800, 800]
    assert [packet.payload[1] >> 7 for packet in press] == [0, 0, 0, 0, 1, 1, 1]


@st.composite
def troubled(draw: st.DrawFn) -> tuple[str, list[RtpPacket]]:
    """Keys, and their packets after loss, repetition and a reordering of neighbours by up to 60 ms."""
    keys = draw(st.text(KEYS, min_size=1, max_size=6))
    arrivals: list[tuple[float, RtpPacket]] = []
    at = 0.0
    for press in wire(keys, seconds=draw(st.sampled_from([0.04, 0.08, 0.2]))):
        copies = draw(st.lists(st.integers(0, 3), min_size=len(press), max_size=len(press)).filter(any))
        for packet, count in zip(press, copies, strict=True):
            at += 1
            arrivals += [(at + draw(st.integers(0, 3)), packet) for _ in range(count)]
        at += 3
    return keys, [packet for _, packet in sorted(arrivals, key=lambda arrival: arrival[0])]


@settings(max_examples=150)
@given(troubled())
def test_every_key_exactly_once(case: tuple[str, list[RtpPacket]]) -> None:
    keys, packets = case
    assert keys_of(packets) == list(keys)


@settings(max_examples=30)
@given(st.sets(st.integers(0, 900), max_size=800), st.floats(8.2, 17.9))
def test_a_held_key_with_losses_is_one_key(lost: set[int], seconds: float) -> None:
    press = [packet for at, packet in enumerate(wire("0", seconds)[0]) if at not in lost]
    assert keys_of(press) == (["0"] if press else [])
