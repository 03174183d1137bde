"""People as a channel: who works on a callback of the agents' queue, and what came of it (domain.md §5).

A claim is a row with an owner and two times: it holds from `at` to `until`. One that begins later is an
appointment with the citizen. Whoever writes must own the row and have seen every contact that is stored, so
that two people on one item never overwrite each other: the second is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, Callback, CasePhone
from callbacks.models_office import AgentCall, AgentClaim, AgentContact, ContactOutcome
from callbacks.service.answers import Answer, counted_rating, give_resolution, rate
from callbacks.service.calls import bar
from callbacks.service.closing import cancel_queued_text
from callbacks.service.core import Context, audit, lock_callbacks, move
from callbacks.states import TAKES_LATE_ANSWER, State, Trigger
from callbacks.vocabulary import Channel

CLAIM = timedelta(minutes=15)
LONGEST_NOTE = 2000  # characters
_O = ContactOutcome


class Told(StrEnum):
    """What became of what an agent wanted."""

    DONE = "done"
    HELD = "held"  # somebody else works on it
    NOT_CLAIMED = "not_claimed"  # take it first
    CHANGED = "changed"  # something was stored since the page was read
    NOT_QUEUED = "not_queued"  # it isn't in the queue (any more)


@dataclass(frozen=True, slots=True)
class Result:
    """`login` and `until` tell who has it; `state` where it is when it isn't in the queue."""

    told: Told
    login: str = ""
    until: datetime | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """What came of a person's contact. `comment` is the citizen's words, `note` the agent's."""

    outcome: ContactOutcome
    note: str = ""
    value: int | None = None  # rated
    resolved: bool | None = None
    reason: str = ""
    comment: str = ""
    when: datetime | None = None  # later


class ContactFault(StrEnum):
    """What is wrong with a contact that somebody wants to store."""

    VALUE = "value"  # no rating of the scale
    WHEN = "when"  # no time, within the claim's minutes, or after the deadline
    NOTE = "note"  # a note without words, or too long


class BadContact(ValueError):
    """The contact can't be stored; `fault` says what is wrong with it."""

    def __init__(self, fault: ContactFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def claim(ctx: Context, callback_id: int, login: str, now: datetime) -> Result:
    """Takes the callback for fifteen minutes, or again for fifteen; told who has it where somebody does."""

    def work(session: Session) -> Result:
        callback = _queued(session, callback_id)
        if isinstance(callback, Result):
            return callback
        row = session.get(AgentClaim, callback_id)
        if row is not None and row.login != login and holds(row, now):
            return Result(Told.HELD, row.login, row.until)
        return _hold(session, callback_id, login, now)

    return ctx.run(work)


def release(ctx: Context, callback_id: int, login: str) -> bool:
    """Gives a claim back before its time; False where one has none."""

    def work(session: Session) -> bool:
        lock_callbacks(session, [callback_id])
        row = session.get(AgentClaim, callback_id)
        if row is None or row.login != login:
            return False
        session.delete(row)
        return True

    return ctx.run(work)


def holds(row: AgentClaim, now: datetime) -> bool:
    """Whether somebody works on it now: no appointment that is still to come, no claim that ran out."""
    return row.at <= now < row.until


def contact(
    ctx: Context, callback_id: int, login: str, given: Contact, now: datetime, *, seen: int
) -> Result:
    """Stores what came of it and moves the callback; `seen` is the newest contact's id on the agent's page.

    Rated, refused, no contact (the person's try) and wrong person end it; a note keeps the claim, `later`
    makes it an appointment. When its time ran out meanwhile a rating is a late answer, everything else a note
    of the contact (domain.md §1). BadContact where `given` makes no sense.
    """

    def work(session: Session) -> Result:
        callback = mine(session, callback_id, login, now, seen, late=True)
        if isinstance(callback, Result):
            return callback
        _check(ctx, callback, given, now)
        attempt = _call_since_last(session, callback_id, login)
        row = AgentContact(
            callback_id=callback_id,
            login=login,
            at=now,
            outcome=given.outcome,
            note=given.note.strip(),
            attempt_id=attempt,
        )
        session.add(row)
        _carry_out(ctx, session, callback, given, now, attempt)
        _hand_on(session, callback_id, login, given, now)
        return Result(Told.DONE, state=callback.state)

    return ctx.run(work)


def reveal_number(
    ctx: Context, callback_id: int, phone_id: int, login: str, now: datetime
) -> tuple[Result, str]:
    """A whole number of the case, for whoever has claimed it; each look is in the audit. Empty: not told."""

    def work(session: Session) -> tuple[Result, str]:
        callback = mine(session, callback_id, login, now, None)
        if isinstance(callback, Result):
            return callback, ""
        if not holds(session.get_one(AgentClaim, callback_id), now):
            return Result(Told.NOT_CLAIMED), ""
        phone = session.get(CasePhone, phone_id)
        if phone is None or phone.case_id != callback.case_id:
            return Result(Told.CHANGED), ""
        audit(session, now, login, "reveal_number", f"callback:{callback_id}", phone=phone_id)
        return Result(Told.DONE), ctx.privacy.decrypt(phone.number_encrypted)

    return ctx.run(work)


def newest_contact(session: Session, callback_id: int) -> int:
    """The id of the callback's newest contact, 0 for none."""
    query = select(func.max(AgentContact.id)).where(AgentContact.callback_id == callback_id)
    return session.scalar(query) or 0


def _queued(session: Session, callback_id: int, also: frozenset[State] = frozenset()) -> Callback | Result:
    """The locked callback; where it is when it isn't in the queue, nor in one of the states `also`."""
    found = lock_callbacks(session, [callback_id])
    if not found:
        return Result(Told.NOT_QUEUED)
    return found[0] if found[0].state in {State.AGENT_QUEUE, *also} else _left(found[0])


def _left(callback: Callback) -> Result:
    return Result(Told.NOT_QUEUED, state=callback.state)


def mine(
    session: Session, callback_id: int, login: str, now: datetime, seen: int | None, *, late: bool = False
) -> Callback | Result:
    """The callback, when `login` was the last to take it. A claim that ran out unnoticed still counts.

    With `late` one that has left the queue counts as well, where it still takes a late answer.
    """
    callback = _queued(session, callback_id, TAKES_LATE_ANSWER if late else frozenset())
    if isinstance(callback, Result):
        return callback
    row = session.get(AgentClaim, callback_id)
    if callback.state is not State.AGENT_QUEUE and (row is None or row.login != login):
        return _left(callback)
    if row is not None and row.login != login:
        return Result(Told.HELD, row.login, row.until) if holds(row, now) else Result(Told.CHANGED, row.login)
    if seen is not None and newest_contact(session, callback_id) != seen:
        return Result(Told.CHANGED)
    return Result(Told.NOT_CLAIMED) if row is None else callback


def _check(ctx: Context, callback: Callback, given: Contact, now: datetime) -> None:
    words = given.note, given.comment
    if any(len(text) > LONGEST_NOTE or "\0" in text for text in words):
        raise BadContact(ContactFault.NOTE)
    match given.outcome:
        case _O.RATED if given.value not in ctx.policy.rating_scale.labels:
            raise BadContact(ContactFault.VALUE)
        case _O.LATER:
            end = min(callback.next_at, callback.deadline)
            queued = callback.state is State.AGENT_QUEUE
            if given.when is None or not queued or not now + CLAIM <= given.when < end:
                raise BadContact(ContactFault.WHEN)
        case _O.NOTE if not given.note.strip():
            raise BadContact(ContactFault.NOTE)


def _call_since_last(session: Session, callback_id: int, login: str) -> int | None:
    """The agent's newest call that went out since the last outcome, which a note isn't."""
    query = (
        select(AgentCall.attempt_id)
        .join(Attempt, Attempt.id == AgentCall.attempt_id)
        .where(AgentCall.callback_id == callback_id, AgentCall.login == login)
        .where(Attempt.invited_at.is_not(None))
        .order_by(AgentCall.id.desc())
        .limit(1)
    )
    last = select(func.max(AgentContact.at)).where(
        AgentContact.callback_id == callback_id, AgentContact.outcome != ContactOutcome.NOTE
    )
    since = session.scalar(last)
    return session.scalar(query if since is None else query.where(AgentCall.asked_at > since))


def _carry_out(
    ctx: Context, session: Session, callback: Callback, given: Contact, now: datetime, attempt: int | None
) -> None:
    match given.outcome:
        case _O.RATED:
            _rate(ctx, session, callback, given, now, attempt)
        case _O.REFUSED:
            _end(ctx, session, callback, Trigger.REFUSE, "agent", now)
        case _O.NO_CONTACT:
            _end(ctx, session, callback, Trigger.DEADLINE, "no_contact", now)
        case _O.WRONG_PERSON:
            _end(ctx, session, callback, Trigger.WRONG, "agent", now)
            _bar_the_only_number(callback, now)


def _rate(
    ctx: Context, session: Session, callback: Callback, given: Contact, now: datetime, attempt: int | None
) -> None:
    """By the same function as every other rating."""
    assert given.value is not None
    comment = given.comment.strip()
    answer = Answer(given.value, Channel.AGENT, str(given.value), attempt_id=attempt, comment=comment)
    rate(ctx, session, callback, answer, now)
    if given.resolved is not None:
        give_resolution(ctx, session, callback.id, given.resolved, now)
    rating = counted_rating(session, callback.id)
    if rating is not None and given.reason and given.value in ctx.policy.rating_scale.dissatisfied:
        rating.reason = given.reason


def _end(
    ctx: Context, session: Session, callback: Callback, trigger: Trigger, detail: str, now: datetime
) -> None:
    """Ends it, where its time hasn't ended it already."""
    if callback.state is not State.AGENT_QUEUE:
        return
    move(ctx, session, callback, trigger, now, detail=detail)
    cancel_queued_text(session, callback.id, now)


def _bar_the_only_number(callback: Callback, now: datetime) -> None:
    """With several numbers nobody has said which one was the wrong person's."""
    usable = [phone for phone in callback.case.phones if phone.barred_at is None]
    if len(usable) == 1:
        bar(usable[0], now)


def _hold(session: Session, callback_id: int, login: str, at: datetime) -> Result:
    row = session.get(AgentClaim, callback_id) or AgentClaim(callback_id=callback_id)
    row.login, row.at, row.until = login, at, at + CLAIM
    session.add(row)
    return Result(Told.DONE, login, row.until)


def hold_on(session: Session, callback_id: int, login: str, now: datetime) -> None:
    """The claim's minutes begin anew where it is still this agent's: a call may outlast them.

    It stays the claim that it was: one from before the callback's end puts that off (callbacks.policy).
    """
    row = session.get(AgentClaim, callback_id)
    if row is not None and row.login == login and row.at <= now:
        row.until = now + CLAIM


def _hand_on(session: Session, callback_id: int, login: str, given: Contact, now: datetime) -> None:
    """A note goes on with the claim, an appointment waits for its time, everything else frees it."""
    match given.outcome:
        case _O.NOTE:
            _hold(session, callback_id, login, now)
        case _O.LATER:
            assert given.when is not None
            _hold(session, callback_id, login, given.when)
        case _:
            session.delete(session.get_one(AgentClaim, callback_id))
