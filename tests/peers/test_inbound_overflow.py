"""Whom a caller rings, and who joins in for those who wait, on the wire: SIPp callers and telephones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.inbound_world import NEVER_PICKS_UP, picks_up, takes_one, the_world


def number(place: int) -> str:
    """The number of a crowd's caller, from 1."""
    return f"1381234{place}"


@pytest.mark.timeout(120)
def test_step_by_step_until_somebody_answers(tmp_path: Path) -> None:
    """Seat 1 is the first group, 2 the second, 3 another trunk's, which takes one call, 4 the desk."""
    telephones = (picks_up(200), picks_up(200), takes_one(200), picks_up(200))
    groups = ({"target": "seat-1"}, {"target": "seat-2", "group": "second"})
    overflow = ["second", "seat-3", "seat-4"]
    with the_world(tmp_path, *telephones, operators=groups, overflow=overflow, overflow_after=1) as world:
        callers = world.stay(calls=4)
        world.until_talking(4)
        callers.go_on()
        callers.ended_well()
        calls = world.until_over(4)
    assert [call.target for call in calls] == ["seat-1", "seat-2", "seat-3", "seat-4"]
    assert {call.ended_by for call in calls} == {"caller"}
    assert [call.queued_at is not None for call in calls] == [False, True, True, True]
    by_seat = {seat: [who for at, who in world.rung() if at == seat] for seat, _ in world.rung()}
    assert by_seat["seat-1"] == [number(1)]
    assert by_seat["seat-2"] == [number(2)]
    assert by_seat["seat-3"] == [number(3), number(4)]  # the fourth finds it busy
    assert by_seat["seat-4"] == [number(4)]


@pytest.mark.timeout(120)
def test_at_so_many_waiting_they_overflow_at_once_and_in_their_order(tmp_path: Path) -> None:
    """Nobody would join in by the clock; the first who waits is the first whom the second group takes."""
    groups = ({"target": "seat-1"}, {"target": "seat-2", "group": "second"})
    settings = {"operators": groups, "overflow": ["second"], "overflow_at": 3}
    telephones = (picks_up(200, talks=700), picks_up(200, talks=700))
    with the_world(tmp_path, *telephones, **settings) as world:
        world.talk(calls=6, rate=20).ended_well()
        calls = world.until_over(6)
    first_rung = list(dict.fromkeys(who for _, who in world.rung()))
    assert first_rung == [number(place) for place in range(1, 7)]
    assert calls[1].target == "seat-2"
    assert {call.ended_by for call in calls} == {"person"}


STRATEGIES = [
    # whom four callers ring: the second while the first talks, who talks longer; then each alone
    ("all", ["1 2 3", "2 3", "1 2 3", "1 2 3"]),
    ("in_turn", ["1", "2", "3", "1"]),
    ("least_recent", ["1", "2", "3", "2"]),  # seat 2 was free before seat 1
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("strategy", "rung"), STRATEGIES)
def test_whom_a_caller_rings(tmp_path: Path, strategy: str, rung: list[str]) -> None:
    telephones = (picks_up(150), picks_up(400), picks_up(650))
    with the_world(tmp_path, *telephones, strategy=strategy) as world:
        crowds = [world.stay(caller="1380000")]
        world.until_talking(1)
        for number, over in ((1, 1), (0, 2), (2, 3), (3, 4)):
            if number:
                crowds.append(world.stay(caller=f"1380{number:03}"))
                world.until_talking(number + 1)
            crowds[number].go_on()
            crowds[number].ended_well()
            calls = world.until_over(over)
    found = world.rung()
    numbers = list(dict.fromkeys(who for _, who in found))
    assert numbers == [f"1380{place:03}1" for place in range(4)]
    heard = [" ".join(seat[-1] for seat, who in found if who == each) for each in numbers]
    assert heard == rung
    assert {call.ended_by for call in calls} == {"caller"}
    let_go = [each for each in world.seen() if each.line.startswith("CANCEL")]
    assert len(let_go) == sum(len(each.split()) - 1 for each in rung)


@pytest.mark.timeout(120)
def test_a_telephone_rings_for_its_time_and_nobody_is_rung_who_writes_up_a_call(tmp_path: Path) -> None:
    """Seat 1 never picks up; seat 2 talks with the second caller, writes it up, then takes the first."""
    settings = {"strategy": "in_turn", "ring_time": 1, "wrap_up": 1.5, "rest": 600}
    with the_world(tmp_path, NEVER_PICKS_UP, picks_up(100, talks=400), **settings) as world:
        world.talk(calls=2).ended_well()
        calls = world.until_over(2)
    assert world.rung() == [("seat-1", number(1)), ("seat-2", number(2)), ("seat-2", number(1))]
    assert [leg.target for leg in calls[0].legs] == ["seat-1", "seat-2"]
    seen = world.seen()
    ringing = next(each for each in seen if each.source == world.telephones[0].port)
    given_up = next(each for each in seen if each.line.startswith("CANCEL"))
    assert ringing.line == "SIP/2.0 180 Ringing"
    assert given_up.at - ringing.at >= 0.99
    hung_up = next(each for each in seen if each.line.startswith("BYE"))
    again = [each for each in seen if each.begins_a_call and each.target == world.telephones[1].port][1]
    assert again.at - hung_up.at >= 1.49
