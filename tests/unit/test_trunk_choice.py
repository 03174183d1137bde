"""By which trunk a call goes out, and what sets one aside: tables, virtual time, and what always holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.vocabulary import TrunkReason, TrunkStanding
from ivr.trunk_choice import Bucket, TrunkChange, TrunkChoice
from ivr.trunk_settings import TrunkSettings

UP, SUSPECT, ASIDE = TrunkStanding.UP, TrunkStanding.SUSPECT, TrunkStanding.ASIDE
Step = Callable[[TrunkChoice], object]


def trunk(name: str, **changes: object) -> TrunkSettings:
    base: dict[str, object] = {"name": name, "host": "192.0.2.1", "caller_number": "037963110110"}
    return TrunkSettings.model_validate(base | {"calls_per_second": 200, "lines": 100} | changes)


def choice(*trunks: TrunkSettings, seed: int = 1) -> TrunkChoice:
    return TrunkChoice(trunks, Random(seed).random)


def filled(made: TrunkChoice, now: float = 0.0) -> TrunkChoice:
    """A second after the start, so that the buckets are full."""
    made.rooms(now - 1.0)
    return made


# -- priority and weight


@pytest.mark.parametrize(
    ("trunks", "order"),
    [
        # nothing said: the first is preferred, as it stands in the settings
        ([("a", 0, 0), ("b", 0, 0)], ["a", "b"]),
        # the lower priority first, wherever it stands
        ([("a", 20, 0), ("b", 10, 0), ("c", 30, 0)], ["b", "a", "c"]),
        # a weight doesn't beat a priority
        ([("a", 1, 0), ("b", 2, 65535)], ["a", "b"]),
    ],
)
def test_the_lowest_priority_first(trunks: list[tuple[str, int, int]], order: list[str]) -> None:
    made = choice(*(trunk(name, priority=priority, weight=weight) for name, priority, weight in trunks))
    assert list(made.rooms(0.0)) == order


def test_weights_share_two_hundred_choices() -> None:
    made = choice(trunk("a", weight=30), trunk("b", weight=10), trunk("c", priority=1, weight=60))
    first = Counter(next(iter(made.rooms(float(now)))) for now in range(200))
    assert set(first) == {"a", "b"}, "the second priority waits until the first is full or aside"
    assert 130 <= first["a"] <= 170  # 150 of 200 are expected, with a deviation of 6


def test_who_has_no_weight_is_drawn_seldom_beside_who_has_one() -> None:
    made = choice(trunk("a"), trunk("b", weight=49))
    first = Counter(next(iter(made.rooms(float(now)))) for now in range(2000))
    assert 10 <= first["a"] <= 80  # RFC 2782: a very small chance, here one in fifty


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), min_size=1, max_size=6), st.integers())
def test_the_order_holds_everybody_once_by_priority(kinds: list[tuple[int, int]], seed: int) -> None:
    made = choice(*(trunk(str(n), priority=p, weight=w) for n, (p, w) in enumerate(kinds)), seed=seed)
    order = list(made.rooms(0.0))
    assert sorted(order) == sorted(str(n) for n in range(len(kinds)))
    priorities = [kinds[int(name)][0] for name in order]
    assert priorities == sorted(priorities)


# -- room


def test_a_full_trunk_leaves_its_calls_to_the_next() -> None:
    made = filled(choice(trunk("a", lines=3), trunk("b", lines=8)))
    assert made.rooms(0.0, {"a": 2}) == {"a": 1, "b": 8}
    assert made.rooms(0.0, {"a": 3, "b": 9}) == {}


def test_calls_per_second() -> None:
    bucket = Bucket(5.0)
    assert bucket.room(100.0) == 1  # at the start
    bucket.spend(1)
    assert [bucket.room(100.0), bucket.room(100.19), bucket.room(100.2)] == [0, 0, 1]
    assert bucket.room(500.0) == 5  # never more than a second's worth at once
    slow = Bucket(0.5)
    assert slow.room(0.0) == 1
    slow.spend(1)
    assert [slow.room(1.9), slow.room(2.0), slow.room(99.0)] == [0, 1, 1]


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 20)), max_size=60), st.floats(0.1, 50))
def test_no_window_of_time_has_more_calls_than_the_rate_and_a_second_s_worth(
    steps: list[tuple[float, int]], rate: float
) -> None:
    bucket, now, begun = Bucket(rate), 0.0, 0
    for pause, wanted in steps:
        now += pause
        calls = min(wanted, bucket.room(now))
        bucket.spend(calls)
        begun += calls
        assert begun <= max(1.0, rate) + rate * now + 1e-6


# -- what sets one aside, and what brings it back

KEPT, BARE = trunk("t", keepalive=10), trunk("t")

TABLE: list[tuple[str, TrunkSettings, list[tuple[float, Step]], float, TrunkStanding, int]] = [
    # what happened, when; a time, how it stands then and how many calls it may begin (100: all it has)
    ("nothing", BARE, [], 0, UP, 100),
    ("OPTIONS is out for a moment", KEPT, [(0, lambda t: t.asked("t", 0))], 1.9, UP, 100),
    ("and isn't answered: suspect", KEPT, [(0, lambda t: t.asked("t", 0))], 2.0, SUSPECT, 100),
    (
        "asked once more, the first question counts",
        KEPT,
        [(0, lambda t: t.asked("t", 0)), (1.5, lambda t: t.asked("t", 1.5))],
        2.0,
        SUSPECT,
        100,
    ),
    (
        "answered: up",
        KEPT,
        [(0, lambda t: t.asked("t", 0)), (3, lambda t: t.answered("t", 200, None, 3))],
        9,
        UP,
        100,
    ),
    ("OPTIONS met nobody: aside", KEPT, [(0, lambda t: t.answered("t", None, None, 0))], 9999, ASIDE, 0),
    (
        "whatever it answers, it lives",
        KEPT,
        [(0, lambda t: t.answered("t", None, None, 0)), (30, lambda t: t.answered("t", 405, None, 30))],
        30,
        UP,
        100,
    ),
    (
        "408 to OPTIONS: somebody before it lives",
        KEPT,
        [(0, lambda t: t.answered("t", 408, None, 0))],
        9,
        ASIDE,
        0,
    ),
    (
        "503 to OPTIONS, then 200",
        KEPT,
        [(0, lambda t: t.answered("t", 503, None, 0)), (10, lambda t: t.answered("t", 200, None, 10))],
        10,
        UP,
        100,
    ),
    (
        "503 to OPTIONS with Retry-After: not before",
        KEPT,
        [(0, lambda t: t.answered("t", 503, 30, 0)), (10, lambda t: t.answered("t", 200, None, 10))],
        20,
        ASIDE,
        0,
    ),
    ("a call met silence: a pause of 30 s", BARE, [(0, lambda t: t.met_silence("t", 0))], 29.9, ASIDE, 0),
    ("after it one call tries", BARE, [(0, lambda t: t.met_silence("t", 0))], 30, ASIDE, 1),
    (
        "and no second beside it",
        BARE,
        [(0, lambda t: t.met_silence("t", 0)), (30, lambda t: t.spend("t", 1, 30))],
        60,
        ASIDE,
        0,
    ),
    (
        "unless nothing is heard of that one",
        BARE,
        [(0, lambda t: t.met_silence("t", 0)), (30, lambda t: t.spend("t", 1, 30))],
        90,
        ASIDE,
        1,
    ),
    (
        "it's answered: up",
        BARE,
        [
            (0, lambda t: t.met_silence("t", 0)),
            (30, lambda t: t.spend("t", 1, 30)),
            (31, lambda t: t.lives("t", 31)),
        ],
        31,
        UP,
        100,
    ),
    (
        "it met silence too: twice the pause",
        BARE,
        [(0, lambda t: t.met_silence("t", 0)), (30, lambda t: t.met_silence("t", 30))],
        89.9,
        ASIDE,
        0,
    ),
    ("with keepalive OPTIONS alone tell", KEPT, [(0, lambda t: t.met_silence("t", 0))], 9999, ASIDE, 0),
    ("503 without more: 30 s", BARE, [(0, lambda t: t.unavailable("t", None, 0))], 30, ASIDE, 1),
    ("503 with Retry-After", BARE, [(0, lambda t: t.unavailable("t", 5, 0))], 4.9, ASIDE, 0),
    ("that is over", BARE, [(0, lambda t: t.unavailable("t", 5, 0))], 5, ASIDE, 1),
    ("a Retry-After of no time is a second", BARE, [(0, lambda t: t.unavailable("t", 0, 0))], 0.9, ASIDE, 0),
    ("of a day is an hour", BARE, [(0, lambda t: t.unavailable("t", 86400, 0))], 3600, ASIDE, 1),
    (
        "a call that was on its way before rings: not before Retry-After is over (§21.5.4)",
        BARE,
        [(0, lambda t: t.unavailable("t", 60, 0)), (1, lambda t: t.lives("t", 1))],
        59,
        ASIDE,
        0,
    ),
    (
        "nor does an answer to OPTIONS end it",
        KEPT,
        [(0, lambda t: t.unavailable("t", 60, 0)), (10, lambda t: t.answered("t", 200, None, 10))],
        59,
        ASIDE,
        0,
    ),
    (
        "but then it does",
        KEPT,
        [(0, lambda t: t.unavailable("t", 60, 0)), (60, lambda t: t.answered("t", 200, None, 60))],
        60,
        UP,
        100,
    ),
    (
        "what refuses our calls answers OPTIONS all the same",
        KEPT,
        [(0, lambda t: t.refused("t", 403, 0)), (40, lambda t: t.answered("t", 200, None, 40))],
        41,
        ASIDE,
        1,
    ),
    ("not registered yet", BARE, [(0, lambda t: t.registering("t"))], 9999, ASIDE, 0),
    ("refused by the registrar", BARE, [(0, lambda t: t.unregistered("t"))], 9999, ASIDE, 0),
    (
        "registered",
        BARE,
        [(0, lambda t: t.registering("t")), (1, lambda t: t.registered("t"))],
        1,
        UP,
        100,
    ),
    (
        "registered, but its 503 stands",
        BARE,
        [(0, lambda t: t.unavailable("t", 60, 0)), (1, lambda t: t.registered("t"))],
        9,
        ASIDE,
        0,
    ),
]


@pytest.mark.parametrize(
    ("settings", "steps", "at", "standing", "calls"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_what_sets_a_trunk_aside(
    settings: TrunkSettings, steps: list[tuple[float, Step]], at: float, standing: TrunkStanding, calls: int
) -> None:
    made = choice(settings)
    for _, step in steps:
        step(made)
    made.rooms(at - 1.0)
    assert made.rooms(at).get("t", 0) == calls
    assert made.standings(at)[0].standing is standing


def test_pauses_grow_to_ten_minutes_and_a_call_that_is_taken_ends_them() -> None:
    made, now, pauses = choice(BARE), 0.0, []
    for _ in range(8):
        made.unavailable("t", None, now)
        began = now
        while not made.rooms(now):
            now += 1
        pauses.append(now - began)
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]
    made.lives("t", now)
    made.unavailable("t", None, now)
    assert made.rooms(now + 30) == {"t": 1}


def test_the_first_trunk_is_tried_again_while_the_second_is_up() -> None:
    made = filled(choice(trunk("a", priority=1), trunk("b", priority=2)))
    made.unavailable("a", None, 0.0)
    assert made.rooms(29.0) == {"b": 100}
    assert list(made.rooms(30.0).items()) == [("a", 1), ("b", 100)]  # one call, then b again until it's told
    made.spend("a", 1, 30.0)
    assert made.rooms(31.0) == {"b": 100}


def test_suspects_come_after_all_others() -> None:
    made = filled(choice(trunk("a", priority=1, keepalive=5), trunk("b", priority=9)))
    made.asked("a", 0.0)
    assert list(made.rooms(1.0)) == ["a", "b"]
    assert list(made.rooms(2.0)) == ["b", "a"]
    assert made.others("b", 2.0) == {"a"}


def test_a_call_that_must_go_finds_a_trunk_even_if_all_are_aside() -> None:
    made = choice(trunk("a", priority=1), trunk("b", priority=2))
    assert made.best(0.0) == "a"
    made.met_silence("a", 0.0)
    assert made.best(1.0) == "b"
    made.met_silence("b", 1.0)
    assert made.best(2.0) == "a"
    assert made.others("a", 2.0) == frozenset()


def test_each_change_is_told_once() -> None:
    made = choice(trunk("a"), trunk("b"))
    assert made.changes(0.0) == []
    made.unavailable("a", 20, 1.0)
    assert made.changes(1.0) == [TrunkChange("a", ASIDE, TrunkReason.UNAVAILABLE, 503)]
    made.unavailable("a", 20, 30.0)  # the call that tried it
    assert made.changes(30.0) == []
    made.lives("a", 60.0)
    made.refused("b", 403, 60.0)
    changes = made.changes(60.0)
    assert changes == [TrunkChange("a", UP), TrunkChange("b", ASIDE, TrunkReason.REFUSED, 403)]
    assert [change.is_bad for change in changes] == [False, True]
    made.registering("a")
    assert [change.is_bad for change in made.changes(61.0)] == [False]
