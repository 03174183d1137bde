"""Which gateway the next text goes over: by priority, among those that are well. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """When a gateway is set aside: after so many failures in a row, for so many seconds."""

    failures: int
    aside_seconds: float


@dataclass(frozen=True, slots=True)
class Health:
    """How a gateway's texts went last; times are monotonic seconds.

    A failure is a text that it didn't take for the moment, or never answered: what it refuses for good
    speaks of the text. When its time aside is over it's tried by one text, whose failure sets it aside again.
    """

    limits: Limits
    failures: int = 0
    aside_until: float = field(default=float("-inf"))

    def went(self) -> Health:
        """A text was answered: taken, or refused for its own sake."""
        return self if not self.failures else Health(self.limits)

    def failed(self, now: float) -> Health:
        failures = self.failures + 1
        until = now + self.limits.aside_seconds if failures >= self.limits.failures else self.aside_until
        return replace(self, failures=failures, aside_until=until)

    def most(self, now: float) -> int | None:
        """How many texts it may have open now; None where that is its own affair."""
        if now < self.aside_until:
            return 0
        return 1 if self.failures >= self.limits.failures else None


@dataclass(frozen=True, slots=True)
class Route:
    """A gateway as the choice sees it: `room` as it tells itself, `open` texts that it has."""

    name: str
    priority: int
    room: int
    open: int
    health: Health

    def room_at(self, now: float) -> int:
        """What it takes, in its health."""
        most = self.health.most(now)
        return self.room if most is None else max(0, min(self.room, most - self.open))


def choose(routes: Iterable[Route], now: float, avoid: Collection[str] = ()) -> Route | None:
    """The route of the lowest priority that has room; of equals the one with the most. None: nowhere.

    Those in `avoid`, which failed this text already, are taken where no other has room.
    """
    able = [route for route in routes if route.room_at(now) > 0]
    return min(
        able,
        key=lambda route: (route.name in avoid, route.priority, -route.room_at(now), route.name),
        default=None,
    )
