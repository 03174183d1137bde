"""What every line does alike: the simulated one in virtual time, the others against the city over UDP."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from callbacks.vocabulary import Disposition, MachineSign
from ivr.events import (
    Answered,
    Codec,
    Ended,
    KeyPressed,
    MachineHeard,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    Ringing,
)
from ivr.line import Dial, Line, LineError
from ivr.media import g711
from ivr.media.audio import Audio
from ivr.media.rtp import RtpPacket
from ivr.media.tones import beep
from ivr.pyvoip_line import PyvoipLine
from tests.line_ends import LINES, ON_A_BAD_NETWORK, FarEnds, line_and_far_ends, mind_what_it_cant
from tests.loopback_city import LONG_PROMPT, PROMPT, Driver, quick_city

ONE_OUT = "one call out at a time"
NO_MACHINE = "tell a machine that took the call"
MACHINE = "13803791277"
NO_TAP = "hand on what is said"
NO_COUNT = "count packets"
NO_TONES = "hear keys as tones"
NOTHING_EARLY = "hear what comes before an answer"


@pytest.fixture(params=(*LINES, ON_A_BAD_NETWORK))
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Line, FarEnds]]:
    mind_what_it_cant(request)
    other = request.node.get_closest_marker("city")
    settings = quick_city(
        silent_for=3.0, message_seconds=0.4, machines=("77",), **(other.kwargs if other else {})
    )
    with line_and_far_ends(request.param, settings) as found:
        yield found


@pytest.fixture
def line(both: tuple[Line, FarEnds]) -> Line:
    return both[0]


@pytest.fixture
def is_calm(request: pytest.FixtureRequest, both: tuple[Line, FarEnds]) -> bool:
    """Whether the network loses nothing."""
    return ON_A_BAD_NETWORK not in request.node.name


@pytest.fixture
def far(both: tuple[Line, FarEnds]) -> FarEnds:
    return both[1]


@pytest.fixture
def driver(line: Line) -> Driver:
    return Driver(line)


def order(last_digit: int, call: str = "c1", ring: float = 30.0, total: float = 60.0) -> Dial:
    return Dial(call, f"1380379123{last_digit}", "city", ring, total)


def answered(driver: Driver, last_digit: int = 7) -> Driver:
    driver.line.dial(order(last_digit))
    driver.wait_for(Answered)
    return driver


def test_a_whole_call(driver: Driver) -> None:
    answered(driver, 5)
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(KeyPressed)
    driver.line.play("c1", "solved", PROMPT)
    driver.until(lambda: len(driver.of(KeyPressed)) == 2)
    driver.line.hangup("c1")
    end = driver.ended()
    assert (end.disposition, end.sip_status, end.by) == (Disposition.ANSWERED, 200, "us")
    assert [type(event) for event in driver.events] == [
        Ringing,
        Answered,
        *[PlaybackStarted, PlaybackFinished, KeyPressed] * 2,
        Ended,
    ]
    assert [event.token for event in driver.of(PlaybackFinished)] == ["rating", "solved"]


@pytest.mark.cant("simulated", NO_COUNT)
@pytest.mark.cant("pyvoip", NO_COUNT)
def test_how_the_voice_went_is_told_with_the_end(driver: Driver, is_calm: bool) -> None:
    answered(driver, 1)
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(PlaybackFinished)
    driver.line.hangup("c1")
    quality = driver.ended().quality
    if quality is None:
        raise LineError("it counts no packets")
    assert quality.sent >= len(PROMPT) and quality.received > 0
    assert quality.lost == 0 or not is_calm


def test_a_key_began_after_its_prompt_and_time_never_runs_back(driver: Driver) -> None:
    answered(driver, 3)
    driver.line.play("c1", "rating", PROMPT)
    key = driver.wait_for(KeyPressed)
    assert key.key == "3"
    assert key.began_at > driver.of(PlaybackFinished)[0].at
    times = [event.at for event in driver.events]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("last_digit", "disposition", "status", "q850", "rings"),
    [
        (0, Disposition.BUSY, 486, 17, False),
        (8, Disposition.UNALLOCATED, 404, 1, False),
        (9, Disposition.REJECTED, 603, 21, True),
    ],
)
def test_calls_that_nobody_takes(
    driver: Driver, last_digit: int, disposition: Disposition, status: int, q850: int, rings: bool
) -> None:
    driver.line.dial(order(last_digit))
    end = driver.ended()
    assert (end.disposition, end.sip_status, end.q850, end.by) == (disposition, status, q850, "them")
    assert bool(driver.of(Ringing)) is rings
    assert not driver.of(Answered)


def test_no_answer_is_cancelled_after_the_ring_time(driver: Driver) -> None:
    driver.line.dial(order(4, ring=0.4))
    end = driver.ended()
    assert (end.disposition, end.sip_status, end.by) == (Disposition.NO_ANSWER, 487, "us")
    assert end.at - driver.of(Ringing)[0].at >= 0.4


def test_the_total_time_ends_it_too(driver: Driver) -> None:
    driver.line.dial(order(4, ring=30, total=0.4))
    assert driver.ended().disposition is Disposition.NO_ANSWER


@pytest.mark.city(early_media=({"ending": "66", "tone": "busy", "q850": 17},))
@pytest.mark.cant("simulated", NOTHING_EARLY)
@pytest.mark.cant("pyvoip", NOTHING_EARLY)
def test_a_busy_tone_before_an_answer_ends_the_call(driver: Driver) -> None:
    if not driver.line.capabilities.early_media:
        raise LineError("it hears nothing before an answer")
    driver.line.dial(Dial("c1", "13803791266", "city"))
    end = driver.ended()
    assert (end.disposition, end.by, end.q850) == (Disposition.BUSY, "us", None)  # before the release
    assert not driver.of(Answered)


def test_they_hang_up_in_the_prompt(driver: Driver) -> None:
    answered(driver, 6)
    driver.line.play("c1", "rating", LONG_PROMPT)
    end = driver.ended()
    assert (end.disposition, end.by) == (Disposition.ANSWERED, "them")
    assert driver.of(PlaybackStarted)
    assert not driver.of(PlaybackFinished)


def test_a_silent_one_hangs_up_at_last(driver: Driver) -> None:
    answered(driver, 7)
    end = driver.ended()
    assert (end.disposition, end.q850, end.by) == (Disposition.ANSWERED, 16, "them")
    assert not driver.of(KeyPressed)


def test_we_hang_up_in_the_prompt(driver: Driver) -> None:
    answered(driver)
    driver.line.play("c1", "rating", LONG_PROMPT)
    driver.wait_for(PlaybackStarted)
    driver.line.hangup("c1")
    end = driver.ended()
    assert (end.disposition, end.by) == (Disposition.ANSWERED, "us")
    assert not driver.of(PlaybackFinished)


def test_we_give_up_while_it_rings(driver: Driver) -> None:
    driver.line.dial(order(4))
    driver.wait_for(Ringing)
    driver.line.hangup("c1")
    end = driver.ended()
    assert (end.disposition, end.sip_status, end.by) == (Disposition.CANCELLED, 487, "us")


def test_we_give_up_at_once(driver: Driver) -> None:
    driver.line.dial(order(4))
    driver.line.hangup("c1")
    assert driver.ended().disposition is Disposition.CANCELLED


def test_hanging_up_twice_is_harmless(driver: Driver) -> None:
    answered(driver)
    driver.line.hangup("c1")
    driver.line.hangup("c1")
    assert driver.ended().by == "us"
    driver.line.hangup("c1")
    driver.turns(5)
    assert len(driver.of(Ended)) == 1


def test_orders_for_an_unknown_call_are_harmless(driver: Driver) -> None:
    driver.line.hangup("nobody")
    driver.line.play("nobody", "rating", PROMPT)
    driver.line.stop("nobody")
    driver.turns(3)
    assert not driver.events


def test_what_is_played_before_the_answer_is_not_heard(driver: Driver) -> None:
    driver.line.dial(order(4))
    driver.wait_for(Ringing)
    driver.line.play("c1", "rating", PROMPT)
    driver.turns(10)
    assert not driver.of(PlaybackStarted)


def test_a_key_within_a_prompt_is_told(driver: Driver, far: FarEnds) -> None:
    answered(driver)
    driver.line.play("c1", "rating", LONG_PROMPT)
    driver.wait_for(PlaybackStarted)
    far.presses("13803791237", "2")
    assert driver.wait_for(KeyPressed).key == "2"
    assert not driver.of(PlaybackFinished)
    driver.line.hangup("c1")
    assert driver.ended().by == "us"


def test_a_replaced_prompt_starts_and_does_not_finish(driver: Driver) -> None:
    answered(driver)
    driver.line.play("c1", "first", LONG_PROMPT)
    driver.wait_for(PlaybackStarted)
    driver.line.play("c1", "second", PROMPT)
    driver.wait_for(PlaybackFinished)
    assert [event.token for event in driver.of(PlaybackStarted)] == ["first", "second"]
    assert [event.token for event in driver.of(PlaybackFinished)] == ["second"]


def test_a_stopped_prompt_does_not_finish(driver: Driver) -> None:
    answered(driver)
    driver.line.play("c1", "first", PROMPT)
    driver.wait_for(PlaybackStarted)
    driver.line.stop("c1")
    driver.turns(40)
    assert not driver.of(PlaybackFinished)


def test_a_calls_id_serves_once_at_a_time(driver: Driver) -> None:
    driver.line.dial(order(4))
    with pytest.raises(LineError, match="c1"):
        driver.line.dial(order(7))
    driver.line.hangup("c1")
    driver.ended()
    driver.line.dial(order(0))
    driver.until(lambda: len(driver.of(Ended)) == 2)


def test_the_times_of_a_call_end_with_it(driver: Driver) -> None:
    driver.line.dial(order(4, total=1.0))
    driver.line.hangup("c1")
    driver.ended()
    driver.line.dial(order(4, ring=2.0))  # of the same name, within the first one's second
    driver.until(lambda: len(driver.of(Ended)) == 2)
    second, ringing = driver.of(Ended)[1], driver.of(Ringing)[-1]
    assert second.disposition is Disposition.NO_ANSWER
    assert second.at - ringing.at >= 2.0


@pytest.mark.city(telephone_event=False)
@pytest.mark.cant("pyvoip", NO_TONES)
def test_keys_are_tones_where_nothing_else_was_agreed(driver: Driver) -> None:
    if not driver.line.capabilities.key_tones:
        raise LineError("it takes keys by packets of their own alone")
    answered(driver, 3)
    driver.line.play("c1", "rating", PROMPT)
    key = driver.wait_for(KeyPressed)
    assert key.key == "3"
    assert key.began_at > driver.of(PlaybackFinished)[0].at


@pytest.mark.cant("pyvoip", ONE_OUT)
def test_many_calls_at_once_don_t_mix(driver: Driver) -> None:
    for digit in (1, 2, 3, 0, 8):
        driver.line.dial(order(digit, call=f"c{digit}"))
    for digit in (1, 2, 3):
        driver.wait_for(Answered, f"c{digit}")
        driver.line.play(f"c{digit}", "rating", PROMPT)
    for digit in (1, 2, 3):
        assert driver.wait_for(KeyPressed, f"c{digit}").key == str(digit)
        driver.line.hangup(f"c{digit}")
    for digit in (1, 2, 3, 0, 8):
        driver.ended(f"c{digit}")


def bridged(driver: Driver, one: int = 3, two: int = 7) -> None:
    """Calls c1 and c2, up and joined."""
    for call, digit in (("c1", one), ("c2", two)):
        driver.line.dial(order(digit, call))
        driver.wait_for(Answered, call)
    driver.line.bridge("c1", "c2")


@pytest.mark.cant("pyvoip", ONE_OUT)
def test_a_bridge_carries_keys_and_tells_them(driver: Driver, far: FarEnds) -> None:
    bridged(driver)
    driver.line.play("c1", "rating", PROMPT)  # heard by one side alone
    assert driver.wait_for(KeyPressed, "c1").key == "3"
    driver.until(lambda: far.keys_heard)
    driver.line.hangup("c1")
    driver.line.hangup("c2")
    driver.ended("c1")
    driver.ended("c2")
    assert far.keys_heard == [("13803791237", "3")]
    assert not driver.of(KeyPressed, "c2") and not driver.of(PlaybackStarted, "c2")


@pytest.mark.cant("pyvoip", ONE_OUT)
def test_a_bridge_ends_with_either_call_and_leaves_the_other_up(driver: Driver, far: FarEnds) -> None:
    bridged(driver)
    driver.line.hangup("c2")
    driver.ended("c2")
    assert not driver.of(Ended, "c1")
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(KeyPressed, "c1")
    driver.line.hangup("c1")
    assert driver.ended("c1").by == "us"
    assert far.keys_heard == []


@pytest.mark.cant("pyvoip", ONE_OUT)
@pytest.mark.parametrize("anew", [False, True])
def test_a_bridge_is_ended_or_made_anew(driver: Driver, far: FarEnds, anew: bool) -> None:
    bridged(driver)
    if anew:  # c1 goes to a third; the second hears nobody
        driver.line.dial(order(7, "c3"))
        driver.wait_for(Answered, "c3")
        driver.line.bridge("c3", "c1")
    else:
        driver.line.unbridge("c2")
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(KeyPressed, "c1")
    driver.until(lambda: far.keys_heard) if anew else driver.turns(20)
    assert far.keys_heard == ([("13803791237", "3")] if anew else [])
    for call in ("c1", "c2"):
        driver.line.hangup(call)
        driver.ended(call)


@pytest.mark.cant("pyvoip", ONE_OUT)
def test_three_hear_one_another_until_one_leaves(driver: Driver, far: FarEnds) -> None:
    for call, digit in (("c1", 5), ("c2", 7), ("c3", 7)):
        driver.line.dial(Dial(call, f"138037912{call[1]}{digit}", "city"))
        driver.wait_for(Answered, call)
    driver.line.bridge("c1", "c2", "c3")
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(KeyPressed, "c1")
    driver.until(lambda: len(far.keys_heard) == 2)
    assert {number for number, _ in far.keys_heard} == {"13803791227", "13803791237"}
    driver.line.unbridge("c3")
    driver.line.play("c1", "solved", PROMPT)
    driver.until(lambda: len(driver.of(KeyPressed, "c1")) == 2)
    driver.until(lambda: len(far.keys_heard) == 3)
    assert far.keys_heard[2][0] == "13803791227"
    for call in ("c1", "c2", "c3"):
        driver.line.hangup(call)
        driver.ended(call)


@pytest.mark.cant("pyvoip", ONE_OUT)
def test_bridges_that_cant_be_are_harmless(driver: Driver, far: FarEnds) -> None:
    answered(driver, 3)
    driver.line.dial(order(0, "busy"))
    driver.ended("busy")
    for one, two in (("c1", "nobody"), ("nobody", "c1"), ("c1", "c1"), ("c1", "busy")):
        driver.line.bridge(one, two)
        driver.line.unbridge(two)
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(KeyPressed)
    driver.line.hangup("c1")
    driver.ended()
    assert far.keys_heard == []


def test_codecs_are_offered_in_the_orders_order(driver: Driver) -> None:
    driver.line.dial(Dial("c1", "13803791237", "city", codecs=("pcmu", "pcma")))
    assert driver.wait_for(Answered).codec == "pcmu"


def test_capabilities_are_told(line: Line) -> None:
    assert line.capabilities.sip_status
    assert line.capabilities.q850
    assert line.capabilities.key_time
    assert line.capabilities.recording
    assert line.capabilities.machine is not isinstance(line, PyvoipLine)
    assert line.capabilities.tap is not isinstance(line, PyvoipLine)
    assert not line.capabilities.transfer


def recording(driver: Driver, seconds: float, digit: int = 1, prompt: Audio | None = None) -> None:
    """Call c1 to a citizen, recorded under r1 after the beep."""
    driver.line.dial(Dial("c1", f"1380379123{digit}", "city", codecs=("pcma",)))
    driver.wait_for(Answered)
    driver.line.play("c1", "beep", prompt or beep())
    driver.wait_for(PlaybackFinished)
    driver.line.record("c1", "r1", seconds)


def loudness(done: RecordingFinished) -> int:
    """The highest sample of what was said."""
    return int(np.abs(g711.decode(done.payload, done.codec).astype(np.int32)).max(initial=0))


def test_what_is_said_after_the_beep_is_recorded(driver: Driver) -> None:
    recording(driver, 20.0)
    key = driver.wait_for(KeyPressed)
    driver.line.stop_recording("c1")
    done = driver.wait_for(RecordingFinished)
    assert (key.key, done.token, done.codec) == ("#", "r1", "pcma")
    assert done.seconds == len(done.payload) / 8000
    assert 0.3 < done.seconds < 5.0  # the citizen's 0.4 s, and the pauses around them
    assert loudness(done) > 4000
    driver.line.stop_recording("c1")
    driver.turns(10)
    assert len(driver.of(RecordingFinished)) == 1


def test_a_recording_ends_when_it_is_full(driver: Driver) -> None:
    recording(driver, 0.5, digit=7)
    done = driver.wait_for(RecordingFinished)
    assert 0.2 < done.seconds <= 0.5
    assert loudness(done) < 100  # a silent one


def test_a_recording_that_the_end_of_the_call_cuts_is_told_before_it(driver: Driver) -> None:
    recording(driver, 20.0)
    driver.turns(20)
    driver.line.hangup("c1")
    driver.ended()
    kinds = [type(event) for event in driver.events]
    assert kinds.count(RecordingFinished) == 1
    assert kinds.index(RecordingFinished) < kinds.index(Ended)


def test_a_recording_in_place_of_another_finishes_it(driver: Driver) -> None:
    recording(driver, 20.0, digit=7)
    driver.turns(10)
    driver.line.record("c1", "r2", 0.2)
    driver.until(lambda: len(driver.of(RecordingFinished)) == 2)
    assert [event.token for event in driver.of(RecordingFinished)] == ["r1", "r2"]


def test_recordings_that_cant_be_are_harmless(driver: Driver) -> None:
    driver.line.record("nobody", "r1", 1.0)
    driver.line.stop_recording("nobody")
    driver.line.dial(order(4))
    driver.wait_for(Ringing)
    driver.line.record("c1", "r1", 1.0)  # nobody has answered
    driver.line.stop_recording("c1")
    driver.turns(20)
    assert not driver.of(RecordingFinished)


@pytest.mark.cant("pyvoip", NO_MACHINE)
def test_a_machine_that_took_the_call_is_told_once(driver: Driver) -> None:
    if not driver.line.capabilities.machine:
        raise LineError("it doesn't listen for machines")
    driver.line.dial(Dial("c1", MACHINE, "city", detect_machine=True))
    driver.wait_for(Answered)
    driver.line.play("c1", "rating", LONG_PROMPT)  # as long as the greeting: both talk at once
    assert driver.wait_for(MachineHeard).sign is MachineSign.SPEECH
    assert driver.ended().by == "them"  # after its greeting, a beep among it
    assert len(driver.of(MachineHeard)) == 1
    assert not driver.of(KeyPressed)


def test_no_machine_is_told_of_a_person_or_unasked(driver: Driver) -> None:
    driver.line.dial(Dial("c1", "13803791231", "city", detect_machine=True))
    driver.wait_for(Answered)
    driver.line.play("c1", "rating", PROMPT)
    driver.wait_for(KeyPressed)
    driver.line.hangup("c1")
    driver.ended()
    driver.line.dial(Dial("c2", MACHINE, "city"))
    driver.wait_for(Ended, "c2")
    assert not driver.of(MachineHeard) and not driver.of(MachineHeard, "c2")


@pytest.mark.cant("pyvoip", NO_TAP)
def test_who_taps_a_call_hears_what_is_said(driver: Driver) -> None:
    """Until the tap ends, and as long as nobody takes it over."""
    if not driver.line.capabilities.tap:
        raise LineError("it hands on nothing of what is said")
    heard: list[tuple[RtpPacket, Codec, float]] = []
    driver.line.dial(Dial("c1", "13803791231", "city", codecs=("pcma",)))
    driver.line.tap("c1", lambda *_: pytest.fail("nobody has answered"))
    driver.wait_for(Answered)
    driver.line.play("c1", "beep", beep())
    driver.wait_for(PlaybackFinished)
    driver.line.tap("c1", lambda *_: pytest.fail("another has taken it over"))
    driver.line.tap("c1", lambda *told: heard.append(told))
    driver.line.record("c1", "r1", 20.0)  # to which the simulated citizen speaks
    driver.wait_for(KeyPressed)
    said = b"".join(packet.payload for packet, _, _ in heard)
    assert np.abs(g711.decode(said, "pcma").astype(np.int32)).max(initial=0) > 4000
    assert {codec for _, codec, _ in heard} == {"pcma"}
    times = [at for _, _, at in heard]
    assert times == sorted(times) and times[-1] - times[0] > 0.3
    driver.line.tap("c1", None)
    count = len(heard)
    driver.turns(20)
    assert len(heard) == count


def test_taps_that_cant_be_are_harmless(driver: Driver) -> None:
    driver.line.tap("nobody", lambda *_: None)
    driver.line.dial(order(4))
    driver.wait_for(Ringing)
    driver.line.tap("c1", lambda *_: pytest.fail("nobody has answered"))
    driver.line.tap("c1", None)
    driver.turns(20)
