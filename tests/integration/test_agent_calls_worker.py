"""People's calls over the simulated line: what each leg's end leads to, in virtual time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from callbacks.models import Attempt
from callbacks.models_office import AgentCall, AgentCallState
from callbacks.models_trunks import PersonLeg, PersonLegKind
from callbacks.service.agent_calls import ask_for_call, cancel_call
from callbacks.service.agents import claim
from callbacks.service.claims import ensure_lines
from callbacks.service.leases import settle_leases
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Disposition
from callbacks.writer import Writer
from ivr.agent_calls import AgentCalls
from ivr.dialplan import DialPlan
from ivr.events import Answered, LineEvent, PlaybackStarted
from ivr.leg_book import LegBook
from ivr.settings import CitySettings, VoiceSettings
from ivr.simulated_line import SimulatedLine
from ivr.trunk_settings import TrunkSettings
from tests.integration.office import Desk, make_desk
from tests.integration.test_agent_calls import phones

D = Disposition
OWNER = "voice:test:1"
CITY = TrunkSettings(name="city", host="127.0.0.1", caller_number="037963110110")
VOICE = VoiceSettings(trunks=(CITY,), ring_timeout=10.0, total_timeout=20.0)


class Stage:
    """The people's calls of a voice role, on a simulated line, each write done before time goes on."""

    def __init__(self, desk: Desk, agent: str) -> None:
        self.desk = desk
        self.targets = {"desk-1": TargetSettings(number=agent, logins=("ma",))}
        self.line = SimulatedLine(CitySettings(silent_for=40.0))
        self.writer = Writer(lambda: None)
        plan = DialPlan("0379", targets={"desk-1": agent})
        self.legs = LegBook(desk.ctx, self.line, self.writer)
        self.people = AgentCalls(
            desk.ctx, self.line, VOICE, plan, self.targets, self.writer, OWNER, self.legs
        )
        self.told: list[LineEvent] = []
        self.spent = 0
        ensure_lines(desk.ctx, "city", 4)

    def close(self) -> None:
        self.writer.close(5.0)
        self.line.close()

    def ask(self, citizen: str) -> int:
        callback = self.desk.close(citizen, sensitive=True)
        self.desk.plan()
        claim(self.desk.ctx, callback, "ma", self.desk.now)
        phone = phones(self.desk, callback)[0]
        told = ask_for_call(self.desk.ctx, callback, phone, "ma", "desk-1", self.desk.now, self.targets)
        assert told.why is None
        self.people.claim(("city",), 4, self.spend)
        self.written()
        return callback

    def spend(self, trunk: str, calls: int) -> None:
        assert trunk == "city"
        self.spent += calls

    def written(self) -> None:
        """What was queued is written, and what waits for it is told."""
        while True:
            done = threading.Event()
            self.writer.submit(done.set)
            assert done.wait(10)
            before = self.writer.backlog
            self.writer.deliver()
            if not before and not self.writer.backlog:
                return

    def turn(self) -> None:
        for event in self.line.run_once(0.05):
            self.told.append(event)
            self.legs.take(event)
            self.people.take(event)
        self.written()

    def until_over(self) -> tuple[AgentCall, Attempt]:
        for _ in range(4000):
            if not self.people.legs:
                break
            self.turn()
        assert not self.people.legs, self.told
        self.written()  # the end, too
        with self.desk.session() as session:
            call = session.scalars(select(AgentCall)).one()
            return call, session.get_one(Attempt, call.attempt_id)

    def heard_by_agent(self) -> set[str]:
        return {e.token for e in self.told if isinstance(e, PlaybackStarted) and e.call.endswith("-agent")}


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def stages(desk: Desk) -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.close()


CALLS = [
    # the agent's telephone and the citizen's by their last digit, what is stored, what the agent hears
    ("8000", "037963110001", "agent_busy", None, False, set()),  # his telephone is busy
    ("8004", "037963110001", "agent_no_answer", None, False, set()),
    ("8009", "037963110001", "agent_rejected", None, False, set()),
    ("8008", "037963110001", "agent_unreachable", None, False, set()),  # wrong in the settings
    ("8007", "037963110070", "", D.BUSY, True, {"ringback", "busy"}),  # the citizen's is
    ("8007", "037963110084", "", D.NO_ANSWER, True, {"ringback", "busy"}),
    ("8007", "037963110078", "", D.UNALLOCATED, True, {"ringback", "busy"}),
    ("8007", "037963110079", "", D.REJECTED, True, {"ringback", "busy"}),
    ("8007", "037963110071", "", D.ANSWERED, True, {"ringback"}),  # they talk till the agent hangs up
]


@pytest.mark.parametrize(("agent", "citizen", "error", "disposition", "counts", "heard"), CALLS)
def test_what_comes_of_a_call(desk, stages, agent, citizen, error, disposition, counts, heard) -> None:
    stages.append(stage := Stage(desk, agent))
    stage.ask(citizen)
    call, attempt = stage.until_over()
    assert (call.state, call.error) == (AgentCallState.ENDED, error)
    assert (attempt.disposition, attempt.counts) == (disposition, counts)
    assert (attempt.invited_at is not None) is counts
    assert stage.heard_by_agent() == heard
    assert stage.spent == 2
    own = f"{attempt.id}-{attempt.token:x}"
    assert attempt.sip_call_id == (f"{own}@city" if counts else None)
    with desk.session() as session:
        leg = session.scalars(select(PersonLeg)).one()
    assert (leg.attempt_id, leg.kind, leg.target) == (attempt.id, PersonLegKind.AGENT, "desk-1")
    assert (leg.dialled, leg.trunk, leg.sip_call_id) == (agent, "city", f"{own}-agent@city")
    assert leg.ended_at is not None and (leg.answered_at is not None) is counts


def until(stage: Stage, state: AgentCallState) -> None:
    for _ in range(400):
        with stage.desk.session() as session:
            if session.scalars(select(AgentCall.state)).one() is state:
                return
        stage.turn()
    raise AssertionError(stage.told)


GIVEN_UP = [
    # when the agent gives up, what is stored
    (AgentCallState.RINGING_AGENT, "cancelled", None),
    (AgentCallState.RINGING_CITIZEN, "cancelled", D.NO_ANSWER),  # it rang: that counts
    (AgentCallState.TALKING, "", D.ANSWERED),  # a way to hang up like another
]


@pytest.mark.parametrize(("state", "error", "disposition"), GIVEN_UP)
def test_giving_up_on_the_page_ends_both_legs(desk, stages, state, error, disposition) -> None:
    stages.append(stage := Stage(desk, "8007"))
    citizen = "037963110084" if state is AgentCallState.RINGING_CITIZEN else "037963110071"
    callback = stage.ask(citizen)
    until(stage, state)
    if state is AgentCallState.RINGING_CITIZEN:
        for _ in range(5):
            stage.turn()
    assert cancel_call(desk.ctx, callback, "ma", desk.now)
    stage.people.renew(1e9)
    stage.written()
    call, attempt = stage.until_over()
    assert (call.error, attempt.disposition) == (error, disposition)
    assert stage.heard_by_agent() <= {"ringback"}


def test_a_lost_lease_hangs_up_and_writes_nothing(desk, stages) -> None:
    stages.append(stage := Stage(desk, "8007"))
    stage.ask("037963110071")
    until(stage, AgentCallState.TALKING)
    settle_leases(desk.ctx, desk.now, owner=OWNER)  # as if this role were dead
    stage.people.renew(1e9)
    stage.written()
    call, attempt = stage.until_over()
    assert (call.error, attempt.disposition) == ("lost", D.UNKNOWN)


def test_a_role_that_ends_hangs_up(desk, stages) -> None:
    stages.append(stage := Stage(desk, "8007"))
    stage.ask("037963110084")
    until(stage, AgentCallState.RINGING_CITIZEN)
    stage.people.stop()
    call, attempt = stage.until_over()
    assert call.error == "stopped"
    assert attempt.disposition in (D.CANCELLED, D.NO_ANSWER)


def test_an_agent_who_hangs_up_while_the_gate_is_asked(desk, stages) -> None:
    stages.append(stage := Stage(desk, "8007"))
    callback = stage.ask("037963110071")
    while not any(isinstance(event, Answered) for event in stage.told):
        for event in stage.line.run_once(0.05):  # the database's word isn't heard yet
            stage.told.append(event)
            stage.people.take(event)
    stage.line.hangup(stage.told[-1].call)
    for event in stage.line.run_once(0.0):
        stage.people.take(event)
    stage.written()
    ended, attempt = stage.until_over()
    assert (ended.error, attempt.disposition, attempt.counts) == ("agent_hung_up", D.CANCELLED, False)
    assert desk.callback(callback).state == "agent_queue"
