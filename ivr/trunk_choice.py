"""By which trunk a call goes out: priority and weight as RFC 2782 has them, calls per second, health. Pure.

Times are monotonic seconds; `random` gives numbers from 0 up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from callbacks.vocabulary import TrunkReason, TrunkStanding
from ivr.trunk_health import Health
from ivr.trunk_settings import TrunkSettings

__all__ = ["Bucket", "TrunkChange", "TrunkChoice"]


@dataclass(slots=True)
class Bucket:
    """A trunk's calls per second: they may be begun together up to one second's worth, one at least."""

    rate: float
    filled_at: float | None = None
    allowance: float = 1.0

    def room(self, now: float) -> int:
        since = 0.0 if self.filled_at is None else now - self.filled_at
        self.allowance = min(max(1.0, self.rate), self.allowance + since * self.rate)
        self.filled_at = now
        return int(self.allowance)

    def spend(self, calls: int) -> None:
        self.allowance -= calls


@dataclass(frozen=True, slots=True)
class TrunkChange:
    """How a trunk stands, and why where it's set aside."""

    trunk: str
    standing: TrunkStanding
    reason: TrunkReason | None = None
    status: int | None = None

    @property
    def is_bad(self) -> bool:
        """Whether a seat must hear of it; that we're only just registering is no news."""
        return self.standing is TrunkStanding.ASIDE and self.reason is not TrunkReason.REGISTERING


class TrunkChoice:
    """The trunks of one process. `patience`: seconds without an answer to OPTIONS that make one suspect."""

    def __init__(
        self, trunks: Iterable[TrunkSettings], random: Callable[[], float], patience: float = 2.0
    ) -> None:
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._random, self._patience = random, patience
        self._healths = {name: Health() for name in self._trunks}
        self._buckets = {name: Bucket(trunk.calls_per_second) for name, trunk in self._trunks.items()}
        self._told = {name: TrunkChange(name, TrunkStanding.UP) for name in self._trunks}

    # -- choosing

    def rooms(self, now: float, carried: Mapping[str, int] | None = None) -> dict[str, int]:
        """Trunks that may begin calls now, in the order in which they're taken, and how many each may.

        `carried` are the calls that each has already.
        """
        found = {name: self._room(name, now, (carried or {}).get(name, 0)) for name in self._trunks}
        return {name: found[name] for name in self._ordered(now, [n for n, room in found.items() if room])}

    def best(self, now: float) -> str:
        """The trunk for a call that must go: the first that is up, or simply the first."""
        able = [name for name, health in self._healths.items() if health.most_calls(now) is None]
        return self._ordered(now, able or list(self._trunks))[0]

    def spend(self, trunk: str, calls: int, now: float) -> None:
        """So many calls are begun."""
        if calls:
            self._buckets[trunk].spend(calls)
            self._healths[trunk] = self._healths[trunk].tried(now)

    def others(self, trunk: str, now: float) -> frozenset[str]:
        """The other trunks by which calls go out."""
        able = (name for name, health in self._healths.items() if health.most_calls(now) is None)
        return frozenset(able) - {trunk}

    def _room(self, name: str, now: float, carried: int) -> int:
        room = min(self._buckets[name].room(now), self._trunks[name].lines - carried)
        most = self._healths[name].most_calls(now)
        return max(0, room if most is None else min(room, most))

    def _ordered(self, now: float, names: list[str]) -> list[str]:
        """Who is suspect last; then by priority, one that a call is to try among them; equals by weight."""
        classes: dict[tuple[bool, int], list[str]] = {}
        for name in names:
            health = self._healths[name]
            is_late = health.standing(now, self._patience) is TrunkStanding.SUSPECT
            classes.setdefault((is_late, self._trunks[name].priority), []).append(name)
        return [name for _, equals in sorted(classes.items()) for name in self._weighted(equals)]

    def _weighted(self, names: list[str]) -> list[str]:
        """RFC 2782: drawn one after the other by weight, who has none before the others in the sum. Where
        nobody has a weight, they stay in the order of the settings."""
        weights = {name: self._trunks[name].weight for name in names}
        if not any(weights.values()):
            return names
        left = sorted(names, key=lambda name: weights[name] > 0)
        ordered = []
        while left:
            drawn, running = int(self._random() * (sum(weights[name] for name in left) + 1)), 0
            for name in left:
                running += weights[name]
                if running >= drawn:
                    break
            left.remove(name)
            ordered.append(name)
        return ordered

    # -- what happens to them

    def lives(self, trunk: str, now: float) -> None:
        self._healths[trunk] = self._healths[trunk].lives(now)

    def met_silence(self, trunk: str, now: float) -> None:
        keepalive = self._trunks[trunk].keepalive > 0
        self._healths[trunk] = self._healths[trunk].met_silence(now, keepalive)

    def unavailable(self, trunk: str, retry_after: int | None, now: float) -> None:
        self._healths[trunk] = self._healths[trunk].unavailable(now, retry_after)

    def refused(self, trunk: str, status: int | None, now: float) -> None:
        self._healths[trunk] = self._healths[trunk].refused(now, status)

    def asked(self, trunk: str, now: float) -> None:
        """An OPTIONS is on its way."""
        self._healths[trunk] = self._healths[trunk].asked(now)

    def answered(self, trunk: str, status: int | None, retry_after: int | None, now: float) -> None:
        """What it met."""
        self._healths[trunk] = self._healths[trunk].answered(status, retry_after, now)

    def registering(self, trunk: str) -> None:
        self._healths[trunk] = self._healths[trunk].registering()

    def registered(self, trunk: str) -> None:
        self._healths[trunk] = self._healths[trunk].registered()

    def unregistered(self, trunk: str) -> None:
        self._healths[trunk] = self._healths[trunk].unregistered()

    # -- how they are

    def standings(self, now: float) -> list[TrunkChange]:
        """Each of them as it is."""
        return [self._standing(name, now) for name in self._trunks]

    def changes(self, now: float) -> list[TrunkChange]:
        """Those whose standing or reason is another than when this was asked before; all are up at first."""
        changed = [each for each in self.standings(now) if each != self._told[each.trunk]]
        self._told |= {each.trunk: each for each in changed}
        return changed

    def _standing(self, name: str, now: float) -> TrunkChange:
        health = self._healths[name]
        return TrunkChange(name, health.standing(now, self._patience), health.reason, health.status)
