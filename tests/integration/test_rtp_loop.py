"""Two media sessions of one loop talk over loopback."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from callbacks.vocabulary import MachineSign
from ivr.counters import Counters
from ivr.events import EarlyMedia, KeyPressed, MachineHeard, PlaybackFinished, PlaybackStarted
from ivr.media.audio import Audio, join
from ivr.media.ports import NoPorts, PortPool, need_descriptors, udp_socket
from ivr.media.remote import MediaEvent, MediaLost, Remote
from ivr.media.session import MediaSession
from ivr.rtp_loop import RtpLoop
from tests.loopback_city import HOST, media_ports
from tests.voices import voice

TONE = Audio.from_samples((np.sin(np.arange(1600) * 0.5) * 9000).astype(np.int16))
LONG_TONE = join([TONE] * 50)


class Pair:
    """A loop, its counters, and two sessions `we` and `they` that know each other."""

    def __init__(self, base: int, lost_after: float = 5.0) -> None:
        self.counters = Counters()
        self.loop = RtpLoop(PortPool(HOST, base, base + 19), 4, lost_after, self.counters)
        self.heard: list[bytes] = []
        self.events: list[MediaEvent] = []
        self.we = self.loop.open("we")
        self.they = self.loop.open("they", lambda payload, codec, now: self.heard.append(payload))
        self.introduce(self.we, self.they)
        self.introduce(self.they, self.we)

    def introduce(self, session: MediaSession, other: MediaSession, host: str = HOST) -> None:
        address = (HOST, other.port)
        self.loop.negotiate(session, Remote(address, other.port + 1, "pcma", 8, 101, frozenset({host})))

    def start(self) -> None:
        for session in (self.we, self.they):
            self.loop.start(session, time.monotonic())

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, (self.events, dict(self.counters))
            self.events += self.loop.turn(0.05)

    def of(self, kind: type) -> list[MediaEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def base() -> int:
    """An even port with free ones after it."""
    return media_ports(10)[0]


@pytest.fixture
def pair(base: int) -> Iterator[Pair]:
    made = Pair(base)
    yield made
    made.loop.close()


def test_a_prompt_goes_over_whole_and_in_order(pair: Pair) -> None:
    pair.start()
    pair.we.play("greeting", TONE)
    pair.until(lambda: pair.of(PlaybackFinished) and len(pair.heard) > 12)
    first = pair.heard.index(TONE.pcma[0])
    assert tuple(pair.heard[first : first + 10]) == TONE.pcma
    assert [event.token for event in pair.of(PlaybackStarted)] == ["greeting"]
    assert [event.token for event in pair.of(PlaybackFinished)] == ["greeting"]


def test_a_law_under_a_number_of_its_own(pair: Pair) -> None:
    for session in (pair.we, pair.they):
        assert session.remote is not None
        pair.loop.negotiate(session, replace(session.remote, voice_type=97))  # a=rtpmap:97 PCMA/8000
    pair.start()
    pair.we.play("greeting", TONE)
    pair.until(lambda: TONE.pcma[-1] in pair.heard)
    assert not pair.counters


def test_the_law_may_change_within_a_prompt(pair: Pair) -> None:
    pair.start()
    pair.we.play("greeting", LONG_TONE)
    pair.until(lambda: TONE.pcma[0] in pair.heard)
    for session in (pair.we, pair.they):
        assert session.remote is not None
        pair.loop.negotiate(session, replace(session.remote, codec="pcmu", voice_type=0))
    pair.until(lambda: TONE.pcmu[0] in pair.heard)


def test_silence_flows_when_nothing_plays(pair: Pair) -> None:
    pair.start()
    pair.until(lambda: len(pair.heard) >= 5)
    assert set(pair.heard) == {b"\xd5" * 160}


def test_a_replaced_prompt_does_not_finish(pair: Pair) -> None:
    pair.start()
    pair.we.play("first", Audio.silence(60))
    pair.until(lambda: pair.of(PlaybackStarted))
    pair.we.play("second", TONE)
    pair.until(lambda: pair.of(PlaybackFinished))
    assert [event.token for event in pair.of(PlaybackFinished)] == ["second"]


def test_a_stopped_prompt_does_not_finish(pair: Pair) -> None:
    pair.start()
    pair.we.play("first", Audio.silence(60))
    pair.until(lambda: pair.of(PlaybackStarted))
    pair.we.stop()
    before = len(pair.heard)
    pair.until(lambda: len(pair.heard) > before + 3)
    assert not pair.of(PlaybackFinished)


def test_an_empty_prompt_starts_and_finishes(pair: Pair) -> None:
    pair.start()
    pair.we.play("nothing", Audio.silence(0))
    pair.until(lambda: pair.of(PlaybackFinished))
    assert len(pair.of(PlaybackStarted)) == 1


def test_keys_go_over_and_the_prompt_is_not_disturbed(pair: Pair) -> None:
    pair.start()
    for key in "31*":
        pair.they.press(key, 0.06)
    pair.until(lambda: len(pair.of(KeyPressed)) == 3)
    keys = pair.of(KeyPressed)
    assert [(event.call, event.key) for event in keys] == [("we", "3"), ("we", "1"), ("we", "*")]
    assert all(event.began_at <= event.at for event in keys)


def test_a_key_told_by_info_too_is_one_key(pair: Pair) -> None:
    pair.start()
    pair.they.press("2", 0.06)
    pair.until(lambda: pair.of(KeyPressed))
    pair.we.key_by_info("2", 0.16, time.monotonic())
    pair.until(lambda: len(pair.heard) > 3)
    assert [event.key for event in pair.of(KeyPressed)] == ["2"]


def test_keys_by_info_alone(pair: Pair) -> None:
    pair.start()
    pair.we.key_by_info("5", 0.16, 10.0)
    pair.we.key_by_info("X", 0.16, 10.0)  # no key of a telephone
    pair.until(lambda: pair.of(KeyPressed))
    assert pair.of(KeyPressed) == [KeyPressed("we", 10.0, "5", 9.84)]


def test_voice_before_the_answer_is_early_media(pair: Pair) -> None:
    pair.loop.start(pair.they, time.monotonic())  # only the far end has begun
    pair.until(lambda: pair.of(EarlyMedia))
    assert [event.call for event in pair.of(EarlyMedia)] == ["we"]


def test_keys_before_the_answer_do_not_count(pair: Pair) -> None:
    pair.loop.start(pair.they, time.monotonic())
    pair.they.press("1", 0.06)
    pair.until(lambda: pair.of(EarlyMedia))  # voice goes on only after the key
    assert not pair.of(KeyPressed)


GREETING = Audio.from_samples((voice(5.5, rate=8000) * 32767).astype(np.int16))


def test_a_machine_is_told_once_while_we_talk_too(pair: Pair) -> None:
    pair.start()
    pair.we.detect_machine(time.monotonic())
    pair.we.play("ours", LONG_TONE)
    pair.they.play("greeting", GREETING)
    pair.until(lambda: pair.of(PlaybackFinished))
    assert [(event.call, event.sign) for event in pair.of(MachineHeard)] == [("we", MachineSign.SPEECH)]


@pytest.mark.parametrize("by", ["rtp", "info"])
def test_a_key_proves_a_person_and_ends_the_listening(pair: Pair, by: str) -> None:
    pair.start()
    pair.we.detect_machine(time.monotonic())
    pair.they.play("greeting", GREETING)
    if by == "rtp":
        pair.they.press("1", 0.06)
    else:
        pair.we.key_by_info("1", 0.1, time.monotonic())
    pair.until(lambda: pair.of(KeyPressed) and pair.of(PlaybackFinished))
    assert not pair.of(MachineHeard)


def test_a_stranger_is_dropped_and_counted(pair: Pair) -> None:
    pair.introduce(pair.we, pair.they, host="127.0.0.9")  # voice is expected from another host
    pair.start()
    pair.until(lambda: pair.counters["rtp_stranger"] >= 2)
    assert not pair.of(EarlyMedia)


def test_once_learned_the_kernel_drops_strangers(pair: Pair) -> None:
    pair.start()
    pair.until(lambda: pair.we.source)
    with udp_socket(HOST, 0) as stranger:
        stranger.sendto(b"\x80\x65\x00\x01" + bytes(8) + b"\x09\x0a\x00\xa0", (HOST, pair.we.port))
    before = len(pair.heard)
    pair.until(lambda: len(pair.heard) > before + 5)
    assert not pair.of(KeyPressed)
    assert pair.counters["rtp_stranger"] == 0


@pytest.mark.parametrize(
    ("datagram", "kind"),
    [
        (b"", "rtp_malformed"),
        (b"SIP/2.0 200 OK\r\n\r\n", "rtp_malformed"),
        (b"\x80\x60\x00\x01" + bytes(8), "rtp_other_type"),  # video
    ],
)
def test_what_is_no_voice_is_counted_and_nothing_stops(pair: Pair, datagram: bytes, kind: str) -> None:
    with udp_socket(HOST, 0) as odd:
        odd.sendto(datagram, (HOST, pair.we.port))
        odd.sendto(datagram, (HOST, pair.we.port + 1))
        pair.until(lambda: pair.counters[kind] and pair.counters["rtcp_malformed"])
    pair.start()
    pair.we.play("still", TONE)
    pair.until(lambda: pair.of(PlaybackFinished))


def test_a_far_end_that_moves_is_learned_anew(pair: Pair) -> None:
    pair.start()
    pair.until(lambda: pair.we.source)
    moved = pair.loop.open("moved", lambda payload, codec, now: pair.events.append(MediaLost("moved", now)))
    pair.introduce(moved, pair.we)
    pair.introduce(pair.we, moved)
    pair.loop.start(moved, time.monotonic())
    moved.press("8", 0.06)
    pair.until(lambda: pair.of(KeyPressed) and pair.of(MediaLost))
    assert [event.key for event in pair.of(KeyPressed)] == ["8"]


def test_a_far_end_that_moved_in_name_only_is_heard_again(pair: Pair) -> None:
    pair.start()
    pair.until(lambda: pair.we.source)
    assert pair.we.remote is not None
    pair.loop.negotiate(pair.we, replace(pair.we.remote, address=(HOST, 9)))
    pair.until(lambda: pair.we.source)
    pair.they.press("8", 0.06)
    pair.until(lambda: pair.of(KeyPressed))


def test_a_port_that_is_gone_as_the_far_end_moves_ends_that_call_alone(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program was quicker, or our address is on another machine by now."""

    def gone(host: str, port: int, dscp: int = 0) -> socket.socket:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    pair.start()
    pair.until(lambda: pair.we.source and pair.they.source)
    assert pair.we.remote is not None
    monkeypatch.setattr("ivr.media.incoming.udp_socket", gone)
    pair.loop.negotiate(pair.we, replace(pair.we.remote, address=(HOST, 9)))
    pair.until(lambda: pair.of(MediaLost))
    assert not pair.we.read(time.monotonic())  # else to drain it would never end
    pair.loop.drain(pair.we, time.monotonic())
    pair.loop.close_session(pair.we)
    pair.they.play("on", TONE)
    pair.until(lambda: pair.of(PlaybackFinished))


def test_a_call_on_hold_sends_nothing_and_loses_nothing(base: int) -> None:
    pair = Pair(base, lost_after=0.1)
    try:
        assert pair.we.remote is not None
        pair.loop.negotiate(pair.we, replace(pair.we.remote, sends=False, receives=False))
        pair.loop.start(pair.we, time.monotonic())
        pair.we.play("waits", TONE)
        deadline = time.monotonic() + 0.3
        pair.until(lambda: time.monotonic() > deadline)
        assert not pair.events
        assert not pair.heard
    finally:
        pair.loop.close()


def test_what_is_keyed_in_while_they_hold_isnt_told_afterwards(pair: Pair) -> None:
    mine, caller = pair.loop.open("mine"), pair.loop.open("caller")
    pair.introduce(mine, caller)
    pair.introduce(caller, mine)
    pair.start()
    for session in (mine, caller):
        pair.loop.start(session, time.monotonic())
    pair.we.join(mine)
    assert pair.we.remote is not None
    talks, held = pair.we.remote, replace(pair.we.remote, sends=False)

    def keys(call: str) -> list[str]:
        return [event.key for event in pair.of(KeyPressed) if event.call == call]

    pair.loop.negotiate(pair.we, held)
    caller.press("7", 0.06)
    pair.until(lambda: "7" in keys("mine"))
    pair.loop.negotiate(pair.we, talks)
    caller.press("8", 0.06)
    pair.until(lambda: "8" in keys("they"))
    assert keys("they") == ["8"]


def test_silence_of_the_far_end_is_told_once(base: int) -> None:
    pair = Pair(base, lost_after=0.1)
    try:
        pair.loop.start(pair.we, time.monotonic())
        pair.until(lambda: pair.of(MediaLost))
        deadline = time.monotonic() + 0.3
        pair.until(lambda: time.monotonic() > deadline)
        assert len(pair.of(MediaLost)) == 1
    finally:
        pair.loop.close()


def test_a_key_that_waits_in_the_socket_is_drained(pair: Pair) -> None:
    pair.start()
    pair.until(lambda: pair.we.source)
    packet = b"\x80\xe5\x00\x09" + b"\0\0\0\x09" + b"\0\0\0\x09" + b"\x03\x0a\x00\xa0"
    pair.they.rtp.sendto(packet, (HOST, pair.we.port))
    drained = pair.loop.drain(pair.we, time.monotonic())
    assert [event.key for event in drained if isinstance(event, KeyPressed)] == ["3"]


def test_goodbye_is_said_by_rtcp(pair: Pair) -> None:
    pair.start()
    pair.until(lambda: len(pair.heard) > 2)
    pair.loop.close_session(pair.we)
    pair.loop.close_session(pair.we)  # harmless
    pair.until(lambda: pair.counters["rtcp_received"])


def test_a_frame_that_is_due_leaves_before_what_else_came(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst of SIP's messages takes some ms; what is due isn't to wait for them."""
    told: list[str] = []
    tick = MediaSession.tick

    def told_tick(session: MediaSession, now: float) -> None:
        told.append("frame")
        tick(session, now)

    monkeypatch.setattr(MediaSession, "tick", told_tick)
    with udp_socket(HOST, 0) as sip:
        pair.loop.watch(sip.fileno(), lambda now: told.append(sip.recv(100).decode()))
        pair.start()
        sip.sendto(b"message", sip.getsockname())
        time.sleep(0.03)
        assert pair.loop.is_due()
        pair.loop.turn(0.0)
        pair.loop.unwatch(sip.fileno())
    assert told[:2] == ["frame", "frame"] and "message" in told  # of each of the pair, at the same ms or not


def test_wake_ends_a_wait(pair: Pair) -> None:
    threading.Timer(0.05, pair.loop.wake).start()
    assert pair.loop.turn(30.0) == []


def test_ports_that_another_holds_are_passed_over(base: int) -> None:
    with udp_socket(HOST, base), udp_socket(HOST, base + 3):
        pool = PortPool(HOST, base, base + 7)
        pool.check(2)
        with pytest.raises(NoPorts, match="rtp_port_min"):
            pool.check(3)
        taken = [pool.take() for _ in range(2)]
        assert [port for port, _, _ in taken] == [base + 4, base + 6]
        with pytest.raises(NoPorts, match="no media port is left"):
            pool.take()
        for port, *sockets in taken:
            for bound in sockets:
                bound.close()
            pool.give_back(port)


def test_too_many_lines_for_the_open_files() -> None:
    need_descriptors(1)
    with pytest.raises(NoPorts, match="ulimit -n"):
        need_descriptors(1 << 40)


def test_nothing_stays_open(base: int) -> None:
    before = open_files()
    pair = Pair(base)
    pair.start()
    pair.loop.turn(0.01)
    pair.loop.close()
    pair.loop.wake()  # a thread that is late
    assert open_files() == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((HOST, base))
