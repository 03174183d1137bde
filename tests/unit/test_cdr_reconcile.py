"""A carrier's records and ours: nothing is lost, nothing counts twice, the order changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.cdr import Direction, Kind, Record
from callbacks.cdr_reconcile import Rules, Theirs, reconcile

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Rules(NOON - DAY, NOON + DAY)
NUMBER = "13803790001"


def ours(
    start: float,
    seconds: int | None = 30,
    number: str = NUMBER,
    call_id: str | None = None,
    id: str = "",
    answer: float | None = 5.0,
    cost: int | None = None,
) -> Record:
    """`start` and `answer` in seconds, from noon and from the start."""
    at = NOON + timedelta(seconds=start)
    answered = None if answer is None else at + timedelta(seconds=answer)
    name = id or f"attempt:{start}:{number}"
    return Record(
        name,
        Kind.CALLBACK,
        Direction.OUT,
        "carrier",
        number,
        "",
        call_id,
        at,
        answered=answered,
        seconds=seconds if answered is not None or seconds is None else 0,
        cost=cost,
    )


def theirs(
    start: float,
    seconds: int = 30,
    number: str = NUMBER,
    call_id: str | None = None,
    line: int = 2,
    cost: int | None = None,
) -> Theirs:
    return Theirs(line, number, NOON + timedelta(seconds=start), seconds, call_id, cost)


ANSWERS = Rules(NOON - DAY, NOON + DAY, starts_at="answer")
TALKS = Rules(NOON - DAY, NOON + DAY, answered_only=True)
MINUTES = Rules(NOON - DAY, NOON + DAY, rounded_to=60)

CALLS = [
    # ours, theirs, rules: matched, ours only, theirs only, not expected; whether a pair differs
    ([ours(0)], [theirs(0)], RULES, (1, 0, 0, 0), False),
    ([ours(0)], [theirs(2)], RULES, (1, 0, 0, 0), False),  # within the tolerance
    ([ours(0)], [theirs(2.1)], RULES, (0, 1, 1, 0), False),  # beyond it
    ([ours(0)], [theirs(0, 32)], RULES, (1, 0, 0, 0), False),
    ([ours(0)], [theirs(0, 33)], RULES, (1, 0, 0, 0), True),
    ([ours(0)], [theirs(0, number="13803790002")], RULES, (0, 1, 1, 0), False),
    # By the Call-ID whatever the clocks say; the number alone where only one has an id, or theirs is another.
    ([ours(0, call_id="a@b")], [theirs(99, call_id="a@b")], RULES, (1, 0, 0, 0), False),
    ([ours(0, call_id="a@b")], [theirs(0)], RULES, (1, 0, 0, 0), False),
    ([ours(0, call_id="a@b")], [theirs(0, call_id="their-own")], RULES, (1, 0, 0, 0), False),
    # They have it twice: one of them stands alone.
    ([ours(0)], [theirs(0), theirs(0, line=3)], RULES, (1, 0, 1, 0), False),
    # Redialled at once: in their order, so that each finds its own.
    ([ours(0), ours(2)], [theirs(1.5), theirs(3, line=3)], RULES, (2, 0, 0, 0), False),
    # Our process died: theirs tells how long it was.
    ([ours(0, None)], [theirs(0)], RULES, (1, 0, 0, 0), True),
    # Their start is the talk's: five seconds after our INVITE. Who wasn't reached isn't among theirs.
    ([ours(0)], [theirs(5)], ANSWERS, (1, 0, 0, 0), False),
    ([ours(0, answer=None)], [], ANSWERS, (0, 0, 0, 1), False),
    ([ours(0, answer=None)], [], TALKS, (0, 0, 0, 1), False),
    ([ours(0, answer=None)], [], RULES, (0, 1, 0, 0), False),
    ([ours(0, answer=None)], [theirs(0, 0)], RULES, (1, 0, 0, 0), False),
    # Begun before the file's time: matched where they have it, not missed where they don't.
    ([ours(-86_401)], [], RULES, (0, 0, 0, 1), False),
    ([ours(-86_401)], [theirs(-86_400)], RULES, (1, 0, 0, 0), False),
    # What it costs, to the cent.
    ([ours(0, cost=600)], [theirs(0, cost=650)], RULES, (1, 0, 0, 0), False),
    ([ours(0, cost=600)], [theirs(0, cost=700)], RULES, (1, 0, 0, 0), True),
    # They tell what they bill: minutes that were begun, of a length within the tolerance.
    ([ours(0, 65)], [theirs(0, 120)], RULES, (1, 0, 0, 0), True),
    ([ours(0, 65)], [theirs(0, 120)], MINUTES, (1, 0, 0, 0), False),
    ([ours(0, 61)], [theirs(0, 60)], MINUTES, (1, 0, 0, 0), False),
    ([ours(0, 63)], [theirs(0, 60)], MINUTES, (1, 0, 0, 0), True),
    ([ours(0, 118)], [theirs(0, 180)], MINUTES, (1, 0, 0, 0), True),
    ([ours(0, 119)], [theirs(0, 180)], MINUTES, (1, 0, 0, 0), False),
    ([ours(0, 1)], [theirs(0, 60)], MINUTES, (1, 0, 0, 0), False),
    ([ours(0, answer=None)], [theirs(0, 60)], MINUTES, (1, 0, 0, 0), True),  # nobody took it, and it's billed
    ([ours(0, None)], [theirs(0, 60)], MINUTES, (1, 0, 0, 0), True),
    ([], [], RULES, (0, 0, 0, 0), False),
]


@pytest.mark.parametrize(("left", "right", "rules", "counts", "differs"), CALLS)
def test_what_matches(left, right, rules, counts, differs) -> None:
    found = reconcile(left, right, rules)
    told = (found.matched, found.ours_only, found.theirs_only, found.not_expected)
    assert tuple(map(len, told)) == counts
    assert bool(found.differing) is differs
    assert found.is_same is (counts[1:3] == (0, 0) and not differs)


def test_sums_and_whose_clock_is_ahead() -> None:
    left = [ours(0, 61, cost=1200), ours(100, 5, "13803790002", cost=600), ours(200, 7, "13803790003")]
    right = [theirs(1, 61, cost=1200), theirs(102, 5, "13803790002", cost=600, line=3)]
    found = reconcile(left, right, RULES)
    assert (found.ours.calls, found.ours.seconds, found.ours.billed, found.ours.cost) == (3, 73, 240, 1800)
    assert (found.theirs.calls, found.theirs.seconds, found.theirs.billed) == (2, 66, 180)
    assert found.clock_ahead == 1.5
    assert reconcile([], [], RULES).clock_ahead is None


seconds_ = st.sampled_from([None, 0, 7, 30, 31])
numbers = st.sampled_from(["13803790001", "13803790002", ""])
ids = st.sampled_from([None, "", "a@b", "c@d"])
starts = st.integers(0, 12).map(lambda half: half / 2)
our_records = st.lists(
    st.builds(ours, starts, seconds_, numbers, ids, answer=st.sampled_from([None, 1.0])), max_size=6
).map(lambda records: [_named(record, number) for number, record in enumerate(records)])
their_records = st.lists(st.builds(theirs, starts, st.integers(0, 40), numbers, ids), max_size=6).map(
    lambda records: [
        Theirs(line, each.number, each.started, each.seconds, each.sip_call_id)
        for line, each in enumerate(records, start=2)
    ]
)
rules_ = st.builds(
    Rules,
    st.just(NOON + timedelta(seconds=1)),
    st.just(NOON + timedelta(seconds=5)),
    tolerance=st.sampled_from([0.0, 1.0, 2.0]),
    starts_at=st.sampled_from(["invite", "answer"]),
    answered_only=st.booleans(),
)


def _named(record: Record, number: int) -> Record:
    return Record(
        f"attempt:{number}",
        record.kind,
        record.direction,
        record.trunk,
        record.number,
        "",
        record.sip_call_id,
        record.started,
        answered=record.answered,
        seconds=record.seconds,
    )


@given(left=our_records, right=their_records, rules=rules_)
def test_every_record_of_both_stands_in_the_result_once(left, right, rules) -> None:
    found = reconcile(left, right, rules)
    of_ours = [*(pair.ours for pair in found.matched), *found.ours_only, *found.not_expected]
    of_theirs = [*(pair.theirs for pair in found.matched), *found.theirs_only]
    assert Counter(each.id for each in of_ours) == Counter(each.id for each in left)
    assert Counter(each.line for each in of_theirs) == Counter(each.line for each in right)
    assert found.ours.calls + len(found.not_expected) == len(left)
    assert found.theirs.seconds == sum(each.seconds for each in right)


@given(left=our_records, right=their_records, rules=rules_, how=st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_nothing(left, right, rules, how) -> None:
    other_left, other_right = list(left), list(right)
    how.shuffle(other_left)
    how.shuffle(other_right)
    assert reconcile(other_left, other_right, rules) == reconcile(left, right, rules)


@given(left=our_records, rules=rules_)
def test_our_own_records_reconcile_with_themselves(left, rules) -> None:
    """What a carrier would have that keeps the same of each call."""
    known = [each for each in left if rules.expects(each) and each.seconds is not None and each.number]
    right = [
        Theirs(line, each.number, rules.start_of(each), each.seconds or 0, each.sip_call_id)
        for line, each in enumerate(known, start=2)
    ]
    found = reconcile(known, right, rules)
    assert not found.ours_only and not found.theirs_only
    assert len(found.matched) == len(known)
