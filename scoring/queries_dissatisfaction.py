"""The dissatisfaction list: one set of conditions for its page, its counts, its bulk acts and its export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, Callback, Case, CasePhone, Rating, Reply, Unit
from callbacks.vocabulary import Channel, Role, UnitGroup
from prompts.catalogue import load_catalogue
from scoring.item_states import ENDED, OPEN, ItemState
from scoring.models import User
from scoring.models_items import DissatisfactionItem
from scoring.queries import Page, Scope, of_cases, one_page
from scoring.queries_clock import ClockKey, clock_page
from scoring.queries_filter import Age, Filter, Sort, Stage

Item = DissatisfactionItem

# A count stops here: of 300,000 items nobody needs the last, and a page mustn't wait for it.
COUNTED_TO = 1000
_RECENT = 2000  # items whose categories are offered beside the catalogue's own

S = ItemState
STAGES: dict[Stage | None, frozenset[ItemState]] = {
    None: OPEN,
    Stage.OFFICE: frozenset({S.LISTED, S.VERIFYING, S.EXPLAINING, S.APPEALED, S.CHECKING, S.ESCALATED}),
    Stage.UNIT: frozenset({S.ASSIGNED, S.REWORKING}),
    Stage.SECOND: frozenset({S.SECOND_CALLBACK}),
    Stage.HARD: frozenset({S.HARD_CASE}),
    Stage.ENDED: ENDED,
    Stage.ALL: frozenset(ItemState),
}


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A line of the list. `number` is masked, and None for a reader who mustn't see who rated.

    `seq` is the item's last step; `due_at` None: no clock runs. `supervisor` is the login of who sees to it.
    """

    id: int
    case: str
    unit_code: str
    unit: str
    unit_en: str
    group: UnitGroup
    category: str
    enterprise: bool
    number: str | None
    channel: Channel
    reason: str | None
    comment: str
    rated_at: datetime
    opened_at: datetime
    state: str
    seq: int
    due_at: datetime | None
    supervisor: str | None
    reworks: int
    extended: bool
    appealed: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many, exactly up to COUNTED_TO; `more`: at least one beyond."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number}+" if self.more else str(self.number)

    def __bool__(self) -> bool:
        return self.number > 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items a filter leaves: as it is, of each part of the list, and those that are overdue."""

    total: Count
    by_stage: dict[Stage | None, Count]
    overdue: Count
    mine: Count


@dataclass(frozen=True, slots=True)
class Person:
    """Who may see to items."""

    login: str
    name: str


def sort_of(chosen: Filter) -> Sort:
    """The order that a filter means: by the clock where clocks run, else the newest first."""
    if chosen.stage is Stage.ENDED or chosen.item in {state.value for state in ENDED}:
        return Sort.NEWEST if chosen.sort in (None, Sort.CLOCK) else chosen.sort
    return chosen.sort or (Sort.NEWEST if chosen.stage is Stage.ALL else Sort.CLOCK)


def read_items(
    session: Session, scope: Scope, chosen: Filter, now: datetime, total: int = 0
) -> Page[ItemRow]:
    """The page that the filter asks for."""
    conditions, sort = conditions_of(scope, chosen, now), sort_of(chosen)
    if sort is Sort.CLOCK:
        query = _rows(Item.due_at).where(*conditions)
        rows, before, after = clock_page(session, query, ClockKey(Item.due_at, Item.id), chosen.page)
    else:
        query, key = _rows(Item.opened_at).where(*conditions), (Item.opened_at, Item.id)
        newest = sort is Sort.NEWEST
        rows, before, after = one_page(session, query, key, chosen.page, newest_first=newest)
    return Page(tuple(_item(row, scope) for row in rows), total, before, after)


def count_items(session: Session, scope: Scope, chosen: Filter, now: datetime, login: str = "") -> Counts:
    """Counts for the filter; each part's is of the filter without its own part, so that its link says it."""

    def count(**changes: object) -> Count:
        return count_one(session, scope, replace(chosen, **changes), now)  # type: ignore[arg-type]

    return Counts(
        total=count(),
        by_stage={stage: count(stage=stage, item="") for stage in STAGES},
        overdue=count(overdue=True),
        mine=count(supervisor=login) if login else Count(0),
    )


def count_one(session: Session, scope: Scope, chosen: Filter, now: datetime) -> Count:
    """How many items a filter leaves, bounded."""
    return bounded(session, _joined(select(literal(1)), chosen).where(*conditions_of(scope, chosen, now)))


def bounded(session: Session, query: Any) -> Count:
    """How many rows a query has, as far as anybody counts."""
    found = session.scalar(select(func.count()).select_from(query.limit(COUNTED_TO + 1).subquery())) or 0
    return Count(min(found, COUNTED_TO), found > COUNTED_TO)


def chosen_items(
    session: Session, scope: Scope, chosen: Filter, now: datetime, limit: int
) -> tuple[tuple[int, int], ...]:
    """(id, seq) of the filter's items, the first `limit` in the order of their ids: what a bulk act takes."""
    query = _joined(select(Item.id, Item.seq), chosen).where(*conditions_of(scope, chosen, now))
    return tuple((row[0], row[1]) for row in session.execute(query.order_by(Item.id).limit(limit)))


def these_items(session: Session, scope: Scope, ids: tuple[int, ...]) -> tuple[ItemRow, ...]:
    """The items of some ids that the reader may see, oldest first."""
    query = _rows(Item.opened_at).where(Item.id.in_(ids), *scope.limit(Item.unit_id)).order_by(Item.id)
    return tuple(_item(row, scope) for row in session.execute(query))


def listed_categories(session: Session, scope: Scope, chosen: Filter) -> tuple[str, ...]:
    """What the filter offers: the catalogue's categories, those of recent items, and the chosen one."""
    recent = (
        select(Item.callback_id).where(*scope.limit(Item.unit_id)).order_by(Item.id.desc()).limit(_RECENT)
    )
    found = recent.subquery()
    query = (
        select(Case.category)
        .distinct()
        .join(Callback, Callback.case_id == Case.id)
        .join(found, found.c.callback_id == Callback.id)
    )
    own = {chosen.category} if chosen.category else set()
    return tuple(sorted({*load_catalogue().categories, *session.scalars(query), *own}))


def supervisors(session: Session) -> tuple[Person, ...]:
    """Who may be given an item: those who work the list."""
    query = select(User.login, User.name).where(
        User.role.in_((Role.SUPERVISOR, Role.OFFICE_HEAD)), User.active
    )
    return tuple(Person(*row) for row in session.execute(query.order_by(User.login)))


def conditions_of(scope: Scope, chosen: Filter, now: datetime) -> list[ColumnElement[bool]]:
    """What narrows the list. Without a part or a state it is what's open."""
    found = scope.limit(Item.unit_id)
    if chosen.item:
        found.append(Item.state == chosen.item)
    elif chosen.stage is not Stage.ALL:
        found.append(Item.state.in_(sorted(STAGES[chosen.stage])))
    if chosen.item and chosen.stage not in (None, Stage.ALL):
        found.append(Item.state.in_(sorted(STAGES[chosen.stage])))
    if chosen.overdue:
        found.append(Item.due_at < now)
    if chosen.supervisor:
        found.append(Item.supervisor == chosen.supervisor)
    found += of_cases(chosen)
    if chosen.age is not None:
        found += _aged(chosen.age, now)
    return found


def _aged(age: Age, now: datetime) -> list[ColumnElement[bool]]:
    after, up_to = age.opened_between(now)
    found: list[ColumnElement[bool]] = [] if after is None else [Item.opened_at > after]
    if age is not Age.UNDER_1D:  # a clock that is behind must not hide a new item
        found.append(Item.opened_at <= up_to)
    return found


def _joined(query: Any, chosen: Filter | None = None) -> Any:
    """The list's tables; for a count only those that its filter asks for."""
    query = query.select_from(Item)
    if chosen is None or chosen.group is not None or chosen.unit:
        query = query.join(Unit, Unit.id == Item.unit_id)
    if chosen is None or chosen.category or chosen.q:
        query = query.join(Callback, Callback.id == Item.callback_id).join(Case, Case.id == Callback.case_id)
    return query


def _rows(key: Any) -> Any:
    """The list's rows; `key` is the time that orders them."""
    first_phone = (
        select(CasePhone.number_masked)
        .where(CasePhone.case_id == Case.id)
        .order_by(CasePhone.position)
        .limit(1)
        .correlate(Case)
        .scalar_subquery()
    )
    number = func.coalesce(Attempt.number_masked, Reply.number_masked, first_phone)
    query = _joined(select(key, Item.id, Item, Case, Unit, Rating, number))
    query = query.join(Rating, Rating.id == Item.rating_id)
    return query.outerjoin(Attempt, Attempt.id == Rating.attempt_id).outerjoin(
        Reply, Reply.id == Rating.reply_id
    )


def _item(row: Any, scope: Scope) -> ItemRow:
    _, _, item, of_case, unit, rating, number = row
    return ItemRow(
        id=item.id,
        case=of_case.number,
        unit_code=unit.code,
        unit=unit.name,
        unit_en=unit.name_en,
        group=unit.group,
        category=of_case.category,
        enterprise=of_case.enterprise,
        number=number if scope.numbers else None,
        channel=rating.channel,
        reason=rating.reason,
        comment=rating.comment,
        rated_at=rating.at,
        opened_at=item.opened_at,
        state=item.state,
        seq=item.seq,
        due_at=item.due_at,
        supervisor=item.supervisor,
        reworks=item.reworks,
        extended=item.extended,
        appealed=item.appealed,
    )
