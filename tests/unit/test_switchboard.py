"""The switchboard: who rings whom, who waits, what overflows; and whatever comes, nobody is hung up on."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ivr.inbound.switchboard import Switchboard
from ivr.inbound.switchboard_data import (
    Announce,
    Answer,
    Bridge,
    Command,
    DialLeg,
    Drop,
    HangUp,
    HearRinging,
    Mode,
    Redirect,
    Refer,
    RingBack,
    Rules,
    SeatRule,
    Stage,
    Strategy,
    Told,
)

SEATS = (SeatRule("s1", "first"), SeatRule("s2", "first"), SeatRule("s3", "second"))


def rules(**changes: object) -> Rules:
    base: dict[str, object] = {
        "mode": Mode.OPERATORS,
        "seats": SEATS,
        "groups": ("first", "second"),
        "overflow": ("second", "desk"),
        "desk": ("desk", "desk-2"),
    }
    return Rules(**{**base, **changes})  # type: ignore[arg-type]


def said(commands: list[Command]) -> list[str]:
    """Short: `ring c1`, `dial s1 c1`, `answer c1`, `announce c1 0`, `bridge c1 s1` …"""
    words = []
    for each in commands:
        match each:
            case RingBack(caller):
                words.append(f"ring {caller}")
            case Redirect(caller):
                words.append(f"redirect {caller}")
            case Answer(caller):
                words.append(f"answer {caller}")
            case Announce(caller, before, _):
                words.append(f"announce {caller} {before}")
            case DialLeg(_, caller, target):
                words.append(f"dial {target} {caller}")
            case Drop(leg):
                words.append(f"drop {leg}")
            case Bridge(caller, legs):
                words.append(" ".join(["bridge", caller, *legs]))
            case HearRinging(caller):
                words.append(f"ringing {caller}")
            case Refer(caller, target):
                words.append(f"refer {caller} {target}")
            case Told(leg, status):
                words.append(f"told {leg} {status}")
            case HangUp(caller):
                words.append(f"hangup {caller}")
    return words


def test_the_first_free_operator_is_rung_while_the_caller_hears_it_ring() -> None:
    board = Switchboard(rules())
    assert said(board.arrive("a", 0.0)) == ["ring a", "dial s1 a"]
    assert said(board.leg_answered("a-1", 2.0)) == ["answer a"]
    assert said(board.caller_answered("a", 2.1)) == ["bridge a a-1"]
    assert said(board.leg_ended("a-1", 60.0)) == ["hangup a"]
    assert board.callers == {}


def test_who_finds_nobody_free_hears_at_once_that_they_are_through_and_keeps_the_place() -> None:
    board = Switchboard(rules(overflow=()))
    board.arrive("a", 0.0)
    board.arrive("b", 0.0)
    assert said(board.arrive("c", 1.0)) == ["ring c", "answer c"]
    assert said(board.caller_answered("c", 1.1)) == ["announce c 0"]
    board.arrive("d", 2.0)
    assert said(board.caller_answered("d", 2.1)) == ["announce d 1"]
    board.leg_answered("a-1", 3.0)
    board.leg_answered("b-2", 3.0)
    assert said(board.caller_ended("a", 30.0)) == ["drop a-1"]  # the operator writes it up first
    assert said(board.tick(39.0)) == ["announce c 0", "announce d 1"]
    assert said(board.tick(40.0)) == ["dial s1 c"]  # the first, not d
    assert said(board.leg_answered("c-3", 41.0)) == ["bridge c c-3"]


def test_an_operator_who_doesnt_answer_rests_and_the_next_is_rung() -> None:
    board = Switchboard(rules())
    board.arrive("a", 0.0)
    assert said(board.leg_ended("a-1", 15.0)) == ["dial s2 a"]
    assert said(board.leg_ended("a-2", 20.0)) == [
        "answer a"
    ]  # nobody is left: they hear that they're through
    assert board.deadline == 20.0  # the overflow
    assert said(board.tick(20.0)) == ["dial s3 a"]
    assert said(board.tick(25.0)) == ["dial s1 a"]  # rested; who answers first has the caller


STRATEGIES = [
    # whom four callers, one after another and each talked with for a second, ring
    (Strategy.ALL, ["s1 s2", "s1 s2", "s1 s2", "s1 s2"]),
    (Strategy.IN_TURN, ["s1", "s2", "s1", "s2"]),
    (Strategy.LEAST_RECENT, ["s1", "s2", "s1", "s2"]),
]


@pytest.mark.parametrize(("strategy", "rung"), STRATEGIES)
def test_whom_a_caller_rings(strategy: Strategy, rung: list[str]) -> None:
    board, found = Switchboard(rules(strategy=strategy, wrap_up=0.0)), []
    for number in range(4):
        legs = [each for each in board.arrive(f"c{number}", 10.0 * number) if isinstance(each, DialLeg)]
        found.append(" ".join(each.target for each in legs))
        board.leg_answered(legs[-1].leg, 10.0 * number + 1)
        board.leg_ended(legs[-1].leg, 10.0 * number + 2)
    assert found == rung if strategy is not Strategy.LEAST_RECENT else found[0] != found[1]


def test_two_pick_up_at_once_and_the_slower_one_is_let_go() -> None:
    board = Switchboard(rules(strategy=Strategy.ALL))
    assert said(board.arrive("a", 0.0)) == ["ring a", "dial s1 a", "dial s2 a"]
    assert said(board.leg_answered("a-2", 1.0)) == ["drop a-1", "answer a"]
    assert said(board.leg_answered("a-1", 1.0)) == []  # it crossed: the line drops it


def test_what_overflows_joins_in_and_the_rest_still_may_answer() -> None:
    board = Switchboard(rules())
    for number, name in enumerate("ab", 1):
        board.arrive(name, 0.0)
        board.leg_answered(f"{name}-{number}", 0.5)
    board.arrive("c", 1.0)
    board.caller_answered("c", 1.0)
    assert said(board.tick(21.0)) == ["dial s3 c", "announce c 0"]
    assert said(board.tick(41.0)) == ["dial desk c", "announce c 0"]
    assert said(board.leg_ended("c-4", 42.0)) == []  # the desk is busy
    assert said(board.tick(52.0)) == ["dial desk c"]  # again, for as long as they wait
    assert said(board.leg_answered("c-3", 53.0)) == ["drop c-5", "bridge c c-3"]


def test_at_so_many_waiting_they_overflow_at_once_who_came_first_before_the_others() -> None:
    board = Switchboard(rules(overflow_at=3, overflow=("second",)))
    for name in "abc":
        board.arrive(name, 0.0)
    assert said(board.arrive("d", 0.0)) == ["ring d", "dial s3 c", "answer d"]


def test_at_so_many_waiting_a_target_that_takes_any_number_takes_them_all() -> None:
    board = Switchboard(rules(overflow_at=3, overflow=("desk",)))
    for name in "abc":
        board.arrive(name, 0.0)
    assert said(board.arrive("d", 0.0)) == ["ring d", "dial desk c", "dial desk d"]


def test_whom_the_network_takes_from_an_operator_waits_again_before_the_others() -> None:
    board = Switchboard(rules(overflow=()))
    for name in "abc":
        board.arrive(name, 0.0)
    board.leg_answered("a-1", 1.0)
    board.caller_answered("a", 1.0)
    assert said(board.leg_ended("a-1", 9.0, lost=True)) == ["announce a 0"]
    assert said(board.tick(19.0)) == ["dial s1 a"]


REDIRECTED = [
    # the trunk takes a 302; what happens
    (True, ["redirect a"]),
    (False, ["ring a", "dial desk a"]),  # through us, as a B2BUA
]


@pytest.mark.parametrize(("may", "commands"), REDIRECTED)
def test_redirect_to_the_emergency_desk(may: bool, commands: list[str]) -> None:
    board = Switchboard(rules(mode=Mode.REDIRECT))
    assert said(board.arrive("a", 0.0, may_redirect=may)) == commands


def test_a_desk_that_cant_be_reached_is_followed_by_the_next_and_nobody_is_hung_up_on() -> None:
    board = Switchboard(rules(mode=Mode.REDIRECT))
    board.arrive("a", 0.0)
    assert said(board.leg_ended("a-1", 1.0)) == ["dial desk-2 a"]
    assert said(board.leg_ended("a-2", 2.0)) == ["answer a"]
    assert said(board.caller_answered("a", 2.0)) == ["announce a 0"]
    assert said(board.tick(11.0)) == ["dial desk a"]
    assert said(board.leg_answered("a-3", 12.0)) == ["bridge a a-3"]


# Whom an operator brings in. Caller a talks with s1 on the leg a-1; a-2 is the other's.


def talking(**changes: object) -> Switchboard:
    board = Switchboard(rules(overflow=(), **changes))
    board.arrive("a", 0.0)
    board.leg_answered("a-1", 1.0)
    board.caller_answered("a", 1.0)
    return board


def test_a_transfer_leaves_the_caller_with_the_operator_until_the_other_answers() -> None:
    board = talking()
    assert said(board.thirds.ask("a-1", "unit", 5.0, leaves=True)) == ["dial unit a"]
    assert said(board.leg_answered("a-2", 9.0)) == ["bridge a a-2", "told a-1 200", "drop a-1"]
    assert board.seats[0].free_at == 19.0  # the operator writes it up
    assert said(board.leg_ended("a-2", 60.0)) == ["hangup a"]


def test_an_operator_who_hangs_up_at_once_leaves_the_caller_with_the_ringing() -> None:
    board = talking()
    board.thirds.ask("a-1", "unit", 5.0, leaves=True)
    assert said(board.leg_ended("a-1", 6.0)) == ["ringing a"]
    assert board.waiting == []
    assert said(board.leg_answered("a-2", 9.0)) == ["bridge a a-2"]


def test_an_operator_may_go_before_our_answer_has_come_up() -> None:
    board = Switchboard(rules(overflow=()))
    board.arrive("a", 0.0)
    board.leg_answered("a-1", 1.0)
    board.thirds.ask("a-1", "unit", 1.0, leaves=True)
    assert said(board.leg_ended("a-1", 1.1)) == ["ringing a"]
    assert said(board.caller_answered("a", 1.2)) == ["ringing a"]


def test_whom_the_other_doesnt_answer_waits_again_before_the_others_when_the_operator_has_gone() -> None:
    board = talking(seats=SEATS[:1])
    board.thirds.ask("a-1", "unit", 5.0, leaves=True)
    board.leg_ended("a-1", 6.0)
    board.arrive("b", 7.0)
    board.caller_answered("b", 7.0)
    assert said(board.leg_ended("a-2", 12.0)) == ["announce a 0"]
    assert said(board.tick(16.0))[0] == "dial s1 a"


def test_an_operator_who_waits_hears_that_the_other_wasnt_reached_and_talks_on() -> None:
    board = talking()
    board.thirds.ask("a-1", "unit", 5.0, leaves=True)
    assert said(board.leg_ended("a-2", 12.0)) == ["told a-1 480"]
    assert said(board.thirds.ask("a-1", "unit-2", 13.0, leaves=False)) == ["dial unit-2 a"]


THREE_WAY_ENDS = [
    # who hangs up first; what is done; who is left with the caller
    ("a-1", [], "a-2"),  # the operator: the unit talks on, which is a transfer with a word before
    ("a-2", [], "a-1"),  # the unit
]


@pytest.mark.parametrize(("first", "done", "left"), THREE_WAY_ENDS)
def test_three_talk_until_one_goes(first: str, done: list[str], left: str) -> None:
    board = talking()
    assert said(board.thirds.ask("a-1", "unit", 5.0, leaves=False)) == ["dial unit a"]
    assert said(board.leg_answered("a-2", 9.0)) == ["bridge a a-1 a-2", "told a-1 200"]
    assert said(board.leg_ended(first, 30.0)) == done
    assert board.callers["a"].with_leg == left
    assert said(board.leg_ended(left, 40.0)) == ["hangup a"]


def test_a_caller_who_hangs_up_ends_it_for_all_three() -> None:
    board = talking()
    board.thirds.ask("a-1", "unit", 5.0, leaves=False)
    board.leg_answered("a-2", 9.0)
    assert said(board.caller_ended("a", 30.0)) == ["drop a-1", "drop a-2"]


def test_who_was_asked_for_is_called_off_ringing_or_talking() -> None:
    board = talking()
    board.thirds.ask("a-1", "unit", 5.0, leaves=True)
    assert said(board.thirds.call_off("a-1", 6.0)) == ["drop a-2"]
    board.thirds.ask("a-1", "unit", 7.0, leaves=False)
    board.leg_answered("a-3", 9.0)
    assert said(board.thirds.call_off("a-1", 10.0)) == ["drop a-3"]
    assert board.thirds.call_off("a-1", 11.0) == []
    assert board.callers["a"].with_leg == "a-1"


def test_another_operator_is_brought_in_only_while_free() -> None:
    board = talking()
    board.arrive("b", 2.0)
    assert said(board.thirds.ask("a-1", "s2", 5.0, leaves=True)) == ["told a-1 486"]
    board.caller_ended("b", 6.0)
    assert said(board.thirds.ask("a-1", "s2", 7.0, leaves=True)) == ["dial s2 a"]
    assert board.seats[1].caller == "a"
    assert said(board.thirds.ask("a-1", "unit", 8.0, leaves=True)) == ["told a-1 491"]  # one at a time
    assert said(board.thirds.ask("a-9", "unit", 8.0, leaves=True)) == ["told a-9 491"]


def test_the_callers_own_trunk_transfers_where_it_may() -> None:
    board = talking()
    assert said(board.thirds.ask("a-1", "unit", 5.0, leaves=True, may_refer=True)) == ["refer a unit"]
    assert said(board.thirds.refer_answered("a", 200, 6.0)) == ["told a-1 200", "hangup a", "drop a-1"]
    assert board.callers == {}
    assert board.thirds.refer_answered("a", 200, 7.0) == []


def test_what_the_trunk_refuses_we_do_ourselves_also_after_the_operator_has_gone() -> None:
    board = talking()
    board.thirds.ask("a-1", "unit", 5.0, leaves=True, may_refer=True)
    assert said(board.leg_ended("a-1", 6.0)) == ["ringing a"]
    assert said(board.thirds.refer_answered("a", 603, 7.0)) == ["dial unit a"]
    assert said(board.leg_answered("a-2", 9.0)) == ["bridge a a-2"]


def test_a_three_way_call_is_never_the_trunks() -> None:
    board = talking()
    assert said(board.thirds.ask("a-1", "unit", 5.0, leaves=False, may_refer=True)) == ["dial unit a"]


class Switching(RuleBasedStateMachine):
    """Callers, operators and the network in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Switchboard(rules(overflow_at=3))
        self.now, self.number = 0.0, 0
        self.up: set[str] = set()  # legs of the line, from DialLeg to their end or Drop
        self.answered: set[str] = set()
        self.asked: set[str] = set()  # callers that were answered
        self.gone: set[str] = set()
        self.ended_talks: set[str] = set()

    def carry(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case DialLeg(leg, caller, _):
                    assert caller not in self.gone
                    self.up.add(leg)
                case Drop(leg):
                    assert leg in self.up
                    self.up.discard(leg)
                    self.answered.discard(leg)
                case Answer(caller):
                    assert caller not in self.asked, "answered twice"
                    self.asked.add(caller)
                case Bridge(caller, legs):
                    assert caller in self.asked and set(legs) <= self.answered
                case HangUp(caller):
                    assert caller in self.ended_talks, "hung up on somebody who waits"
                    self.gone.add(caller)
                case Announce(caller, before, _):
                    assert caller in self.asked and before >= 0
                case Told(leg, _):
                    assert leg in self.answered, "told to nobody"
                case HearRinging(caller) | Refer(caller, _):
                    assert caller not in self.gone
                case RingBack(_) | Redirect(_):
                    pass

    @rule()
    def comes(self) -> None:
        self.number += 1
        self.carry(self.board.arrive(f"c{self.number}", self.now))

    @precondition(lambda self: self.board.callers)
    @rule(pick=st.integers(0, 99))
    def gives_up(self, pick: int) -> None:
        names = list(self.board.callers)
        name = names[pick % len(names)]
        self.gone.add(name)
        self.carry(self.board.caller_ended(name, self.now))

    @precondition(lambda self: any(caller.answering for caller in self.board.callers.values()))
    @rule(pick=st.integers(0, 99))
    def hears_us(self, pick: int) -> None:
        names = [name for name, caller in self.board.callers.items() if caller.answering]
        self.carry(self.board.caller_answered(names[pick % len(names)], self.now))

    @precondition(lambda self: self.up - self.answered)
    @rule(pick=st.integers(0, 99))
    def picks_up(self, pick: int) -> None:
        legs = sorted(self.up - self.answered)
        leg = legs[pick % len(legs)]
        self.answered.add(leg)
        self.carry(self.board.leg_answered(leg, self.now))

    @precondition(lambda self: self.up)
    @rule(pick=st.integers(0, 99), lost=st.booleans())
    def leg_ends(self, pick: int, lost: bool) -> None:
        legs = sorted(self.up)
        name = legs[pick % len(legs)]
        self.up.discard(name)
        self.answered.discard(name)
        leg = self.board.leg(name)
        caller = None if leg is None else self.board.callers[leg.caller]
        if caller is not None and caller.with_leg == name and not lost:
            third = self.board.leg(caller.third or "")
            if third is None and caller.referred is None:  # else somebody is with them, or on their way
                self.ended_talks.add(caller.name)
        self.carry(self.board.leg_ended(name, self.now, lost=lost))

    @precondition(lambda self: self.talks())
    @rule(pick=st.integers(0, 99), whom=st.sampled_from(["unit", "s1", "s2", "s3"]), leaves=st.booleans())
    def brings_in(self, pick: int, whom: str, leaves: bool) -> None:
        legs = self.talks()
        refers = whom == "unit" and pick % 2 == 0
        ask = self.board.thirds.ask
        self.carry(ask(legs[pick % len(legs)], whom, self.now, leaves=leaves, may_refer=refers))

    @precondition(lambda self: self.talks())
    @rule(pick=st.integers(0, 99))
    def calls_off(self, pick: int) -> None:
        legs = self.talks()
        self.carry(self.board.thirds.call_off(legs[pick % len(legs)], self.now))

    @precondition(lambda self: any(caller.referred for caller in self.board.callers.values()))
    @rule(pick=st.integers(0, 99), status=st.sampled_from([200, 405]))
    def trunk_answers(self, pick: int, status: int) -> None:
        names = [name for name, caller in self.board.callers.items() if caller.referred]
        name = names[pick % len(names)]
        if status == 200:
            self.ended_talks.add(name)
        self.carry(self.board.thirds.refer_answered(name, status, self.now))

    def talks(self) -> list[str]:
        return [caller.with_leg for caller in self.board.callers.values() if caller.with_leg]

    @rule(seconds=st.sampled_from([0.5, 5.0, 10.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry(self.board.tick(self.now))

    @invariant()
    def a_seat_has_one_caller(self) -> None:
        legs = [leg for caller in self.board.callers.values() for leg in caller.legs.values()]
        assert {leg.name for leg in legs} == self.up
        used = Counter(leg.target for leg in legs if leg.seat)
        assert all(number == 1 for number in used.values())
        assert {seat.rule.name for seat in self.board.seats if seat.caller} == set(used)

    @invariant()
    def who_doesnt_wait_talks_or_hears_it_ring_elsewhere(self) -> None:
        for caller in self.board.callers.values():
            if caller.stage is Stage.TALKING:
                assert caller.with_leg in self.answered
            if caller.stage is Stage.PASSED_ON:
                assert caller.referred or caller.third in self.up
            if caller.third is not None:
                assert caller.third in self.up

    @invariant()
    def who_waits_rings_somebody_or_hears_us(self) -> None:
        for caller in self.board.waiting:
            assert caller.legs or caller.stage is Stage.QUEUED
            assert caller.stage is not Stage.QUEUED or caller.name in self.asked

    @invariant()
    def a_free_operator_and_one_who_waits_for_the_first_group_dont_sit_side_by_side(self) -> None:
        free = [seat for seat in self.board.seats if seat.caller is None and seat.free_at == 0.0]
        rung = [
            any(leg.seat and leg.seat.rule.group == "first" for leg in caller.legs.values())
            for caller in self.board.waiting
        ]
        assert not any(seat.rule.group == "first" for seat in free) or all(rung)


Switching.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestSwitching = Switching.TestCase
