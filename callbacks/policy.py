"""What to do next with a callback, and whether a call or text may begin now (domain.md §1, §5). Pure.

`next_step` plans; `may_begin` is the one gate, asked when planning and asked again at the moment of dialling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callbacks.numbers import NumberKind
from callbacks.settings import PolicySettings, WindowSettings
from callbacks.states import State
from callbacks.vocabulary import Channel, Disposition, Exclusion
from callbacks.windows import (
    day_part,
    half_day,
    is_evening_or_rest_day,
    local_day,
    next_open,
)

# What counts as an attempt of the round (domain.md §2, last column).
COUNTS = frozenset(
    {
        Disposition.ANSWERED,
        Disposition.BUSY,
        Disposition.NO_ANSWER,
        Disposition.POWERED_OFF,
        Disposition.REJECTED,
        Disposition.UNALLOCATED,
        Disposition.MACHINE,
        Disposition.MEDIA_LOST,
        Disposition.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number of the case. `open_text` says that another question to it waits for its answer."""

    index: str
    kind: NumberKind
    barred: bool = False
    texts_suppressed: bool = False
    open_text: bool = False

    @property
    def is_callable(self) -> bool:
        return not self.barred and self.kind is not NumberKind.UNUSABLE


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call that may have rung: `at` is its `invited_at`."""

    at: datetime
    disposition: Disposition | None
    rang: bool = False
    number_index: str = ""

    @property
    def counts(self) -> bool:
        return self.disposition in COUNTS

    @property
    def in_caps(self) -> bool:
        """Every INVITE that got a 18x, and all that counts, `unknown` too; a live call as well."""
        return self.rang or self.counts or self.disposition is None


@dataclass(frozen=True, slots=True)
class View:
    """A callback as the policy sees it."""

    state: State
    state_since: datetime
    closed_at: datetime
    deadline: datetime
    next_at: datetime
    exclusion: Exclusion | None = None
    sensitive: bool = False
    has_platform: bool = False
    phones: Sequence[Phone] = ()
    calls: Sequence[PastCall] = ()


@dataclass(frozen=True, slots=True)
class Exclude:
    reason: Exclusion


@dataclass(frozen=True, slots=True)
class Text:
    """Ask by text, to this number, not before `at`."""

    number_index: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """Put it into the queue of calls, not before `at`."""

    number_index: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AwaitWeb:
    """Only a code on the source platform can reach this citizen."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A person takes it."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No attempts left (`exhausted`) or the deadline is over (`deadline`)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `until`."""

    until: datetime


Step = Exclude | Text | Call | AwaitWeb | HandOver | GiveUp | Wait


def number_to_try(phones: Sequence[Phone]) -> Phone | None:
    """The first usable number in the case's own order."""
    return next((phone for phone in phones if phone.is_callable), None)


def next_step(view: View, now: datetime, policy: PolicySettings) -> Step:
    """The planned step of an open callback that isn't on the line."""
    if view.exclusion is not None:
        return Exclude(view.exclusion)
    if now >= view.deadline:
        return GiveUp("deadline")
    match view.state:
        case State.PENDING:
            return _first_step(view, now, policy)
        case State.AWAIT_REPLY:
            return _after_text(view, now, policy)
        case State.CALL_QUEUED | State.RETRY_WAIT:
            return _next_call(view, now, policy)
        case State.AGENT_QUEUE:
            end = min(view.state_since + policy.agent_deadline, view.deadline)
            return GiveUp("deadline") if now >= end else Wait(end)
    return Wait(view.deadline)


def _first_step(view: View, now: datetime, policy: PolicySettings) -> Step:
    if view.sensitive:
        return Exclude(Exclusion.SENSITIVE) if policy.sensitive == "exclude" else HandOver("sensitive")
    if not view.phones:
        if not view.has_platform:
            return Exclude(Exclusion.NO_CONTACT)
        due = view.closed_at + policy.first_step_delay
        return Wait(due) if now < due else AwaitWeb()
    due = view.closed_at + policy.first_step_delay
    if now < due:
        return Wait(due)
    phone = number_to_try(view.phones)
    if phone is None:
        return HandOver("no_usable_number")
    if phone.kind is not NumberKind.MOBILE or phone.texts_suppressed or not policy.texts:
        return Call(phone.index, now)
    if phone.open_text:
        waited = due + policy.open_text_wait
        return Call(phone.index, now) if now >= waited else Wait(min(waited, view.deadline))
    return Text(phone.index, next_open(now, Channel.SMS, policy.windows))


def _after_text(view: View, now: datetime, policy: PolicySettings) -> Step:
    phone = number_to_try(view.phones)
    if phone is None:  # only the web can answer: it waits to the deadline
        return Wait(view.deadline)
    end = view.state_since + policy.reply_wait
    return Call(phone.index, now) if now >= end else Wait(min(end, view.deadline))


def _next_call(view: View, now: datetime, policy: PolicySettings) -> Step:
    phone = number_to_try(view.phones)
    if phone is None:
        return HandOver("no_usable_number")
    if attempts_left(view.calls, policy) == 0:
        return HandOver("exhausted") if policy.exhausted == "agent" else GiveUp("exhausted")
    return Call(phone.index, max(now, view.next_at))


def attempts_left(calls: Sequence[PastCall], policy: PolicySettings) -> int:
    """Of the round's budget."""
    return max(0, policy.attempts_per_round - sum(call.counts for call in calls))


def retry_at(calls: Sequence[PastCall], now: datetime, policy: PolicySettings) -> datetime:
    """When to call again after the last of `calls` (oldest first).

    What doesn't count is tried again after the back-off. What counts moves to another day-part or day, so
    that the round's attempts lie on at least two days and two day-parts, one of them in the evening or at a
    weekend (domain.md §1). The unknown rests two hours.
    """
    last = calls[-1]
    if not last.counts:
        return next_open(now + policy.network_backoff, Channel.VOICE, policy.windows)
    rest = policy.unknown_rest if last.disposition is Disposition.UNKNOWN else timedelta(0)
    apart = policy.caps.apart if policy.caps.enabled else timedelta(0)
    earliest = next_open(max(now, last.at + max(rest, apart)), Channel.VOICE, policy.windows)
    if not policy.two_day_rule:
        return earliest
    counted = [call for call in calls if call.counts]
    another_day = last.disposition is Disposition.UNALLOCATED
    return _spread(counted, earliest, another_day, policy)


def _spread(
    counted: Sequence[PastCall], earliest: datetime, another_day: bool, policy: PolicySettings
) -> datetime:
    windows = policy.windows
    days = {local_day(call.at, windows) for call in counted}
    parts = {day_part(call.at, windows) for call in counted}
    prime = any(is_evening_or_rest_day(call.at, windows) for call in counted)
    is_last = policy.attempts_per_round - len(counted) <= 1
    last_day, last_part = local_day(counted[-1].at, windows), day_part(counted[-1].at, windows)

    def fits(at: datetime) -> bool:
        day, part = local_day(at, windows), day_part(at, windows)
        if (day == last_day and (part == last_part or another_day)) or len({*parts, part}) < 2:
            return False
        if not is_last:
            return True
        return len({*days, day}) >= 2 and (prime or is_evening_or_rest_day(at, windows))

    candidate = earliest
    for _ in range(_STEPS_IN_30_DAYS):
        if fits(candidate):
            return candidate
        candidate = next_open(candidate + _STEP, Channel.VOICE, windows)
    return earliest


_STEP = timedelta(minutes=30)
_STEPS_IN_30_DAYS = 30 * 48


@dataclass(frozen=True, slots=True)
class Go:
    """It may begin now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now: ask again at `until`."""

    until: datetime
    reason: str


Gate = Go | Hold


def may_begin(
    channel: Channel,
    history: Sequence[PastCall],
    now: datetime,
    policy: PolicySettings,
    *,
    gated: bool = True,
) -> Gate:
    """The gate: window first, then for calls the caps of the number over all cases.

    `history` holds the number's calls of the last 30 days, whichever case they were for. `gated` is false
    for an answer within ten minutes to a citizen's own text.
    """
    if gated:
        opens = next_open(now, channel, policy.windows)
        if opens > now:
            return Hold(opens, "window")
    if channel is Channel.VOICE:
        return _within_caps([call for call in history if call.in_caps], now, policy)
    return Go()


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
