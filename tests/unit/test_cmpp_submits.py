"""Open submits: whatever the answers do, each text has one outcome, and the window is kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sms.cmpp_codec import Submit
from sms.cmpp_submits import OpenSubmits
from sms.events import SubmitFailed, Submitted, SubmitUnknown

WINDOW, TIMEOUT = 3, 10.0

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 5)),  # a text of so many parts
        st.tuples(st.just("answer"), st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 0, 1, 8, 54]))),
        st.tuples(st.just("wait"), st.floats(0, 6)),
        st.tuples(st.just("lose"), st.none()),
    ),
    max_size=40,
)


def text(parts: int) -> list[Submit]:
    return [Submit(pk_total=parts, pk_number=number) for number in range(1, parts + 1)]


class Wire:
    """Open submits, what is on the wire of them, and what was told of each text."""

    def __init__(self) -> None:
        self.submits = OpenSubmits(WINDOW)
        self.wire: dict[int, tuple[int, int]] = {}
        self.told: list[Submitted | SubmitFailed | SubmitUnknown] = []
        self.sent: set[int] = set()
        self.now, self.sequence, self.ref = 0.0, 0, 0

    def send(self) -> None:
        for ref, submit in self.submits.sendable():
            self.sequence += 1
            self.wire[self.sequence] = (ref, submit.pk_number)
            self.submits.sent(ref, submit.pk_number, self.sequence)
            self.sent.add(ref)
        assert len([each for each in self.wire if self.submits.knows(each)]) <= WINDOW

    def do(self, step: str, value: object) -> None:
        match step, value:
            case "add", int(parts):
                self.ref += 1
                self.submits.add(self.ref, text(parts), self.now + TIMEOUT)
            case "answer", (int(which), int(result)) if self.wire:
                sequence = list(self.wire)[which % len(self.wire)]
                ref, part = self.wire.pop(sequence)
                if self.submits.knows(sequence):
                    told = self.submits.answered(sequence, f"{ref}.{part}", result)
                    self.told += [told] if told else []
            case "wait", float(seconds):
                self.now += seconds
                self.told += self.submits.overdue(self.now)
            case "lose", None:
                self.told += self.submits.lost()
                self.wire.clear()
                assert len(self.submits) == 0
                assert self.submits.free == WINDOW


@given(STEPS)
@settings(max_examples=150)
def test_each_text_has_one_outcome(steps: list[tuple[str, object]]) -> None:
    wire = Wire()
    for step, value in steps:
        wire.do(step, value)
        wire.send()
    wire.do("lose", None)
    assert sorted(told.ref for told in wire.told) == list(range(1, wire.ref + 1))
    for told in wire.told:
        match told:
            case SubmitUnknown(ref):
                assert ref in wire.sent  # what never left is known not to have
            case SubmitFailed(ref, permanent, "not sent"):
                assert ref not in wire.sent
                assert not permanent
            case Submitted(ref, ids):
                assert ids == tuple(f"{ref}.{part}" for part in range(1, len(ids) + 1))


def test_the_parts_of_two_texts_share_the_window() -> None:
    wire = Wire()
    wire.do("add", 2)
    wire.do("add", 2)
    wire.send()
    assert list(wire.wire.values()) == [(1, 1), (1, 2), (2, 1)]
    assert wire.submits.free == 0
    wire.do("answer", (0, 0))
    wire.send()
    assert (2, 2) in wire.wire.values()


def test_the_next_deadline() -> None:
    wire = Wire()
    assert wire.submits.deadline == float("inf")
    wire.do("add", 1)
    wire.do("wait", 4.0)
    wire.do("add", 1)
    assert wire.submits.deadline == TIMEOUT


def test_answers_to_citizens_go_before_what_is_held() -> None:
    submits = OpenSubmits(window=1)
    submits.add(1, text(2), deadline=10.0)
    submits.add(2, text(1), deadline=10.0)
    submits.add(3, text(1), deadline=10.0, urgent=True)
    order = []
    for sequence in range(1, 5):
        ref, submit = next(submits.sendable())
        submits.sent(ref, submit.pk_number, sequence)
        order.append(ref)
        submits.answered(sequence, "id", 0)
    assert order == [3, 1, 1, 2]
    assert submits.free == 1
