"""What waits today: alarms, items, callbacks that a person must take, deadlines that run out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, AttemptCallback, Callback, Case, Rating, Unit
from callbacks.states import OPEN, State
from callbacks.vocabulary import Disposition
from scoring import item_states
from scoring.models_items import DissatisfactionItem
from scoring.queries import Scope, running_out
from scoring.queries_alarms import AlarmRow, read_emergencies
from scoring.queries_dissatisfaction import Count, bounded, count_one
from scoring.queries_filter import SOON, Filter

_SHORT = 8


@dataclass(frozen=True, slots=True)
class Waiting:
    """A callback that a person must take by `deadline`; `why` is the stored reason for handing it over."""

    case: str
    unit: str
    unit_en: str
    why: str
    since: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """`running_out` is open and due within 24 hours; the `_today` counts are of the local day."""

    items: Count
    items_over_a_day: Count
    open: int
    agent_queue: int
    running_out: int
    unknown_calls: int
    rated_today: int
    dissatisfied_today: int
    alarms: tuple[AlarmRow, ...]  # the open cries for help
    waiting: tuple[Waiting, ...]


def read_overview(
    session: Session, scope: Scope, now: datetime, today: datetime, dissatisfied: frozenset[int]
) -> Overview:
    """`today` is when the local day began, `dissatisfied` the scale's values that count as such."""
    callbacks = select(func.count(Callback.id)).where(*scope.limit(Callback.unit_id))
    rated = (
        select(func.count(Rating.id))
        .join(Callback, Callback.id == Rating.callback_id)
        .where(Rating.counted, Rating.at >= today, *scope.limit(Callback.unit_id))
    )
    still_open = callbacks.where(Callback.state.in_(OPEN))

    def count(query: Select[int]) -> int:
        return session.scalar(query) or 0

    return Overview(
        items=count_one(session, scope, Filter(), now),
        items_over_a_day=_over_a_day(session, scope, now),
        open=count(still_open),
        agent_queue=count(callbacks.where(Callback.state == State.AGENT_QUEUE)),
        running_out=count(callbacks.where(running_out(now + SOON))),
        unknown_calls=_unknown_calls(session, scope, today),
        rated_today=count(rated),
        dissatisfied_today=count(rated.where(Rating.value.in_(dissatisfied))),
        alarms=read_emergencies(session, scope, _SHORT),
        waiting=_waiting(session, scope),
    )


def _over_a_day(session: Session, scope: Scope, now: datetime) -> Count:
    """The open items that were listed more than a day ago: as many as are counted anywhere, and no more."""
    query = select(DissatisfactionItem.id).where(
        DissatisfactionItem.state.in_(sorted(item_states.OPEN)),
        DissatisfactionItem.opened_at <= now - timedelta(days=1),
        *scope.limit(DissatisfactionItem.unit_id),
    )
    return bounded(session, query)


def _unknown_calls(session: Session, scope: Scope, since: datetime) -> int:
    """Calls whose worker was lost after the INVITE left: each is an alarm (domain.md §1)."""
    query = (
        select(func.count(Attempt.id.distinct()))
        .join(AttemptCallback, AttemptCallback.attempt_id == Attempt.id)
        .join(Callback, Callback.id == AttemptCallback.callback_id)
        .where(Attempt.disposition == Disposition.UNKNOWN, Attempt.claimed_at >= since)
        .where(*scope.limit(Callback.unit_id))
    )
    return session.scalar(query) or 0


def _waiting(session: Session, scope: Scope) -> tuple[Waiting, ...]:
    """The agent queue, nearest deadline first."""
    query = (
        select(Callback, Case.number, Unit.name, Unit.name_en)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Callback.unit_id)
        .where(Callback.state == State.AGENT_QUEUE, *scope.limit(Callback.unit_id))
        .order_by(Callback.next_at, Callback.id)
        .limit(_SHORT)
    )
    return tuple(
        Waiting(
            case=number,
            unit=unit,
            unit_en=unit_en,
            why=callback.handed_over or "",
            since=callback.state_since,
            deadline=min(callback.next_at, callback.deadline),
        )
        for callback, number, unit, unit_en in session.execute(query)
    )
