"""Texts between their submit and the answers to all their parts. No I/O: PDUs and the time come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sms.events import SubmitFailed, Submitted, SubmitUnknown
from sms.smpp_codec import text_of
from sms.smpp_link import RMSGQFUL, ROK, RTHROTTLED
from sms.smpp_receipt import comparable

_TRANSIENT = frozenset({RTHROTTLED, RMSGQFUL})


@dataclass(slots=True)
class _Pending:
    """A text whose parts wait for their answers, or to be sent. `ids` are those that came."""

    ref: int
    waiting: set[int]
    deadline: float
    ids: dict[int, str] = field(default_factory=dict)
    failed: int | None = None


class OpenSubmits:
    """At most `window` parts are on the wire; the others of a text are held until there is room."""

    def __init__(self, window: int, id_form: str) -> None:
        self._window, self._id_form = window, id_form
        self._pending: dict[int, _Pending] = {}  # by ref
        self._by_sequence: dict[int, tuple[int, int]] = {}  # sequence → ref, part
        self._held: deque[tuple[int, int, Any]] = deque()  # ref, part, PDU

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def free(self) -> int:
        """How many more parts may go now."""
        return max(0, self._window - len(self._by_sequence) - len(self._held))

    @property
    def deadline(self) -> float:
        """When the next answer is overdue; infinite where none is waited for."""
        return min((pending.deadline for pending in self._pending.values()), default=float("inf"))

    def add(self, ref: int, pdus: list[Any], deadline: float) -> None:
        """A text in its parts, in order."""
        self._pending[ref] = _Pending(ref, set(range(1, len(pdus) + 1)), deadline)
        self._held.extend((ref, number, pdu) for number, pdu in enumerate(pdus, start=1))

    def sendable(self) -> Iterator[Any]:
        """The parts that may go now, each to be sent as it's given."""
        while self._held and len(self._by_sequence) < self._window:
            ref, number, pdu = self._held.popleft()
            self._by_sequence[pdu.sequence] = (ref, number)
            yield pdu

    def knows(self, sequence: int) -> bool:
        """Whether its answer is waited for."""
        return sequence in self._by_sequence

    def answered(self, pdu: Any) -> Submitted | SubmitFailed | None:
        """Takes a submit_sm_resp or generic_nack to a known submit; with a text's last, what became of it."""
        ref, number = self._by_sequence.pop(pdu.sequence)
        pending = self._pending[ref]
        pending.waiting.discard(number)
        if pdu.status == ROK and pdu.command == "submit_sm_resp":
            pending.ids[number] = comparable(text_of(pdu.message_id), self._id_form)
        else:
            pending.failed = pdu.status
            pending.waiting -= self._unhold(ref)  # a text that won't be whole isn't continued
        if pending.waiting:
            return None
        self._forget(ref)
        return _result(pending)

    def overdue(self, now: float) -> list[SubmitUnknown]:
        """Gives up those whose answers haven't come in time."""
        return self._give_up([p.ref for p in self._pending.values() if now >= p.deadline])

    def lost(self) -> list[SubmitUnknown]:
        """Gives up all: the link is gone."""
        return self._give_up(list(self._pending))

    def _give_up(self, refs: list[int]) -> list[SubmitUnknown]:
        for ref in refs:
            self._forget(ref)
        return [SubmitUnknown(ref) for ref in refs]

    def _forget(self, ref: int) -> None:
        del self._pending[ref]
        self._unhold(ref)
        for sequence in [s for s, (of, _) in self._by_sequence.items() if of == ref]:
            del self._by_sequence[sequence]

    def _unhold(self, ref: int) -> set[int]:
        """Takes the parts of a text that weren't sent yet out of the queue; their numbers."""
        numbers = {number for of, number, _ in self._held if of == ref}
        self._held = deque(held for held in self._held if held[0] != ref)
        return numbers


def _result(pending: _Pending) -> Submitted | SubmitFailed:
    if pending.failed is None:
        ids = (pending.ids[number] for number in sorted(pending.ids))
        return Submitted(pending.ref, tuple(dict.fromkeys(filter(None, ids))))
    permanent = pending.failed not in _TRANSIENT or bool(pending.ids)  # half a text isn't sent again
    return SubmitFailed(pending.ref, permanent, f"0x{pending.failed:08X}")
