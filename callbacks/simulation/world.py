"""The virtual world: the clock, and what is to happen at which time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

Happening = Callable[[], None]


class World:
    """Time passes from one happening to the next; equal times keep the order in which they were arranged."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._order = count()
        self._heap: list[tuple[datetime, int, Happening]] = []

    def at(self, when: datetime, happening: Happening) -> None:
        """Arranges `happening`; what lies in the past happens next."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), happening))

    def after(self, seconds: float, happening: Happening) -> None:
        self.at(self.now + timedelta(seconds=seconds), happening)

    def step(self) -> bool:
        """The next happening; False when nothing is arranged any more."""
        if not self._heap:
            return False
        when, _, happening = heapq.heappop(self._heap)
        self.now = max(self.now, when)
        happening()
        return True

    def stall(self, delta: timedelta) -> None:
        """Everybody sleeps: what was due meanwhile happens late."""
        self.now += delta
