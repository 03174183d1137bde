"""The pace of SMPP submits: the rate is never passed, halves when asked to and comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.smpp_pace import REST, Pace


def test_a_second_at_most_is_saved_up() -> None:
    pace = Pace(20, now=0)
    assert pace.allowance(0) == 1
    assert pace.allowance(0.5) == 11
    assert pace.allowance(100) == 20
    pace.take(20)
    assert pace.allowance(100) == 0
    assert pace.next_at(100) == pytest.approx(100.05)


def test_less_than_one_a_second_still_goes() -> None:
    pace = Pace(0.1, now=0)
    assert pace.allowance(0) == 1
    pace.take()
    assert pace.allowance(9) == 0
    assert pace.next_at(9) == pytest.approx(10)


def test_throttled_halves_rests_and_recovers() -> None:
    pace = Pace(20, now=0)
    pace.throttled(10)
    pace.throttled(10.2)  # the rest of the window says the same
    assert pace.rests(10.9) and pace.allowance(10.9) == 0
    assert pace.rate(10 + REST) == 10
    assert pace.allowance(10 + REST) == 0  # nothing was saved up
    assert pace.next_at(10 + REST) == pytest.approx(10 + REST + 0.1)
    assert pace.rate(13 + REST) == pytest.approx(16)  # a tenth of the whole a second
    assert pace.rate(1000) == 20
    pace.throttled(13 + REST)
    assert pace.rate(13 + REST) == pytest.approx(8)  # half of what it had come back to


def test_it_never_comes_to_a_stop() -> None:
    pace = Pace(20, now=0)
    for second in range(0, 100):
        pace.throttled(second)
    assert pace.rate(99) >= 20 / 64
    assert pace.next_at(99) < 99 + REST + 5


@given(
    rate=st.floats(0.5, 200),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(0, 9)), max_size=60),
)
@settings(max_examples=150)
def test_what_goes_stays_under_the_rate(rate: float, steps: list[tuple[float, int]]) -> None:
    """In whatever order time passes, parts go and the SMSC complains."""
    pace, now, gone = Pace(rate, now=0), 0.0, 0
    for passed, dice in steps:
        now += passed
        if dice == 0:
            pace.throttled(now)
        may = pace.allowance(now)
        assert pace.next_at(now) == now or not may
        pace.take(may)
        gone += may
    assert gone <= max(1.0, rate) + rate * now + 1e-6
