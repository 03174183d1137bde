"""The calls of a SIP line, from `dial` or Incoming to Ended, and when each is to be given up. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ivr.disposition import CallFacts
from ivr.events import EndedBy
from ivr.line import Dial
from ivr.media.progress import Tone
from ivr.sip.hop import Hop
from ivr.trunk_settings import TrunkSettings

__all__ = ["LineCall", "LineCalls"]


@dataclass(slots=True)
class LineCall:
    """`given_up` says why we ended it ourselves. `hop` is where its messages go or came from."""

    order: Dial
    trunk: TrunkSettings
    hop: Hop
    incoming: bool = False
    rang: bool = False
    answered: bool = False
    given_up: str = ""
    sip_call_id: str = ""
    tone: Tone | None = None

    def facts(self, status: int | None, q850: int | None) -> CallFacts:
        """What its disposition is made of, but for what an announcement said."""
        return CallFacts(
            sip_status=status,
            q850=q850,
            rang=self.rang,
            answered=self.answered,
            we_cancelled=self.given_up == "timeout",
            withdrawn=self.given_up == "withdrawn",
            media_lost=self.given_up == "media_lost",
            tone=self.tone,
        )

    def failed_by(self, status: int | None) -> EndedBy:
        if self.given_up:
            return "us"
        return "network" if status is None or 500 <= status <= 599 else "them"


class LineCalls(dict[str, LineCall]):
    """By the call's name; with the moments in which those that aren't answered are given up."""

    def __init__(self) -> None:
        super().__init__()
        self._deadlines: list[tuple[float, int, LineCall]] = []
        self._order = count()

    def give_up_at(self, when: float, known: LineCall) -> None:
        heapq.heappush(self._deadlines, (when, next(self._order), known))

    @property
    def deadline(self) -> float | None:
        return self._deadlines[0][0] if self._deadlines else None

    def overdue(self, now: float) -> Iterator[str]:
        """Those whose time is over and that aren't answered; each is told once."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, known = heapq.heappop(self._deadlines)
            if self.get(known.order.call) is known and not known.answered:  # not a later one of that name
                yield known.order.call
