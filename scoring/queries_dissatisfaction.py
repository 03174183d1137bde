"""The dissatisfaction list: one set of conditions for its page, its counts and its export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, Callback, Case, CasePhone, Rating, Reply, Unit
from callbacks.vocabulary import Channel, UnitGroup
from scoring.models_items import DissatisfactionItem
from scoring.queries import Page, Scope, one_page
from scoring.queries_filter import Age, Filter, Sort

Item = DissatisfactionItem


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A line of the list. `number` is masked, and None for a reader who mustn't see who rated."""

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


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items a filter leaves, by age; `categories` are those that occur."""

    total: int
    by_age: dict[Age, int]
    categories: tuple[str, ...]

    def of(self, age: Age | None) -> int:
        return self.total if age is None else self.by_age[age]


def read_items(session: Session, scope: Scope, chosen: Filter, now: datetime, total: int) -> Page[ItemRow]:
    """The page that the filter asks for, the oldest items first unless it says otherwise."""
    conditions = _conditions(scope, chosen, now)
    rows, before, after = one_page(
        session,
        _rows().where(*conditions),
        (Item.opened_at, Item.id),
        chosen.page,
        newest_first=chosen.sort is Sort.NEWEST,
    )
    return Page(tuple(_item(row, scope) for row in rows), total, before, after)


def each_item(session: Session, scope: Scope, chosen: Filter, now: datetime) -> Iterator[ItemRow]:
    """All items of the filter in its order: what an export writes."""
    order = (Item.opened_at, Item.id)
    if chosen.sort is Sort.NEWEST:
        query = _rows().order_by(*(column.desc() for column in order))
    else:
        query = _rows().order_by(*order)
    query = query.where(*_conditions(scope, chosen, now))
    for row in session.execute(query.execution_options(yield_per=500)):
        yield _item(row, scope)


def count_items(session: Session, scope: Scope, chosen: Filter, now: datetime) -> Counts:
    """Counts for the filter without its age, so that each age's link says what it leads to."""
    conditions = _conditions(scope, chosen, now, but_age=True)
    sums = [func.sum(case((and_(*_aged(age, now)), 1), else_=0)) for age in Age]
    found = session.execute(_joined(select(*sums)).where(*conditions)).one()
    by_age = {age: int(number or 0) for age, number in zip(Age, found, strict=True)}
    categories = _joined(select(Case.category).distinct()).where(*scope.limit(Item.unit_id))
    return Counts(sum(by_age.values()), by_age, tuple(session.scalars(categories.order_by(Case.category))))


def _conditions(
    scope: Scope, chosen: Filter, now: datetime, *, but_age: bool = False
) -> list[ColumnElement[bool]]:
    found = scope.limit(Item.unit_id)
    if chosen.group is not None:
        found.append(Unit.group == chosen.group)
    if chosen.unit:
        found.append(Unit.code == chosen.unit)
    if chosen.category:
        found.append(Case.category == chosen.category)
    if chosen.item:
        found.append(Item.state == chosen.item)
    if chosen.q:
        found.append(Case.number.contains(chosen.q, autoescape=True))
    if chosen.age is not None and not but_age:
        found += _aged(chosen.age, now)
    return found


def _aged(age: Age, now: datetime) -> list[ColumnElement[bool]]:
    after, up_to = age.opened_between(now)
    found: list[ColumnElement[bool]] = [] if after is None else [Item.opened_at > after]
    if age is not Age.UNDER_1D:  # a clock that is behind must not hide a new item
        found.append(Item.opened_at <= up_to)
    return found


def _joined(query: Any) -> Any:
    return (
        query.select_from(Item)
        .join(Callback, Callback.id == Item.callback_id)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Item.unit_id)
        .join(Rating, Rating.id == Item.rating_id)
    )


def _rows() -> Any:
    first_phone = (
        select(CasePhone.number_masked)
        .where(CasePhone.case_id == Case.id)
        .order_by(CasePhone.position)
        .limit(1)
        .correlate(Case)
        .scalar_subquery()
    )
    number = func.coalesce(Attempt.number_masked, Reply.number_masked, first_phone)
    query = _joined(select(Item.opened_at, Item.id, Item.state, Case, Unit, Rating, number))
    return query.outerjoin(Attempt, Attempt.id == Rating.attempt_id).outerjoin(
        Reply, Reply.id == Rating.reply_id
    )


def _item(row: Any, scope: Scope) -> ItemRow:
    opened_at, item_id, state, of_case, unit, rating, number = row
    return ItemRow(
        id=item_id,
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
        opened_at=opened_at,
        state=state,
    )
