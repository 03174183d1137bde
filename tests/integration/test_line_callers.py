"""What every line does alike for those who call us: the second half of the lines' contract.

The simulated line's callers are in its own clock, the others' call over SIP and UDP.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from callbacks.vocabulary import Disposition
from ivr.events import (
    Answered,
    Ended,
    Incoming,
    KeyPressed,
    LineEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    Ringing,
)
from ivr.line import Dial, Line
from ivr.media import g711
from ivr.media.tones import beep
from tests.line_ends import LINES, ON_A_BAD_NETWORK, FarEnds, line_and_far_ends, mind_what_it_cant
from tests.loopback_city import LONG_PROMPT, PROMPT, Driver, quick_city

NO_BRIDGE = "join two calls"
# Callers behave by their last digit, as those do who are called (`ivr.citizen`).
SATISFIED, DISSATISFIED, SILENT = "13803790001", "13803790003", "13803790007"


@pytest.fixture(params=(*LINES, ON_A_BAD_NETWORK))
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Line, FarEnds]]:
    mind_what_it_cant(request)
    with line_and_far_ends(request.param, quick_city(message_seconds=0.4)) as found:
        yield found


@pytest.fixture
def far(both: tuple[Line, FarEnds]) -> FarEnds:
    return both[1]


@pytest.fixture
def driver(both: tuple[Line, FarEnds]) -> Driver:
    return Driver(both[0])


def incoming(driver: Driver, caller: str) -> Incoming | None:
    told = [event for event in driver.events if isinstance(event, Incoming) and event.caller == caller]
    return told[0] if told else None


def comes(driver: Driver, far: FarEnds, caller: str = SILENT, **how: object) -> Incoming:
    """A caller whom nobody has told anything yet."""
    far.comes(caller, **how)  # type: ignore[arg-type]
    driver.until(lambda: incoming(driver, caller))
    told = incoming(driver, caller)
    assert told is not None
    return told


def talks(driver: Driver, far: FarEnds, caller: str = SILENT, **how: object) -> str:
    """A caller whose call was taken; its name."""
    call = comes(driver, far, caller, **how).call
    driver.line.answer(call)
    driver.wait_for(Answered, call)
    driver.until(lambda: (caller, "200") in far.callers_told)
    return call


def rings(driver: Driver, far: FarEnds) -> str:
    """A caller who hears it ring; their call's name."""
    call = comes(driver, far).call
    driver.line.ring(call)
    driver.until(lambda: far.callers_told == [(SILENT, "180")])
    return call


def kinds(driver: Driver, call: str) -> list[type[LineEvent]]:
    return [type(event) for event in driver.events if event.call == call]


def test_a_caller_is_told_with_number_and_whom_they_ask_for(driver: Driver, far: FarEnds) -> None:
    told = comes(driver, far, number="110")
    assert (told.trunk, told.uri, told.caller, told.codec) == ("city", "sip:110@127.0.0.1", SILENT, "pcma")
    driver.turns(5)
    assert driver.events == [told]
    assert far.callers_told == []  # nobody said anything in our place


def test_a_callers_whole_call(driver: Driver, far: FarEnds) -> None:
    call = rings(driver, far)
    driver.line.answer(call)
    driver.wait_for(Answered, call)
    driver.line.play(call, "welcome", PROMPT)
    driver.wait_for(PlaybackFinished, call)
    driver.line.hangup(call)
    end = driver.ended(call)
    assert (end.disposition, end.sip_status, end.by) == (Disposition.ANSWERED, 200, "us")
    assert kinds(driver, call) == [Incoming, Answered, PlaybackStarted, PlaybackFinished, Ended]
    driver.until(lambda: len(far.callers_told) == 3)
    assert far.callers_told == [(SILENT, "180"), (SILENT, "200"), (SILENT, "BYE")]


def test_a_caller_hangs_up(driver: Driver, far: FarEnds) -> None:
    call = talks(driver, far)
    driver.line.play(call, "welcome", LONG_PROMPT)
    driver.wait_for(PlaybackStarted, call)
    far.hangs_up(SILENT)
    end = driver.ended(call)
    assert (end.disposition, end.sip_status, end.q850, end.by) == (Disposition.ANSWERED, 200, 16, "them")
    assert not driver.of(PlaybackFinished, call)


@pytest.mark.parametrize("status", [486, 503])
def test_a_caller_is_refused(driver: Driver, far: FarEnds, status: int) -> None:
    call = rings(driver, far)
    driver.line.reject(call, status)
    end = driver.ended(call)
    assert (end.disposition, end.sip_status, end.by) == (None, status, "us")
    driver.until(lambda: far.callers_told == [(SILENT, "180"), (SILENT, str(status))])


def test_a_caller_is_sent_elsewhere(driver: Driver, far: FarEnds) -> None:
    call = comes(driver, far).call
    driver.line.redirect(call, ["sip:8001@127.0.0.1:5099", "sip:8002@127.0.0.1:5099"])
    end = driver.ended(call)
    assert (end.disposition, end.sip_status, end.by) == (None, 302, "us")
    driver.until(lambda: far.callers_told == [(SILENT, "302")])


def test_a_caller_gives_up_while_it_rings(driver: Driver, far: FarEnds) -> None:
    call = rings(driver, far)
    far.hangs_up(SILENT)
    end = driver.ended(call)
    assert (end.disposition, end.sip_status, end.by) == (None, 487, "them")
    driver.until(lambda: far.callers_told == [(SILENT, "180"), (SILENT, "487")])


def test_we_hang_up_on_a_caller_who_hears_it_ring(driver: Driver, far: FarEnds) -> None:
    call = rings(driver, far)
    driver.line.hangup(call)
    end = driver.ended(call)
    assert (end.disposition, end.sip_status, end.by) == (None, 480, "us")
    driver.until(lambda: far.callers_told == [(SILENT, "180"), (SILENT, "480")])


def test_a_callers_keys_come_after_the_prompt(driver: Driver, far: FarEnds) -> None:
    call = talks(driver, far, DISSATISFIED)
    driver.line.play(call, "rating", PROMPT)
    key = driver.wait_for(KeyPressed, call)
    assert key.key == "3"
    assert key.began_at > driver.of(PlaybackFinished, call)[0].at
    times = [event.at for event in driver.events]
    assert times == sorted(times)


def test_a_callers_key_within_a_prompt(driver: Driver, far: FarEnds) -> None:
    call = talks(driver, far)
    driver.line.play(call, "menu", LONG_PROMPT)
    driver.wait_for(PlaybackStarted, call)
    far.presses(SILENT, "5")
    assert driver.wait_for(KeyPressed, call).key == "5"
    driver.line.stop(call)
    driver.turns(10)
    assert not driver.of(PlaybackFinished, call)


def test_what_is_played_before_a_caller_is_answered_is_not_heard(driver: Driver, far: FarEnds) -> None:
    call = rings(driver, far)
    driver.line.play(call, "early", PROMPT)
    driver.line.record(call, "r1", 1.0)
    driver.turns(20)
    assert kinds(driver, call) == [Incoming]


def test_what_a_caller_says_is_recorded(driver: Driver, far: FarEnds) -> None:
    call = talks(driver, far, SATISFIED, codecs=("pcmu",))
    driver.line.play(call, "beep", beep())
    driver.wait_for(PlaybackFinished, call)
    driver.line.record(call, "r1", 20.0)
    assert driver.wait_for(KeyPressed, call).key == "#"
    driver.line.stop_recording(call)
    done = driver.wait_for(RecordingFinished, call)
    assert (done.token, done.codec, done.seconds) == ("r1", "pcmu", len(done.payload) / 8000)
    assert np.abs(g711.decode(done.payload, done.codec).astype(np.int32)).max() > 4000


@pytest.mark.cant("pyvoip", NO_BRIDGE, raises=AssertionError)
def test_a_caller_is_joined_with_a_leg_that_was_dialled(driver: Driver, far: FarEnds) -> None:
    call = talks(driver, far)
    driver.line.dial(Dial("leg", "13803790017", "city"))
    driver.wait_for(Answered, "leg")
    driver.line.bridge(call, "leg")
    far.presses(SILENT, "4")
    assert driver.wait_for(KeyPressed, call).key == "4"
    driver.until(lambda: far.keys_heard == [("13803790017", "4")], seconds=5.0)
    far.presses("13803790017", "6")
    assert driver.wait_for(KeyPressed, "leg").key == "6"
    driver.until(lambda: far.keys_heard == [("13803790017", "4"), (SILENT, "6")])
    driver.line.hangup("leg")
    driver.ended("leg")
    assert not driver.of(Ended, call)


def test_the_codec_that_a_caller_offers_is_told_and_taken(driver: Driver, far: FarEnds) -> None:
    told = comes(driver, far, codecs=("pcmu",))
    assert told.codec == "pcmu"
    driver.line.answer(told.call)
    assert driver.wait_for(Answered, told.call).codec == "pcmu"


def test_a_callers_headers_are_told(driver: Driver, far: FarEnds) -> None:
    """Who calls is told by the trunk, not by the caller's own From; and where from."""
    given = (
        ("P-Asserted-Identity", "<sip:13803790099@127.0.0.1>"),
        ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=460001a2b3c4d5e"),
    )
    told = comes(driver, far, headers=given)
    assert tuple(each for each in told.headers if each in given) == given


def test_orders_for_a_caller_who_is_gone_are_harmless(driver: Driver, far: FarEnds) -> None:
    call = rings(driver, far)
    far.hangs_up(SILENT)
    driver.ended(call)
    for name in (call, "nobody"):
        every_order(driver.line, name)
    driver.turns(10)
    assert kinds(driver, call) == [Incoming, Ended]
    driver.until(lambda: far.callers_told == [(SILENT, "180"), (SILENT, "487")])


def test_orders_for_a_caller_who_was_answered_are_harmless(driver: Driver, far: FarEnds) -> None:
    call = talks(driver, far)
    driver.line.ring(call)
    driver.line.answer(call)
    driver.line.redirect(call, ["sip:8001@127.0.0.1:5099"])
    driver.line.reject(call, 486)
    driver.turns(10)
    assert kinds(driver, call) == [Incoming, Answered]
    assert far.callers_told == [(SILENT, "200")]
    driver.line.hangup(call)
    driver.line.hangup(call)
    assert driver.ended(call).by == "us"


def every_order(line: Line, call: str) -> None:
    line.ring(call)
    line.answer(call)
    line.redirect(call, ["sip:8001@127.0.0.1:5099"])
    line.reject(call, 486)
    line.play(call, "late", PROMPT)
    line.stop(call)
    line.record(call, "r1", 1.0)
    line.stop_recording(call)
    line.bridge(call, "nobody")
    line.unbridge(call)
    line.hangup(call)


def test_a_caller_comes_while_a_call_out_is_up(driver: Driver, far: FarEnds) -> None:
    driver.line.dial(Dial("out", DISSATISFIED, "city"))
    driver.wait_for(Answered, "out")
    call = talks(driver, far, SATISFIED)
    for name in ("out", call):
        driver.line.play(name, "rating", PROMPT)
    assert driver.wait_for(KeyPressed, "out").key == "3"
    assert driver.wait_for(KeyPressed, call).key == "1"
    driver.line.hangup("out")
    assert driver.ended("out").by == "us"
    assert not driver.of(Ended, call)
    far.hangs_up(SATISFIED)
    assert driver.ended(call).by == "them"


def test_callers_at_once_don_t_mix(driver: Driver, far: FarEnds) -> None:
    calls = {caller: talks(driver, far, caller) for caller in ("13803790001", "13803790002", "13803790003")}
    for call in calls.values():
        driver.line.play(call, "rating", PROMPT)
    for caller, call in calls.items():
        assert driver.wait_for(KeyPressed, call).key == caller[-1]
    for caller, call in calls.items():
        far.hangs_up(caller)
        assert driver.ended(call).by == "them"


def test_a_callers_call_and_ours_have_their_own_events(driver: Driver, far: FarEnds) -> None:
    """A caller is never told to ring; whom we call never comes in."""
    call = talks(driver, far)
    driver.line.dial(Dial("out", "13803790014", "city"))
    driver.wait_for(Ringing, "out")
    assert not driver.of(Ringing, call)
    assert not driver.of(Incoming, "out")
