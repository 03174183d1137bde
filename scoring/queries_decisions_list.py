"""What waits for the office to decide: hard cases by their next review, appeals by their deciders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, Unit
from scoring.item_states import ItemState
from scoring.models_items import Appeal, AppealDecision, DissatisfactionItem, HardCaseMeeting
from scoring.queries import Scope
from scoring.queries_item import decisions_on

_MOST = 500  # open ones of either list; a city has dozens

Item = DissatisfactionItem


@dataclass(frozen=True, slots=True)
class HardCaseRow:
    """A hard case; `leader` of the last meeting, None before the first. `next_review` None: none set yet."""

    id: int
    seq: int
    case: str
    unit: str
    unit_en: str
    since: datetime | None
    reworks: int
    leader: str | None
    next_review: date | None
    meetings: int


@dataclass(frozen=True, slots=True)
class AppealRow:
    """An appeal, with what its deciders have said so far. `due_at` None: no clock."""

    id: int
    item: int
    seq: int
    case: str
    unit: str
    unit_en: str
    grounds: str
    reason: str
    by: str
    at: datetime
    due_at: datetime | None
    upheld: bool | None
    decided_at: datetime | None
    decisions: tuple[AppealDecision, ...]

    def decided_by(self, login: str) -> bool:
        return any(decision.by == login for decision in self.decisions)


def read_hard_cases(session: Session, scope: Scope) -> tuple[HardCaseRow, ...]:
    """Those that are open: without a date first, then the review that is due first."""
    query = (
        select(Item, Case.number, Unit.name, Unit.name_en)
        .join(Callback, Callback.id == Item.callback_id)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Item.unit_id)
        .where(Item.state == ItemState.HARD_CASE, *scope.limit(Item.unit_id))
        .order_by(Item.next_review.is_not(None), Item.next_review, Item.id)
        .limit(_MOST)
    )
    found = session.execute(query).all()
    meetings: dict[int, list[HardCaseMeeting]] = {row[0].id: [] for row in found}
    order = (HardCaseMeeting.held_on, HardCaseMeeting.id)
    held = select(HardCaseMeeting).where(HardCaseMeeting.item_id.in_(meetings)).order_by(*order)
    for meeting in session.scalars(held):
        meetings[meeting.item_id].append(meeting)
    return tuple(
        HardCaseRow(
            id=item.id,
            seq=item.seq,
            case=number,
            unit=unit,
            unit_en=unit_en,
            since=item.state_since,
            reworks=item.reworks,
            leader=meetings[item.id][-1].leader if meetings[item.id] else None,
            next_review=item.next_review,
            meetings=len(meetings[item.id]),
        )
        for item, number, unit, unit_en in found
    )


def read_appeals(
    session: Session, scope: Scope, *, decided: bool, only: int | None = None
) -> tuple[AppealRow, ...]:
    """The appeals that wait, the first to run out first; or those that were decided, the newest first."""
    query = (
        select(Appeal, Item, Case.number, Unit.name, Unit.name_en)
        .join(Item, Item.id == Appeal.item_id)
        .join(Callback, Callback.id == Item.callback_id)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Appeal.unit_id)
        .where(*scope.limit(Appeal.unit_id))
    )
    if only is not None:
        query = query.where(Appeal.id == only)
    elif decided:
        query = query.where(Appeal.upheld.is_not(None)).order_by(Appeal.decided_at.desc(), Appeal.id.desc())
    else:
        query = query.where(Appeal.upheld.is_(None)).order_by(Item.due_at, Appeal.id)
    rows = session.execute(query.limit(_MOST)).all()
    said = decisions_on(session, (row.Appeal.id for row in rows))
    return tuple(
        AppealRow(
            id=appeal.id,
            item=item.id,
            seq=item.seq,
            case=number,
            unit=unit,
            unit_en=unit_en,
            grounds=appeal.grounds,
            reason=appeal.reason,
            by=appeal.by,
            at=appeal.at,
            due_at=item.due_at if appeal.upheld is None else None,
            upheld=appeal.upheld,
            decided_at=appeal.decided_at,
            decisions=said[appeal.id],
        )
        for appeal, item, number, unit, unit_en in rows
    )


def appeals_waiting_for(session: Session, scope: Scope, login: str) -> int:
    """How many appeals `login` may still decide."""
    said = exists().where(AppealDecision.appeal_id == Appeal.id, AppealDecision.by == login)
    query = select(func.count(Appeal.id)).where(Appeal.upheld.is_(None), ~said, *scope.limit(Appeal.unit_id))
    return session.scalar(query) or 0


def reviews_due(session: Session, scope: Scope, today: date) -> int:
    """Hard cases whose joint meeting is due, or was never set."""
    query = select(func.count(Item.id)).where(Item.state == ItemState.HARD_CASE, *scope.limit(Item.unit_id))
    return session.scalar(query.where((Item.next_review <= today) | Item.next_review.is_(None))) or 0
