"""What happens on a call, written as it happens. Every write carries the fencing token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.cdr import VoiceQuality, talk_seconds
from callbacks.models import Attempt, AttemptCallback, AttemptState, Callback, CasePhone
from callbacks.models_carried import LONGEST_CALL_ID
from callbacks.policy import COUNTS, PastCall, attempts_left, number_to_try, retry_at
from callbacks.service.answers import Answer, change, counted_rating, give_resolution, keep_uncounted, rate
from callbacks.service.claims import end_attempt, hand_over
from callbacks.service.core import LIVE, Context, audit, calls_of, lock_attempt, luck_of, move, view_of
from callbacks.service.toll import count_talk
from callbacks.states import ON_THE_LINE, State, Trigger
from callbacks.vocabulary import SYSTEM, Channel, Disposition, MachineSign

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MachineAdvice:
    """Whether a machine took the call. A key says no, whatever `sign` was heard at `at`, before or after."""

    is_machine: bool
    sign: MachineSign | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How a call ended. `handed_over`: key 0; `wrong_person`: key 9; `not_dialled`: by the dial plan.

    `machine` and `quality` are None where nothing tells; they're kept, and change nothing. `elsewhere` are
    other trunks that may take it at once: this one refused it before anybody's telephone rang.
    """

    disposition: Disposition
    sip_status: int | None = None
    q850: int | None = None
    cause_raw: str = ""
    handed_over: bool = False
    wrong_person: bool = False
    not_dialled: bool = False
    machine: MachineAdvice | None = None
    elsewhere: frozenset[str] = frozenset()
    sip_call_id: str | None = None
    quality: VoiceQuality | None = None


def on_live(
    ctx: Context, attempt_id: int, token: int, work: Callable[[Session, Attempt, list[Callback]], None]
) -> bool:
    """Runs `work` on the attempt if it's live and ours; False when the token is stale."""

    def fenced(session: Session) -> bool:
        attempt = lock_attempt(session, attempt_id)
        if attempt is None or attempt.token != token or attempt.state not in LIVE:
            return False
        work(session, attempt, [link.callback for link in attempt.links])
        return True

    return ctx.run(fenced)


def ringing(ctx: Context, attempt_id: int, token: int, now: datetime, sip_call_id: str | None = None) -> bool:
    """The first 18x came."""

    def work(session: Session, attempt: Attempt, _callbacks: list[Callback]) -> None:
        if attempt.rang_at is None:
            attempt.rang_at = now
        _keep_call_id(attempt, sip_call_id)
        if attempt.state is AttemptState.SUBMITTING:
            attempt.state = AttemptState.RINGING

    return on_live(ctx, attempt_id, token, work)


def answered(ctx: Context, attempt_id: int, token: int, now: datetime) -> bool:
    """The 200 came."""

    def work(session: Session, attempt: Attempt, callbacks: list[Callback]) -> None:
        if attempt.state is AttemptState.TALKING:
            return
        attempt.state, attempt.answered_at = AttemptState.TALKING, now
        for callback in callbacks:
            if callback.state is State.DIALING:
                move(ctx, session, callback, Trigger.ANSWERED, now)

    return on_live(ctx, attempt_id, token, work)


def rated(ctx: Context, attempt_id: int, token: int, callback_id: int, answer: Answer, now: datetime) -> bool:
    """A key press that rates; stored at once. A later one of the call is a change or uncounted."""

    def work(session: Session, attempt: Attempt, callbacks: list[Callback]) -> None:
        callback = next(each for each in callbacks if each.id == callback_id)
        if rate(ctx, session, callback, answer, now) is not None:
            return
        old = counted_rating(session, callback_id)
        same_call = old is not None and old.attempt_id == attempt.id
        if not same_call or change(ctx, session, callback, answer, now) is None:
            keep_uncounted(ctx, session, callback, answer, now)

    return on_live(ctx, attempt_id, token, work)


def resolved(
    ctx: Context, attempt_id: int, token: int, callback_id: int, is_resolved: bool, now: datetime
) -> bool:
    """The answer to "solved?"."""

    def work(session: Session, attempt: Attempt, _callbacks: list[Callback]) -> None:
        rating = counted_rating(session, callback_id)
        if rating is not None and rating.attempt_id == attempt.id:
            give_resolution(ctx, session, callback_id, is_resolved, now)

    return on_live(ctx, attempt_id, token, work)


def reason_given(ctx: Context, attempt_id: int, token: int, callback_id: int, reason: str) -> bool:
    """The main reason of a dissatisfied citizen."""

    def work(session: Session, attempt: Attempt, _callbacks: list[Callback]) -> None:
        rating = counted_rating(session, callback_id)
        if rating is not None and rating.attempt_id == attempt.id:
            rating.reason = reason

    return on_live(ctx, attempt_id, token, work)


def ended(ctx: Context, attempt_id: int, token: int, outcome: CallOutcome, now: datetime) -> bool:
    """The call is over: frees the line and sends each callback its way."""

    def work(session: Session, attempt: Attempt, callbacks: list[Callback]) -> None:
        finish(ctx, session, attempt, callbacks, outcome, now)

    return on_live(ctx, attempt_id, token, work)


def finish(
    ctx: Context,
    session: Session,
    attempt: Attempt,
    callbacks: Sequence[Callback],
    outcome: CallOutcome,
    now: datetime,
) -> None:
    """Ends the attempt with `outcome`; used for calls that ended and for leases lost after `invited_at`."""
    disposition = outcome.disposition
    if disposition is Disposition.CANCELLED and attempt.rang_at is not None:
        disposition = Disposition.NO_ANSWER  # it rang: that counts, whoever gave up
    attempt.disposition = disposition
    attempt.counts = disposition in COUNTS
    attempt.sip_status, attempt.q850 = outcome.sip_status, outcome.q850
    attempt.cause_raw = outcome.cause_raw[:200]
    if (advice := outcome.machine) is not None:
        attempt.machine, attempt.machine_sign, attempt.machine_at = advice.is_machine, advice.sign, advice.at
    _keep_carried(attempt, outcome, now)
    count_talk(ctx, session, attempt, now)
    end_attempt(session, attempt, now)
    session.flush()
    if disposition is Disposition.UNKNOWN:
        audit(session, now, SYSTEM, "attempt_unknown", f"attempt:{attempt.id}")
        raise_alarm(session, AlarmKind.ATTEMPT_UNKNOWN, attempt.trunk, now, attempt=attempt.id)
    for callback in callbacks:
        if callback.state in ON_THE_LINE:
            _after_call(ctx, session, attempt, callback, outcome, now)


def _keep_carried(attempt: Attempt, outcome: CallOutcome, now: datetime) -> None:
    """For the trunk's record. Of a call whose end nobody saw there is no length."""
    _keep_call_id(attempt, outcome.sip_call_id)
    if attempt.disposition is not Disposition.UNKNOWN:
        attempt.talk_seconds = talk_seconds(attempt.answered_at, now)
    if (quality := outcome.quality) is not None:
        attempt.lost_percent, attempt.jitter_ms = quality.lost_percent, quality.jitter_ms


def _keep_call_id(attempt: Attempt, sip_call_id: str | None) -> None:
    if sip_call_id is not None:
        attempt.sip_call_id = sip_call_id[:LONGEST_CALL_ID]


def _after_call(
    ctx: Context, session: Session, attempt: Attempt, callback: Callback, outcome: CallOutcome, now: datetime
) -> None:
    disposition = attempt.disposition
    if outcome.handed_over:
        hand_over(ctx, session, callback, "key_0", now)
    elif outcome.wrong_person or outcome.not_dialled:
        reason = "wrong_person" if outcome.wrong_person else "not_dialled"
        _bar_number(ctx, session, attempt, callback, Trigger.HAND_OVER, reason, now)
    elif disposition is Disposition.UNALLOCATED and _unallocated_before(session, attempt, callback):
        _bar_number(ctx, session, attempt, callback, Trigger.INVALID, "unallocated", now)
    elif not attempt.counts:
        _count_network_fail(session, callback, attempt, ctx.policy.network_fail_alarm, now)
        if outcome.elsewhere - _tried_lately(ctx, session, callback, now):
            move(ctx, session, callback, Trigger.RETRY, now, next_at=now)
        else:
            _retry(ctx, session, callback, now, calls_of(session, callback))
    elif attempts_left(calls := calls_of(session, callback), ctx.policy) > 0:
        _retry(ctx, session, callback, now, calls)
    elif ctx.policy.exhausted == "agent":
        hand_over(ctx, session, callback, "exhausted", now)
    else:
        move(ctx, session, callback, Trigger.EXHAUSTED, now)


def _retry(
    ctx: Context, session: Session, callback: Callback, now: datetime, calls: Sequence[PastCall]
) -> None:
    at = retry_at(calls, now, ctx.policy, luck_of(callback, len(calls)))
    move(ctx, session, callback, Trigger.RETRY, now, next_at=at)


def _tried_lately(ctx: Context, session: Session, callback: Callback, now: datetime) -> set[str | None]:
    """The trunks by which it was called within the pause after a network's fault: each once in it."""
    since = now - ctx.policy.retries.network_fail.delay
    query = select(Attempt.trunk).join(AttemptCallback, AttemptCallback.attempt_id == Attempt.id)
    query = query.where(Attempt.channel == Channel.VOICE, Attempt.invited_at > since)
    return set(session.scalars(query.where(AttemptCallback.callback_id == callback.id)))


def _unallocated_before(session: Session, attempt: Attempt, callback: Callback) -> bool:
    calls = calls_of(session, callback)
    same = [c for c in calls if c.number_index == attempt.number_index]
    return sum(call.disposition is Disposition.UNALLOCATED for call in same) >= 2


def _bar_number(
    ctx: Context,
    session: Session,
    attempt: Attempt,
    callback: Callback,
    otherwise: Trigger,
    reason: str,
    now: datetime,
) -> None:
    """Bars the number for this case; another number of the case is called, else `otherwise`."""
    for phone in callback.case.phones:
        if phone.number_index == attempt.number_index:
            bar(phone, now)
    if number_to_try(view_of(ctx, session, callback).phones, (), ctx.policy) is not None:
        move(ctx, session, callback, Trigger.CALL, now, next_at=now, detail=reason)
    elif otherwise is Trigger.HAND_OVER:
        hand_over(ctx, session, callback, reason, now)
    else:
        move(ctx, session, callback, otherwise, now, detail=reason)


def bar(phone: CasePhone, now: datetime) -> None:
    """The case never calls this number again."""
    if phone.barred_at is None:
        phone.barred_at = now


def _count_network_fail(
    session: Session, callback: Callback, attempt: Attempt, alarm_at: int, now: datetime
) -> None:
    callback.network_fails += 1
    detail = {"trunk": attempt.trunk, "sip_status": attempt.sip_status, "q850": attempt.q850}
    log.warning("network_fail", attempt=attempt.id, fails=callback.network_fails, **detail)
    if callback.network_fails % alarm_at == 0:
        audit(session, now, SYSTEM, "network_fail_alarm", f"callback:{callback.id}", **detail)
        raise_alarm(session, AlarmKind.NETWORK_FAIL, attempt.trunk, now, callback=callback.id, **detail)
