"""An operator of 110 hands a caller over and brings a unit in: SIPp at all three ends, tones measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ivr.media import g711
from tests.loopback_city import sip_port
from tests.peers.capture import capture
from tests.peers.sipp import OK_PLAIN, RECV_BYE, pause, play
from tests.peers.sipp_crowd import THE_OPERATOR, Crowd, scenario, tone_pcap
from tests.peers.test_inbound_sipp import (
    CALLERS_HERTZ,
    Role,
    callers,
    kept,
    operators_hertz,
    ringing,
    trunk,
    until,
)
from tests.peers.wire import voices

OPERATOR_HERTZ = operators_hertz(1)
UNIT_HERTZ = 2600


def keyed(*keys: str) -> list[str]:
    """Keys by INFO, a tenth of a second apart."""
    steps = []
    for at, key in enumerate(keys):
        body = f"Content-Type: application/dtmf-relay\nContent-Length: [len]\n\nSignal={key}\nDuration=100\n"
        steps += [THE_OPERATOR.request("INFO", 10 + at, body), '<recv response="200"/>', pause(100)]
    return steps


REFER_TO_12 = THE_OPERATOR.request("REFER", 5, "Refer-To: <sip:12@[local_ip]>\nContent-Length: 0\n\n")


def notified(state: str, fragment: str) -> str:
    return f"""<recv request="NOTIFY"><action>
<ereg regexp="{state}" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="5"/>
<ereg regexp="{fragment}" search_in="body" check_it="true" assign_to="6"/>
</action></recv><Reference variables="5,6"/>{OK_PLAIN}"""


class Talk:
    """One caller, one operator, one unit behind code 12."""

    def __init__(self, folder: Path, *amidst: str, unit_talks: int = 2500) -> None:
        self.folder, self.url = folder, f"sqlite:///{folder}/huifang.db"
        tone = tone_pcap(folder / "operator.pcap", OPERATOR_HERTZ, 6.0)
        unit_tone = tone_pcap(folder / "unit.pcap", UNIT_HERTZ, unit_talks / 1000)
        self.operator = Crowd(folder / "operator", scenario(*ringing(), play(tone), pause(800), *amidst))
        end = [play(unit_tone), pause(unit_talks), THE_OPERATOR.bye(70)]
        self.unit = Crowd(folder / "unit", scenario(*ringing(), *end))
        trunks = [trunk("city", sip_port()), trunk("op1", self.operator.port), trunk("u", self.unit.port)]
        self.role = Role(
            folder, self.url, sip_port(), [self.operator.port], trunks=trunks,
            transfers=[{"code": "12", "target": "unit"}], t1=0.05,
        )  # fmt: skip
        targets = json.loads(self.role.environment["HUIFANG_TARGETS"])
        targets["unit"] = {"number": "8200", "trunk": "u"}
        self.role.environment["HUIFANG_TARGETS"] = json.dumps(targets)

    def held(self) -> dict[str, list[set[int]]]:
        """What each end heard: the tones in each fifth of a second, the empty ones left out."""
        pcap = self.folder / "voice.pcap"
        try:
            with self.role.running():
                with capture(pcap, f"udp portrange {self.role.media[0]}-{self.role.media[1]}"):
                    callers(self.folder, self.role.port, 1, says=6.0).ended_well()
                until(lambda: all(call.ended_at for call in kept(self.url)))
        finally:
            self.operator.stop()
            self.unit.stop()
        return tones_at(pcap, self.role.media)


def tones_at(pcap: Path, sent_from: tuple[int, int]) -> dict[str, list[set[int]]]:
    found: dict[str, list[set[int]]] = {}
    for voice in voices(pcap, sent_from).values():
        heard = [tones_in(voice[at : at + 1600]) for at in range(0, len(voice) - 1600, 1600)]
        every = set().union(*heard)
        # nobody hears themselves: who hears the others' tones and not this one is the one of this
        for name, own in (("caller", CALLERS_HERTZ), ("operator", OPERATOR_HERTZ), ("unit", UNIT_HERTZ)):
            if every and own not in every:
                found[name] = [each for each in heard if each]
    return found


def tones_in(payload: bytes) -> set[int]:
    """Which of the three tones 0.2 s of A-law hold."""
    samples = g711.decode(payload, "pcma").astype(float) * np.hanning(len(payload))
    power = np.abs(np.fft.rfft(samples)) ** 2
    floor = 1e-3 * (8000 * len(payload) / 4) ** 2
    tones = (CALLERS_HERTZ, OPERATOR_HERTZ, UNIT_HERTZ)
    return {hertz for hertz in tones if power[round(hertz * len(payload) / 8000)] > floor}


@pytest.mark.timeout(120)
def test_an_operators_telephone_hands_the_caller_over_by_refer(tmp_path: Path) -> None:
    """202, NOTIFYs on the way, the BYE; the caller hears the operator, then the unit, and talks with both."""
    steps = [REFER_TO_12, '<recv response="202"/>', notified("active", "SIP/2.0 100")]
    steps += [notified("terminated", "SIP/2.0 200"), RECV_BYE, OK_PLAIN]
    talk = Talk(tmp_path, *steps)
    heard = talk.held()
    [call] = kept(talk.url)
    assert (call.target, call.ended_by) == ("unit", "person")
    assert [(leg.target, leg.kind) for leg in call.legs] == [("seat-1", "rung"), ("unit", "transfer")]
    assert call.legs[0].ended_at < call.legs[1].ended_at
    first, then = heard["caller"].index({OPERATOR_HERTZ}), heard["caller"].index({UNIT_HERTZ})
    assert first < then
    assert heard["caller"].count({UNIT_HERTZ}) >= 8  # of two and a half seconds, in fifths
    assert sum(len(each) > 1 for each in heard["caller"]) <= 1  # the fifth in which one follows the other
    assert heard["unit"].count({CALLERS_HERTZ}) >= 8
    assert heard["operator"].count({CALLERS_HERTZ}) >= 3


@pytest.mark.timeout(120)
def test_an_operator_brings_a_unit_in_and_three_hear_one_another(tmp_path: Path) -> None:
    """`*12#`: each hears the other two at once. The unit hangs up, the operator talks on."""
    talk = Talk(tmp_path, *keyed("*", "1", "2", "#"), pause(4200), THE_OPERATOR.bye(70))
    heard = talk.held()
    [call] = kept(talk.url)
    assert (call.target, call.ended_by) == ("seat-1", "person")
    assert [(leg.target, leg.kind) for leg in call.legs] == [("seat-1", "rung"), ("unit", "three_way")]
    assert call.legs[1].ended_at < call.legs[0].ended_at
    assert heard["caller"].count({OPERATOR_HERTZ, UNIT_HERTZ}) >= 8
    assert heard["operator"].count({CALLERS_HERTZ, UNIT_HERTZ}) >= 8
    assert heard["unit"].count({CALLERS_HERTZ, OPERATOR_HERTZ}) >= 8
    assert heard["caller"][-3:] == [{OPERATOR_HERTZ}] * 3


@pytest.mark.timeout(120)
def test_a_unit_that_doesnt_answer_leaves_the_caller_with_the_operator(tmp_path: Path) -> None:
    """The telephone hears 480, and the talk goes on."""
    steps = [REFER_TO_12, '<recv response="202"/>', notified("active", "SIP/2.0 100")]
    steps += [notified("terminated", "SIP/2.0 4"), pause(1000), THE_OPERATOR.bye(70)]
    talk = Talk(tmp_path, *steps)
    talk.unit.stop()  # nobody is there
    heard = talk.held()
    [call] = kept(talk.url)
    assert (call.target, call.ended_by) == ("seat-1", "person")
    assert [(leg.kind, leg.answered_at is None) for leg in call.legs] == [("rung", False), ("transfer", True)]
    assert heard["caller"].count({OPERATOR_HERTZ}) >= 8
