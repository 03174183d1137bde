"""The first wall: whose SIP messages are read at all, and how many of them. Pure: `now` is an argument.

A stranger's datagram costs a look-up and a count; nothing of it is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Wall"]

_ANSWERS_A_SECOND = 10.0  # to strangers, all together: an answer to a forged address hits somebody else


class _Bucket:
    """So many at once, and so many a second."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._at = rate, rate, now

    def take(self, now: float) -> bool:
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Wall:
    """`allow` names the hosts that are known; each may send `limit` messages a second."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._known: dict[str, _Bucket | None] = {}
        self._answers = _Bucket(_ANSWERS_A_SECOND, 0.0)

    @property
    def hosts(self) -> frozenset[str]:
        """Who is known, as addresses in their one spelling."""
        return frozenset(self._known)

    def allow(self, hosts: Iterable[str]) -> None:
        """Those and nobody else, from now on; who stays keeps what was counted."""
        self._known = {host: self._known.get(host) for host in hosts}

    def is_known(self, host: str) -> bool:
        return host in self._known

    def takes(self, host: str, now: float) -> bool:
        """Whether one more message of a known host is within its limit. `allow` may come from another thread
        between `is_known` and this: then it's known no more.
        """
        known = self._known
        if host not in known:
            return False
        bucket = known[host]
        if bucket is None:
            bucket = known[host] = _Bucket(self._limit, now)
        return bucket.take(now)

    def may_answer(self, now: float) -> bool:
        """Whether a stranger may be told that they are one."""
        return self._answers.take(now)
