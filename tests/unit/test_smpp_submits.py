"""Open submits over SMPP: one outcome a text, whatever binds and answers do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.events import SubmitFailed, Submitted, SubmitUnknown
from sms.smpp_status import RINVDSTADR, RMSGQFUL, ROK, RTHROTTLED
from sms.smpp_submits import OpenSubmits

TIME = 10.0


def opened(window: int = 10, binds: int = 1) -> OpenSubmits:
    submits = OpenSubmits(window)
    for bind in range(1, binds + 1):
        submits.opened(bind)
    return submits


def add(submits: OpenSubmits, ref: int, parts: int = 1, now: float = 0.0, urgent: bool = False) -> None:
    submits.add(ref, [{"number": number} for number in range(1, parts + 1)], now, TIME, urgent=urgent)


class Wire:
    """Sends what may go, under sequences that binds share, as two links do."""

    def __init__(self, submits: OpenSubmits) -> None:
        self.submits, self.out = submits, list[tuple[int, int, int, int]]()
        self._sequences: Counter[int] = Counter()

    def send(self, most: int = 1000) -> list[tuple[int, int]]:
        """What went: text and part."""
        went = []
        while len(went) < most and (found := self.submits.next()) is not None:
            bind, part = found
            self._sequences[bind] += 1
            self.submits.sent(bind, part, self._sequences[bind])
            self.out.append((bind, self._sequences[bind], part.ref, part.number))
            went.append((part.ref, part.number))
        return went

    def answer(self, place: int = 0, status: int = ROK, now: float = 1.0) -> Any:
        bind, sequence, ref, number = self.out.pop(place)
        assert self.submits.knows(bind, sequence)
        return self.submits.answered(bind, sequence, status, f"{ref}.{number}" if status == ROK else "", now)


def test_the_window_is_each_binds_own() -> None:
    submits = opened(window=2, binds=2)
    add(submits, 1, parts=5)
    wire = Wire(submits)
    assert submits.free == 0
    assert wire.send() == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert Counter(bind for bind, *_ in wire.out) == {1: 2, 2: 2}
    wire.answer()
    assert wire.send() == [(1, 5)]


def test_an_answer_belongs_to_its_bind() -> None:
    submits = opened(binds=2)
    add(submits, 1)
    add(submits, 2)
    wire = Wire(submits)
    wire.send()
    (one, sequence, *_), (other, same, *_) = wire.out
    assert one != other and sequence == same
    assert wire.answer(1) == Submitted(2, ("2.1",))
    assert wire.answer(0) == Submitted(1, ("1.1",))


def test_answers_to_citizens_go_before_bulk() -> None:
    """Those that wait; a long text lets them in between its parts."""
    submits = opened(window=1)
    add(submits, 1, parts=3)
    wire = Wire(submits)
    wire.send()
    add(submits, 2)
    add(submits, 3, urgent=True)
    wire.answer()
    assert wire.send() == [(3, 1)]
    wire.answer()
    assert wire.send() == [(1, 2)]


def test_a_throttled_part_goes_again_first_and_the_text_ends_once() -> None:
    submits = opened(window=2)
    add(submits, 1, parts=2)
    add(submits, 2)
    wire = Wire(submits)
    wire.send()
    assert wire.answer(0, RTHROTTLED) is None
    assert submits.held == 2
    assert wire.send() == [(1, 1)]
    assert wire.answer() is None  # its other part
    assert wire.answer() == Submitted(1, ("1.1", "1.2"))


@pytest.mark.parametrize(
    ("taken", "late", "outcome"),
    [
        ((), False, SubmitFailed(1, False, "0x00000014")),  # nothing of it left: later
        ((), True, SubmitFailed(1, False, "0x00000014")),  # too late for another try
        ((1,), False, SubmitFailed(1, True, "0x00000014")),  # half a text is out
    ],
)
def test_a_text_that_the_smsc_never_has_room_for(
    taken: tuple[int, ...], late: bool, outcome: SubmitFailed
) -> None:
    submits = opened()
    add(submits, 1, parts=2)
    wire = Wire(submits)
    wire.send()
    for _ in range(2):
        status = ROK if wire.out[0][3] in taken else RMSGQFUL
        told = wire.answer(0, status, now=6.0 if late else 1.0)
    if late:
        assert told == outcome
        return
    assert told is None
    assert submits.deadline == TIME / 2 and submits.overdue(4.9) == []
    assert submits.overdue(5.0) == [outcome]
    assert submits.held == len(submits) == 0


def test_a_try_that_is_out_has_until_the_end() -> None:
    submits = opened()
    add(submits, 1)
    wire = Wire(submits)
    wire.send()
    wire.answer(0, RTHROTTLED)
    wire.send()
    assert submits.overdue(9.9) == []
    assert submits.overdue(10) == [SubmitUnknown(1)]


def test_a_refusal_for_good_outweighs_one_for_the_moment() -> None:
    submits = opened()
    add(submits, 1, parts=3)
    wire = Wire(submits)
    wire.send()
    assert wire.answer(0, RTHROTTLED) is None
    assert wire.answer(0, RINVDSTADR) is None
    assert wire.send() == []  # what was held isn't tried any more
    assert wire.answer(0, RTHROTTLED) == SubmitFailed(1, True, "0x0000000B")


def test_what_was_never_sent_is_told_so_when_the_last_link_goes() -> None:
    submits = opened(window=2)
    for ref in (1, 2, 3):
        add(submits, ref)
    wire = Wire(submits)
    wire.send()
    assert submits.closed(1) == [SubmitUnknown(1), SubmitUnknown(2), SubmitFailed(3, False, "not sent")]
    assert (submits.free, submits.held, len(submits)) == (0, 0, 0)


def test_one_dead_bind_takes_its_own_texts_alone() -> None:
    submits = opened(window=1, binds=2)
    for ref in (1, 2, 3):
        add(submits, ref)
    wire = Wire(submits)
    wire.send()
    lost = wire.out[0]
    assert submits.closed(lost[0]) == [SubmitUnknown(lost[2])]
    assert not submits.knows(lost[0], lost[1])
    del wire.out[0]
    assert wire.answer() == Submitted(2, ("2.1",))
    assert wire.send() == [(3, 1)]
    assert wire.answer() == Submitted(3, ("3.1",))


def test_half_a_text_whose_rest_never_went() -> None:
    submits = opened(window=1)
    add(submits, 1, parts=2)
    wire = Wire(submits)
    wire.send(1)
    wire.answer()
    assert submits.closed(1) == [SubmitFailed(1, True, "not sent")]


STATUSES = st.sampled_from([ROK, ROK, ROK, RTHROTTLED, RMSGQFUL, RINVDSTADR])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3), st.booleans()),
        st.tuples(st.just("send"), st.integers(1, 5), st.none()),
        st.tuples(st.just("answer"), st.integers(0, 9), STATUSES),
        st.tuples(st.just("lose"), st.integers(0, 2), st.none()),
        st.tuples(st.just("pass"), st.floats(0, 6), st.none()),
    ),
    max_size=60,
)


@given(window=st.integers(1, 3), steps=STEPS)
@settings(max_examples=200)
def test_one_outcome_a_text_and_the_truth_of_it(window: int, steps: list[tuple[str, Any, Any]]) -> None:
    """Submitted: all parts taken. Failed for the moment: none taken, none unanswered."""
    submits, now, ref, bind = opened(window, binds=2), 0.0, 0, 2
    alive, wire, told = [1, 2], Wire(submits), list[Any]()
    taken, answered = Counter[int](), Counter[int]()
    total, sent = dict[int, int](), Counter[int]()
    for what, one, two in steps:
        match what:
            case "add":
                ref += 1
                total[ref] = one
                add(submits, ref, one, now, urgent=two)
            case "send":
                sent.update(ref for ref, _ in wire.send(one))
            case "answer" if wire.out:
                place = one % len(wire.out)
                at, sequence, of, _ = wire.out[place]
                if submits.knows(at, sequence):
                    answered[of] += 1
                    taken[of] += two == ROK
                    told.append(wire.answer(place, two, now))
                else:
                    del wire.out[place]
            case "lose" if alive:
                gone = alive.pop(one % len(alive))
                told += submits.closed(gone)
                if not alive or one == 2:
                    bind += 1
                    alive.append(bind)
                    submits.opened(bind)
            case "pass":
                now += one
                told += submits.overdue(now)
        assert all(len(on) <= window for on in submits._wires.values())
    told += submits.overdue(now + TIME)
    told = [outcome for outcome in told if outcome is not None]
    assert sorted(outcome.ref for outcome in told) == list(range(1, ref + 1))
    assert (len(submits), submits.held, submits.deadline) == (0, 0, float("inf"))
    for outcome in told:
        match outcome:
            case Submitted(of, ids):
                assert len(ids) == taken[of] == total[of]
            case SubmitFailed(of, permanent, _):
                assert sent[of] == answered[of]  # each part that went was refused or taken
                assert permanent or taken[of] == 0
            case SubmitUnknown(of):
                assert sent[of] > answered[of]
