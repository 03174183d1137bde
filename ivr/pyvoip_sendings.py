"""Requests that are sent until they are answered (RFC 3261 §17.1); pyVoIP sends each once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from ivr.sip.transaction import Timers

__all__ = ["Sendings"]


@dataclass(slots=True)
class _Sending:
    text: str
    every: float
    next_at: float
    until: float


class Sendings:
    """One request of a method and Call-ID at a time: a newer one takes the older's place."""

    def __init__(self, timers: Timers, send: Callable[[str], None]) -> None:
        self._timers, self._send = timers, send
        self._waiting: dict[tuple[str, str], _Sending] = {}

    def begin(self, text: str, now: float) -> None:
        """`text` has just been sent; again after T1, 2 T1 …, for 64 T1 at most."""
        found = re.search(r"\r\nCall-ID: (\S+)", text)
        key = found[1] if found else "", text.partition(" ")[0]
        t1 = self._timers.t1
        self._waiting[key] = _Sending(text, t1, now + t1, now + 64 * t1)

    def heeded(self, call_id: str, method: str) -> None:
        """An answer came, if only a provisional one."""
        self._waiting.pop((call_id, method), None)

    @property
    def due(self) -> float:
        """When `again` wants to be called; infinite when all is answered."""
        return min((each.next_at for each in self._waiting.values()), default=math.inf)

    @property
    def idle(self) -> bool:
        return not self._waiting

    def again(self, now: float) -> None:
        for key, sending in list(self._waiting.items()):
            if now >= sending.until:
                del self._waiting[key]
            elif now >= sending.next_at:
                self._send(sending.text)
                sending.every = min(2 * sending.every, self._timers.t2)
                sending.next_at = now + sending.every
