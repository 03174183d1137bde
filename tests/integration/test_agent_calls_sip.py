"""A person's call over real SIP and RTP: the agent first, then the citizen, then each hears the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callbacks.models import Attempt, AttemptState
from callbacks.models_office import AgentCall, AgentCallState
from callbacks.service.agent_calls import ask_for_call
from callbacks.service.agents import claim
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Disposition
from ivr.dialplan import DialPlan
from ivr.events import Answered, Ended
from ivr.line import Dial
from ivr.media import g711, tones
from ivr.media.dtmf import KeyReceiver
from ivr.media.g711 import other_law
from ivr.media.rtp import RtpPacket
from ivr.sip_line import SipLine
from ivr.speech import SpokenPrompts
from tests.integration.office import LANDLINE, OFFICE, Desk, make_desk
from tests.integration.test_agent_calls import phones
from tests.integration.voice_role import voice_role
from tests.loopback_city import PROMPT, Driver, quick_voice
from tests.phones import Phone, Trunk

TARGETS = {"desk-1": TargetSettings(number="8001", logins=("ma",))}
PLAN = DialPlan("0379", OFFICE.own_numbers, {name: each.number for name, each in TARGETS.items()})


@pytest.fixture
def trunk() -> Iterator[Trunk]:
    trunk = Trunk()
    yield trunk
    trunk.close()


def one_stream(packets: list[RtpPacket]) -> None:
    """One SSRC, each sequence number one more, the clock 20 ms a packet, whatever was relayed.

    Where the machine stood still for long the clock goes on by whole frames that weren't sent.
    """
    assert len({packet.ssrc for packet in packets}) == 1
    first = packets[0]
    began, skipped = first.timestamp, 0
    for at, packet in enumerate(packets):
        assert packet.sequence == (first.sequence + at) & 0xFFFF
        if packet.payload_type != 101:
            ahead = (packet.timestamp - began - 160 * at) & 0xFFFFFFFF
            assert ahead % 160 == 0 and skipped <= ahead < 8000 * 10
            skipped = ahead
    assert [packet.marker for packet in packets if packet.payload_type != 101].count(True) == 1


# The line's bridge


@contextmanager
def bridged(
    trunk: Trunk, one: tuple[str, ...], two: tuple[str, ...]
) -> Iterator[tuple[Driver, Phone, Phone]]:
    """Two calls, up and joined; each side takes the codecs that are named."""
    line = SipLine(quick_voice(trunk.port))
    driver = Driver(line)
    try:
        for call, number, codecs in (("c1", "8001", one), ("c2", "8002", two)):
            line.dial(Dial(call, number, "city"))
            trunk.until(lambda: number in trunk.phones, lambda: run(driver))  # noqa: B023
            trunk.phones[number].answer(*codecs)
            trunk.until(lambda: driver.of(Answered, call), lambda: run(driver))  # noqa: B023
        line.bridge("c1", "c2")
        yield driver, trunk.phones["8001"], trunk.phones["8002"]
    finally:
        line.close()


def run(driver: Driver) -> None:
    driver.events += driver.line.run_once(0.005)


def test_a_bridge_between_the_two_laws(trunk: Trunk) -> None:
    with bridged(trunk, ("pcma",), ("pcmu",)) as (driver, alaw, mulaw):
        to_mulaw, to_alaw = other_law(alaw.says, "pcmu"), other_law(mulaw.says, "pcma")
        trunk.until(lambda: mulaw.voice.count(to_mulaw) > 5, lambda: run(driver))
        trunk.until(lambda: alaw.voice.count(to_alaw) > 5, lambda: run(driver))
        one_stream(alaw.heard)
        one_stream(mulaw.heard)


def test_what_is_played_goes_before_the_other_and_silence_follows_a_bridge(trunk: Trunk) -> None:
    with bridged(trunk, ("pcma",), ("pcma",)) as (driver, one, two):
        trunk.until(lambda: one.voice.count(two.says) > 3, lambda: run(driver))
        driver.line.play("c1", "hold", PROMPT)
        trunk.until(lambda: PROMPT.pcma[-1] in one.voice, lambda: run(driver))
        began, ended = one.voice.index(PROMPT.pcma[0]), one.voice.index(PROMPT.pcma[-1])
        assert one.voice[began : ended + 1] == list(PROMPT.pcma)  # not a frame of the other within
        trunk.until(lambda: one.voice[-1] == two.says, lambda: run(driver))
        driver.line.unbridge("c2")
        quiet = b"\xd5" * 160
        trunk.until(lambda: one.voice[-3:] == [quiet] * 3 == two.voice[-3:], lambda: run(driver))
        one_stream(one.heard)


def test_three_hear_the_sum_of_the_other_two(trunk: Trunk) -> None:
    """And who leaves is no more in it; the two laws are mixed like one."""
    with bridged(trunk, ("pcma",), ("pcmu",)) as (driver, one, two):
        driver.line.dial(Dial("c3", "8003", "city"))
        trunk.until(lambda: "8003" in trunk.phones, lambda: run(driver))
        three = trunk.phones["8003"]
        three.answer("pcma")
        trunk.until(lambda: driver.of(Answered, "c3"), lambda: run(driver))
        driver.line.bridge("c1", "c2", "c3")
        both = g711.mix([other_law(two.says, "pcma"), three.says], "pcma")
        trunk.until(lambda: one.voice.count(both) > 5, lambda: run(driver))
        others = g711.mix([other_law(one.says, "pcmu"), other_law(three.says, "pcmu")], "pcmu")
        trunk.until(lambda: two.voice.count(others) > 5, lambda: run(driver))
        driver.line.hangup("c3")
        driver.until(lambda: driver.of(Ended, "c3"))
        before = one.voice.count(other_law(two.says, "pcma"))
        trunk.until(lambda: one.voice.count(other_law(two.says, "pcma")) > before + 5, lambda: run(driver))
        one_stream(one.heard)
        one_stream(two.heard)


# From the click to the hang-up


@contextmanager
def serving(
    desk: Desk,
    trunk: Trunk,
    spool: Path,
    plan: DialPlan = PLAN,
    prompts: SpokenPrompts | None = None,
    **more: Any,
) -> Iterator[None]:
    """The voice role, in a thread of its own; it says the city's `prompts`, or a tone."""
    voice = quick_voice(trunk.port, total_timeout=30.0)
    with voice_role(desk, voice, spool, plan, prompts, wait=trunk.until, targets=TARGETS, **more):
        yield


def asked(desk: Desk) -> None:
    callback = desk.close(LANDLINE, sensitive=True)
    desk.plan()
    claim(desk.ctx, callback, "ma", desk.now)
    told = ask_for_call(desk.ctx, callback, phones(desk, callback)[0], "ma", "desk-1", desk.now, TARGETS)
    assert told.why is None


def stored(desk: Desk) -> tuple[AgentCall, Attempt]:
    with desk.session() as session:
        call = session.scalars(select(AgentCall)).one()
        return call, session.get_one(Attempt, call.attempt_id)


def is_over(desk: Desk) -> bool:
    with desk.session() as session:
        return session.scalars(select(AgentCall.state)).one() is AgentCallState.ENDED


@pytest.mark.parametrize("first", ["agent", "citizen"])
def test_the_agent_first_then_the_citizen_then_both_talk(
    sessions, privacy, trunk: Trunk, tmp_path: Path, first: str
) -> None:
    desk = make_desk(sessions, privacy)
    asked(desk)
    invited: list[tuple[str, bool]] = []

    def note(phone: Phone) -> None:
        """What is committed when an INVITE comes in."""
        _, attempt = stored(desk)
        invited.append((phone.number, attempt.invited_at is not None))
        phone.ring()

    trunk.on_invite = note
    with serving(desk, trunk, tmp_path):
        trunk.until(lambda: "8001" in trunk.phones)
        agent = trunk.phones["8001"]
        for _ in range(20):
            trunk.turn()
        assert trunk.log == ["INVITE 8001"]  # nobody else is rung while it rings
        agent.answer("pcmu")
        trunk.until(lambda: LANDLINE in trunk.phones)
        citizen = trunk.phones[LANDLINE]
        assert trunk.log == ["INVITE 8001", "200 8001", "ACK 8001", f"INVITE {LANDLINE}"]
        assert citizen.offer.codec == "pcmu"  # the agent's, so that nothing is recoded
        assert invited == [("8001", False), (LANDLINE, True)]
        trunk.until(lambda: agent.voice.count(tones.ringback().pcmu[10]) > 0)
        citizen.answer()
        trunk.until(lambda: citizen.voice.count(agent.says) > 10 and agent.voice.count(citizen.says) > 10)
        citizen.press("5")
        agent.press("#")
        trunk.until(lambda: len(citizen.keys) >= 5 and len(agent.keys) >= 5)
        for phone, key in ((agent, "5"), (citizen, "#")):
            keys = KeyReceiver()
            assert [told.key for each in phone.keys if (told := keys.receive(each, 0.0))] == [key]
            one_stream(phone.heard)  # from the ring-back on
        trunk.until(lambda: stored(desk)[0].state is AgentCallState.TALKING)
        one, other = (agent, citizen) if first == "agent" else (citizen, agent)
        one.hang_up()
        trunk.until(lambda: f"BYE {other.number}" in trunk.log)
        trunk.until(lambda: is_over(desk))
    call, attempt = stored(desk)
    assert (call.error, attempt.disposition, attempt.sip_status) == ("", Disposition.ANSWERED, 200)
    assert attempt.rang_at is not None and attempt.answered_at is not None
    assert attempt.state is AttemptState.ENDED


def test_an_agent_who_hangs_up_takes_the_ringing_back(
    sessions, privacy, trunk: Trunk, tmp_path: Path
) -> None:
    desk = make_desk(sessions, privacy)
    asked(desk)
    trunk.on_invite = lambda phone: phone.answer() if phone.number == "8001" else phone.ring()
    with serving(desk, trunk, tmp_path):
        trunk.until(lambda: LANDLINE in trunk.phones and stored(desk)[1].rang_at)
        trunk.phones["8001"].hang_up()
        trunk.until(lambda: f"CANCEL {LANDLINE}" in trunk.log)
        trunk.until(lambda: is_over(desk))
    call, attempt = stored(desk)
    assert (call.error, attempt.disposition, attempt.counts) == (
        "agent_hung_up",
        Disposition.NO_ANSWER,  # it rang
        True,
    )


def test_a_busy_citizen_is_heard_and_the_agent_hung_up_on(
    sessions, privacy, trunk: Trunk, tmp_path: Path
) -> None:
    desk = make_desk(sessions, privacy)
    asked(desk)
    trunk.on_invite = lambda phone: phone.answer("pcma") if phone.number == "8001" else phone.reject(486)
    with serving(desk, trunk, tmp_path):
        trunk.until(lambda: "BYE 8001" in trunk.log)
        trunk.until(lambda: is_over(desk))
    agent = trunk.phones["8001"]
    assert all(frame in agent.voice for frame in tones.busy().pcma[:17])
    call, attempt = stored(desk)
    assert (call.error, attempt.disposition) == ("", Disposition.BUSY)
