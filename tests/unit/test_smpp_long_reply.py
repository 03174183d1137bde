"""Long replies after their end, and when a link goes: parts again, too late, or under an old name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.long_reply import MEMORY, PATIENCE, LongReplies, Part, Whole

KEY = ("13803790001", "106380110", 8)


def part(number: int, raw: bytes | None = None, total: int = 2, reference: int = 3) -> Part:
    return Part(reference, total, number, raw if raw is not None else b"%d" % number)


def whole(raw: bytes, *sequences: int) -> Whole:
    return Whole(KEY, raw, sequences)


def test_a_part_again_after_the_whole_brings_the_whole_again() -> None:
    """Its answer got lost: the same reply, with the same digest, that only wants this answer."""
    replies = LongReplies()
    replies.add(KEY, part(2), 1, now=0)
    assert replies.add(KEY, part(1), 2, now=0) == whole(b"12", 1, 2)
    assert replies.add(KEY, part(2), 3, now=5) == whole(b"12", 3)
    assert replies.add(KEY, part(1), 4, now=6) == whole(b"12", 4)
    assert replies.deadline == float("inf")


def test_a_part_that_comes_too_late_makes_it_whole() -> None:
    replies = LongReplies()
    replies.add(KEY, part(1), 1, now=0)
    assert replies.overdue(PATIENCE) == [whole(b"1", 1)]
    assert replies.add(KEY, part(2), 2, now=PATIENCE + 5) == whole(b"12", 2)


@pytest.mark.parametrize(
    ("again", "at"),
    [
        (part(1, b"x"), 5.0),  # the telephone uses the reference for another text
        (part(1), MEMORY),  # after so long, too
        (part(1, total=3), 5.0),
        (part(1, reference=4), 5.0),
    ],
)
def test_another_text_is_not_taken_for_the_same(again: Part, at: float) -> None:
    replies = LongReplies()
    replies.add(KEY, part(1), 1, now=0)
    replies.add(KEY, part(2), 2, now=0)
    assert replies.add(KEY, again, 3, now=at) is None
    assert replies.deadline == at + PATIENCE


def test_what_a_lost_link_brought_is_waited_for_again() -> None:
    replies = LongReplies()
    replies.add(KEY, part(1), 1, now=0)  # on the link that goes
    replies.add(KEY, part(2, total=3, reference=4), 2, now=0)
    replies.add(KEY, part(3, total=3, reference=4), 3, now=0)  # on another
    replies.forget([1, 2])
    assert replies.deadline == PATIENCE
    assert replies.add(KEY, part(1, total=3, reference=4), 4, now=1) is None
    assert replies.add(KEY, part(2, total=3, reference=4), 5, now=1) == whole(b"123", 3, 4, 5)
    assert replies.deadline == float("inf")


def test_a_part_that_came_on_both_links_stays() -> None:
    replies = LongReplies()
    replies.add(KEY, part(1), 1, now=0)
    replies.add(KEY, part(1), 2, now=0)
    replies.forget([1])
    assert replies.add(KEY, part(2), 3, now=0) == whole(b"12", 2, 3)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 1), st.sampled_from(["part", "forget", "pass"])),
        max_size=40,
    )
)
@settings(max_examples=150)
def test_every_delivery_is_answered_once_or_forgotten(steps: list[tuple[int, int, str]]) -> None:
    """Whatever repeats, gets lost or comes late, a whole is in order and has no part twice."""
    replies, now, told = LongReplies(), 0.0, list[Whole]()
    open_, ended = set[int](), list[int]()
    for sequence, (number, reference, what) in enumerate(steps):
        match what:
            case "part":
                open_.add(sequence)
                found = replies.add(KEY, part(number, total=3, reference=reference), sequence, now)
                told += [found] if found else []
            case "forget":
                lost = {each for each in open_ - set(ended) if each % 2 == number % 2}
                replies.forget(lost)
                open_ -= lost
            case "pass":
                now += number * 4.0
                told += replies.overdue(now)
        ended = [each for found in told for each in found.sequences]
    told += replies.overdue(now + PATIENCE)
    ended = [each for found in told for each in found.sequences]
    assert sorted(ended) == sorted(set(ended))
    assert open_ <= set(ended)
    assert all(found.raw in (b"1", b"2", b"3", b"12", b"13", b"23", b"123") for found in told)
    assert all(found.sequences for found in told)
