"""The choice of a route: priority, room, health, and what failed a text before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.route_choice import Health, Limits, Route, choose

LIMITS = Limits(failures=3, aside_seconds=60)
WELL = Health(LIMITS)
ASIDE = Health(LIMITS, failures=3, aside_until=100.0)


def route(name: str, priority: int = 1, room: int = 5, health: Health = WELL, open_: int = 0) -> Route:
    return Route(name, priority, room, open_, health)


@pytest.mark.parametrize(
    ("routes", "now", "avoid", "chosen"),
    [
        ([], 0, (), None),
        ([route("a", 2), route("b", 1)], 0, (), "b"),  # the lowest priority
        ([route("a", 2), route("b", 1, room=0)], 0, (), "a"),  # down, or its window full: the next
        ([route("a", room=1), route("b", room=9)], 0, (), "b"),  # equals share by room
        ([route("b"), route("a")], 0, (), "a"),
        ([route("a", 1, health=ASIDE), route("b", 2)], 99, (), "b"),  # set aside
        ([route("a", 1, health=ASIDE), route("b", 2)], 100, (), "a"),  # then tried again
        ([route("a", 1, health=ASIDE, open_=1), route("b", 2)], 100, (), "b"),  # by one text at a time
        ([route("a", 1, health=ASIDE)], 99, (), None),  # nobody else: texts wait rather than fail
        ([route("a", 1), route("b", 2)], 0, ("a",), "b"),  # it failed there just now
        ([route("a", 1), route("b", 2, room=0)], 0, ("a",), "a"),  # again there, where else
        ([route("a", 1, room=0)], 0, (), None),
    ],
)
def test_choose(routes: list[Route], now: float, avoid: tuple[str, ...], chosen: str | None) -> None:
    found = choose(routes, now, avoid)
    assert (found and found.name) == chosen


def test_failures_in_a_row_set_a_gateway_aside() -> None:
    health = WELL.failed(0).failed(1).went()  # one that went through ends the row
    assert health == WELL
    for second in (2, 3, 4):
        assert health.most(second) is None
        health = health.failed(second)
    assert [health.most(now) for now in (4, 63.9, 64)] == [0, 0, 1]
    assert health.failed(70).most(129.9) == 0  # the try failed: aside again, at once
    assert health.went().most(70) is None  # it went: as before


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 5), st.floats(0, 50)),
        min_size=1,
        max_size=6,
    ),
    st.floats(0, 100),
)
@settings(max_examples=150)
def test_the_chosen_one_has_room_and_none_before_it_has(
    drawn: list[tuple[int, int, int, float]], now: float
) -> None:
    routes = [
        route(str(number), priority, room, Health(LIMITS, failures, until if failures == 3 else -1.0))
        for number, (priority, failures, room, until) in enumerate(drawn)
    ]
    chosen = choose(routes, now)
    able = [each for each in routes if each.room_at(now)]
    assert (chosen is None) == (not able)
    if chosen is not None:
        assert chosen in able and all(chosen.priority <= each.priority for each in able)
