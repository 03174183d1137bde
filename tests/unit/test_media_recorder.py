"""A message put together from packets: lost, late, doubled, silent between, begun anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media import g711
from ivr.media.recorder import Recorder
from ivr.media.rtp import RtpPacket

SILENCE = bytes([g711.SILENCE["pcma"]])


def packet(number: int, fill: str = "", ssrc: int = 7, first: int = 0xFFFFFF00) -> RtpPacket:
    """The `number`th packet of 20 ms, each octet its letter; the clock wraps among the first ones."""
    octets = (fill or chr(65 + number)).encode() * 160
    return RtpPacket(8, False, number & 0xFFFF, (first + 160 * number) % (1 << 32), ssrc, octets)


def recorded(packets: list[RtpPacket], seconds: float = 60.0) -> str:
    """A letter a packet: what each 20 ms of the recording holds, _ is silence."""
    recorder = Recorder("r1", seconds, 0.0, "pcma")
    for each in packets:
        recorder.take(each, "pcma")
    payload = recorder.payload
    assert len(payload) == round(recorder.seconds * 8000)
    frames = [payload[at : at + 160] for at in range(0, len(payload), 160)]
    assert all(len(set(frame)) == 1 for frame in frames)
    return "".join("_" if frame[:1] == SILENCE else frame[:1].decode() for frame in frames)


ROWS = [
    # packets, what is heard
    ([0, 1, 2, 3], "ABCD"),
    ([0, 2, 3], "A_CD"),  # one is lost
    ([0, 2, 1, 3], "ABCD"),  # one comes late
    ([0, 1, 1, 2], "ABC"),  # one comes twice
    ([3, 4], "DE"),  # it begins where the first one is
    ([3, 2, 4], "DE"),  # what was said before that is left out
    ([], ""),
]


@pytest.mark.parametrize(("numbers", "heard"), ROWS)
def test_packets_find_their_place(numbers: list[int], heard: str) -> None:
    assert recorded([packet(number) for number in numbers]) == heard


def test_a_pause_without_packets_is_silence() -> None:
    """Silence suppression: the sequence goes on, the clock jumps (RFC 3550 §5.1)."""
    later = packet(5)._replace(sequence=1)
    assert recorded([packet(0), later]) == "A____F"


def test_a_far_end_that_begins_anew_goes_on() -> None:
    assert (
        recorded([packet(0), packet(1), packet(0, "x", ssrc=9, first=1), packet(1, "y", ssrc=9, first=1)])
        == "ABxy"
    )
    jumped = packet(1)._replace(timestamp=12345678)  # the same source with another clock
    assert recorded([packet(0), jumped]) == "AB"


def test_it_is_full_after_its_seconds() -> None:
    assert recorded([packet(number % 20) for number in range(20)], seconds=0.1) == "ABCDE"
    assert recorded([packet(0), packet(40, "x"), packet(1)], seconds=0.1) == "AB"
    assert Recorder("r1", 500.0, 10.0, "pcma").ends_at == 70.0


def test_another_law_is_translated() -> None:
    recorder = Recorder("r1", 60.0, 0.0, "pcma")
    loud = g711.encode(g711.decode(b"\x10" * 160, "pcma"), "pcmu")
    recorder.take(packet(0)._replace(payload=b"\x10" * 160), "pcma")
    recorder.take(packet(1)._replace(payload=loud), "pcmu")
    assert recorder.codec == "pcma"
    assert (
        abs(
            int(g711.decode(recorder.payload[:1], "pcma")[0])
            - int(g711.decode(recorder.payload[-1:], "pcma")[0])
        )
        < 600
    )


@given(st.permutations(range(8)), st.sets(st.integers(0, 7), max_size=4))
def test_any_order_and_loss_gives_the_same(order: list[int], lost: set[int]) -> None:
    """What comes first is the beginning, so that one comes first; the others may as they like."""
    kept = [number for number in order if number not in lost and number != 0]
    heard = recorded([packet(number) for number in [0, *kept]])
    last = max([0, *kept])
    assert heard == "".join(chr(65 + n) if n == 0 or n in kept else "_" for n in range(last + 1))
