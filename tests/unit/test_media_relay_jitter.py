"""A bridge over ten virtual minutes: how long voice waits and where it tears, whatever the network does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ivr.media.relay import VoiceRelay
from ivr.media.rtp import RtpPacket

MINUTES = 10
TICK = 0.02
PHASES = st.floats(0, TICK, exclude_max=True)  # of the far end's clock, seen from ours
SEEDS = st.integers(0, 2**32)
TEN_MINUTES = settings(max_examples=5, phases=[Phase.explicit, Phase.generate])


@dataclass
class Heard:
    """`frames` are the far end's, by number; `waits` how many ms each waited; `gaps` ticks without one."""

    frames: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    gaps: int = 0

    def left_out(self, came: int) -> int:
        return came - len(self.frames)

    def within(self, share: float) -> float:
        """What the wait of that share of the frames doesn't exceed."""
        return sorted(self.waits)[int(share * (len(self.waits) - 1))]


def packet(number: int, pause: int = 0) -> RtpPacket:
    """A frame that says its number; `pause` is how many frames of silence the far end didn't send before."""
    payload = number.to_bytes(4, "big") * 40
    return RtpPacket(8, False, number & 0xFFFF, (number + pause) * 160 & 0xFFFFFFFF, 7, payload)


def relayed(packets: Iterable[tuple[float, RtpPacket]], relay: VoiceRelay) -> Heard:
    """Packets with the time they came at, in order; our tick is at 0, 20 ms … until the last has left."""
    heard, came_at, tick = Heard(), {}, 0
    waiting = iter([*packets, (float("inf"), packet(0))])
    at, each = next(waiting)
    while at < float("inf") or heard.frames[-1] != max(came_at):
        while at <= tick * TICK:
            came_at[int.from_bytes(each.payload[:4], "big")] = at
            relay.take(each, "pcma")
            at, each = next(waiting)
        if (said := relay.frame("pcma")) is not None:
            number = int.from_bytes(said[:4], "big")
            heard.frames.append(number)
            heard.waits.append(1000 * (tick * TICK - came_at[number]))
        elif heard.frames:
            heard.gaps += 1
        tick += 1
    return heard


def talked(
    phase: float,
    *,
    ppm: float = 0.0,
    jitter: float = 0.0,
    seed: int = 0,
    stall: tuple[float, float] = (1e9, 0.0),
) -> list[tuple[float, RtpPacket]]:
    """Ten minutes of a far end whose clock is `ppm` faster; every stall[0] s nothing comes for stall[1] s.

    The network gives everything in its order, as late as it is (sigma `jitter`) or as what went before it.
    """
    random, latest, packets = Random(seed), 0.0, []
    for number in range(MINUTES * 3000):
        said = phase + number * TICK * (1 - ppm / 1e6)
        at = said + max(0.0, random.gauss(3 * jitter, jitter))
        stalls, into = divmod(said, stall[0])
        if stalls and into < stall[1]:
            at = max(at, stalls * stall[0] + stall[1])
        latest = max(latest, at)
        packets.append((latest, packet(number)))
    return packets


@TEN_MINUTES
@given(PHASES, SEEDS)
def test_a_quiet_network_is_heard_whole_and_within_a_frame(phase: float, seed: int) -> None:
    packets = talked(phase, jitter=0.0005, seed=seed)
    heard = relayed(packets, VoiceRelay())
    assert heard.within(0.999) < 24
    assert heard.gaps <= 8 and heard.left_out(len(packets)) <= 8  # where both clocks tick at one time


@TEN_MINUTES
@given(PHASES, SEEDS)
def test_jitter_of_5_ms_tears_it_a_dozen_times_at_most(phase: float, seed: int) -> None:
    packets = talked(phase, jitter=0.005, seed=seed)
    heard = relayed(packets, VoiceRelay())
    assert heard.gaps <= 16 and heard.left_out(len(packets)) <= 16
    assert heard.within(0.99) < 55 and heard.within(1) < 75  # the jitter itself is 30 ms wide


@TEN_MINUTES
@given(PHASES, SEEDS, st.sampled_from([(5.0, 0.06), (20.0, 0.1), (7.0, 0.04)]))
def test_bursts_tear_it_once_and_then_find_it_prepared(
    phase: float, seed: int, stall: tuple[float, float]
) -> None:
    heard = relayed(talked(phase, jitter=0.001, seed=seed, stall=stall), VoiceRelay())
    stalls = MINUTES * 60 / stall[0]
    if stall[0] < 16:  # comes again before the calm is believed
        assert heard.gaps <= 16 < stalls
    assert heard.gaps <= 6 * stalls
    assert heard.within(1) <= 1000 * (stall[1] + 2 * TICK)


@TEN_MINUTES
@given(PHASES, SEEDS, st.sampled_from([-1000, -100, 100, 1000]))
def test_another_clock_neither_heaps_up_nor_starves(phase: float, seed: int, ppm: int) -> None:
    packets = talked(phase, ppm=ppm, jitter=0.0005, seed=seed)
    heard = relayed(packets, VoiceRelay())
    drifted = MINUTES * 60 * abs(ppm) / 1e6 / TICK  # frames that one of the clocks has more
    again = 8  # where the clocks cross within the jitter, a gap or two and as many leaps
    assert heard.gaps <= again + (drifted + 1 if ppm < 0 else 0)
    assert heard.left_out(len(packets)) <= again + (drifted + 1 if ppm > 0 else 0)
    assert heard.within(0.99) < 25 and heard.within(1) < 45


@TEN_MINUTES
@given(PHASES, SEEDS, st.sampled_from([-1000, 1000]))
def test_another_clock_and_jitter(phase: float, seed: int, ppm: int) -> None:
    packets = talked(phase, ppm=ppm, jitter=0.005, seed=seed)
    heard = relayed(packets, VoiceRelay())
    assert heard.gaps <= 48 and heard.left_out(len(packets)) <= 48
    assert heard.within(1) < 85


ARRIVALS = st.lists(st.tuples(st.integers(0, 400), st.floats(0, 0.3)), max_size=120)


@given(ARRIVALS, st.integers(0, 0xFFFF))
def test_whatever_comes_leaves_in_its_order_once_and_soon(
    arrivals: list[tuple[int, float]], first: int
) -> None:
    """Any sequence numbers at any times; each packet says as how many it came."""
    relay, heard, came_at, now = VoiceRelay(), [], [], 0.0
    for sequence, pause in arrivals:
        now += pause
        while len(heard) * TICK < now:
            heard.append(relay.frame("pcma"))
        payload = len(came_at).to_bytes(4, "big") * 40
        came_at.append(len(heard))
        relay.take(RtpPacket(8, False, (first + sequence) & 0xFFFF, sequence * 160, 7, payload), "pcma")
    heard += [relay.frame("pcma") for _ in range(10)]
    left = [(tick, int.from_bytes(said[:4], "big")) for tick, said in enumerate(heard) if said]
    assert all(tick - came_at[number] <= 6 for tick, number in left)
    for (_, one), (_, two) in pairwise(left):
        behind = arrivals[one][0] - arrivals[two][0]
        assert one < two and (behind < 0 or behind >= 100)  # so far back it began anew


LATE = [
    # (sent before, late by), what is heard at the next ticks
    pytest.param([(0, 0), (1, 0), (2, 0)], [0, 1, 2], id="each in time"),
    pytest.param([(0, 0), (1, 1), (2, 0), (3, 0)], [0, None, 1, 2, 3], id="a late one moves what follows"),
    pytest.param([(0, 0), (1, 1), (2, 1), (3, 1)], [0, None, 1, 2, 3], id="a late one waits for no other"),
]


@pytest.mark.parametrize(("sent", "leaves"), LATE)
def test_a_late_packet(sent: list[tuple[int, int]], leaves: list[int | None]) -> None:
    packets = sorted((number + late, number) for number, late in sent)
    assert said_at_ticks(VoiceRelay(), [(at, packet(number)) for at, number in packets]) == leaves


def test_who_was_late_waits_for_a_second_frame_after_a_pause() -> None:
    relay = VoiceRelay()
    before = [(0, packet(0)), (2, packet(1)), (2, packet(2))]  # number 1 is late
    assert said_at_ticks(relay, before) == [0, None, 1, 2]
    after = [(3, packet(3, pause=50)), (4, packet(4, pause=50)), (5, packet(5, pause=50))]
    assert said_at_ticks(relay, after) == [None, None, None, None, 3, 4, 5]


def test_who_was_never_late_is_heard_at_once_after_a_pause() -> None:
    relay = VoiceRelay()
    assert said_at_ticks(relay, [(0, packet(0)), (1, packet(1))]) == [0, 1]
    assert said_at_ticks(relay, [(2, packet(2, pause=50)), (3, packet(3, pause=50))]) == [None, None, 2, 3]


def said_at_ticks(relay: VoiceRelay, packets: list[tuple[int, RtpPacket]]) -> list[int | None]:
    """What leaves at each tick from 0 until all that came has left; packets come just before theirs."""
    said: list[int | None] = []
    waiting = list(packets)
    while waiting or said[-1] != int.from_bytes(packets[-1][1].payload[:4], "big"):
        while waiting and waiting[0][0] <= len(said):
            relay.take(waiting.pop(0)[1], "pcma")
        frame = relay.frame("pcma")
        said.append(None if frame is None else int.from_bytes(frame[:4], "big"))
        assert len(said) < 100
    return said
