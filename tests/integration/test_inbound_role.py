"""The inbound role over the simulated line, in virtual time: who reaches whom, and what is kept of it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, selectinload, sessionmaker

from callbacks.models_inbound import InboundCall
from callbacks.models_voice import VoiceMessage
from callbacks.privacy import Privacy
from callbacks.service.inbound import end_orphaned, keep_inbound, mark_rung_back
from callbacks.service.leases import is_gone, owner_name
from callbacks.service.ring_back import cases_of_caller, keep_ring_back
from callbacks.spool import Spool
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Disposition
from callbacks.writer import Writer
from ivr.citizen import Behaviour, Citizen, citizen_of
from ivr.events import Ended, LineEvent, PlaybackStarted
from ivr.flow_load import FLOWS, load_flow
from ivr.inbound.ring_back import RingBackRules, RingBacks
from ivr.inbound.role import InboundRole
from ivr.inbound.settings import InboundSettings
from ivr.line import Dial
from ivr.media.audio import Audio
from ivr.put_through import People, Telephone
from ivr.recording_files import RecordingFiles
from ivr.settings import CitySettings
from ivr.simulated_line import SimulatedLine
from prompts.catalogue import load_catalogue
from tests.integration.office import Desk, make_desk
from tests.loopback_city import PROMPT

# Telephones by their last digit: 7 answers and stays, 0 is busy, 4 rings on.
TARGETS = {
    "seat-1": TargetSettings(number="8017"),
    "seat-2": TargetSettings(number="8027"),
    "busy": TargetSettings(number="8010"),
    "desk-110": TargetSettings(number="9007"),
    "unit-water": TargetSettings(number="8117"),
    "unit-away": TargetSettings(number="8124"),
}
TRUNK = {"name": "city", "host": "127.0.0.1", "caller_number": "037963110110"}


def settings(**changes: Any) -> InboundSettings:
    base: dict[str, Any] = {
        "trunks": (TRUNK,),
        "mode": "operators",
        "operators": ({"target": "seat-1"}, {"target": "seat-2"}),
        "overflow": ("desk-110",),
        "desk": ("desk-110",),
        "callback_numbers": ("037963110111",),
        "transfers": ({"code": "12", "target": "unit-water"}, {"code": "13", "target": "unit-away"}),
    }
    return InboundSettings.model_validate({**base, **changes})


class Through:
    def through(self, before: int, again: bool) -> Audio:
        return PROMPT


class Tones:
    """Every prompt is the same short tone: what is tested is the way of the keys."""

    def audio(self, prompts: Any) -> Audio:
        return PROMPT


FLOW = load_flow(FLOWS / "callback_line.toml", load_catalogue())
AGENTS = (Telephone("seat-9", "8097", "city"), Telephone("seat-8", "8087", "city"))
RULES = RingBackRules(lambda: FLOW, Tones(), "cn3", "Asia/Shanghai")
CALLBACK_NUMBER = "sip:037963110111@127.0.0.1"


class Stage:
    """The role, each write done before time goes on."""

    def __init__(
        self, desk: Desk, wanted: InboundSettings, spool: Path, rules: RingBackRules = RULES
    ) -> None:
        self.desk, self.line = desk, SimulatedLine(CitySettings(silent_for=60.0))
        self.away = False
        self.spool = Spool(spool, desk.ctx.privacy)
        self.writer = Writer(lambda: None, self.spool)
        ring_backs = RingBacks(self.line, rules, self.writer, self.look, self.keep)
        self.files = None if wanted.recordings is None else RecordingFiles(wanted.recordings)
        self.role = InboundRole(
            self.line, wanted, TARGETS, "0379", Through(), self.writer, self.keep, self.hold,
            lambda: self.line.now, ring_backs, self.files,
        )  # fmt: skip
        self.told: list[LineEvent] = []
        take = self.role.take
        self.role.take = lambda event: (self.told.append(event), take(event))[1]  # type: ignore[method-assign]

    def keep(self, record: Any) -> None:
        if self.away:
            raise OperationalError("INSERT", {}, Exception("away"))
        if record.get("kind") == "ring_back":
            keep_ring_back(self.desk.ctx, record)
        else:
            keep_inbound(self.desk.ctx, record)

    def look(self, number: str) -> Any:
        if self.away:
            raise OperationalError("SELECT", {}, Exception("away"))
        return cases_of_caller(self.desk.ctx, number)

    def hold(self, callers: Any, waiting: int) -> None:
        self.load = (dict(callers), waiting)

    def turns(self, seconds: float) -> None:
        end = self.line.now + seconds
        while self.line.now < end:
            self.role.turn(0.05)
            if not self.away:
                self.written()
                self.writer.deliver()

    def written(self) -> None:
        done = threading.Event()
        self.writer.submit(done.set)
        assert done.wait(10)

    def kept(self) -> list[InboundCall]:
        self.written()
        with self.desk.session() as session:
            query = select(InboundCall).options(selectinload(InboundCall.legs)).order_by(InboundCall.id)
            return list(session.scalars(query))


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def stages(sessions: sessionmaker[Session], privacy: Privacy, tmp_path: Path) -> Iterator[Any]:
    made: list[Stage] = []

    def make(rules: RingBackRules = RULES, **changes: Any) -> Stage:
        spool = tmp_path / "inbound-1.spool"
        made.append(Stage(make_desk(sessions, privacy), settings(**changes), spool, rules))
        return made[-1]

    yield make
    for stage in made:
        stage.away = False
        stage.writer.close(5.0)
        stage.line.close()


def test_a_caller_talks_with_the_first_free_operator_and_all_of_it_is_kept(stages) -> None:
    stage = stages()
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(70.0)  # the operator hangs up after a minute
    [call] = stage.kept()
    assert (call.service, call.called, call.number_masked) == ("emergency", "110", "138****0001")
    assert (call.target, call.ended_by, call.queued_at) == ("seat-1", "person", None)
    assert call.talked_at is not None and call.ended_at is not None
    [leg] = call.legs
    assert (leg.target, leg.disposition) == ("seat-1", Disposition.ANSWERED)
    assert stage.role.board.callers == {}
    # What its trunks have records of, too: virtual minutes took real milliseconds.
    assert (call.sip_call_id, call.sip_status, call.talk_seconds) == ("a@city", 200, 1)
    assert call.answered_at is not None and call.came_at <= call.answered_at <= call.talked_at
    assert (leg.trunk, leg.dialled, leg.sip_call_id, leg.talk_seconds) == ("city", "8017", "a-1@city", 1)
    assert leg.began_at <= leg.rang_at <= leg.answered_at <= leg.ended_at


def test_who_waits_hears_at_once_that_they_are_through_then_the_line_lives(stages) -> None:
    stage = stages(overflow=())
    for name in "abc":
        stage.line.comes(name, "13812340001", "sip:110@127.0.0.1")
        stage.turns(1.0)
    heard = [e.token for e in stage.told if isinstance(e, PlaybackStarted) and e.call == "c"]
    assert heard[0] == "through-0"
    stage.turns(4.0)
    heard = [e.token for e in stage.told if isinstance(e, PlaybackStarted) and e.call == "c"]
    assert heard[1] == "tone"
    assert stage.load == ({"city": 5}, 1)  # three callers, two operators' legs
    stage.turns(80.0)  # the first operator is free, after the notes
    assert {call.target for call in stage.kept()} == {"seat-1", "seat-2"}
    assert stage.kept()[2].queued_at is not None


def test_new_recordings_are_looked_for_beside_the_calls(stages) -> None:
    stage = stages()
    looked: list[str] = []
    stage.role._look = lambda: looked.append(threading.current_thread().name)
    stage.turns(11.0)
    assert looked == ["database"] * 3  # never in the thread that carries the calls
    stage.away = True  # and what waits for the database doesn't pile them up
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(30.0)
    assert stage.writer.backlog < 10


def test_who_gives_up_is_on_the_list_until_somebody_rings_back(stages) -> None:
    stage = stages(operators=({"target": "busy"},), overflow=())
    stage.line.comes("a", "13812340001", "tel:110;phone-context=+86379")
    stage.turns(3.0)
    stage.line.gives_up("a")
    stage.turns(1.0)
    [call] = stage.kept()
    assert (call.talked_at, call.ended_by, call.target) == (None, "caller", None)
    assert [(leg.disposition, leg.talk_seconds) for leg in call.legs] == [(Disposition.BUSY, 0)]
    assert mark_rung_back(stage.desk.ctx, call.id, "ma", stage.desk.now)
    assert not mark_rung_back(stage.desk.ctx, call.id, "li", stage.desk.now)
    assert stage.kept()[0].rung_back_by == "ma"


def test_nobody_free_and_nobody_to_come_the_desk_answers(stages) -> None:
    stage = stages(operators=({"target": "busy"},))
    stage.line.comes("a", "13812340001", "urn:service:sos")
    stage.turns(25.0)
    [call] = stage.kept()
    assert (call.called, call.target) == ("urn:service:sos", "desk-110")


REDIRECT = [
    # the trunk takes a 302; who answers, who ended it
    (True, None, "us"),
    (False, "desk-110", None),
]


@pytest.mark.parametrize(("accepts", "target", "ended_by"), REDIRECT)
def test_redirect(stages, accepts: bool, target: str | None, ended_by: str | None) -> None:
    stage = stages(mode="redirect", trunks=({**TRUNK, "accepts_302": accepts},))
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(5.0)
    [call] = stage.kept()
    assert (call.target, call.ended_by, call.redirected_at is not None) == (target, ended_by, accepts)
    assert [event.sip_status for event in stage.told if isinstance(event, Ended)] == [302] * accepts


@pytest.mark.parametrize("passes", [True, False])
def test_a_callers_place_goes_on_where_the_trunk_is_to_carry_it(stages, passes: bool) -> None:
    stage, place = stages(trunks=({**TRUNK, "passes_place": passes},)), b"Content-Type: application/pidf+xml"
    orders: list[Dial] = []
    dial = stage.line.dial
    stage.line.dial = lambda order: (orders.append(order), dial(order))[1]
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1", place=place)
    stage.turns(1.0)
    assert [order.place for order in orders] == [place if passes else b""]


def test_a_telephone_without_a_trunk_of_its_own_is_rung_by_the_best_there_is(stages) -> None:
    stage = stages(trunks=(TRUNK, {**TRUNK, "name": "second"}))
    orders: list[Dial] = []
    dial = stage.line.dial
    stage.line.dial = lambda order: (orders.append(order), dial(order))[1]
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(1.0)
    stage.role._best_trunk = lambda now: "second"  # the first is set aside
    stage.line.comes("b", "13812340002", "sip:110@127.0.0.1")
    stage.turns(1.0)
    assert [(order.trunk, order.is_public) for order in orders] == [("city", False), ("second", False)]
    assert stage.load == ({"city": 3, "second": 1}, 0)  # who called came by the first


def test_without_a_database_a_person_answers_and_what_happened_is_kept_when_its_back(stages) -> None:
    stage = stages()
    stage.away = True
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(3.0)
    assert stage.role.board.callers["a"].with_leg is not None
    wait_until(lambda: stage.spool.waiting)  # the writer's thread goes by the wall clock
    stage.away = False
    stage.turns(70.0)
    [call] = stage.kept()
    assert (call.target, call.ended_by) == ("seat-1", "person")
    assert not stage.spool.waiting


def test_a_snapshot_that_comes_twice_or_late_changes_nothing(stages) -> None:
    stage = stages()
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    kept: list[Any] = []
    keep = stage.role._store
    stage.role._store = lambda record: (kept.append(record), keep(record))
    stage.turns(70.0)
    before = stage.kept()[0]
    assert len(kept) > 3
    for record in (kept[-1], *reversed(kept)):
        assert not keep_inbound(stage.desk.ctx, record)
    after = stage.kept()[0]
    assert (after.seq, after.ended_at, len(after.legs)) == (before.seq, before.ended_at, len(before.legs))


def test_calls_of_a_dead_process_are_ended_by_another(stages) -> None:
    """Who waited there is to be rung back; what a living process carries, or another machine's, goes on."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owners = [owner_name("inbound", ended.pid), owner_name("inbound"), "inbound:elsewhere:1"]
    stage = stages(operators=({"target": "busy"},), overflow=())
    for name, stage.role._owner in zip("abc", owners, strict=True):
        stage.line.comes(name, "13812340001", "sip:110@127.0.0.1")
        stage.turns(1.0)
    now = stage.kept()[0].came_at + timedelta(minutes=1)
    assert end_orphaned(stage.desk.ctx, is_gone, now) == 1
    first, *others = stage.kept()
    assert (first.ended_at, first.ended_by) == (now, "network")
    assert all(leg.ended_at for leg in first.legs)
    assert mark_rung_back(stage.desk.ctx, first.id, "ma", stage.desk.now)
    assert all(call.ended_at is None for call in others)
    assert end_orphaned(stage.desk.ctx, is_gone, now + timedelta(hours=13)) == 2  # nobody talks so long


def test_while_the_role_ends_new_callers_go_elsewhere(stages) -> None:
    stage = stages()
    stage.role._stopping = True
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(0.2)
    assert [event.sip_status for event in stage.told if isinstance(event, Ended)] == [503]


# -- whom an operator brings in


def talking(stages: Any, **changes: Any) -> Stage:
    """Caller a talks with seat-1, on the leg a-1."""
    stage: Stage = stages(**changes)
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(2.0)
    return stage


def test_an_operator_keys_in_a_three_way_call_and_leaves_the_two_alone(stages) -> None:
    stage = talking(stages)
    stage.line.presses("a-1", "*12#")
    stage.turns(2.0)
    stage.line.presses("a-2", "7")  # the unit presses a key: both others hear it
    assert [number for number, key in stage.line.keys_heard if key == "7"] == ["13812340001", "8017"]
    stage.line.gives_up("a-1")
    stage.turns(1.0)
    stage.line.presses("a-2", "8")
    assert [number for number, key in stage.line.keys_heard if key == "8"] == ["13812340001"]
    stage.line.gives_up("a-2")
    stage.turns(1.0)
    [call] = stage.kept()
    assert (call.target, call.ended_by) == ("seat-1", "person")
    assert [(leg.target, leg.kind) for leg in call.legs] == [("seat-1", "rung"), ("unit-water", "three_way")]
    assert all(leg.answered_at and leg.ended_at for leg in call.legs)


BY_HAND = [
    # how the operator's telephone asks; what it is told
    ("keys", []),
    ("sip:12@127.0.0.1", [("a-1", 200)]),  # REFER to the code
    ("sip:8117@127.0.0.1:5060", [("a-1", 200)]),  # or to the number
]


@pytest.mark.parametrize(("by", "told"), BY_HAND)
def test_an_operator_hands_a_caller_over(stages, by: str, told: list[tuple[str, int]]) -> None:
    stage = talking(stages)
    stage.line.presses("a-1", "**12#") if by == "keys" else stage.line.asks_transfer("a-1", by)
    stage.turns(2.0)
    assert stage.line.refer_results == told
    [call] = stage.kept()
    assert (call.target, call.ended_at) == ("unit-water", None)
    assert [leg.kind for leg in call.legs] == ["rung", "transfer"]
    stage.turns(70.0)  # the unit hangs up
    assert stage.kept()[0].ended_by == "person"


NOT_TO_BE_HAD = [
    # what is asked for; what the telephone hears
    ("sip:99@127.0.0.1", 404),  # no such code
    ("sip:00441514960000@127.0.0.1", 404),  # a number that isn't in the directory costs no toll
    ("sip:13@127.0.0.1", 480),  # nobody answers there
]


@pytest.mark.parametrize(("uri", "status"), NOT_TO_BE_HAD)
def test_whom_an_operator_cant_have_leaves_the_talk_as_it_was(stages, uri: str, status: int) -> None:
    stage = talking(stages)
    stage.line.asks_transfer("a-1", uri)
    stage.turns(35.0)
    assert stage.line.refer_results == [("a-1", status)]
    assert stage.role.board.callers["a"].with_leg == "a-1"


def test_who_keys_in_a_wrong_code_hears_a_tone(stages) -> None:
    stage = talking(stages)
    stage.line.presses("a-1", "*99#")
    stage.turns(1.0)
    assert [e.token for e in stage.told if isinstance(e, PlaybackStarted) and e.call == "a-1"] == ["refused"]


def test_a_caller_doesnt_put_themselves_through(stages) -> None:
    stage = talking(stages)
    stage.line.asks_transfer("a", "sip:12@127.0.0.1")
    stage.line.presses("a", "*12#")
    stage.turns(3.0)
    assert stage.line.refer_results == [("a", 603)]
    assert len(stage.kept()[0].legs) == 1


def test_a_caller_hears_it_ring_when_the_operator_goes_and_waits_again_when_nobody_answers(stages) -> None:
    stage = talking(stages, operators=({"target": "seat-1"},), overflow=())
    stage.line.presses("a-1", "**13#")
    stage.turns(0.2)
    stage.line.gives_up("a-1")
    stage.turns(8.0)
    heard = [e.token for e in stage.told if isinstance(e, PlaybackStarted) and e.call == "a"]
    assert heard == ["tone", "tone"]  # a turn of ring-back lasts five seconds
    assert stage.load[1] == 0  # nobody waits for an operator: callbacks go on
    stage.turns(40.0)
    caller = stage.role.board.callers["a"]
    assert caller.with_leg is not None and stage.role.board.leg(caller.with_leg).target == "seat-1"


REFERRED = [
    # what the caller's trunk says; where the caller is
    (200, None),
    (405, "unit-water"),  # then the leg is ours
]


@pytest.mark.parametrize(("status", "leg"), REFERRED)
def test_a_trunk_that_takes_a_refer_makes_the_transfer(stages, status: int, leg: str | None) -> None:
    stage = talking(stages, trunks=({**TRUNK, "accepts_refer": True},))
    stage.line.refer_status = status
    stage.line.presses("a-1", "**12#")
    stage.turns(3.0)
    [call] = stage.kept()
    assert call.target == "unit-water"
    refer = call.legs[1]
    assert (refer.kind, refer.sip_status, refer.ended_at is not None) == ("refer", status, True)
    assert call.ended_by == (None if leg else "transfer")
    assert [each.target for each in call.legs[2:]] == ([leg] if leg else [])


# -- the callback number


def presses(monkeypatch: pytest.MonkeyPatch, *keys: str | None) -> None:
    """What callers press, one after each prompt; our own telephones do as their last digit says."""

    def whoever(number: str) -> Citizen:
        return Citizen(Behaviour.ANSWERS, keys) if number.startswith("138") else citizen_of(number)

    monkeypatch.setattr("ivr.simulated_line.citizen_of", whoever)


def test_who_rings_back_rates_the_open_cases_there(stages, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stages()
    first = stage.desk.close("13812340001")
    second = stage.desk.close("13812340001")
    closed = stage.desk.close("13812340001", sensitive=True)  # for a person, never for a machine
    stage.desk.plan()
    rate_3 = (None, "3", None, "2", "1")
    presses(monkeypatch, "5", *rate_3, *rate_3)
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(120.0)
    for callback in (first, second):
        assert stage.desk.state(callback) is State.RATED
        [rating] = stage.desk.ratings(callback)
        assert (rating.value, rating.counted, rating.resolved, rating.reason) == (
            3,
            True,
            False,
            "not_solved",
        )
    assert stage.desk.state(closed) is not State.RATED
    [call] = stage.kept()
    assert (call.service, call.target, call.legs) == ("callback", "callback_line", [])


def test_who_has_no_case_and_wants_a_person_is_on_the_list(stages, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stages()
    presses(monkeypatch, None, "0")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(40.0)
    [call] = stage.kept()
    assert (call.talked_at, call.ended_at is None) == (None, False)
    assert mark_rung_back(stage.desk.ctx, call.id, "ma", stage.desk.now)


def test_a_caller_with_a_case_who_presses_0_comes_into_the_agents_queue(
    stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages()
    callback = stage.desk.close("13812340001")
    stage.desk.plan()
    presses(monkeypatch, "0")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(40.0)
    assert stage.desk.state(callback) is State.AGENT_QUEUE


def in_hours(*telephones: Telephone) -> RingBackRules:
    people = People({"agents": telephones}, 12.0)
    return replace(RULES, people=people, in_hours=lambda _now: True, may_record=True)


def test_who_presses_0_in_hours_talks_with_an_agent_within_the_call(
    stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first telephone is with another caller, the second is rung; its leg is on the caller's page."""
    stage = stages(in_hours(*AGENTS))
    presses(monkeypatch, None, "0")
    for name, at in (("a", "13812340001"), ("b", "13812340002")):
        stage.line.comes(name, at, CALLBACK_NUMBER)
        stage.turns(12.0)
    first, second = stage.kept()
    assert [(leg.target, leg.kind) for leg in first.legs] == [("seat-9", "transfer")]
    assert [(leg.target, leg.kind) for leg in second.legs] == [("seat-8", "transfer")]
    stage.line.presses("b-p2", "5")  # they hear one another
    assert stage.line.keys_heard[-1] == ("13812340002", "5")
    stage.line.gives_up("b-p2")
    stage.turns(3.0)
    second = stage.kept()[1]
    assert second.ended_at is not None and second.legs[0].answered_at is not None
    assert not mark_rung_back(stage.desk.ctx, second.id, "ma", stage.desk.now)  # they've had a person


def test_who_has_a_case_and_talked_with_an_agent_is_in_the_agents_queue(
    stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(in_hours(*AGENTS))
    callback = stage.desk.close("13812340001")
    stage.desk.plan()
    presses(monkeypatch, "0")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(12.0)
    stage.line.gives_up("a-p1")
    stage.turns(3.0)
    assert stage.desk.state(callback) is State.AGENT_QUEUE


NOBODY_THERE = [
    # the agents' telephones by their last digit: 0 is busy, 4 rings on
    (Telephone("busy", "8010", "city"),),
    (Telephone("away", "8024", "city"),),
    (Telephone("busy", "8010", "city"), Telephone("away", "8024", "city")),
    (),
]


@pytest.mark.parametrize("telephones", NOBODY_THERE)
def test_whom_no_agent_answers_hears_so_and_is_rung_back(
    stages, monkeypatch: pytest.MonkeyPatch, telephones: tuple[Telephone, ...]
) -> None:
    stage = stages(in_hours(*telephones))
    presses(monkeypatch, None, "0")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(60.0)
    [call] = stage.kept()
    assert call.ended_by == "us" and call.talked_at is None
    assert all(leg.ended_at and not leg.answered_at for leg in call.legs)
    assert mark_rung_back(stage.desk.ctx, call.id, "ma", stage.desk.now)


def test_who_hangs_up_while_an_agent_is_rung_leaves_no_telephone_ringing(
    stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(in_hours(Telephone("away", "8024", "city")))
    presses(monkeypatch, None, "0")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(12.0)
    stage.line.gives_up("a")
    stage.turns(1.0)
    [call] = stage.kept()
    assert [leg.ended_at is not None for leg in call.legs] == [True]
    assert stage.load == ({}, 0)


def test_a_message_about_no_case_is_kept_and_its_caller_is_to_be_rung_back(
    stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(in_hours())
    monkeypatch.setattr(stage.line, "_city", CitySettings(message_seconds=4.0))
    presses(monkeypatch, None, "2")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(30.0)
    [call] = stage.kept()
    with stage.desk.session() as session:
        [message] = session.scalars(select(VoiceMessage))
    assert (message.inbound_token, message.callback_id, message.attempt_id) == ("a", None, None)
    assert message.seconds == pytest.approx(4.0, abs=0.1)
    assert mark_rung_back(stage.desk.ctx, call.id, "ma", stage.desk.now)


def test_a_message_about_a_case_is_kept_with_it_however_often_it_comes(
    stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(in_hours())
    monkeypatch.setattr(stage.line, "_city", CitySettings(message_seconds=4.0))
    callback = stage.desk.close("13812340001")
    stage.desk.plan()
    kept: list[Any] = []
    keep = stage.role._ring_backs._keep
    stage.role._ring_backs._keep = lambda record: (kept.append(record), keep(record))
    presses(monkeypatch, "5", None, "3", None, "2", "1")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(60.0)
    for record in kept:
        stage.keep(record)
    with stage.desk.session() as session:
        [message] = session.scalars(select(VoiceMessage))
    assert (message.callback_id, message.inbound_token) == (callback, None)


def test_without_a_database_the_callback_number_is_answered_by_a_person(stages) -> None:
    stage = stages()
    stage.away = True
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(5.0)
    assert stage.role.board.callers["a"].with_leg is not None


def test_who_withholds_the_number_on_the_callback_number_meets_a_person(stages) -> None:
    stage = stages()
    stage.line.comes("a", "anonymous", CALLBACK_NUMBER)
    stage.turns(5.0)
    assert stage.role.board.callers["a"].with_leg is not None


def test_what_was_pressed_comes_once_however_often_the_spool_brings_it(stages) -> None:
    stage = stages()
    callback = stage.desk.close("13812340001")
    stage.desk.plan()
    told = {"kind": "ring_back", "what": "rated", "callback": callback, "value": 1, "raw": "1"}
    told |= {"prompt": "q_rating", "ms": 900, "at": stage.desk.now.isoformat()}
    for _ in range(2):
        keep_ring_back(stage.desk.ctx, told)
    assert [rating.value for rating in stage.desk.ratings(callback)] == [1]
