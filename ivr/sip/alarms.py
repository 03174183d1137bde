"""What is due when: one heap for all timers of an agent. Pure.

An alarm that is moved or cleared leaves a dead entry in the heap, dropped when it comes to the top or when
dead entries outnumber the living; so each operation costs the logarithm of their number.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable

__all__ = ["Alarms"]

Action = Callable[[float], None]


class Alarms:
    """At most one alarm for each owner; its action is called with `now`.

    Entries are numbers, so that a dead one, which may wait half an hour, keeps no call in memory.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._numbers: dict[Hashable, int] = {}
        self._due: dict[int, tuple[Hashable, Action]] = {}  # by the living entries' numbers
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def set(self, owner: Hashable, at: float, action: Action) -> None:
        """Ring for `owner` at `at`, instead of when it was set for before."""
        self.clear(owner)
        self._count += 1
        self._numbers[owner], self._due[self._count] = self._count, (owner, action)
        heapq.heappush(self._heap, (at, self._count))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [entry for entry in self._heap if entry[1] in self._due]
            heapq.heapify(self._heap)

    def clear(self, owner: Hashable) -> None:
        number = self._numbers.pop(owner, None)
        if number is not None:
            del self._due[number]

    @property
    def deadline(self) -> float | None:
        while self._heap and self._heap[0][1] not in self._due:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def ring(self, now: float) -> None:
        """Call what is due at `now`, in the order of the times."""
        while (at := self.deadline) is not None and at <= now:
            owner, action = self._due[heapq.heappop(self._heap)[1]]
            self.clear(owner)
            action(now)
