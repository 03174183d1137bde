"""The one gate: whether a call or text may begin now (domain.md §1). Pure.

Asked when a call is claimed and asked again, with fresh facts, at the moment of dialling or submitting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callbacks.policy import PastCall
from callbacks.settings import PolicySettings, WindowSettings
from callbacks.toll import Limit, Toll, limits
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
    toll: Toll | None = None  # of calls


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
    for _, gate in checks(channel, facts, now, policy, gated=gated):
        if gate is not None:
            return gate
    return Go()


def may_join(facts: Facts, sensitive: bool, now: datetime, policy: PolicySettings) -> bool:
    """Whether a case may be asked in a call that another one of the citizen's has begun."""
    return not sensitive and isinstance(may_begin(Channel.VOICE, facts, now, policy), Go)


class Check(StrEnum):
    """What the gate asks, in its order; the word is the reason of its `Hold` or `Never`."""

    DEADLINE = "deadline"
    SUPPRESSED = "suppressed"  # the number's own wish: no texts
    BUDGET = "budget"  # attempts of the round
    PAUSE = "pause"
    WINDOW = "window"
    UNKNOWN = "unknown"  # a call whose end nobody knows rests
    APART = "apart"
    PER_30_DAYS = "per_30_days"
    PER_DAY = "per_day"
    PER_HALF_DAY = "per_half_day"
    TOLL_NIGHT = Limit.NIGHT.value
    TOLL_NUMBER = Limit.PER_NUMBER.value
    TOLL_HOUR = Limit.PER_HOUR.value
    TOLL_SECONDS = Limit.SECONDS.value
    TOLL_SPEND = Limit.SPEND.value


CAPS = (Check.APART, Check.PER_30_DAYS, Check.PER_DAY, Check.PER_HALF_DAY)
Verdicts = Iterator[tuple[Check, Hold | Never | None]]


def checks(
    channel: Channel, facts: Facts, now: datetime, policy: PolicySettings, *, gated: bool = True
) -> Verdicts:
    """Each check and what it has against a beginning now, or None; what isn't asked isn't there."""
    over = facts.deadline is not None and now >= facts.deadline
    yield Check.DEADLINE, Never(Check.DEADLINE.value) if over else None
    if channel is Channel.SMS:
        yield Check.SUPPRESSED, Never(Check.SUPPRESSED.value) if facts.suppressed else None
    else:
        yield Check.BUDGET, Never(Check.BUDGET.value) if facts.attempts_left <= 0 else None
    if gated:
        yield Check.PAUSE, _paused(facts, now)
        opens = next_open(now, channel, policy.windows)
        yield Check.WINDOW, Hold(opens, Check.WINDOW.value) if opens > now else None
    if channel is Channel.VOICE:
        yield from _caps(facts.history, now, policy)
        if facts.toll is not None:
            yield from _toll(facts.toll, facts.history, now, policy)


def _toll(toll: Toll, history: Sequence[PastCall], now: datetime, policy: PolicySettings) -> Verdicts:
    """Last: where one of these holds a call back, nothing else did."""
    called = calls_in(calls_of_30_days(history, now), now, policy.windows, local_day)
    for limit, until in limits(toll, called, now):
        yield Check(limit.value), None if until is None else Hold(until, limit.value)


def pauses_over(facts: Facts, now: datetime) -> list[PauseRule]:
    """The pauses that hold it back at `now`."""
    return [
        pause for pause in facts.pauses if pause.covers(facts) and (pause.until is None or now < pause.until)
    ]


def known_end(hold: Hold, facts: Facts, now: datetime) -> datetime | None:
    """When what holds it back now is over, by what is known; None: when somebody lifts a pause."""
    ends = [pause.until for pause in pauses_over(facts, now)]
    return None if None in ends else max([hold.until, *(end for end in ends if end is not None)])


def _paused(facts: Facts, now: datetime) -> Hold | None:
    if not facts.pauses or not (holding := pauses_over(facts, now)):
        return None
    again = now + _LOOK_AGAIN
    return Hold(min(holding[0].until or again, again), Check.PAUSE.value)


def _caps(history: Sequence[PastCall], now: datetime, policy: PolicySettings) -> Verdicts:
    calls = [call for call in history if call.in_caps]
    if not calls:
        return  # no cap has anything against a number that was never called
    unknown = max((c.at for c in calls if c.disposition is Disposition.UNKNOWN), default=None)
    if unknown is not None:
        until = unknown + policy.unknown_rest
        yield Check.UNKNOWN, Hold(until, Check.UNKNOWN.value) if now < until else None
    caps = policy.caps
    if not caps.enabled:
        return
    until = max(call.at for call in calls) + caps.apart
    yield Check.APART, Hold(until, Check.APART.value) if now < until else None
    recent = calls_of_30_days(calls, now)
    full = len(recent) >= caps.per_30_days
    yield Check.PER_30_DAYS, _until_the_oldest_is_over(recent, caps.per_30_days) if full else None
    full = calls_in(recent, now, policy.windows, local_day) >= caps.per_day
    yield Check.PER_DAY, _another(Check.PER_DAY, now, policy, local_day) if full else None
    full = calls_in(recent, now, policy.windows, half_day) >= caps.per_half_day
    yield Check.PER_HALF_DAY, _another(Check.PER_HALF_DAY, now, policy, half_day) if full else None


def calls_of_30_days(calls: Sequence[PastCall], now: datetime) -> list[datetime]:
    """When the number was called in the 30 days before `now`, oldest first, as far as the caps count it."""
    return sorted(call.at for call in calls if call.in_caps and call.at > now - timedelta(days=30))


def calls_in(
    recent: Sequence[datetime], now: datetime, windows: WindowSettings, part: Callable[..., object]
) -> int:
    """How many of `recent` lie in the day (`local_day`) or half-day (`half_day`) of `now`."""
    this = part(now, windows)
    return sum(part(at, windows) == this for at in recent)


def _until_the_oldest_is_over(recent: Sequence[datetime], most: int) -> Hold:
    return Hold(recent[-most] + timedelta(days=30), Check.PER_30_DAYS.value)


def _another(check: Check, now: datetime, policy: PolicySettings, part: Callable[..., object]) -> Hold:
    return Hold(_next_opening_where(now, policy, part), check.value)


def _next_opening_where(
    now: datetime, policy: PolicySettings, key: Callable[[datetime, WindowSettings], object]
) -> datetime:
    """The first voice opening whose day (or half-day) isn't that of `now`."""
    candidate = now
    while key(candidate, policy.windows) == key(now, policy.windows):
        candidate = next_open(candidate + timedelta(minutes=15), Channel.VOICE, policy.windows)
    return candidate
