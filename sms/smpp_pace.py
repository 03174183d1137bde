"""How fast parts may go: a token bucket, halved when the SMSC says that it's too fast. Pure."""

from __future__ import annotations

REST = 1.0  # seconds in which nothing goes after ESME_RTHROTTLED or ESME_RMSGQFUL
_RECOVERY = 0.1  # of the full rate comes back in a second without either
_SLOWEST = 1 / 64  # of the full rate


class Pace:
    """`rate` parts a second, of which a second's worth at most is saved up. Times are monotonic seconds."""

    def __init__(self, rate: float, now: float) -> None:
        self._full = self._lowered = rate
        self._lowered_at = float("-inf")
        self._saved, self._counted_at = 1.0, now
        self._rests_until = float("-inf")

    def rate(self, now: float) -> float:
        """Parts a second at present: what it was lowered to, and what has come back since its rest."""
        back = max(0.0, now - self._lowered_at - REST) * _RECOVERY * self._full
        return min(self._full, self._lowered + back)

    def rests(self, now: float) -> bool:
        return now < self._rests_until

    def allowance(self, now: float) -> int:
        """How many parts may go now; none while it rests."""
        if self.rests(now):
            return 0
        rate = self.rate(now)
        self._saved = min(max(1.0, rate), self._saved + max(0.0, now - self._counted_at) * rate)
        self._counted_at = now
        return max(0, int(self._saved))

    def take(self, parts: int = 1) -> None:
        """So many go; the later parts of a text may borrow."""
        self._saved -= parts

    def next_at(self, now: float) -> float:
        """When the next part may go; `now` where one may."""
        if self.allowance(now):
            return now
        missing = max(0.0, 1.0 - self._saved) / self.rate(max(now, self._rests_until))
        return max(now, self._rests_until) + missing

    def throttled(self, now: float) -> None:
        """Half as fast from now on. A window full of such answers says it once."""
        if self.rests(now):
            return
        self._lowered = max(self._full * _SLOWEST, self.rate(now) / 2)
        self._lowered_at, self._rests_until = now, now + REST
        self._saved, self._counted_at = min(self._saved, 0.0), self._rests_until
