"""Texts between their submit and the answers to all their parts, over several binds. No I/O.

A text ends once, by the answer to its last part, by its deadline, or with the links that it waited on:
- all parts taken: Submitted;
- a part refused: SubmitFailed; for good where others were taken, half a text isn't sent again;
- a part refused for the moment (§5.1.3 ESME_RTHROTTLED, ESME_RMSGQFUL): held and tried again while at least
  half of its time is left, then as above;
- a part without its answer: SubmitUnknown, it may have left;
- parts that never went: SubmitFailed for the moment, where none of the text was taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sms.events import SubmitFailed, Submitted, SubmitUnknown
from sms.smpp_status import RMSGQFUL, ROK, RTHROTTLED

TOO_FAST = frozenset({RTHROTTLED, RMSGQFUL})

Outcome = Submitted | SubmitFailed | SubmitUnknown


@dataclass(frozen=True, slots=True)
class Part:
    """Part `number` of the text `ref`; `fields` are its submit_sm's."""

    ref: int
    number: int
    fields: dict[str, Any]


@dataclass(slots=True)
class _Pending:
    """A text. `waiting` are the parts without a last answer, held or on the wire; `ids` those taken."""

    ref: int
    total: int
    waiting: set[int]
    urgent: bool
    retry_until: float
    deadline: float
    on_wire: int = 0
    ids: dict[int, str] = field(default_factory=dict)
    refused: int | None = None  # the last refusal, for the moment or not

    @property
    def is_refused(self) -> bool:
        """Whether a part was refused for good."""
        return self.refused is not None and self.refused not in TOO_FAST

    @property
    def due(self) -> float:
        """When it's given up: at once after its retries where no answer is waited for."""
        return self.retry_until if self.refused is not None and not self.on_wire else self.deadline


class OpenSubmits:
    """At most `window` parts are on a bind's wire; the others are held, answers to citizens before bulk."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._pending: dict[int, _Pending] = {}  # by ref
        self._wires: dict[int, dict[int, Part]] = {}  # bind → sequence → part
        self._urgent: deque[Part] = deque()
        self._bulk: deque[Part] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def held(self) -> int:
        """Parts that wait to be sent."""
        return len(self._urgent) + len(self._bulk)

    @property
    def free(self) -> int:
        """How many more parts may be taken now."""
        on_wire = sum(map(len, self._wires.values()))
        return max(0, self._window * len(self._wires) - on_wire - self.held)

    @property
    def deadline(self) -> float:
        """When the next text is given up; infinite where none is open."""
        return min((pending.due for pending in self._pending.values()), default=float("inf"))

    def opened(self, bind: int) -> None:
        """A bind stands that sends; its number was never used before."""
        self._wires[bind] = {}

    def add(
        self, ref: int, parts: Iterable[dict[str, Any]], now: float, seconds: float, *, urgent: bool = False
    ) -> None:
        """A text in its parts, in order; it ends within `seconds`."""
        held = [Part(ref, number, fields) for number, fields in enumerate(parts, start=1)]
        numbers = {part.number for part in held}
        self._pending[ref] = _Pending(ref, len(held), numbers, urgent, now + seconds / 2, now + seconds)
        self._queue(self._pending[ref]).extend(held)

    def _queue(self, pending: _Pending) -> deque[Part]:
        return self._urgent if pending.urgent else self._bulk

    def next(self) -> tuple[int, Part] | None:
        """The part that may go now and its bind, the emptiest; to be told to `sent`."""
        queue = self._urgent or self._bulk
        bind = min(self._wires, key=lambda bind: len(self._wires[bind]), default=None)
        if not queue or bind is None or len(self._wires[bind]) >= self._window:
            return None
        return bind, queue[0]

    def sent(self, bind: int, part: Part, sequence: int) -> None:
        """What `next` gave goes out under `sequence`."""
        (self._urgent or self._bulk).popleft()
        self._wires[bind][sequence] = part
        self._pending[part.ref].on_wire += 1

    def has_begun(self, part: Part) -> bool:
        """Whether another part of its text is out."""
        pending = self._pending[part.ref]
        return bool(pending.on_wire or pending.ids)

    def knows(self, bind: int, sequence: int) -> bool:
        """Whether an answer to it is waited for."""
        return sequence in self._wires.get(bind, ())

    def answered(self, bind: int, sequence: int, status: int, message_id: str, now: float) -> Outcome | None:
        """Takes the answer to a known submit; with a text's last, what became of it."""
        part = self._wires[bind].pop(sequence)
        pending = self._pending[part.ref]
        pending.on_wire -= 1
        if status in TOO_FAST and now < pending.retry_until and not pending.is_refused:
            pending.refused = status
            self._queue(pending).appendleft(part)
            return None
        pending.waiting.discard(part.number)
        if status == ROK:
            pending.ids[part.number] = message_id
            pending.refused = pending.refused if pending.is_refused else None
        else:
            pending.refused = pending.refused if pending.is_refused else status
            pending.waiting -= self._unhold(pending)  # a text that won't be whole isn't continued
        return None if pending.waiting else self._finish(pending)

    def overdue(self, now: float) -> list[Outcome]:
        """Gives up those whose time is over."""
        return [self._finish(pending) for pending in list(self._pending.values()) if now >= pending.due]

    def closed(self, bind: int) -> list[Outcome]:
        """The bind is gone: its texts are given up; without another bind those that are held, too."""
        lost = {part.ref for part in self._wires.pop(bind, {}).values()}
        if not self._wires:
            lost = set(self._pending)
        return [self._finish(self._pending[ref]) for ref in sorted(lost)]

    def _finish(self, pending: _Pending) -> Outcome:
        self._forget(pending)
        if pending.on_wire:
            return SubmitUnknown(pending.ref)
        if len(pending.ids) == pending.total:
            ids = (pending.ids[number] for number in sorted(pending.ids))
            return Submitted(pending.ref, tuple(dict.fromkeys(filter(None, ids))))
        for_good = bool(pending.ids) or pending.is_refused
        status = "not sent" if pending.refused is None else f"0x{pending.refused:08X}"
        return SubmitFailed(pending.ref, for_good, status)

    def _forget(self, pending: _Pending) -> None:
        del self._pending[pending.ref]
        self._unhold(pending)
        for wire in self._wires.values() if pending.on_wire else ():
            for sequence in [sequence for sequence, part in wire.items() if part.ref == pending.ref]:
                del wire[sequence]

    def _unhold(self, pending: _Pending) -> set[int]:
        """Takes the parts of a text that wait to be sent out of their queue; their numbers."""
        queue = self._queue(pending)
        kept = [part for part in queue if part.ref != pending.ref]
        numbers = {part.number for part in queue if part.ref == pending.ref}
        if numbers:
            queue.clear()
            queue.extend(kept)
        return numbers
