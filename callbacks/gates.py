"""The one gate: whether a call or text may begin now (domain.md §1). Pure.

Asked when a call is claimed and asked again, with fresh facts, at the moment of dialling or submitting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callbacks.policy import PastCall
from callbacks.settings import PolicySettings, WindowSettings
from callbacks.vocabulary import Channel, Disposition
from callbacks.windows import half_day, local_day, next_open

_LOOK_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PauseRule:
    """A pause as the gate sees it. Nothing set but `reason`: all is paused. `until` None: until lifted."""

    reason: str
    until: datetime | None = None
    unit_ids: frozenset[int] | None = None
    category: str | None = None
    number_index: str | None = None

    def covers(self, facts: Facts) -> bool:
        """Whether it holds back what `facts` is about."""
        return (
            (self.unit_ids is None or facts.unit_id in self.unit_ids)
            and (self.category is None or facts.category == self.category)
            and (self.number_index is None or facts.number_index == self.number_index)
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate must know. `history`: the number's calls of 30 days, whichever case they were for."""

    number_index: str = ""
    unit_id: int = 0
    category: str = ""
    history: Sequence[PastCall] = ()
    pauses: Sequence[PauseRule] = ()
    suppressed: bool = False  # the number takes no texts
    deadline: datetime | None = None
    attempts_left: int = 1


@dataclass(frozen=True, slots=True)
class Go:
    """It may begin now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now: ask again at `until`."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Never:
    """Not by this way any more: the deadline, the budget, or the number's own wish."""

    reason: str


Gate = Go | Hold | Never


def may_begin(
    channel: Channel, facts: Facts, now: datetime, policy: PolicySettings, *, gated: bool = True
) -> Gate:
    """The gate: what ends it first, then pauses, then the window, then for calls the number's caps.

    `gated` is false for an answer within ten minutes to a citizen's own text: neither a window nor a pause
    holds it back.
    """
    if facts.deadline is not None and now >= facts.deadline:
        return Never("deadline")
    if channel is Channel.SMS and facts.suppressed:
        return Never("suppressed")
    if channel is Channel.VOICE and facts.attempts_left <= 0:
        return Never("budget")
    if gated:
        hold = _held_back(channel, facts, now, policy)
        if hold is not None:
            return hold
    if channel is Channel.VOICE:
        return _within_caps([call for call in facts.history if call.in_caps], now, policy)
    return Go()


def _held_back(channel: Channel, facts: Facts, now: datetime, policy: PolicySettings) -> Hold | None:
    for pause in facts.pauses:
        if pause.covers(facts) and (pause.until is None or now < pause.until):
            until = min(pause.until or now + _LOOK_AGAIN, now + _LOOK_AGAIN)
            return Hold(until, "pause")
    opens = next_open(now, channel, policy.windows)
    return Hold(opens, "window") if opens > now else None


def _within_caps(calls: Sequence[PastCall], now: datetime, policy: PolicySettings) -> Gate:
    unknown = [c.at for c in calls if c.disposition is Disposition.UNKNOWN]
    if unknown and now < max(unknown) + policy.unknown_rest:
        return Hold(max(unknown) + policy.unknown_rest, "unknown")
    caps, windows = policy.caps, policy.windows
    if not caps.enabled or not calls:
        return Go()
    latest = max(call.at for call in calls)
    if now < latest + caps.apart:
        return Hold(latest + caps.apart, "apart")
    recent = sorted(call.at for call in calls if call.at > now - timedelta(days=30))
    if len(recent) >= caps.per_30_days:
        return Hold(recent[-caps.per_30_days] + timedelta(days=30), "per_30_days")
    if sum(local_day(at, windows) == local_day(now, windows) for at in recent) >= caps.per_day:
        return Hold(_next_opening_where(now, policy, local_day), "per_day")
    if sum(half_day(at, windows) == half_day(now, windows) for at in recent) >= caps.per_half_day:
        return Hold(_next_opening_where(now, policy, half_day), "per_half_day")
    return Go()


def _next_opening_where(
    now: datetime, policy: PolicySettings, key: Callable[[datetime, WindowSettings], object]
) -> datetime:
    """The first voice opening whose day (or half-day) isn't that of `now`."""
    candidate = now
    while key(candidate, policy.windows) == key(now, policy.windows):
        candidate = next_open(candidate + timedelta(minutes=15), Channel.VOICE, policy.windows)
    return candidate
