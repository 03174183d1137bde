"""How a trunk is: up, suspect, or set aside, why, and how it comes back. Pure; times are monotonic seconds.

| what came | what the trunk is then |
|---|---|
| OPTIONS not answered for a moment | suspect, until it's answered |
| OPTIONS not answered at all | aside (silent), until one is |
| OPTIONS answered by 408, 503 | aside (unavailable), until otherwise; for Retry-After at least |
| a call met silence | aside (silent): with keepalive as above, else for a pause, then one call tries |
| a call met 503 | aside (unavailable) for Retry-After or a pause, then one call tries (RFC 3261 §21.5.4) |
| a call met trunk_refused (domain.md §2) | aside (refused) for a pause, then one call tries |
| a call rang, or met any other answer | up, but not before Retry-After or the pause is over |
| OPTIONS answered otherwise | up likewise, but what was refused isn't mended by it |
| the registrar refuses us, or is silent | aside (unregistered) until it takes us |

A pause is 30 s and doubles with each failure in a row, up to 10 min; a call that was taken ends the row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from callbacks.vocabulary import TrunkReason, TrunkStanding

__all__ = ["NOBODY_THERE", "Health"]

_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
_SHORTEST_WISH, _LONGEST_WISH = 1.0, 3600.0  # of a Retry-After
_TRYING = 60.0  # for so long a call that tries the trunk is waited for before another does
_NEVER = float("inf")
NOBODY_THERE = (408, 503)  # of OPTIONS


@dataclass(frozen=True, slots=True)
class Health:
    """`why` None: calls go out by it. `status` is the answer that said so.

    It isn't up again before `back_at`; a call may try it from `try_at` on. `failures` are those in a row;
    `asked_at` is when the OPTIONS went out that isn't answered. `account`: why we aren't registered.
    """

    why: TrunkReason | None = None
    status: int | None = None
    back_at: float = 0.0
    try_at: float = 0.0
    failures: int = 0
    asked_at: float | None = None
    account: TrunkReason | None = None

    @property
    def reason(self) -> TrunkReason | None:
        """Why it's set aside: without its account nothing else matters."""
        return self.account or self.why

    def standing(self, now: float, patience: float) -> TrunkStanding:
        """`patience` is the moment after which an OPTIONS that isn't answered makes it suspect."""
        if self.reason is not None:
            return TrunkStanding.ASIDE
        if self.asked_at is not None and now - self.asked_at >= patience:
            return TrunkStanding.SUSPECT
        return TrunkStanding.UP

    def most_calls(self, now: float) -> int | None:
        """How many calls may be begun now; None where that is its lines' affair."""
        if self.reason is None:
            return None
        return 1 if self.account is None and now >= self.try_at else 0

    # -- calls

    def tried(self, now: float) -> Health:
        """A call is on its way that shows whether it's back."""
        return self if self.why is None else replace(self, try_at=now + _TRYING)

    def lives(self, now: float) -> Health:
        """A call rang, or met an answer that says nothing against the trunk."""
        if self.why is not None and now < self.back_at:
            return self
        return replace(self, why=None, status=None, failures=0)

    def met_silence(self, now: float, keepalive: bool) -> Health:
        if keepalive:
            return self._aside(TrunkReason.SILENT, None, now, _NEVER)
        until = now + self._pause
        return self._aside(TrunkReason.SILENT, None, now, until)

    def unavailable(self, now: float, retry_after: int | None) -> Health:
        until = now + (self._pause if retry_after is None else _bounded(retry_after))
        return self._aside(TrunkReason.UNAVAILABLE, 503, until, until)

    def refused(self, now: float, status: int | None) -> Health:
        until = now + self._pause
        return self._aside(TrunkReason.REFUSED, status, until, until)

    @property
    def _pause(self) -> float:
        return float(min(_FIRST_PAUSE * 2 ** min(self.failures, 10), _LONGEST_PAUSE))

    def _aside(self, why: TrunkReason, status: int | None, back_at: float, try_at: float) -> Health:
        failures = self.failures + 1
        return replace(self, why=why, status=status, back_at=back_at, try_at=try_at, failures=failures)

    # -- OPTIONS

    def asked(self, now: float) -> Health:
        return self if self.asked_at is not None else replace(self, asked_at=now)

    def answered(self, status: int | None, retry_after: int | None, now: float) -> Health:
        """What the OPTIONS met; None: nobody."""
        told = replace(self, asked_at=None)
        if self.why is TrunkReason.REFUSED:
            return told
        if status is None:
            return replace(told, why=TrunkReason.SILENT, status=None, back_at=now, try_at=_NEVER)
        if status in NOBODY_THERE:
            until = now + (0.0 if retry_after is None else _bounded(retry_after))
            return replace(told, why=TrunkReason.UNAVAILABLE, status=status, back_at=until, try_at=_NEVER)
        return told if now < self.back_at else replace(told, why=None, status=None)

    # -- the account

    def registering(self) -> Health:
        return replace(self, account=TrunkReason.REGISTERING)

    def registered(self) -> Health:
        return replace(self, account=None)

    def unregistered(self) -> Health:
        return replace(self, account=TrunkReason.UNREGISTERED)


def _bounded(retry_after: int) -> float:
    return min(max(float(retry_after), _SHORTEST_WISH), _LONGEST_WISH)
