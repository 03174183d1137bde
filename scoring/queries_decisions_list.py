"""What waits for the office to decide: hard cases by their next review, appeals by their deciders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, exists, func, literal, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, Unit
from scoring.item_states import ItemState
from scoring.models_items import Appeal, AppealDecision, DissatisfactionItem, HardCaseMeeting
from scoring.queries import Page, Scope, one_page
from scoring.queries_clock import ClockKey, clock_page
from scoring.queries_filter import Filter, Stage
from scoring.queries_item import decisions_on

_FIRST = date(1970, 1, 1)  # where a review stands that has no date yet

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


def read_hard_cases(session: Session, scope: Scope, chosen: Filter) -> Page[HardCaseRow]:
    """Those that are open: without a date first, then the review that is due first."""
    conditions = (Item.state == ItemState.HARD_CASE, *scope.limit(Item.unit_id))
    due = func.coalesce(Item.next_review, literal(_FIRST, Date()), type_=Date())
    query: Any = (
        select(due, Item.id, Item, Case.number, Unit.name, Unit.name_en)
        .join(Callback, Callback.id == Item.callback_id)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Item.unit_id)
        .where(*conditions)
    )
    found, before, after = one_page(session, query, (due, Item.id), chosen.page, newest_first=False)
    total = session.scalar(select(func.count(Item.id)).where(*conditions)) or 0
    return Page(_hard_cases(session, found), total, before, after)


def _hard_cases(session: Session, found: Sequence[Any]) -> tuple[HardCaseRow, ...]:
    meetings: dict[int, list[HardCaseMeeting]] = {row[1]: [] for row in found}
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
        for _, _, item, number, unit, unit_en in found
    )


def read_appeals(session: Session, scope: Scope, chosen: Filter) -> Page[AppealRow]:
    """The appeals that wait, the first to run out first; or those that were decided, the newest first."""
    decided = chosen.stage is Stage.ENDED
    known = Appeal.upheld.is_not(None) if decided else Appeal.upheld.is_(None)
    conditions = (known, *scope.limit(Appeal.unit_id))
    if decided:
        query, key = _appeals(Appeal.decided_at).where(*conditions), (Appeal.decided_at, Appeal.id)
        found, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    else:
        query = _appeals(Item.due_at).where(*conditions)
        found, before, after = clock_page(session, query, ClockKey(Item.due_at, Appeal.id), chosen.page)
    total = session.scalar(select(func.count(Appeal.id)).where(*conditions)) or 0
    return Page(_appeal_rows(session, found), total, before, after)


def find_appeal(session: Session, scope: Scope, appeal_id: int) -> AppealRow | None:
    """One appeal, None where there is none or not for this reader."""
    query = _appeals(Appeal.at).where(Appeal.id == appeal_id, *scope.limit(Appeal.unit_id))
    return next(iter(_appeal_rows(session, session.execute(query).all())), None)


def _appeals(key: Any) -> Any:
    """The list's rows; `key` is the time that orders them."""
    return (
        select(key, Appeal.id, Appeal, Item, Case.number, Unit.name, Unit.name_en)
        .join(Item, Item.id == Appeal.item_id)
        .join(Callback, Callback.id == Item.callback_id)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Appeal.unit_id)
    )


def _appeal_rows(session: Session, rows: Sequence[Any]) -> tuple[AppealRow, ...]:
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
        for _, _, appeal, item, number, unit, unit_en in rows
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
