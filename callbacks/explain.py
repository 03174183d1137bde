"""Why a callback is asked as it is: every question and check with its answer and its figures. Pure.

Nothing is decided here: the answers are those of `callbacks.policy.questions` and `callbacks.gates.checks`,
of which `next_step` and `may_begin` take the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from callbacks.gates import (
    Check,
    Facts,
    Gate,
    Go,
    Hold,
    Never,
    PauseRule,
    calls_in,
    calls_of_30_days,
    checks,
    known_end,
    may_begin,
    pauses_over,
)
from callbacks.numbers import NumberKind
from callbacks.policy import (
    Call,
    Phone,
    Question,
    Step,
    Text,
    View,
    attempts_left,
    counted_calls,
    number_to_try,
    questions,
)
from callbacks.settings import PolicySettings
from callbacks.states import State
from callbacks.toll import Toll
from callbacks.vocabulary import Channel
from callbacks.windows import DayKind, Slot, half_day, kind_of_day, local_day, next_open, slots_of

_MOST_HOLDS = 200  # one after another, before it's given up to say when


@dataclass(frozen=True, slots=True)
class NumberNote:
    """A number of the case. `called`: its calls of this round that count; `chosen`: it is tried next."""

    phone: Phone
    called: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What the caps count of a number's calls at a time, over all cases."""

    last: datetime | None
    in_30_days: int
    in_day: int
    in_half_day: int


@dataclass(frozen=True, slots=True)
class WindowNote:
    """The day by the city's calendar and its slots; `opens`: the next opening, `at` where it's open."""

    kind: DayKind
    slots: Sequence[Slot]
    opens: datetime


@dataclass(frozen=True, slots=True)
class GateNote:
    """What the gate says of a beginning at `at`, check by check; `toll` is what its limits count.

    `earliest`: when it may begin by what is known now; None: never by this way, or not before somebody lifts
    a pause.
    """

    channel: Channel
    number_index: str
    at: datetime
    checks: tuple[tuple[Check, Hold | Never | None], ...]
    window: WindowNote
    pauses: tuple[PauseRule, ...]
    usage: Usage | None
    toll: Toll | None
    earliest: datetime | None

    @property
    def answer(self) -> Gate:
        """The first check that has something against it decides."""
        return next((gate for _, gate in self.checks if gate is not None), Go())


@dataclass(frozen=True, slots=True)
class Explanation:
    """An open callback at `at`: what was asked up to the question that decides, and what the gate says."""

    at: datetime
    view: View
    policy: PolicySettings
    questions: tuple[tuple[Question, Step | None], ...]
    numbers: tuple[NumberNote, ...]
    gate: GateNote | None

    @property
    def step(self) -> Step:
        """The answer of the last question."""
        step = self.questions[-1][1]
        assert step is not None
        return step

    @property
    def attempts_left(self) -> int:
        return attempts_left(self.view.calls, self.policy)


@dataclass(frozen=True, slots=True)
class QueuedText:
    """The question that waits to leave, for a callback in SMS_QUEUED."""

    number_index: str
    not_before: datetime


def explain(
    view: View,
    facts: Mapping[tuple[Channel, str], Facts],
    now: datetime,
    policy: PolicySettings,
    queued: QueuedText | None = None,
) -> Explanation:
    """Explains an open callback. `facts`: the gate's, by channel and number, as `now` knows them."""
    asked = _asked(view, now, policy)
    step = asked[-1][1]
    plan = _planned(view, step, now, queued)
    gate = None
    if plan is not None and plan[:2] in facts:
        channel, number_index, at = plan
        gate = explain_gate(channel, facts[channel, number_index], at, policy)
    return Explanation(now, view, policy, asked, _numbers(view, step, policy), gate)


def _asked(view: View, now: datetime, policy: PolicySettings) -> tuple[tuple[Question, Step | None], ...]:
    """As far as the question that decides: what would come after it isn't so."""
    asked = []
    for question, step in questions(view, now, policy):
        asked.append((question, step))
        if step is not None:
            break
    return tuple(asked)


def _planned(
    view: View, step: Step | None, now: datetime, queued: QueuedText | None
) -> tuple[Channel, str, datetime] | None:
    """What would begin next: channel, number and when it is looked at."""
    match step:
        case Call(number_index, at):
            return Channel.VOICE, number_index, max(now, at)
        case Text(number_index, at):
            return Channel.SMS, number_index, max(now, at)
    if queued is not None and view.state is State.SMS_QUEUED:
        return Channel.SMS, queued.number_index, max(now, queued.not_before)
    return None


def _numbers(view: View, step: Step | None, policy: PolicySettings) -> tuple[NumberNote, ...]:
    called = counted_calls(view.calls)
    if isinstance(step, Call | Text):
        tried = step.number_index
    else:
        phone = number_to_try(view.phones, view.calls, policy)
        tried = phone.index if phone is not None else ""
    return tuple(NumberNote(phone, called[phone.index], phone.index == tried) for phone in view.phones)


def explain_gate(channel: Channel, facts: Facts, at: datetime, policy: PolicySettings) -> GateNote:
    """Every check at `at`, with the figures that it goes by."""
    return GateNote(
        channel=channel,
        number_index=facts.number_index,
        at=at,
        checks=tuple(checks(channel, facts, at, policy)),
        window=_window(channel, at, policy),
        pauses=tuple(pauses_over(facts, at)),
        usage=usage(facts, at, policy) if channel is Channel.VOICE else None,
        toll=facts.toll,
        earliest=earliest(channel, facts, at, policy),
    )


def _window(channel: Channel, at: datetime, policy: PolicySettings) -> WindowNote:
    windows = policy.windows
    day = local_day(at, windows)
    return WindowNote(
        kind_of_day(day, windows), slots_of(day, channel, windows), next_open(at, channel, windows)
    )


def usage(facts: Facts, at: datetime, policy: PolicySettings) -> Usage:
    """How much of the number's caps is used at `at`."""
    recent = calls_of_30_days(facts.history, at)
    return Usage(
        last=recent[-1] if recent else None,
        in_30_days=len(recent),
        in_day=calls_in(recent, at, policy.windows, local_day),
        in_half_day=calls_in(recent, at, policy.windows, half_day),
    )


def earliest(channel: Channel, facts: Facts, at: datetime, policy: PolicySettings) -> datetime | None:
    """When it may begin, at `at` or later, if nothing happens meanwhile. None: never, or nobody knows."""
    for _ in range(_MOST_HOLDS):
        match may_begin(channel, facts, at, policy):
            case Go():
                return at
            case Never():
                return None
            case Hold() as hold:
                end = known_end(hold, facts, at)
                if end is None:
                    return None
                at = end
    return None


def why_by_call(phone: Phone, policy: PolicySettings) -> str:
    """Why this number is called and not texted, as a stable word."""
    if phone.kind is not NumberKind.MOBILE:
        return "landline"
    return "opted_out" if phone.texts_suppressed else "texts_off"
