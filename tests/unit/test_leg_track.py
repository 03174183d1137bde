"""What a leg says, given out second by second: lost, late, doubled, with pauses, by another clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media import g711
from ivr.media.leg_track import LATE, LegTrack
from ivr.media.rtp import RtpPacket

SILENCE = bytes([g711.SILENCE["pcma"]])
FRAME = 0.02


def packet(number: int, fill: str = "", ssrc: int = 7, first: int = 0xFFFFFF00) -> RtpPacket:
    """The `number`th packet of 20 ms, each octet its letter; clock and sequence wrap among the first ones."""
    octets = (fill or chr(65 + number % 26)).encode() * 160
    return RtpPacket(8, False, (0xFFFE + number) & 0xFFFF, (first + 160 * number) % (1 << 32), ssrc, octets)


def heard(*chunks: bytes) -> str:
    """A letter for each 20 ms, _ is silence, / stands between what was given out."""
    told = []
    for chunk in chunks:
        frames = [chunk[at : at + 160] for at in range(0, len(chunk), 160)]
        assert all(len(frame) == 160 and len(set(frame)) == 1 for frame in frames)
        told.append("".join("_" if frame[:1] == SILENCE else frame[:1].decode() for frame in frames))
    return "/".join(told)


def said_at(number: int) -> float:
    """When the `number`th packet comes that nothing delays: after its 20 ms."""
    return (number + 1) * FRAME


ROWS = [
    # packets as (number, when they come in frames), what is heard until frame 6
    ([(0, 1), (1, 2), (2, 3)], "ABC___"),
    ([(0, 1), (2, 3)], "A_C___"),  # one is lost
    ([(0, 1), (2, 3), (1, 4)], "ABC___"),  # one comes late
    ([(0, 1), (1, 2), (1, 2), (2, 3)], "ABC___"),  # one comes twice
    ([(0, 1), (5, 6)], "A____F"),  # silence suppression: the timestamps go on (RFC 3550 §5.1)
    ([(3, 4), (4, 5)], "___DE_"),  # nothing was said at first: the file's time is the call's
    ([(0, 3), (1, 3), (2, 3)], "__ABC_"),  # the first was delayed, and those behind it came with it
    ([], "______"),
]


@pytest.mark.parametrize(("coming", "told"), ROWS)
def test_packets_find_their_place(coming: list[tuple[int, int]], told: str) -> None:
    track = LegTrack("pcma", 0.0)
    for number, frame in coming:
        track.take(packet(number), "pcma", frame * FRAME)
    assert heard(track.finish(6 * FRAME)) == told


def test_what_no_packet_changes_any_more_is_given_out_each_second() -> None:
    track = LegTrack("pcma", 100.0)
    for number in range(100):
        track.take(packet(number, "x"), "pcma", 100.0 + said_at(number))
        if number == 49:
            assert track.cut(101.0) == b""
    assert heard(track.cut(102.0), track.finish(102.2)) == "x" * 50 + "/" + "x" * 50 + "_" * 10


def test_what_comes_later_than_a_second_is_left_out() -> None:
    track = LegTrack("pcma", 0.0)
    track.take(packet(0), "pcma", said_at(0))
    track.take(packet(2), "pcma", said_at(2))
    given = track.cut(LATE + 3 * FRAME)
    track.take(packet(1), "pcma", LATE + 3 * FRAME)
    assert heard(given, track.finish(LATE + 4 * FRAME)) == "A_C/" + "_" * 51


def test_a_delay_that_lasts_shifts_nothing() -> None:
    """Half a second of network trouble: what was said meanwhile comes in a heap, and has its own time."""
    track = LegTrack("pcma", 0.0)
    for number in range(25):
        track.take(packet(number, "a"), "pcma", said_at(number))
    for number in range(25, 50):
        track.take(packet(number, "b"), "pcma", 1.0)
    for number in range(50, 60):
        track.take(packet(number, "c"), "pcma", said_at(number))
    assert heard(track.finish(1.2)) == "a" * 25 + "b" * 25 + "c" * 10


def test_a_far_end_whose_timestamps_stop_while_its_silent_is_heard_when_it_speaks() -> None:
    """Not as RFC 3550 has it, but it's done: on hold, say."""
    track = LegTrack("pcma", 0.0)
    track.take(packet(0), "pcma", said_at(0))
    for number in (1, 2):
        track.take(packet(number, "x"), "pcma", 5.0 + number * FRAME)
    assert heard(track.finish(5.0 + 2 * FRAME)) == "A" + "_" * 249 + "xx"


def test_a_far_end_that_begins_anew_goes_on() -> None:
    track = LegTrack("pcma", 0.0)
    track.take(packet(0), "pcma", said_at(0))
    for number in (0, 1):
        track.take(packet(number, "x", ssrc=9, first=1), "pcma", said_at(number + 1))
    track.take(packet(3, "y")._replace(ssrc=9, timestamp=123456789), "pcma", said_at(3))
    assert heard(track.finish(4 * FRAME)) == "Axxy"


def test_a_clock_that_is_too_slow_or_fast_costs_a_moment_now_and_then_and_no_time() -> None:
    """2 per mill over ten minutes, forty times what a telephone's quartz does."""
    for pace in (0.998, 1.002):
        track, given = LegTrack("pcma", 0.0), bytearray()
        for number in range(30_000):
            now = said_at(number) * pace
            track.take(packet(number, "x"), "pcma", now)
            if number % 50 == 0:
                given += track.cut(now)
        end = said_at(29_999) * pace
        given += track.finish(end)
        assert 0 <= len(given) / 8000 - end <= 0.6
        assert given.count(SILENCE) <= 0.003 * len(given)


def test_another_law_is_translated() -> None:
    track = LegTrack("pcmu", 0.0)
    loud = g711.encode(g711.decode(b"\x10" * 160, "pcmu"), "pcma")
    track.take(packet(0)._replace(payload=loud), "pcma", said_at(0))
    track.take(packet(1)._replace(payload=b"\x10" * 160), "pcmu", said_at(1))
    whole = track.finish(2 * FRAME)
    one, other = (int(g711.decode(whole[at : at + 1], "pcmu")[0]) for at in (0, 160))
    assert abs(one - other) < 600
    assert g711.decode(LegTrack("pcmu", 0.0).finish(FRAME), "pcmu").tolist() == [0] * 160


coming = st.lists(
    st.tuples(st.integers(0, 400), st.floats(0, 0.9)),  # packet, by how much it's delayed
    max_size=60,
    unique_by=lambda each: each[0],
)


@given(coming, st.lists(st.floats(0.0, 10.0), max_size=12), st.floats(8.02, 12.0))
def test_however_its_cut_its_the_whole_call_and_each_packet_stands_in_its_time(
    packets: list[tuple[int, float]], cuts: list[float], end: float
) -> None:
    """The first packet to come says where the clock stands; let that be one that nothing delayed."""
    track, whole = LegTrack("pcma", 0.0), bytearray()
    track.take(packet(0, "x"), "pcma", said_at(0))
    arrivals = [(said_at(number) + late, number) for number, late in packets if number]
    steps = sorted([(at, 0, number) for at, number in arrivals] + [(at, 1, 0) for at in cuts if at < end])
    for at, what, number in steps:
        if what:
            whole += track.cut(at)
        elif at < end:
            track.take(packet(number, "x"), "pcma", at)
    whole += track.finish(end)
    came = {number for at, number in arrivals if at < end} | {0}
    assert -1 <= len(whole) - 8000 * end < 161
    told = heard(bytes(whole))
    assert {number for number, letter in enumerate(told) if letter == "x"} == came


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.integers(0, 3)), max_size=80)
)
def test_nothing_that_comes_makes_it_long_or_breaks_it(packets: list[tuple[int, int, int]]) -> None:
    """Any timestamps, sequence numbers and sources, ten a second."""
    track, size = LegTrack("pcma", 0.0), 0
    for turn, (stamp, sequence, ssrc) in enumerate(packets):
        now = turn / 10
        track.take(RtpPacket(8, False, sequence, stamp, ssrc, b"x" * 160), "pcma", now)
        if turn % 10 == 9:
            size += len(track.cut(now))
    end = len(packets) / 10
    size += len(track.finish(end))
    assert end * 8000 <= size <= (end + 0.6) * 8000 + 160
