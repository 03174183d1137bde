"""The audit's chain: whatever is done to it, the first fault is named; nothing done, nothing found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.audit_chain import GENESIS, AuditLine, canonical, link
from callbacks.audit_faults import LATE, WINDOW, FaultKind, Link, Linked, verify

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LINES = st.lists(
    st.builds(
        lambda actor, subject, detail: ("head" if actor else "agent", subject, detail),
        st.booleans(),
        st.text(max_size=12),
        st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6) | st.none(), max_size=3),
    ),
    min_size=3,
    max_size=12,
)


def line(number: int, **changes: object) -> AuditLine:
    at = NOW + timedelta(seconds=number)
    return replace(AuditLine(number, at, "head", "pause", f"pause:{number}", {"n": number}), **changes)  # type: ignore[arg-type]


def chain(lines: list[AuditLine]) -> list[Linked]:
    found, previous = [], GENESIS
    for seq, each in enumerate(lines, 1):
        of = Link(seq, each.id, previous, link(previous, each), each.at + timedelta(seconds=2))
        found.append((of, each))
        previous = of.hash
    return found


def test_the_canonical_form_is_one_whatever_the_order_and_the_zone() -> None:
    east = timezone(timedelta(hours=8))
    one = AuditLine(7, datetime(2026, 11, 23, 10, tzinfo=east), "督办", "pause", "a", {"b": 1, "a": "因"})
    other = replace(one, at=datetime(2026, 11, 23, 2, tzinfo=UTC), detail={"a": "因", "b": 1})
    assert canonical(one) == canonical(other)
    assert canonical(one).decode() == (
        '{"action":"pause","actor":"督办","at":"2026-11-23T02:00:00.000000+00:00",'
        '"detail":{"a":"因","b":1},"id":7,"subject":"a"}'
    )
    assert link(GENESIS, one) != link("1" * 64, one)


@given(LINES, st.data())
def test_what_is_done_to_a_chain_is_found_at_its_place(
    written: list[tuple[str, str, dict[str, object]]], data: st.DataObject
) -> None:
    lines = [
        line(number, actor=actor, subject=subject, detail=detail)
        for number, (actor, subject, detail) in enumerate(written, 1)
    ]
    rows = chain([replace(each, detail=json.loads(json.dumps(each.detail))) for each in lines])
    right = verify(rows)
    assert (right.fault, right.verified, right.head) == (None, len(rows), rows[-1][0].hash)

    place = data.draw(st.integers(0, len(rows) - 2))
    of, at_place = rows[place]
    assert at_place is not None
    altered = [*rows[:place], (of, replace(at_place, subject=at_place.subject + "x")), *rows[place + 1 :]]
    _is(verify(altered), FaultKind.ALTERED, place)
    gone = [*rows[:place], (of, None), *rows[place + 1 :]]
    _is(verify(gone), FaultKind.MISSING, place)
    _is(verify([*rows[:place], *rows[place + 1 :]]), FaultKind.MISSING, place)
    renumbered = [(replace(each, seq=each.seq - 1), named) for each, named in rows[place + 1 :]]
    _is(verify([*rows[:place], *renumbered]), FaultKind.MISSING, place)
    put_in = _put_in(rows, place)
    _is(verify(put_in), FaultKind.INSERTED, place)
    swapped = list(rows)
    swapped[place] = replace(rows[place + 1][0], seq=place + 1), rows[place + 1][1]
    swapped[place + 1] = replace(of, seq=place + 2), at_place
    assert verify(swapped).fault is not None
    assert verify(swapped).fault.kind is FaultKind.MOVED  # type: ignore[union-attr]
    assert verify(swapped).verified == place


def _put_in(rows: list[Linked], place: int) -> list[Linked]:
    """A link with a right hash of its own at `place`; those behind are renumbered, not hashed anew."""
    previous = rows[place][0].previous
    forged = line(999, at=NOW + timedelta(seconds=place))
    first = Link(place + 1, 999, previous, link(previous, forged), forged.at)
    behind = [(replace(each, seq=each.seq + 1), named) for each, named in rows[place:]]
    return [*rows[:place], (first, forged), *behind]


def _is(verdict: object, kind: FaultKind, place: int) -> None:
    fault = verdict.fault  # type: ignore[attr-defined]
    assert fault is not None
    assert (fault.kind, fault.seq) == (kind, place + 1)


@pytest.mark.parametrize(
    ("unlinked", "fault"),
    [
        # written just now, a lower id than a linked one: committed late, linked next
        (line(2), None),
        # its time is within what a transaction takes
        (line(2, at=NOW - LATE + timedelta(minutes=1)), None),
        # a deed that is dated back
        (line(50, at=NOW - timedelta(days=3)), 50),
        # what waited in a spool tells when it came
        (line(50, at=NOW - timedelta(days=3), actor="system"), None),
        # an id that no open transaction can still have
        (line(-WINDOW), -WINDOW),
    ],
)
def test_a_line_without_a_link(unlinked: AuditLine, fault: int | None) -> None:
    verdict = verify(chain([line(1), line(3), line(4)]), [unlinked])
    assert (verdict.fault and verdict.fault.audit_id) == fault
    assert verdict.waiting == (fault is None)


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        # a lower id that was committed after a higher one: linked later, in its turn
        ([line(1), line(3), line(2), line(4)], None),
        # linked long after it was written, with all that piled up
        ([line(1), line(2, at=NOW + timedelta(days=2)), line(3, at=NOW + timedelta(days=2))], None),
        # dated back by a day, and linked by the clock like any other
        ([line(1), line(2), line(9, at=NOW - timedelta(days=1)), line(10)], 3),
    ],
)
def test_a_linked_line_that_came_late(lines: list[AuditLine], place: int | None) -> None:
    fault = verify(chain(lines)).fault
    assert (fault and (fault.kind, fault.seq)) == (place and (FaultKind.INSERTED, place))


def test_a_line_dated_after_its_linking_and_a_head_that_is_cut_off() -> None:
    rows = chain([line(1), line(2)])
    early = [(replace(of, at=of.at - timedelta(hours=2)), named) for of, named in rows]
    _is(verify(early), FaultKind.INSERTED, 0)
    heads = {"2026-10": rows[0][0].hash, "2026-11": rows[1][0].hash}
    assert verify(rows, heads=heads).fault is None
    cut = verify(rows[:1], heads=heads).fault
    assert str(cut) == "missing: the chain doesn't contain the head kept for 2026-11"
