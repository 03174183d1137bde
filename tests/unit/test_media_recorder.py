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


def recorded(packets: list[RtpPacket], seconds: float = 60.0, times: list[float] | None = None) -> str:
    """A letter a packet: what each 20 ms of the recording holds, _ is silence. They come each 20 ms, if
    it isn't told when.
    """
    recorder = Recorder("r1", seconds, 0.0, "pcma")
    for at, each in enumerate(packets):
        recorder.take(each, "pcma", 0.02 * at if times is None else times[at])
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


LEAPS = [
    # samples that the clock leaps between B and C, heard
    (30 * 8000, "ABCD"),  # a gateway that takes another source for its own, without a new SSRC
    (-30 * 8000, "ABCD"),
    (-160, "ABCD"),  # by a packet, which would overwrite B
    (4 * 160, "AB____CD"),  # four aren't sent, as far as anybody can tell
]


@pytest.mark.parametrize(("leap", "heard"), LEAPS)
def test_a_clock_that_leaps_hides_nothing_and_adds_no_silence(leap: int, heard: str) -> None:
    packets = [packet(number) for number in range(4)]
    leapt = [each._replace(timestamp=(each.timestamp + leap) % (1 << 32)) for each in packets[2:]]
    assert recorded([*packets[:2], *leapt]) == heard


def test_a_pause_of_a_message_is_as_long_as_it_was() -> None:
    """Silence suppression for 20 s, and a burst after it: the network held it back."""
    later = [packet(1000 + number, "xyz"[number])._replace(sequence=1 + number) for number in range(3)]
    heard = recorded([packet(0), *later], times=[0.02, 22.0, 22.0, 22.0])
    assert heard == "A" + "_" * 999 + "xyz"


def test_it_is_full_after_its_seconds() -> None:
    assert recorded([packet(number % 20) for number in range(20)], seconds=0.1) == "ABCDE"
    assert recorded([packet(0), packet(40, "x"), packet(1)], seconds=0.1) == "AB"
    assert Recorder("r1", 500.0, 10.0, "pcma").ends_at == 70.0


def test_another_law_is_translated() -> None:
    recorder = Recorder("r1", 60.0, 0.0, "pcma")
    loud = g711.encode(g711.decode(b"\x10" * 160, "pcma"), "pcmu")
    recorder.take(packet(0)._replace(payload=b"\x10" * 160), "pcma", 0.02)
    recorder.take(packet(1)._replace(payload=loud), "pcmu", 0.04)
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
