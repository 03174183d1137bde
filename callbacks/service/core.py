"""What every writer needs: the context, the move of a callback, and the policy's view of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import bindparam, case, exists, insert, or_, select, update
from sqlalchemy.orm import Session, contains_eager, sessionmaker

from callbacks.database import UtcDateTime, among, in_transaction
from callbacks.events import CallbackEnded, Event
from callbacks.gates import Facts, PauseRule
from callbacks.models import (
    Attempt,
    AttemptCallback,
    AttemptState,
    Audit,
    Callback,
    CallbackMove,
    Case,
    CasePhone,
    Suppression,
    TextMessage,
    Unit,
    table_of,
)
from callbacks.models_office import AgentCall, AgentCallState, AgentClaim, Pause
from callbacks.numbers import NumberKind
from callbacks.policy import InHand, PastCall, Phone, View, attempts_left, is_sensitive_case
from callbacks.privacy import Privacy
from callbacks.reminder_settings import ReminderSettings
from callbacks.settings import OfficeSettings, PolicySettings
from callbacks.states import TERMINAL, State, Trigger, next_state
from callbacks.toll import Toll
from callbacks.toll_settings import NO_LIMITS, TollSettings
from callbacks.vocabulary import Channel, Disposition

T = TypeVar("T")
Subscriber = Callable[[Session, Event], None]
LIVE = (AttemptState.CLAIMED, AttemptState.SUBMITTING, AttemptState.RINGING, AttemptState.TALKING)


@dataclass(frozen=True)
class Context:
    """The office's writer: every function of `callbacks.service` takes it first.

    Nothing of it changes but the policy: a role hands it a newly saved one between its turns
    (`callbacks.service.policy_versions`). `policy_version` is 0 while the settings' own holds.
    """

    sessions: sessionmaker[Session]
    policy: PolicySettings
    office: OfficeSettings
    privacy: Privacy
    subscribers: Sequence[Subscriber] = ()
    reminders: ReminderSettings = field(default_factory=ReminderSettings)
    urgent: Callable[[str], bool] = lambda _words: False  # whether a citizen's words tell of danger
    toll: TollSettings = NO_LIMITS
    policy_version: int = 0

    def take_policy(self, policy: PolicySettings, version: int) -> None:
        """From now on `policy` holds. Who is at work reads the old one or the new one, each whole."""
        object.__setattr__(self, "policy", policy)
        object.__setattr__(self, "policy_version", version)

    def run(self, work: Callable[[Session], T]) -> T:
        """One transaction."""
        return in_transaction(self.sessions, work)

    def publish(self, session: Session, event: Event) -> None:
        for subscriber in self.subscribers:
            subscriber(session, event)


def move(
    ctx: Context,
    session: Session,
    callback: Callback,
    trigger: Trigger,
    now: datetime,
    *,
    next_at: datetime | None = None,
    detail: str = "",
) -> None:
    """Moves a callback by the table of `callbacks.states` and keeps the move. The caller holds its lock."""
    old = callback.state
    callback.state = next_state(old, trigger)
    callback.state_since = now
    session.add(
        CallbackMove(
            callback_id=callback.id,
            at=now,
            trigger=trigger,
            from_state=old,
            to_state=callback.state,
            detail=detail,
        )
    )
    if callback.state in TERMINAL:
        if callback.ended_at is None:
            callback.ended_at = now
            ctx.publish(session, CallbackEnded(callback.id, callback.state, now))
        return
    callback.next_at = min(next_at or callback.deadline, callback.deadline)


def move_all(
    session: Session,
    details: Mapping[int, str],
    old: State,
    trigger: Trigger,
    now: datetime,
    *,
    next_at: datetime,
) -> None:
    """As `move`, for all callbacks of `details` (each with its move's detail), which stand in `old`.

    Only for a trigger that ends none of them: an end is published, one by one. The caller holds their locks
    and has changed none of them as an object.
    """
    new = next_state(old, trigger)
    assert new not in TERMINAL
    if not details:
        return
    session.execute(_MOVE_ALL, {"ids": list(details), "new": new, "now": now, "next": next_at})
    common = {"at": now, "trigger": trigger, "from_state": old, "to_state": new}
    session.execute(
        _MOVES, [{"callback_id": each, "detail": detail, **common} for each, detail in details.items()]
    )


_MOVES = insert(table_of(CallbackMove))
_NEXT = bindparam("next", type_=UtcDateTime())
_MOVE_ALL = (
    update(table_of(Callback))
    .where(among(Callback.id, "ids"))
    .values(
        state=bindparam("new"),
        state_since=bindparam("now"),
        next_at=case((Callback.deadline < _NEXT, Callback.deadline), else_=_NEXT),
    )
)


def audit(session: Session, now: datetime, actor: str, action: str, subject: str, **detail: Any) -> None:
    """A line in the append-only audit; no telephone numbers in it."""
    session.add(Audit(at=now, actor=actor, action=action, subject=subject, detail=detail))


def lock_callbacks(session: Session, ids: Iterable[int]) -> list[Callback]:
    """The callbacks, locked in the order of their ids (so that two writers never wait in a ring)."""
    return list(session.scalars(_LOCKED, {"ids": list(ids)}))


def lock_attempt(session: Session, attempt_id: int) -> Attempt | None:
    """The attempt and its callbacks in one question: the attempt is locked first, then they by their ids."""
    return session.scalars(_LOCKED_ATTEMPT, {"attempt": attempt_id}).unique().one_or_none()


_LOCKED_ATTEMPT = (
    select(Attempt)
    .join(Attempt.links)
    .join(AttemptCallback.callback)
    .join(Callback.case)
    .where(Attempt.id == bindparam("attempt"))
    .order_by(Callback.id)
    .options(contains_eager(Attempt.links, AttemptCallback.callback, Callback.case))
    .with_for_update(of=(Attempt, Callback))
    .execution_options(populate_existing=True)
)
_LOCKED = (
    select(Callback)
    .join(Callback.case)
    .where(Callback.id.in_(bindparam("ids", expanding=True)))
    .order_by(Callback.id)
    .options(contains_eager(Callback.case))
    .with_for_update(of=Callback)
    .execution_options(populate_existing=True)
)


def view_of(ctx: Context, session: Session, callback: Callback) -> View:
    """What the policy must know of a callback."""
    case = callback.case
    asks_by_text = callback.state is State.PENDING  # what a text needs to know is asked only then
    return View(
        state=callback.state,
        state_since=callback.state_since,
        closed_at=callback.closed_at,
        deadline=callback.deadline,
        next_at=callback.next_at,
        exclusion=callback.exclusion,
        sensitive=is_sensitive(ctx, case),
        has_platform=case.platform is not None,
        phones=[_phone(ctx, session, callback, phone, asks_by_text) for phone in case.phones],
        calls=[] if callback.state in _BEFORE_CALLS else calls_of(session, callback),
        in_hand=_in_hand(session, callback) if callback.state is State.AGENT_QUEUE else None,
    )


# From these a callback has never been called (the table of `callbacks.states`).
_BEFORE_CALLS = frozenset({State.PENDING, State.SMS_QUEUED, State.AWAIT_REPLY})


def _in_hand(session: Session, callback: Callback) -> InHand | None:
    """Who works on a callback of the agents' queue, or did last."""
    row = session.execute(_CLAIM, {"callback": callback.id}).one_or_none()
    return None if row is None else InHand(row.at, row.until, row.on_call)


_CLAIM = select(
    AgentClaim.at,
    AgentClaim.until,
    exists()
    .where(AgentCall.callback_id == AgentClaim.callback_id, AgentCall.state != AgentCallState.ENDED)
    .label("on_call"),
).where(AgentClaim.callback_id == bindparam("callback"))


def is_sensitive(ctx: Context, case: Case) -> bool:
    """By the case itself or by its category: then a person asks, and only the date is ever said."""
    return is_sensitive_case(case.sensitive, case.category, ctx.policy)


def _phone(ctx: Context, session: Session, callback: Callback, phone: CasePhone, asks_by_text: bool) -> Phone:
    index, barred = phone.number_index, phone.barred_at is not None
    if not asks_by_text or barred or phone.kind is not NumberKind.MOBILE:
        return Phone(index, phone.kind, barred)
    return Phone(
        index,
        phone.kind,
        texts_suppressed=is_suppressed(session, index, Channel.SMS),
        open_text=free_sender_code(ctx, session, index, callback.id) is None,
    )


def is_suppressed(session: Session, number_index: str, channel: Channel) -> bool:
    return bool(session.scalar(_SUPPRESSED, {"number": number_index, "channel": channel}))


def free_sender_code(ctx: Context, session: Session, number_index: str, callback_id: int) -> str | None:
    """The first sender code under which no other callback's question to this number is open."""
    taken = set(session.scalars(_TAKEN_CODES, {"number": number_index, "callback": callback_id}))
    return next((code for code in ctx.office.sender_codes if code not in taken), None)


def close_question(session: Session, text: TextMessage, now: datetime) -> None:
    """The question takes no more answers; a case that waits to ask the same number is looked at again."""
    if not text.open:
        return
    text.open = False
    session.flush()
    session.execute(_WAKE, {"of": text.number_index, "now": now})


def calls_of(session: Session, callback: Callback, but: int | None = None) -> list[PastCall]:
    """The callback's calls that were begun, oldest first; attempt `but` left out."""
    rows = session.execute(_CALLS, {"callback": callback.id, "but": but or 0})
    return [_past_call(*row) for row in rows]


def history_of(session: Session, number_index: str, now: datetime, but: int | None = None) -> list[PastCall]:
    """The number's calls of the last 30 days, over all cases; attempt `but` left out."""
    since = now - timedelta(days=30)
    rows = session.execute(_HISTORY, {"number": number_index, "since": since, "but": but or 0})
    return [_past_call(*row) for row in rows]


def _past_call(
    invited_at: datetime | None,
    disposition: Disposition | None,
    rang_at: datetime | None,
    number_index: str,
) -> PastCall:
    assert invited_at is not None
    return PastCall(invited_at, disposition, rang_at is not None, number_index)


# Calls: those of the flow, and those of a person.
BY_TELEPHONE = (Channel.VOICE, Channel.AGENT)

# The questions that are asked for every call and text, built once: building one costs as much as asking it.
_PAST = select(Attempt.invited_at, Attempt.disposition, Attempt.rang_at, Attempt.number_index).where(
    Attempt.invited_at.is_not(None), Attempt.id != bindparam("but")
)
_CALLS = (  # a person's calls aren't among a round's attempts
    _PAST.join(AttemptCallback, AttemptCallback.attempt_id == Attempt.id)
    .where(Attempt.channel == Channel.VOICE, AttemptCallback.callback_id == bindparam("callback"))
    .order_by(Attempt.invited_at)
)
_HISTORY = _PAST.where(  # but they are among a number's
    Attempt.channel.in_(BY_TELEPHONE),
    Attempt.number_index == bindparam("number"),
    Attempt.invited_at > bindparam("since"),
)
_WAKE = (
    update(Callback)
    .where(
        Callback.state == State.PENDING,
        Callback.next_at > bindparam("now"),
        Callback.case_id.in_(select(CasePhone.case_id).where(CasePhone.number_index == bindparam("of"))),
    )
    .values(next_at=bindparam("now"))
)
_LIVE_ATTEMPT = select(exists().where(Attempt.number_index == bindparam("number"), Attempt.state.in_(LIVE)))
_SUPPRESSED = select(
    exists().where(
        Suppression.number_index == bindparam("number"), Suppression.channel == bindparam("channel")
    )
)
_TAKEN_CODES = select(TextMessage.sender_code).where(
    TextMessage.number_index == bindparam("number"),
    TextMessage.open,
    TextMessage.callback_id != bindparam("callback"),
)


def facts_of(
    ctx: Context,
    session: Session,
    callback: Callback,
    number_index: str,
    now: datetime,
    *,
    pauses: Sequence[PauseRule],
    toll: Toll | None = None,
    but: int | None = None,
    calls: Sequence[PastCall] | None = None,
) -> Facts:
    """What the gate of a call to this number for this callback must know; attempt `but` left out."""
    if calls is None:
        calls = calls_of(session, callback, but)
    return Facts(
        number_index=number_index,
        unit_id=callback.unit_id,
        category=callback.case.category,
        history=history_of(session, number_index, now, but),
        pauses=pauses,
        deadline=callback.deadline,
        attempts_left=attempts_left(calls, ctx.policy),
        toll=toll,
    )


def pause_rules(session: Session, now: datetime) -> list[PauseRule]:
    """The pauses in force; a unit's covers its subtree."""
    return [_pause_rule(session, pause) for pause in session.scalars(_PAUSES, {"now": now})]


_PAUSES = select(Pause).where(
    Pause.lifted_at.is_(None),
    Pause.at <= bindparam("now"),
    or_(Pause.until.is_(None), Pause.until > bindparam("now")),
)


def _pause_rule(session: Session, pause: Pause) -> PauseRule:
    units = None if pause.unit_id is None else subtree(session, pause.unit_id)
    return PauseRule(pause.reason, pause.until, units, pause.category, pause.number_index)


def find_unit(session: Session, code: str) -> Unit | None:
    """The unit of a code as somebody typed it."""
    return session.scalar(select(Unit).where(Unit.code == code)) if code.isprintable() else None


def subtree(session: Session, unit_id: int) -> frozenset[int]:
    """The unit and all below it."""
    found, level = {unit_id}, {unit_id}
    while level:
        level = set(session.scalars(select(Unit.id).where(Unit.parent_id.in_(level)))) - found
        found |= level
    return frozenset(found)


def luck_of(callback: Callback, number: int) -> float:
    """0 to 1, the same for the same callback and try: jitter that can be explained and repeated."""
    return zlib.crc32(f"{callback.id}:{number}".encode()) / 2**32


def is_line_busy(session: Session, number_index: str) -> bool:
    """Whether an attempt to this number is live, on whatever channel."""
    return bool(session.scalar(_LIVE_ATTEMPT, {"number": number_index}))
