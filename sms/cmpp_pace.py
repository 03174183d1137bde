"""How fast texts may go: a token bucket, and a rest after the gateway said that it's too fast. Pure."""

from __future__ import annotations


class Pace:
    """`rate` parts a second, of which a second's worth at most is saved up. Times are monotonic seconds."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._allowance, self._counted_at = 1.0, now
        self.rests_until = float("-inf")

    def allowance(self, now: float) -> int:
        """How many parts may go now; none while it rests."""
        if now < self.rests_until:
            return 0
        saved = self._allowance + (now - self._counted_at) * self._rate
        self._allowance, self._counted_at = min(max(1.0, self._rate), saved), now
        return max(0, int(self._allowance))

    def take(self, parts: int) -> None:
        """So many go; a long text may borrow from the next second."""
        self._allowance -= parts

    def rest(self, until: float) -> None:
        """Nothing goes before `until`, and nothing is saved up meanwhile."""
        self.rests_until = until
        self._allowance, self._counted_at = min(self._allowance, 1.0), until
