"""Calls are pulled: a worker claims as many as it has free lines, and asks the gate again before it dials."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Select, bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager

from callbacks.database import dbnow
from callbacks.gates import Gate, Go, Hold, PauseRule, may_begin, may_join
from callbacks.models import (
    Attempt,
    AttemptCallback,
    AttemptState,
    Callback,
    Case,
    CasePhone,
    Line,
)
from callbacks.models_office import AgentCall, AgentCallState
from callbacks.numbers import NumberKind
from callbacks.policy import Call, GiveUp, HandOver, PastCall, next_step
from callbacks.service.core import (
    Context,
    facts_of,
    is_line_busy,
    is_sensitive,
    lock_attempt,
    move,
    pause_rules,
    view_of,
)
from callbacks.service.inbound_lines import for_callbacks, somebody_waits
from callbacks.service.toll import count_call, is_shut, price_for, tell_limit, toll_of
from callbacks.states import State, Trigger
from callbacks.toll import Toll
from callbacks.vocabulary import Channel

_MOST_LOOKED_AT = 400  # of callbacks that can't be called now, for one claim
_CALLABLE = (State.CALL_QUEUED, State.RETRY_WAIT)


def call_key(attempt_id: int, token: int) -> str:
    """Our own id of a call: never reused, and telling which attempt it is."""
    return f"{attempt_id}-{token:x}"


@dataclass(frozen=True, slots=True)
class CallCase:
    """What a call may say of a case: never the citizen's words."""

    callback_id: int
    case_number: str
    accepted_at: datetime
    category: str | None  # None: the date alone (landline, sensitive)
    round: int


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A claimed attempt; `token` fences every later write of it."""

    attempt_id: int
    token: int
    number: str
    masked: str
    cases: tuple[CallCase, ...]
    trunk: str

    @property
    def key(self) -> str:
        return call_key(self.attempt_id, self.token)

    def only(self, asked: Collection[int]) -> ClaimedCall:
        """The call for these of its callbacks, in their order."""
        return replace(self, cases=tuple(case for case in self.cases if case.callback_id in asked))


def ensure_lines(ctx: Context, trunk: str, lines: int, reserve: int = 0) -> None:
    """Makes the rows of a trunk's lines, 1 to `lines`; surplus free ones go. The last `reserve` of them are
    kept for who calls us.
    """

    def work(session: Session) -> None:
        rows = {line.no: line for line in session.scalars(select(Line).where(Line.trunk == trunk))}
        new = {no: Line(trunk=trunk, no=no) for no in range(1, lines + 1) if no not in rows}
        session.add_all(new.values())
        for no, line in (rows | new).items():
            line.reserved = no > lines - reserve
            if no > lines and line.attempt_id is None and line.agent_call_id is None:
                session.delete(line)

    ctx.run(work)


def claim_calls(
    ctx: Context,
    owner: str,
    rooms: Mapping[str, int],
    now: datetime,
    flow: tuple[str, str, str],
    most: int = 2**31,
) -> list[ClaimedCall]:
    """Up to `most` calls for free lines of the trunks of `rooms`, of each as many as stand there; what the
    first has no lines for goes to the next. `flow` is name, version and prompt version.
    """

    def work(session: Session) -> list[ClaimedCall]:
        toll = toll_of(ctx, session, now)
        if somebody_waits(session) or is_shut(session, toll, now):
            return []
        lines: list[Line] = []
        for trunk, room in rooms.items():
            lines += free_lines(session, trunk, min(room, most - len(lines)))
        claimed: list[ClaimedCall] = []
        pauses: list[PauseRule] | None = None
        for callback in _due(session, now, len(lines)):
            if pauses is None:
                pauses = pause_rules(session, now)
            claim = _Claim(owner, lines[len(claimed)], now, flow, pauses, toll)
            call = _claim(ctx, session, callback, claim)
            if call is not None:
                claimed.append(call)
            if len(claimed) == len(lines):
                break
        return claimed

    return ctx.run(work)


def free_lines(session: Session, trunk: str, limit: int) -> list[Line]:
    """Up to `limit` lines of the trunk that carry nothing and aren't kept for who calls us, locked."""
    if limit <= 0:
        return []
    return list(session.scalars(_FREE_LINES, {"trunk": trunk, "limit": limit}))


_FREE_LINES = (
    select(Line)
    .where(Line.trunk == bindparam("trunk"), for_callbacks())
    .order_by(Line.no)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)


def _due(session: Session, now: datetime, wanted: int) -> Iterator[Callback]:
    """As many as wanted, then more while some can't be called now; locked, where nobody else has them.

    Who waits for one of these waits for nothing else of ours.
    """
    seen: set[int] = set()
    while wanted and len(seen) < _MOST_LOOKED_AT:
        limit = wanted + len(seen)
        found = list(session.scalars(_DUE, {"now": now, "limit": limit}))
        for callback in found:
            if callback.id not in seen:
                seen.add(callback.id)
                yield callback
        if len(found) < limit:
            return


_DUE = (
    select(Callback)
    .join(Callback.case)
    .where(Callback.state.in_(_CALLABLE), Callback.next_at <= bindparam("now"))
    .order_by(Callback.priority, Callback.closed_at, Callback.id)
    .limit(bindparam("limit"))
    .options(contains_eager(Callback.case).selectinload(Case.phones))
    .with_for_update(skip_locked=True, of=Callback)
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who claims, for which line, when, with which flow, what is paused then, and what was called."""

    owner: str
    line: Line
    now: datetime
    flow: tuple[str, str, str]
    pauses: Sequence[PauseRule]
    toll: Toll


def _claim(ctx: Context, session: Session, callback: Callback, claim: _Claim) -> ClaimedCall | None:
    now = claim.now
    if callback.state not in _CALLABLE:  # it goes with an earlier one of the same citizen
        return None
    view = view_of(ctx, session, callback)
    match next_step(view, now, ctx.policy):
        case Call(number_index, at) if at <= now:
            phone = next(p for p in callback.case.phones if p.number_index == number_index)
            return _claim_number(ctx, session, callback, phone, view.calls, claim)
        case Call(_, at):
            callback.next_at = at
        case HandOver(reason):
            hand_over(ctx, session, callback, reason, now)
        case GiveUp(reason):
            trigger = Trigger.EXHAUSTED if reason == "exhausted" else Trigger.DEADLINE
            move(ctx, session, callback, trigger, now, detail=reason)
    return None


def hand_over(ctx: Context, session: Session, callback: Callback, reason: str, now: datetime) -> None:
    """To a person, who has until the agents' deadline."""
    callback.handed_over = reason
    until = now + ctx.policy.agent_deadline
    move(ctx, session, callback, Trigger.HAND_OVER, now, next_at=until, detail=reason)


def _claim_number(
    ctx: Context,
    session: Session,
    callback: Callback,
    phone: CasePhone,
    calls: Sequence[PastCall],
    claim: _Claim,
) -> ClaimedCall | None:
    pauses, toll = claim.pauses, claim.toll
    gate = _gate(ctx, session, callback, phone.number_index, claim.now, pauses, toll, calls=calls)
    if not isinstance(gate, Go):
        tell_limit(session, gate, toll.timezone, claim.now)
        callback.next_at = min(_ask_again(gate, claim.now), callback.deadline)
        return None
    if is_line_busy(session, phone.number_index):
        return None
    others = asked_with(ctx, session, callback, phone.number_index, claim.now, pauses, toll, _OTHERS_LOCKED)
    callbacks = sorted([callback, *others], key=lambda each: (each.priority, each.closed_at, each.id))
    attempt = _new_attempt(ctx, phone, claim)
    try:
        with session.begin_nested():
            session.add(attempt)
            session.flush()
            session.add_all(
                AttemptCallback(attempt_id=attempt.id, callback_id=each.id, position=position)
                for position, each in enumerate(callbacks)
            )
            session.flush()
    except IntegrityError:  # another worker took the number in this instant
        return None
    claim.line.attempt_id = attempt.id
    for each in callbacks:
        move(ctx, session, each, Trigger.DIAL, claim.now, detail=f"attempt {attempt.id}")
    number = ctx.privacy.decrypt(phone.number_encrypted)
    cases = tuple(_call_case(ctx, each, phone) for each in callbacks)
    return ClaimedCall(attempt.id, attempt.token, number, phone.number_masked, cases, claim.line.trunk)


def _gate(
    ctx: Context,
    session: Session,
    callback: Callback,
    number_index: str,
    now: datetime,
    pauses: Sequence[PauseRule],
    toll: Toll,
    but: int | None = None,
    calls: Sequence[PastCall] | None = None,
) -> Gate:
    facts = facts_of(
        ctx, session, callback, number_index, now, pauses=pauses, toll=toll, but=but, calls=calls
    )
    return may_begin(Channel.VOICE, facts, now, ctx.policy)


def _ask_again(gate: Gate, now: datetime) -> datetime:
    return gate.until if isinstance(gate, Hold) else now


OTHERS = (
    select(Callback)
    .join(CasePhone, CasePhone.case_id == Callback.case_id)
    .where(CasePhone.number_index == bindparam("number"), CasePhone.barred_at.is_(None))
    .where(Callback.state.in_(_CALLABLE), Callback.id != bindparam("but"))
    .order_by(Callback.priority, Callback.closed_at, Callback.id)
)
_OTHERS_LOCKED = OTHERS.with_for_update(skip_locked=True, of=Callback)


def asked_with(
    ctx: Context,
    session: Session,
    callback: Callback,
    number_index: str,
    now: datetime,
    pauses: Sequence[PauseRule],
    toll: Toll,
    query: Select[Callback] = OTHERS,
) -> list[Callback]:
    """The citizen's other open callbacks that may be asked now, so that one call asks for up to three."""
    others: list[Callback] = []
    for other in session.scalars(query, {"number": number_index, "but": callback.id}):
        if len(others) + 1 >= ctx.policy.cases_per_call:
            break
        facts = facts_of(ctx, session, other, number_index, now, pauses=pauses, toll=toll)
        if may_join(facts, is_sensitive(ctx, other.case), now, ctx.policy):
            others.append(other)
    return others


def _new_attempt(ctx: Context, phone: CasePhone, claim: _Claim) -> Attempt:
    return Attempt(
        channel=Channel.VOICE,
        state=AttemptState.CLAIMED,
        number_encrypted=phone.number_encrypted,
        number_index=phone.number_index,
        number_masked=phone.number_masked,
        trunk=claim.line.trunk,
        owner=claim.owner,
        lease_expires_at=dbnow(ctx.policy.lease.total_seconds()),
        token=secrets.randbits(31),
        claimed_at=claim.now,
        flow=claim.flow[0],
        flow_version=claim.flow[1],
        prompt_version=claim.flow[2],
    )


def _call_case(ctx: Context, callback: Callback, phone: CasePhone) -> CallCase:
    """Category is spoken on an ordinary case's mobile alone (domain.md §1)."""
    case = callback.case
    plain = phone.kind is NumberKind.MOBILE and not is_sensitive(ctx, case)
    return CallCase(
        callback.id, case.number, case.accepted_at, case.category if plain else None, callback.round
    )


def begin_invite(ctx: Context, attempt_id: int, token: int, call_id: str, now: datetime) -> frozenset[int]:
    """Commits `invited_at`, if the lease holds and the gate says so now; returns whom the call asks for.

    A callback that was answered or is held back meanwhile is left out, and the call costs it nothing. Nobody
    is left: don't dial. The attempt is then released and has cost nothing at all.
    """

    def work(session: Session) -> frozenset[int]:
        attempt = lock_attempt(session, attempt_id)
        if attempt is None or attempt.token != token or attempt.state is not AttemptState.CLAIMED:
            return frozenset()
        callbacks, pauses = [link.callback for link in attempt.links], pause_rules(session, now)
        toll = toll_of(ctx, session, now)
        gates = {
            callback.id: _gate(
                ctx, session, callback, attempt.number_index, now, pauses, toll, but=attempt.id
            )
            for callback in callbacks
            if callback.state is State.DIALING
        }
        asked = frozenset(each for each, gate in gates.items() if isinstance(gate, Go))
        is_invited = not attempt.cancel_requested and bool(asked) and not somebody_waits(session)
        if is_invited and not commit_invite(ctx, session, attempt, token, call_id, now):
            return frozenset()
        for callback in callbacks:
            if callback.state is State.DIALING and callback.id not in asked:
                gate = gates[callback.id]
                tell_limit(session, gate, toll.timezone, now)
                why = "" if isinstance(gate, Go) else gate.reason
                until = _ask_again(gate, now)
                move(ctx, session, callback, Trigger.NOT_INVITED, now, next_at=until, detail=why)
        if not is_invited:
            release(ctx, session, attempt, callbacks, now, now)
            return frozenset()
        for link in attempt.links:
            if link.callback_id not in asked:
                session.delete(link)
        return asked

    return ctx.run(work)


def commit_invite(
    ctx: Context, session: Session, attempt: Attempt, token: int, call_id: str, now: datetime
) -> bool:
    """Sets `invited_at` while the lease holds; the INVITE leaves when that is committed."""
    told = {"attempt": attempt.id, "of": token, "at": now, "call": call_id, "cost": price_for(ctx, attempt)}
    result: CursorResult[Any] = session.execute(_INVITE, told)  # type: ignore[assignment]
    if result.rowcount != 1:
        return False
    count_call(ctx, session, attempt, now)
    return True


_INVITE = (
    update(Attempt)
    .where(Attempt.id == bindparam("attempt"), Attempt.token == bindparam("of"))
    .where(Attempt.state == AttemptState.CLAIMED, Attempt.lease_expires_at > dbnow())
    .values(
        state=AttemptState.SUBMITTING,
        invited_at=bindparam("at"),
        provider_call_id=bindparam("call"),
        price=bindparam("cost"),
    )
    .execution_options(synchronize_session=False)
)


def give_back(ctx: Context, attempt_id: int, token: int, now: datetime) -> bool:
    """The trunk can't dial it: released before anybody was invited, to be called again after the pause that
    follows a trunk's refusal. False when the token is stale.
    """

    def work(session: Session) -> bool:
        attempt = lock_attempt(session, attempt_id)
        if attempt is None or attempt.token != token or attempt.state is not AttemptState.CLAIMED:
            return False
        callbacks = [link.callback for link in attempt.links]
        release(ctx, session, attempt, callbacks, now, now + ctx.policy.retries.trunk_refused.delay)
        return True

    return ctx.run(work)


def release(
    ctx: Context,
    session: Session,
    attempt: Attempt,
    callbacks: Sequence[Callback],
    now: datetime,
    until: datetime,
) -> None:
    """Ends an attempt that never invited anybody: nothing is counted, and the line is free."""
    end_attempt(session, attempt, now)
    for callback in callbacks:
        if callback.state is State.DIALING:
            move(ctx, session, callback, Trigger.NOT_INVITED, now, next_at=until)


def end_attempt(session: Session, attempt: Attempt, now: datetime) -> None:
    """The attempt isn't live any more: number, callbacks and lines are free for another."""
    attempt.state = AttemptState.ENDED
    attempt.ended_at = now
    attempt.owner = None
    for link in attempt.links:
        link.live = False
    session.execute(_FREE_LINE, {"of": attempt.id})
    if attempt.channel is Channel.AGENT:
        _end_agent_call(session, attempt, now)


def _end_agent_call(session: Session, attempt: Attempt, now: datetime) -> None:
    """A person's call lives as long as its attempt. Who ends it otherwise than by a lost lease says why."""
    call = session.scalar(select(AgentCall).where(AgentCall.attempt_id == attempt.id).with_for_update())
    if call is None:
        return
    if call.state is not AgentCallState.ENDED:
        call.state, call.ended_at, call.error = AgentCallState.ENDED, now, "lost"
    session.execute(
        update(Line)
        .where(Line.agent_call_id == call.id)
        .values(agent_call_id=None)
        .execution_options(synchronize_session=False)
    )


_FREE_LINE = (
    update(Line)
    .where(Line.attempt_id == bindparam("of"))
    .values(attempt_id=None)
    .execution_options(synchronize_session=False)
)
