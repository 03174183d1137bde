"""What to do next with a callback (domain.md §1, §5). Pure.

`next_step` plans; `callbacks.gates.may_begin` is the one gate, asked again at the moment of dialling.
Both take the first answer of a list of named questions, and `callbacks.explain` shows the same list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callbacks.numbers import NumberKind
from callbacks.settings import PolicySettings, RetrySettings
from callbacks.states import State
from callbacks.vocabulary import Channel, Disposition, Exclusion
from callbacks.windows import (
    DAY_PARTS,
    day_part,
    is_evening_or_rest_day,
    local_day,
    next_open,
    pass_days,
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
class InHand:
    """A person's claim of a callback of the agents' queue; `on_call`: while a call of theirs is live."""

    since: datetime
    until: datetime
    on_call: bool = False


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
    in_hand: InHand | None = None


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


def number_to_try(phones: Sequence[Phone], calls: Sequence[PastCall], policy: PolicySettings) -> Phone | None:
    """The usable number that this round has called least, in the case's own order; the first by setting."""
    usable = [phone for phone in phones if phone.is_callable]
    if len(usable) < 2 or not policy.other_numbers:
        return usable[0] if usable else None
    called = counted_calls(calls)
    return min(usable, key=lambda phone: called[phone.index])


def counted_calls(calls: Sequence[PastCall]) -> Counter[str]:
    """How many of a round's calls to each number count as attempts."""
    return Counter(call.number_index for call in calls if call.counts)


def is_sensitive_case(flag: bool, category: str, policy: PolicySettings) -> bool:
    """By the case itself or by its category: then a person asks, and only the date is ever said."""
    return flag or category in policy.sensitive_categories


class Question(StrEnum):
    """What is asked about a callback, in the order in which it's asked; the first answer is the next step."""

    EXCLUSION = "exclusion"  # is the closing followed up at all?
    DEADLINE = "deadline"  # is the round's time over?
    SENSITIVE = "sensitive"  # must a person ask?
    NO_NUMBER = "no_number"  # has the case a number, or a platform that carries a code?
    DELAY = "delay"  # has the first step's delay elapsed?
    WEB = "web"  # only a code on the platform
    USABLE = "usable"  # is a number left that may be called?
    CALL_FIRST = "call_first"  # landline, opted out of texts, texts off
    OPEN_TEXT = "open_text"  # does another question to the number wait for its answer?
    TEXT = "text"
    REPLY_WAIT = "reply_wait"  # has the text had its time?
    BUDGET = "budget"  # are attempts of the round left?
    CALL = "call"
    AGENT_DEADLINE = "agent_deadline"
    WAITS = "waits"  # for what happens outside


Answers = Iterator[tuple[Question, Step | None]]


def next_step(view: View, now: datetime, policy: PolicySettings) -> Step:
    """The planned step of an open callback that isn't on the line."""
    for _, step in questions(view, now, policy):
        if step is not None:
            return step
    raise AssertionError("the last question always has an answer")


def questions(view: View, now: datetime, policy: PolicySettings) -> Answers:
    """The questions of domain.md §5 in their order, each with its answer; None: nothing to do by this one."""
    yield Question.EXCLUSION, None if view.exclusion is None else Exclude(view.exclusion)
    over = now >= _put_off(view.deadline, view.in_hand, now)
    yield Question.DEADLINE, GiveUp("deadline") if over else None
    match view.state:
        case State.PENDING:
            yield from _first_step(view, now, policy)
        case State.AWAIT_REPLY:
            yield from _after_text(view, now, policy)
        case State.CALL_QUEUED | State.RETRY_WAIT:
            yield from _next_call(view, now, policy)
        case State.AGENT_QUEUE:
            end = _put_off(min(view.state_since + policy.agent_deadline, view.deadline), view.in_hand, now)
            yield Question.AGENT_DEADLINE, GiveUp("deadline") if now >= end else Wait(end)
        case _:
            yield Question.WAITS, Wait(view.deadline)


def _put_off(end: datetime, in_hand: InHand | None, now: datetime) -> datetime:
    """`end`, or later while a person is at work: a call's end, or that of a claim from before `end`.

    A claim that is renewed after `end` puts it off no more, so that it comes.
    """
    if in_hand is None:
        return end
    if in_hand.on_call:
        return max(end, now + _LOOK_AGAIN)
    return max(end, in_hand.until) if in_hand.since < end else end


_LOOK_AGAIN = timedelta(minutes=1)


def _first_step(view: View, now: datetime, policy: PolicySettings) -> Answers:
    yield Question.SENSITIVE, _by_a_person(policy) if view.sensitive else None
    due = view.closed_at + policy.first_step_delay
    if not view.phones:
        yield Question.NO_NUMBER, None if view.has_platform else Exclude(Exclusion.NO_CONTACT)
        yield Question.DELAY, Wait(due) if now < due else None
        yield Question.WEB, AwaitWeb()
        return
    yield Question.DELAY, Wait(due) if now < due else None
    phone = number_to_try(view.phones, (), policy)
    if phone is None:
        yield Question.USABLE, HandOver("no_usable_number")
        return
    by_call = phone.kind is not NumberKind.MOBILE or phone.texts_suppressed or not policy.texts
    yield Question.CALL_FIRST, Call(phone.index, now) if by_call else None
    if phone.open_text:
        waited = due + policy.open_text_wait
        late = now >= waited
        yield Question.OPEN_TEXT, Call(phone.index, now) if late else Wait(min(waited, view.deadline))
    yield Question.TEXT, Text(phone.index, next_open(now, Channel.SMS, policy.windows))


def _by_a_person(policy: PolicySettings) -> Step:
    return Exclude(Exclusion.SENSITIVE) if policy.sensitive == "exclude" else HandOver("sensitive")


def _after_text(view: View, now: datetime, policy: PolicySettings) -> Answers:
    phone = number_to_try(view.phones, view.calls, policy)
    if phone is None:  # only the web can answer: it waits to the deadline
        yield Question.WEB, Wait(view.deadline)
        return
    end = view.state_since + policy.reply_wait
    yield Question.REPLY_WAIT, None if now >= end else Wait(min(end, view.deadline))
    yield Question.CALL, Call(phone.index, now)


def _next_call(view: View, now: datetime, policy: PolicySettings) -> Answers:
    phone = number_to_try(view.phones, view.calls, policy)
    if phone is None:
        yield Question.USABLE, HandOver("no_usable_number")
        return
    spent = attempts_left(view.calls, policy) == 0
    yield Question.BUDGET, _exhausted(policy) if spent else None
    yield Question.CALL, Call(phone.index, max(now, view.next_at))


def _exhausted(policy: PolicySettings) -> Step:
    return HandOver("exhausted") if policy.exhausted == "agent" else GiveUp("exhausted")


def attempts_left(calls: Sequence[PastCall], policy: PolicySettings) -> int:
    """Of the round's budget."""
    return max(0, policy.attempts_per_round - sum(call.counts for call in calls))


def retry_at(calls: Sequence[PastCall], now: datetime, policy: PolicySettings, luck: float = 0.0) -> datetime:
    """When to call again after the last of `calls` (oldest first).

    Each cause has its delay and a jitter, of which `luck` (0 to 1) is the share that is taken. What doesn't
    count backs off twofold each time in a row. What counts moves to another day-part or day, so that the
    round's attempts lie on at least two days and two day-parts, one of them in the evening or at a weekend
    (domain.md §1). The unknown rests two hours.
    """
    last = calls[-1]
    cause = _retry_of(last, policy)
    if not last.counts:
        delay = min(cause.delay * 2 ** (_in_a_row(calls) - 1), policy.retries.longest_backoff)
        return _jittered(now + delay, cause, luck, policy)
    rest = policy.unknown_rest if last.disposition is Disposition.UNKNOWN else timedelta(0)
    apart = policy.caps.apart if policy.caps.enabled else timedelta(0)
    wanted = max(now, last.at + max(rest, apart, cause.delay))
    if not policy.two_day_rule:
        return _jittered(wanted, cause, luck, policy)
    earliest = next_open(wanted, Channel.VOICE, policy.windows)
    counted = [call for call in calls if call.counts]
    return _spread(counted, earliest, cause, luck, policy)


def _retry_of(call: PastCall, policy: PolicySettings) -> RetrySettings:
    cause = Disposition.NETWORK_FAIL
    if call.disposition is not None and call.disposition in _RETRIED:
        cause = call.disposition
    return getattr(policy.retries, cause.value)  # type: ignore[no-any-return]


_RETRIED = frozenset({*COUNTS, Disposition.NETWORK_FAIL, Disposition.TRUNK_REFUSED})


def _in_a_row(calls: Sequence[PastCall]) -> int:
    """How many calls at the end of `calls` didn't count."""
    number = 0
    for call in reversed(calls):
        if call.counts:
            break
        number += 1
    return min(number, 20)


def _jittered(at: datetime, cause: RetrySettings, luck: float, policy: PolicySettings) -> datetime:
    """The window's opening at or after `at`, and the jitter's share into it: not all at nine sharp."""
    opened = next_open(at, Channel.VOICE, policy.windows)
    return next_open(opened + cause.jitter * luck, Channel.VOICE, policy.windows)


def _spread(
    counted: Sequence[PastCall],
    earliest: datetime,
    cause: RetrySettings,
    luck: float,
    policy: PolicySettings,
) -> datetime:
    windows = policy.windows
    days = {local_day(call.at, windows) for call in counted}
    parts = {day_part(call.at, windows) for call in counted}
    prime = any(is_evening_or_rest_day(call.at, windows) for call in counted)
    is_last = policy.attempts_per_round - len(counted) <= 1
    last_day, last_part = local_day(counted[-1].at, windows), day_part(counted[-1].at, windows)

    def fits(at: datetime) -> bool:
        day, part = local_day(at, windows), day_part(at, windows)
        if (day == last_day and (part == last_part or cause.another_day)) or len({*parts, part}) < 2:
            return False
        if not is_last:
            return True
        return len({*days, day}) >= 2 and (prime or is_evening_or_rest_day(at, windows))

    wanted = frozenset(
        (part, is_prime)
        for part in DAY_PARTS
        for is_prime in (False, True)
        if len({*parts, part}) >= 2 and (not is_last or prime or is_prime)
    )
    candidate, steps = earliest, 0
    while steps < _STEPS_IN_30_DAYS:
        candidate, passed = pass_days(candidate, wanted, windows, _STEP, _STEPS_IN_30_DAYS)
        steps += passed
        if steps < _STEPS_IN_30_DAYS and fits(candidate):
            spread = _jittered(candidate, cause, luck, policy)
            return spread if fits(spread) else candidate
        candidate, steps = next_open(candidate + _STEP, Channel.VOICE, windows), steps + 1
    return earliest


_STEP = timedelta(minutes=30)
_STEPS_IN_30_DAYS = 30 * 48
