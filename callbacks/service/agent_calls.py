"""Click to call: the voice role rings the agent's telephone first, then the citizen's (domain.md §1).

The desk asks, the voice role takes what is asked: then there is an attempt, whose lease and token are the
call's, and a line for each leg. Every gate but the round's budget, which is the machine's, is asked when the
agent asks and again when the citizen is dialled. Whatever ends the attempt ends the call.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, bindparam, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.database import dbnow
from callbacks.gates import Gate, Go, Hold, may_begin
from callbacks.models import Attempt, AttemptCallback, AttemptState, Callback, CasePhone, Line
from callbacks.models_office import AgentCall, AgentCallState, AgentClaim
from callbacks.numbers import NumberKind, is_never_dialled, kind_of, normalise
from callbacks.service.agents import Result, Told, hold_on, holds, mine
from callbacks.service.calls import CallOutcome, finish, on_live
from callbacks.service.claims import call_key, commit_invite, free_lines, release
from callbacks.service.core import Context, audit, facts_of, is_line_busy, lock_attempt, pause_rules
from callbacks.service.inbound_lines import somebody_waits
from callbacks.service.toll import tell_limit, toll_of
from callbacks.states import State
from callbacks.target_settings import Targets, telephones_of
from callbacks.vocabulary import Channel, Disposition

PATIENCE = timedelta(seconds=60)  # so long what is asked waits for a line and a voice role
_S = AgentCallState


class NoCall(StrEnum):
    """Why a citizen isn't called, or why a call ended before it reached one."""

    # The gate's reasons (callbacks.gates).
    WINDOW = "window"
    PAUSE = "pause"
    UNKNOWN = "unknown"
    APART = "apart"
    PER_HALF_DAY = "per_half_day"
    PER_DAY = "per_day"
    PER_30_DAYS = "per_30_days"
    DEADLINE = "deadline"
    TOLL_NIGHT = "toll_night"
    TOLL_NUMBER = "toll_number"
    TOLL_HOUR = "toll_hour"
    TOLL_SECONDS = "toll_seconds"
    TOLL_SPEND = "toll_spend"
    # The number, the telephone, the callback.
    NEVER_DIALLED = "never_dialled"
    BARRED = "barred"
    NUMBER_BUSY = "number_busy"  # another attempt to it is live
    NO_TELEPHONE = "no_telephone"  # none of [targets] is this user's
    LIVE = "live"  # a call of this callback, or of this telephone, is under way
    LEFT_QUEUE = "left_queue"  # answered, reopened or given back meanwhile
    # What became of the agent's leg.
    AGENT_BUSY = "agent_busy"
    AGENT_NO_ANSWER = "agent_no_answer"
    AGENT_REJECTED = "agent_rejected"
    AGENT_UNREACHABLE = "agent_unreachable"
    AGENT_HUNG_UP = "agent_hung_up"
    CANCELLED = "cancelled"
    NOT_TAKEN = "not_taken"  # no line was free, or no voice role runs
    GAVE_WAY = "gave_way"  # somebody waits for a person on 110
    STOPPED = "stopped"  # the voice role ends
    LOST = "lost"  # the voice role died


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of the wish for a call; `why` where it mustn't be now, `until` when it may be again."""

    result: Result
    why: NoCall | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimedAgentCall:
    """A call to carry out; `token` fences every later write of it."""

    attempt_id: int
    token: int
    target: str
    trunk: str  # the citizen's
    number: str
    masked: str

    @property
    def key(self) -> str:
        return call_key(self.attempt_id, self.token)


@dataclass(frozen=True, slots=True)
class Taken:
    """Calls to carry out; `waiting` when another waits for lines: begin nothing else before it."""

    calls: list[ClaimedAgentCall]
    waiting: bool = False


# -- the desk's part


def ask_for_call(
    ctx: Context,
    callback_id: int,
    phone_id: int,
    login: str,
    target: str,
    now: datetime,
    targets: Targets,
) -> Asked:
    """Has the agent who holds the callback called, then this number of the case; one call at a time."""

    def work(session: Session) -> Asked:
        callback = mine(session, callback_id, login, now, None)
        if isinstance(callback, Result):
            return Asked(callback)
        if not holds(session.get_one(AgentClaim, callback_id), now):
            return Asked(Result(Told.NOT_CLAIMED))
        phone = session.get(CasePhone, phone_id)
        if phone is None or phone.case_id != callback.case_id:
            return Asked(Result(Told.CHANGED))
        if target not in telephones_of(targets, login):
            return _refused(NoCall.NO_TELEPHONE)
        if why := _number_fault(ctx, phone, targets):
            return _refused(why)
        if _is_live(session, callback_id, target):
            return _refused(NoCall.LIVE)
        if is_line_busy(session, phone.number_index):
            return _refused(NoCall.NUMBER_BUSY)
        gate = _gate(ctx, session, callback, phone.number_index, now)
        if not isinstance(gate, Go):
            return _refused(NoCall(gate.reason), gate.until if isinstance(gate, Hold) else None)
        call = AgentCall(
            callback_id=callback_id,
            phone_id=phone_id,
            login=login,
            target=target,
            state=_S.ASKED,
            asked_at=now,
        )
        return _ask(session, call, now)

    return ctx.run(work)


def _ask(session: Session, call: AgentCall, now: datetime) -> Asked:
    try:
        with session.begin_nested():
            session.add(call)
            session.flush()
    except IntegrityError:  # asked elsewhere in this instant
        return _refused(NoCall.LIVE)
    subject = f"callback:{call.callback_id}"
    audit(session, now, call.login, "call_citizen", subject, phone=call.phone_id, target=call.target)
    return Asked(Result(Told.DONE))


def _refused(why: NoCall, until: datetime | None = None) -> Asked:
    return Asked(Result(Told.DONE), why, until)


def cancel_call(ctx: Context, callback_id: int, login: str, now: datetime) -> bool:
    """The agent gives the call up, whatever it is at; False where none of this agent's is live."""

    def work(session: Session) -> bool:
        live = AgentCall.callback_id == callback_id, AgentCall.login == login, AgentCall.state != _S.ENDED
        call = session.scalar(select(AgentCall).where(*live))
        if call is None:
            return False
        if call.attempt_id is None:
            call = session.get_one(AgentCall, call.id, with_for_update=True, populate_existing=True)
        if call.attempt_id is not None:  # the attempt is locked before its call
            attempt = session.get_one(Attempt, call.attempt_id, with_for_update=True)
            attempt.cancel_requested = True
        elif call.state is _S.ASKED:
            _end(call, NoCall.CANCELLED, now)
        audit(session, now, login, "cancel_call", f"callback:{callback_id}")
        return True

    return ctx.run(work)


# -- the voice role's part


def claim_agent_calls(
    ctx: Context, owner: str, trunks: Sequence[str], limit: int, now: datetime, targets: Targets
) -> Taken:
    """Up to `limit` of the calls that are asked for, oldest first, with a line for each leg.

    Citizens are called by the first of `trunks` that has the lines, agents by their telephone's own trunk,
    else by the citizen's; without two free lines a call waits.
    """

    def work(session: Session) -> Taken:
        claimed: list[ClaimedAgentCall] = []
        waiting = False
        if somebody_waits(session):
            return Taken(claimed, waiting)
        for call in session.scalars(_ASKED, {"limit": limit}).all():
            if call.target not in telephones_of(targets, call.login):  # the settings have changed
                _end(call, NoCall.NO_TELEPHONE, now)
                continue
            agents = targets[call.target].trunk
            lines = _lines_of_any(session, agents, trunks)
            if lines is None:
                waiting = (
                    waiting or agents is None or agents in trunks or bool(free_lines(session, agents, 1))
                )
            elif taken := _claim(ctx, session, call, owner, lines, now):
                claimed.append(taken)
        return Taken(claimed, waiting)

    return ctx.run(work)


_ASKED = (
    select(AgentCall)
    .where(AgentCall.state == _S.ASKED)
    .order_by(AgentCall.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)


def _claim(
    ctx: Context, session: Session, call: AgentCall, owner: str, lines: tuple[Line, Line], now: datetime
) -> ClaimedAgentCall | None:
    agents, citizens = lines
    phone = session.get_one(CasePhone, call.phone_id)
    attempt = Attempt(
        channel=Channel.AGENT,
        state=AttemptState.CLAIMED,
        number_encrypted=phone.number_encrypted,
        number_index=phone.number_index,
        number_masked=phone.number_masked,
        trunk=citizens.trunk,
        owner=owner,
        lease_expires_at=dbnow(ctx.policy.lease.total_seconds()),
        token=secrets.randbits(31),
        claimed_at=now,
    )
    try:
        with session.begin_nested():
            session.add(attempt)
            session.flush()
            session.add(AttemptCallback(attempt_id=attempt.id, callback_id=call.callback_id, position=0))
            session.flush()
    except IntegrityError:  # a call or a text to this number was begun in this instant
        _end(call, NoCall.NUMBER_BUSY, now)
        return None
    agents.agent_call_id, citizens.attempt_id = call.id, attempt.id
    call.attempt_id, call.state = attempt.id, _S.RINGING_AGENT
    number = ctx.privacy.decrypt(phone.number_encrypted)
    return ClaimedAgentCall(
        attempt.id, attempt.token, call.target, citizens.trunk, number, phone.number_masked
    )


def _two_lines(session: Session, agents: str, citizens: str) -> tuple[Line, Line] | None:
    """A free line for the agent's leg and another for the citizen's; None while there aren't two."""
    found = free_lines(session, agents, 1)
    others = [line for line in free_lines(session, citizens, 2) if line not in found]
    return (found[0], others[0]) if found and others else None


def _lines_of_any(session: Session, agents: str | None, trunks: Sequence[str]) -> tuple[Line, Line] | None:
    """The same for the first trunk that has them; agents without a trunk of their own go by it, too."""
    return next(filter(None, (_two_lines(session, agents or trunk, trunk) for trunk in trunks)), None)


def begin_citizen(ctx: Context, attempt_id: int, token: int, call_id: str, now: datetime) -> bool:
    """Commits `invited_at` if the lease holds and everything says yes once more.

    False: don't dial. The call has then ended with its reason, and has cost nothing.
    """

    def work(session: Session) -> bool:
        attempt = lock_attempt(session, attempt_id)
        if attempt is None or attempt.token != token or attempt.state is not AttemptState.CLAIMED:
            return False
        call = _call_of(session, attempt)
        callbacks = [link.callback for link in attempt.links]
        if why := _shut(ctx, session, attempt, call, callbacks[0], now):
            _end(call, why, now)
            release(ctx, session, attempt, callbacks, now, now)
            return False
        if not commit_invite(ctx, session, attempt, token, call_id, now):
            return False
        call.state = _S.RINGING_CITIZEN
        return True

    return ctx.run(work)


def _shut(
    ctx: Context, session: Session, attempt: Attempt, call: AgentCall, callback: Callback, now: datetime
) -> NoCall | None:
    """What speaks against dialling the citizen now."""
    if attempt.cancel_requested:
        return NoCall.CANCELLED
    if somebody_waits(session):
        return NoCall.GAVE_WAY
    claim = session.get(AgentClaim, callback.id)
    if callback.state is not State.AGENT_QUEUE or claim is None or claim.login != call.login:
        return NoCall.LEFT_QUEUE
    if session.get_one(CasePhone, call.phone_id, populate_existing=True).barred_at is not None:
        return NoCall.BARRED
    gate = _gate(ctx, session, callback, attempt.number_index, now, but=attempt.id)
    return None if isinstance(gate, Go) else NoCall(gate.reason)


def talking(ctx: Context, attempt_id: int, token: int, now: datetime) -> bool:
    """The citizen has answered; the agent's claim begins anew. False when the token is stale."""

    def work(session: Session, attempt: Attempt, _callbacks: list[Callback]) -> None:
        call = _call_of(session, attempt)
        attempt.state, attempt.answered_at, call.state = AttemptState.TALKING, now, _S.TALKING
        hold_on(session, call.callback_id, call.login, now)

    return on_live(ctx, attempt_id, token, work)


def call_over(
    ctx: Context, attempt_id: int, token: int, outcome: CallOutcome | None, why: NoCall | None, now: datetime
) -> bool:
    """Both legs are over. `outcome` is the citizen's leg's, `why` what ended it where that leg doesn't tell.

    The callback stays with the agent, who says what came of it. False when the token is stale.
    """

    def work(session: Session, attempt: Attempt, callbacks: list[Callback]) -> None:
        call = _call_of(session, attempt)
        _end(call, why, now)
        hold_on(session, call.callback_id, call.login, now)
        if attempt.invited_at is None:
            release(ctx, session, attempt, callbacks, now, now)
        else:
            told = outcome or CallOutcome(Disposition.CANCELLED)
            finish(ctx, session, attempt, callbacks, told, now)

    return on_live(ctx, attempt_id, token, work)


# -- the clock's part


def end_untaken(ctx: Context, now: datetime) -> int:
    """Ends what was asked for and not taken in time. Returns how many."""

    def work(session: Session) -> int:
        result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
            update(AgentCall)
            .where(AgentCall.state == _S.ASKED, AgentCall.asked_at <= now - PATIENCE)
            .values(state=_S.ENDED, ended_at=now, error=NoCall.NOT_TAKEN.value)
            .execution_options(synchronize_session=False)
        )
        return result.rowcount

    return ctx.run(work)


# -- what all stand on


def _gate(
    ctx: Context,
    session: Session,
    callback: Callback,
    number_index: str,
    now: datetime,
    but: int | None = None,
) -> Gate:
    """The one gate of all calls, without the budget of a round: a person may call again."""
    pauses, toll = pause_rules(session, now), toll_of(ctx, session, now)
    facts = facts_of(ctx, session, callback, number_index, now, pauses=pauses, toll=toll, but=but, calls=())
    gate = may_begin(Channel.VOICE, replace(facts, attempts_left=1), now, ctx.policy)
    tell_limit(session, gate, toll.timezone, now)
    return gate


def _number_fault(ctx: Context, phone: CasePhone, targets: Targets) -> NoCall | None:
    if phone.barred_at is not None:
        return NoCall.BARRED
    number = ctx.privacy.decrypt(phone.number_encrypted)
    desks = {normalise(target.number, ctx.office.area_code) for target in targets.values()}
    unusable = kind_of(number) is NumberKind.UNUSABLE or number in desks
    return NoCall.NEVER_DIALLED if unusable or is_never_dialled(number, ctx.office.own_numbers) else None


def _is_live(session: Session, callback_id: int, target: str) -> bool:
    same = or_(AgentCall.callback_id == callback_id, AgentCall.target == target)
    return bool(session.scalar(select(exists().where(same, AgentCall.state != _S.ENDED))))


def _call_of(session: Session, attempt: Attempt) -> AgentCall:
    query = select(AgentCall).where(AgentCall.attempt_id == attempt.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _end(call: AgentCall, why: NoCall | None, now: datetime) -> None:
    call.state, call.ended_at, call.error = _S.ENDED, now, "" if why is None else why.value
