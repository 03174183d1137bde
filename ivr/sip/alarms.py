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
    """At most one alarm for each owner; its action is called with `now`."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._live: dict[Hashable, tuple[int, Action]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._live)

    def set(self, owner: Hashable, at: float, action: Action) -> None:
        """Ring for `owner` at `at`, instead of when it was set for before."""
        self._count += 1
        self._live[owner] = (self._count, action)
        heapq.heappush(self._heap, (at, self._count, owner))
        if len(self._heap) > 2 * len(self._live) + 64:
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)

    def clear(self, owner: Hashable) -> None:
        self._live.pop(owner, None)

    @property
    def deadline(self) -> float | None:
        while self._heap and not self._is_live(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def ring(self, now: float) -> None:
        """Call what is due at `now`, in the order of the times."""
        while (at := self.deadline) is not None and at <= now:
            owner = heapq.heappop(self._heap)[2]
            _, action = self._live.pop(owner)
            action(now)

    def _is_live(self, entry: tuple[float, int, Hashable]) -> bool:
        live = self._live.get(entry[2])
        return live is not None and live[0] == entry[1]
