"""Keys as tones between two sessions of a loop: where nothing else was agreed, and then alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ivr.counters import Counters
from ivr.events import KeyPressed
from ivr.media.audio import join
from ivr.media.ports import PortPool
from ivr.media.remote import MediaEvent, Remote
from ivr.media.session import MediaSession
from ivr.media.tones import key_tones
from ivr.rtp_loop import RtpLoop
from tests.loopback_city import HOST, media_ports


class Calls:
    """Two calls of ours, `a` and `b`, and the far end of each, all of one loop."""

    def __init__(self, hears_tones: bool = True) -> None:
        first, last = media_ports(4)
        self.loop = RtpLoop(PortPool(HOST, first, last), 4, 9.0, Counters(), hears_tones=hears_tones)
        self.told: list[MediaEvent] = []
        self.a, self.far_a, self.b, self.far_b = (
            self.loop.open(name) for name in ("a", "far a", "b", "far b")
        )

    def introduce(self, ours: MediaSession, far: MediaSession, events: int | None, ptime: int = 20) -> None:
        """An answered call, whose far end takes and tells named events of that payload type, if any."""
        for session, other in ((ours, far), (far, ours)):
            address = (HOST, other.port)
            remote = Remote(address, other.port + 1, "pcma", 8, events, frozenset({HOST}), ptime=ptime)
            self.loop.negotiate(session, remote)
            self.loop.start(session, time.monotonic())
        self.until(lambda: ours.last_packet_at is not None and far.last_packet_at is not None)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, self.told
            self.told += self.loop.turn(0.02)

    def for_seconds(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def keys(self, call: str) -> str:
        return "".join(each.key for each in self.told if isinstance(each, KeyPressed) and each.call == call)


@pytest.fixture
def calls() -> Iterator[Calls]:
    made = Calls()
    yield made
    made.loop.close()


def test_who_takes_no_named_events_is_sent_tones_and_heard_by_them(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, None)
    for key in "37#":
        calls.far_a.press(key, 0.06)
    calls.until(lambda: calls.keys("a") == "37#")
    first, second, third = (each for each in calls.told if isinstance(each, KeyPressed))
    assert first.began_at < first.at < second.at
    assert third.began_at - second.began_at == pytest.approx(0.14, abs=0.02)  # by their clock


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_in_packets_of_any_length(calls: Calls, ptime: int) -> None:
    calls.introduce(calls.a, calls.far_a, None, ptime)
    for key in "408":
        calls.far_a.press(key, 0.06)
    calls.until(lambda: calls.keys("a") == "408")


def test_nobody_listens_for_tones_where_named_events_were_agreed(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, 101)
    calls.far_a.play("tones", join([key_tones(key, 0.1) for key in "123"]))
    calls.far_a.press("9", 0.06)
    calls.until(lambda: calls.keys("a"))
    calls.for_seconds(0.8)
    assert calls.keys("a") == "9"


def test_a_city_may_switch_it_off() -> None:
    deaf = Calls(hears_tones=False)
    deaf.introduce(deaf.a, deaf.far_a, None)
    deaf.far_a.press("1", 0.1)
    deaf.for_seconds(0.4)
    assert deaf.keys("a") == ""
    deaf.loop.close()


def test_the_way_of_the_first_key_is_that_of_all(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, None)
    calls.a.key_by_info("4", 0.1, time.monotonic())  # before its tones are known
    calls.far_a.press("4", 0.1)
    calls.for_seconds(0.4)
    calls.a.key_by_info("5", 0.1, time.monotonic())
    calls.until(lambda: calls.keys("a") == "45")
    calls.introduce(calls.b, calls.far_b, None)
    calls.far_b.press("6", 0.1)
    calls.until(lambda: calls.keys("b") == "6")
    calls.b.key_by_info("6", 0.1, time.monotonic())  # when it's up
    calls.far_b.press("7", 0.1)
    calls.until(lambda: calls.keys("b") == "67")


def test_a_new_description_begins_and_ends_it(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, 101)
    assert calls.a.remote is not None
    calls.loop.negotiate(calls.a, replace(calls.a.remote, event_type=None))
    calls.far_a.play("tones", key_tones("1", 0.1))
    calls.until(lambda: calls.keys("a") == "1")
    calls.loop.negotiate(calls.a, replace(calls.a.remote, event_type=101))
    calls.far_a.play("tones", key_tones("2", 0.1))
    calls.for_seconds(0.4)
    assert calls.keys("a") == "1"


def test_the_echo_of_our_own_tones_is_nobodys_key(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, None)
    calls.a.press("5", 0.1)
    calls.far_a.play("echo", key_tones("5", 0.1))
    calls.for_seconds(0.8)
    assert calls.keys("a") == ""
    calls.far_a.press("5", 0.1)
    calls.until(lambda: calls.keys("a") == "5")


def test_over_a_bridge_the_voice_carries_them_and_an_echo_isnt_the_others(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, None)
    calls.introduce(calls.b, calls.far_b, None)
    calls.loop.bridge([calls.a, calls.b])
    calls.far_a.press("8", 0.1)
    calls.until(lambda: calls.keys("far b") == "8")
    calls.far_b.play("echo", key_tones("8", 0.1))
    calls.for_seconds(0.4)
    assert (calls.keys("a"), calls.keys("b"), calls.keys("far b")) == ("8", "", "8")


def test_a_named_event_is_passed_on_as_tones(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, 101)
    calls.introduce(calls.b, calls.far_b, None)
    calls.loop.bridge([calls.a, calls.b])
    calls.far_a.press("2", 0.3)
    calls.far_a.press("0", 0.1)
    calls.until(lambda: calls.keys("far b") == "20")
    assert calls.keys("a") == "20"


def test_a_key_that_the_end_of_the_call_overtakes_isnt_lost(calls: Calls) -> None:
    calls.introduce(calls.a, calls.far_a, None)
    calls.far_a.press("6", 0.06)
    sent = calls.far_a._outgoing.sender.packets
    calls.until(lambda: calls.far_a._outgoing.sender.packets >= sent + 5 or calls.keys("a"))
    calls.told += calls.loop.drain(calls.a, time.monotonic())
    assert calls.keys("a") == "6"
