"""Texts between their SUBMITs and the answers to all their parts. No I/O: packets and the time come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sms.cmpp_codec import Submit
from sms.events import SubmitFailed, Submitted, SubmitUnknown

OK, REPEATED_SEQUENCE, THROTTLED = 0, 3, 8
# Structure, command, length, tariff, too long, service, then the addresses: the same text meets the same
# answer. Whatever a gateway adds of its own (14 and over) may pass.
_FOR_GOOD = frozenset({1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13})

Outcome = Submitted | SubmitFailed | SubmitUnknown


@dataclass(slots=True)
class _Pending:
    """A text; `waiting` are the parts that have no answer yet, `ids` those that were taken."""

    ref: int
    waiting: set[int]
    deadline: float
    sent: bool = False
    ids: dict[int, str] = field(default_factory=dict)
    failed: int | None = None


class OpenSubmits:
    """At most `window` parts are on the wire; the others are held until there is room."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._pending: dict[int, _Pending] = {}  # by ref
        self._by_sequence: dict[int, tuple[int, int]] = {}  # sequence → ref, part
        self._urgent: deque[tuple[int, Submit]] = deque()  # answers to citizens: before the others held
        self._held: deque[tuple[int, Submit]] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def free(self) -> int:
        """How many more parts may go now."""
        return max(0, self._window - len(self._by_sequence) - len(self._urgent) - len(self._held))

    @property
    def deadline(self) -> float:
        """When the next answer is overdue; infinite where none is waited for."""
        return min((pending.deadline for pending in self._pending.values()), default=float("inf"))

    def add(self, ref: int, submits: list[Submit], deadline: float, *, urgent: bool = False) -> None:
        """A text in its parts."""
        self._pending[ref] = _Pending(ref, {submit.pk_number for submit in submits}, deadline)
        (self._urgent if urgent else self._held).extend((ref, submit) for submit in submits)

    def sendable(self) -> Iterator[tuple[int, Submit]]:
        """The parts that may go now with their texts, each to be told to `sent` before the next."""
        while (queue := self._urgent or self._held) and len(self._by_sequence) < self._window:
            yield queue.popleft()

    def sent(self, ref: int, part: int, sequence: int) -> None:
        """A part goes out under `sequence`."""
        self._by_sequence[sequence] = (ref, part)
        self._pending[ref].sent = True

    def knows(self, sequence: int) -> bool:
        """Whether its answer is waited for."""
        return sequence in self._by_sequence

    def answered(self, sequence: int, message_id: str, result: int) -> Outcome | None:
        """Takes the answer to a known SUBMIT; with a text's last, what became of it."""
        ref, part = self._by_sequence.pop(sequence)
        pending = self._pending[ref]
        pending.waiting.discard(part)
        if result == OK:
            pending.ids[part] = message_id
        else:
            pending.failed = result
            pending.waiting -= self._unhold(ref)  # a text that won't be whole isn't continued
        if pending.waiting:
            return None
        self._forget(ref)
        return _result(pending)

    def overdue(self, now: float) -> list[Outcome]:
        """Gives up those whose answers haven't come in time."""
        return self._give_up([p for p in self._pending.values() if now >= p.deadline])

    def lost(self) -> list[Outcome]:
        """Gives up all: the link is gone."""
        return self._give_up(list(self._pending.values()))

    def _give_up(self, given_up: list[_Pending]) -> list[Outcome]:
        for pending in given_up:
            self._forget(pending.ref)
        return [SubmitUnknown(p.ref) if p.sent else SubmitFailed(p.ref, False, "not sent") for p in given_up]

    def _forget(self, ref: int) -> None:
        del self._pending[ref]
        self._unhold(ref)
        for sequence in [s for s, (of, _) in self._by_sequence.items() if of == ref]:
            del self._by_sequence[sequence]

    def _unhold(self, ref: int) -> set[int]:
        """Takes the parts of a text that weren't sent yet out of the queue; their numbers."""
        numbers = {submit.pk_number for of, submit in (*self._urgent, *self._held) if of == ref}
        self._urgent = deque(held for held in self._urgent if held[0] != ref)
        self._held = deque(held for held in self._held if held[0] != ref)
        return numbers


def _result(pending: _Pending) -> Outcome:
    if pending.failed is None:
        return Submitted(pending.ref, tuple(pending.ids[part] for part in sorted(pending.ids)))
    permanent = pending.failed in _FOR_GOOD or bool(pending.ids)  # half a text isn't sent again
    return SubmitFailed(pending.ref, permanent, f"CMPP result {pending.failed}")
