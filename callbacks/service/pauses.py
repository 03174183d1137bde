"""Pauses: nothing is begun for all, a unit, a category or a number, until somebody or the clock ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from callbacks.models import Attempt, AttemptCallback, Callback, Case, CasePhone, TextMessage, TextState
from callbacks.models_office import Pause, PauseScope
from callbacks.numbers import LANDLINE, MOBILE, mask, normalise
from callbacks.service.core import Context, audit, find_unit, subtree
from callbacks.states import ON_THE_LINE, OPEN, State
from callbacks.vocabulary import Channel

LONGEST_REASON = 200
LONGEST_CATEGORY = 40
_LOOKED_AT_AGAIN = timedelta(minutes=5)  # so long `callbacks.gates` holds back what is paused, at most


class PauseFault(StrEnum):
    """What is wrong with a pause that somebody wants."""

    REASON = "reason"  # none, or too long
    UNTIL = "until"  # not in the future
    UNIT = "unit"  # no such unit
    CATEGORY = "category"
    NUMBER = "number"  # not a whole telephone number


class BadPause(ValueError):
    """The pause can't be; `fault` says what is wrong with it."""

    def __init__(self, fault: PauseFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class NewPause:
    """A pause as somebody wants it, with the field that `scope` names. `until` None: until it's lifted."""

    scope: PauseScope
    reason: str
    until: datetime | None = None
    unit: str = ""  # its code
    category: str = ""
    number: str = ""


def add_pause(ctx: Context, wanted: NewPause, by: str, now: datetime) -> int:
    """Holds back from now on what it covers; returns its id. BadPause where it makes no sense."""

    def work(session: Session) -> int:
        pause = _checked(ctx, session, wanted, by, now)
        session.add(pause)
        session.flush()
        detail = {"scope": pause.scope.value, "until": pause.until and pause.until.isoformat()}
        audit(session, now, by, "pause", f"pause:{pause.id}", **detail)
        return pause.id

    return ctx.run(work)


def held_back(ctx: Context, session: Session, wanted: NewPause, now: datetime) -> int:
    """How many open callbacks it would hold back now, beside those that are on the line or with a person."""
    pause = _checked(ctx, session, wanted, "", now)
    waiting = OPEN - ON_THE_LINE - {State.AGENT_QUEUE}
    query = select(func.count()).select_from(Callback).where(Callback.state.in_(waiting))
    return session.scalar(query.where(*_covers(session, pause))) or 0


def lift_pause(ctx: Context, pause_id: int, by: str, now: datetime) -> bool:
    """Ends the pause and wakes what waited for it; False when it was over already."""

    def work(session: Session) -> bool:
        pause = session.get(Pause, pause_id, with_for_update=True, populate_existing=True)
        if pause is None or not in_force(pause, now):
            return False
        pause.lifted_at, pause.lifted_by = now, by
        audit(session, now, by, "lift_pause", f"pause:{pause.id}")
        session.flush()
        _wake(session, pause, now)
        return True

    return ctx.run(work)


def in_force(pause: Pause, now: datetime) -> bool:
    """Whether it holds back anything at `now`."""
    return pause.lifted_at is None and (pause.until is None or now < pause.until)


def list_pauses(session: Session, now: datetime) -> Sequence[Pause]:
    """Those in force, newest first."""
    holds = Pause.lifted_at.is_(None), or_(Pause.until.is_(None), Pause.until > now)
    query = select(Pause).options(joinedload(Pause.unit)).order_by(Pause.at.desc(), Pause.id.desc())
    return session.scalars(query.where(*holds)).all()


def _checked(ctx: Context, session: Session, wanted: NewPause, by: str, now: datetime) -> Pause:
    reason = wanted.reason.strip()
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise BadPause(PauseFault.REASON)
    if wanted.until is not None and wanted.until <= now:
        raise BadPause(PauseFault.UNTIL)
    pause = Pause(scope=wanted.scope, reason=reason, by=by, at=now, until=wanted.until)
    match wanted.scope:
        case PauseScope.UNIT:
            pause.unit_id = _unit_id(session, wanted.unit)
        case PauseScope.CATEGORY:
            pause.category = _category(wanted.category)
        case PauseScope.NUMBER:
            number = _number(ctx, wanted.number)
            pause.number_index, pause.number_masked = ctx.privacy.index(number), mask(number)
    return pause


def _unit_id(session: Session, code: str) -> int:
    unit = find_unit(session, code)
    if unit is None:
        raise BadPause(PauseFault.UNIT)
    return unit.id


def _category(given: str) -> str:
    category = given.strip()
    if not category or len(category) > LONGEST_CATEGORY or not category.isprintable():
        raise BadPause(PauseFault.CATEGORY)
    return category


def _number(ctx: Context, given: str) -> str:
    number = normalise(given, ctx.office.area_code)
    if not (MOBILE.fullmatch(number) or LANDLINE.fullmatch(number)):
        raise BadPause(PauseFault.NUMBER)
    return number


def _covers(session: Session, pause: Pause) -> list[ColumnElement[bool]]:
    """The callbacks that it holds back, as `PauseRule.covers` says of one."""
    match pause.scope:
        case PauseScope.UNIT:
            assert pause.unit_id is not None
            return [Callback.unit_id.in_(subtree(session, pause.unit_id))]
        case PauseScope.CATEGORY:
            return [Callback.case_id.in_(select(Case.id).where(Case.category == pause.category))]
        case PauseScope.NUMBER:
            numbers = select(CasePhone.case_id).where(CasePhone.number_index == pause.number_index)
            return [Callback.case_id.in_(numbers)]
        case PauseScope.ALL:
            return []


def _wake(session: Session, pause: Pause, now: datetime) -> None:
    """What was held back is looked at now; every gate is asked again before anything begins.

    A callback that was called before is left alone: its time may be its retry's, which a pause mustn't bring
    forward. If it was the pause's, it is looked at again within the five minutes anyway.
    """
    called = (
        exists()
        .where(AttemptCallback.callback_id == Callback.id, AttemptCallback.attempt_id == Attempt.id)
        .where(Attempt.channel == Channel.VOICE)
    )
    soon = now + _LOOKED_AT_AGAIN
    covered = _covers(session, pause)
    session.execute(
        update(Callback)
        .where(Callback.state == State.CALL_QUEUED, Callback.next_at > now, Callback.next_at <= soon)
        .where(~called, *covered)
        .values(next_at=now)
        .execution_options(synchronize_session=False)
    )
    texts = update(TextMessage).where(
        TextMessage.state == TextState.QUEUED,
        TextMessage.tries == 0,  # one that a gateway throttled keeps its rest
        TextMessage.not_before > now,
        TextMessage.not_before <= soon,
    )
    if covered:
        texts = texts.where(TextMessage.callback_id.in_(select(Callback.id).where(*covered)))
    session.execute(texts.values(not_before=now).execution_options(synchronize_session=False))
