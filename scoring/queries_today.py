"""What waits for the reader today, of the dissatisfaction list and of what two people decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scoring.decisions import Decision
from scoring.item_states import ItemState
from scoring.models_decisions import Adjustment, Objection
from scoring.queries import Scope
from scoring.queries_decisions_list import appeals_waiting_for, reviews_due
from scoring.queries_dissatisfaction import Count, ItemRow, count_one, read_items
from scoring.queries_filter import Filter, Sort, Stage

_SHORT = 8
_OFFICE = (ItemState.VERIFYING, ItemState.EXPLAINING, ItemState.CHECKING, ItemState.ESCALATED)
_UNIT = (ItemState.ASSIGNED, ItemState.REWORKING)


@dataclass(frozen=True, slots=True)
class Todo:
    """A state's items that wait; `chosen` is the list's filter that shows them."""

    state: ItemState
    count: Count
    chosen: Filter


@dataclass(frozen=True, slots=True)
class Today:
    """What waits by state, those overdue, and the items whose clock runs out first."""

    todos: tuple[Todo, ...]
    overdue: Count
    overdue_filter: Filter
    running: tuple[ItemRow, ...]
    appeals: int  # that wait for the reader's own decision
    reviews: int  # of hard cases, due or without a date
    adjustments: int  # proposed, for a second person to decide
    objections: int

    def __bool__(self) -> bool:
        decisions = self.appeals or self.reviews or self.adjustments or self.objections
        return any(todo.count for todo in self.todos) or bool(self.running or decisions)


def read_today(
    session: Session, scope: Scope, now: datetime, today: date, login: str, *, office: bool, decides: bool
) -> Today:
    """For the office, or for a unit's user; `today` is the office's day."""
    stage = Stage.OFFICE if office else Stage.UNIT
    late = Filter(stage=stage, overdue=True)
    page = read_items(session, scope, Filter(stage=stage, sort=Sort.CLOCK), now)
    return Today(
        todos=tuple(_todo(session, scope, state, now) for state in (_OFFICE if office else _UNIT)),
        overdue=count_one(session, scope, late, now),
        overdue_filter=late,
        running=tuple(row for row in page.rows[:_SHORT] if row.due_at is not None),
        appeals=appeals_waiting_for(session, scope, login) if decides else 0,
        reviews=reviews_due(session, scope, today) if office else 0,
        adjustments=_proposed(session, Adjustment, scope) if decides else 0,
        objections=_proposed(session, Objection, scope) if decides else 0,
    )


def _proposed(session: Session, of: type[Adjustment | Objection], scope: Scope) -> int:
    query = select(func.count(of.id)).where(of.state == Decision.PROPOSED, *scope.limit(of.unit_id))
    return session.scalar(query) or 0


def _todo(session: Session, scope: Scope, state: ItemState, now: datetime) -> Todo:
    chosen = Filter(item=state.value)
    return Todo(state, count_one(session, scope, chosen, now), chosen)
