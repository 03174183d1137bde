"""A seat hears of a gateway that stays down: short breaks mend by themselves and are nobody's matter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError

from sms.events import GatewayEvent, LinkDown, LinkUp, Submission, Submitted
from sms.gateway import Gateway

log = structlog.get_logger(__name__)

AFTER = 60.0  # seconds
_AGAIN = 5.0

Tell = Callable[[str, str, float], None]  # gateway, reason, seconds for which it's been down


@dataclass
class Link:
    """Since when a gateway's link is down, monotonic. A link that's up for a moment only was not mended."""

    after: float = AFTER
    reason: str = ""
    down_since: float | None = None
    up_since: float | None = None
    is_told: bool = False

    def down(self, reason: str, now: float) -> None:
        if self.down_since is None or (self.up_since is not None and now - self.up_since >= self.after):
            self.down_since, self.is_told = now, False
        self.up_since, self.reason = None, reason

    def up(self, now: float) -> None:
        self.up_since = now

    def works(self) -> None:
        """It took a text: whatever was, is over."""
        self.down_since = self.up_since = None
        self.is_told = False

    def overdue(self, now: float) -> float | None:
        """For how long it's been down, where that's too long and nobody was told."""
        if self.down_since is None or self.up_since is not None or self.is_told:
            return None
        length = now - self.down_since
        return length if length >= self.after else None


class WatchedGateway:
    """The gateway port over another gateway, of which it passes on everything.

    `tell` is called by the thread that polls; while it fails for an absent database it's called again.
    """

    def __init__(
        self,
        gateway: Gateway,
        tell: Tell,
        after: float = AFTER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway, self._tell, self._after, self._clock = gateway, tell, after, clock
        self._links: dict[str, Link] = {}
        self._again_at = 0.0

    @property
    def name(self) -> str:
        return self._gateway.name

    @property
    def room(self) -> int:
        return self._gateway.room

    @property
    def in_flight(self) -> int:
        return self._gateway.in_flight

    def submit(self, submission: Submission) -> None:
        self._gateway.submit(submission)

    def poll(self, timeout: float) -> list[GatewayEvent]:
        events = self._gateway.poll(timeout)
        now = self._clock()
        for event in events:
            self._see(event, now)
        if now >= self._again_at:
            self._tell_overdue(now)
        return events

    def acknowledge(self, handle: int, ok: bool) -> None:
        self._gateway.acknowledge(handle, ok)

    def wake(self) -> None:
        self._gateway.wake()

    def close(self) -> None:
        self._gateway.close()

    def _see(self, event: GatewayEvent, now: float) -> None:
        match event:
            case LinkUp(gateway):
                self._link(gateway).up(now)
            case LinkDown(reason, gateway):
                self._link(gateway).down(reason, now)
            case Submitted(gateway=gateway):
                self._link(gateway).works()

    def _link(self, gateway: str) -> Link:
        return self._links.setdefault(gateway or self.name, Link(self._after))

    def _tell_overdue(self, now: float) -> None:
        for name, link in self._links.items():
            seconds = link.overdue(now)
            if seconds is None:
                continue
            try:
                self._tell(name, link.reason, seconds)
            except DBAPIError as error:
                log.error("database_away", error=type(error.orig).__name__)
                self._again_at = now + _AGAIN
                return
            link.is_told = True
