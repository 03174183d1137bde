"""What a call is billed by, and what a trunk's figures are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.cdr import MONEY, Traffic, billed_seconds, cost_of, talk_seconds

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)

BILLED = [
    # seconds from the answer to the end, those told, by the minute, by six seconds
    (0.0, 0, 0, 0),
    (0.2, 1, 60, 6),  # a second that was begun
    (6.0, 6, 60, 6),
    (6.1, 7, 60, 12),
    (60.0, 60, 60, 60),
    (60.001, 61, 120, 66),
    (-3.0, 0, 0, 0),  # the clock was set back meanwhile
]


@pytest.mark.parametrize(("lasted", "seconds", "by_minute", "by_six"), BILLED)
def test_what_a_talk_is_billed_by(lasted: float, seconds: int, by_minute: int, by_six: int) -> None:
    assert talk_seconds(NOON, NOON + timedelta(seconds=lasted)) == seconds
    assert billed_seconds(seconds, 60) == by_minute
    assert billed_seconds(seconds, 6) == by_six


def test_what_nobody_answered_is_no_talk() -> None:
    assert talk_seconds(None, NOON) == 0


COSTS = [
    # seconds, a minute's price, increment, cost: in ten-thousandths
    (61, 600, 60, 1200),
    (61, 600, 6, 660),  # 66 seconds
    (1, 601, 6, 60),  # 60.1
    (1, 605, 6, 61),  # 60.5: a half is one
    (0, 600, 60, 0),
]


@pytest.mark.parametrize(("seconds", "price", "increment", "cost"), COSTS)
def test_cost(seconds: int, price: int, increment: int, cost: int) -> None:
    assert cost_of(seconds, price, increment) == cost
    assert MONEY == 10_000


def test_figures_of_nothing_are_none() -> None:
    nothing = Traffic()
    assert (nothing.asr, nothing.acd) == (None, None)
    assert Traffic(seizures=4, answered=1).asr == 0.25
    assert Traffic(seizures=4, answered=1).acd is None  # they still talk


@given(st.lists(st.builds(Traffic, *[st.integers(0, 1000)] * 4)))
def test_traffic_adds_up(parts: list[Traffic]) -> None:
    total = sum(parts, Traffic())
    assert total.seizures == sum(part.seizures for part in parts)
    assert total.seconds == sum(part.seconds for part in parts)
