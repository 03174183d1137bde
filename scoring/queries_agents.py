"""The agents' queue as pages show it: what a person may take, what waits for an agreed time, who has what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, CasePhone, Unit
from callbacks.models_office import AgentClaim, AgentContact, ContactOutcome
from callbacks.numbers import NumberKind
from callbacks.states import OPEN, State
from scoring.models import User
from scoring.queries import Page, Scope, of_cases, one_page
from scoring.queries_filter import Filter, Tab

_TRIED_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on it now, until when; before `since` it's an appointment."""

    login: str
    name: str
    since: datetime
    until: datetime

    def works(self, now: datetime) -> bool:
        return self.since <= now < self.until


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A callback in the queue. `agreed` is the time on which agent and citizen agreed, last of all."""

    id: int
    case: str
    round: int
    unit: str
    unit_en: str
    category: str
    enterprise: bool
    why: str
    since: datetime
    deadline: datetime
    number: str | None
    contacts: int
    last: ContactOutcome | None
    holder: Holder | None
    agreed: datetime | None


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """A number of the case, masked; `barred` when it was the wrong person's."""

    id: int
    masked: str
    barred: bool
    dialable: bool


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One callback of the queue with what an agent needs; `newest` is the id of its newest contact."""

    row: QueueRow
    state: State
    sensitive: bool
    accepted_at: datetime
    phones: tuple[PhoneRow, ...]
    newest: int


def open_categories(session: Session) -> tuple[str, ...]:
    """The categories of the cases that are being followed up."""
    query = select(Case.category).join(Callback, Callback.case_id == Case.id).where(Callback.state.in_(OPEN))
    return tuple(session.scalars(query.distinct().order_by(Case.category)))


def read_queue(session: Session, scope: Scope, chosen: Filter, login: str, now: datetime) -> Page[QueueRow]:
    """The part that `chosen.tab` names, whose deadline is nearest first."""
    conditions = [*_conditions(scope, chosen), *_in_tab(chosen.tab, login, now)]
    total = session.scalar(_joined(select(func.count())).where(*conditions)) or 0
    rows, before, after = one_page(
        session, _rows().where(*conditions), (Callback.next_at, Callback.id), chosen.page, newest_first=False
    )
    return Page(tuple(_row(row, scope) for row in rows), total, before, after)


def count_tabs(
    session: Session, scope: Scope, chosen: Filter, login: str, now: datetime
) -> dict[Tab | None, int]:
    """How many callbacks each part of the queue has for the rest of the filter."""
    tabs: tuple[Tab | None, ...] = (None, *Tab)
    sums = [func.sum(case((and_(*_in_tab(tab, login, now)), 1), else_=0)) for tab in tabs]
    found = session.execute(_joined(select(*sums)).where(*_conditions(scope, chosen))).one()
    return {tab: int(number or 0) for tab, number in zip(tabs, found, strict=True)}


def next_free(session: Session, scope: Scope, now: datetime) -> list[int]:
    """Ids to take one of: agreed times that are here first, then the nearest deadlines."""
    query = (
        _joined(select(Callback.id))
        .where(*_conditions(scope, Filter()), *_in_tab(None, "", now))
        .where(or_(AgentClaim.callback_id.is_(None), AgentClaim.until <= now))
        .order_by(case((_newest_outcome() == ContactOutcome.LATER, 0), else_=1))
        .order_by(Callback.next_at, Callback.id)
        .limit(_TRIED_AT_ONCE)
    )
    return list(session.scalars(query))


def read_item(session: Session, scope: Scope, callback_id: int) -> ItemRow | None:
    """The callback, in the queue or not any more; None where there is none for this reader."""
    query = _rows().where(Callback.id == callback_id, *scope.limit(Callback.unit_id))
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    callback, found = row[2], row[3]
    newest = select(func.max(AgentContact.id)).where(AgentContact.callback_id == callback_id)
    return ItemRow(
        row=_row(row, scope),
        state=callback.state,
        sensitive=found.sensitive,
        accepted_at=found.accepted_at,
        phones=tuple(
            PhoneRow(
                phone.id,
                phone.number_masked,
                barred=phone.barred_at is not None,
                dialable=phone.barred_at is None and phone.kind is not NumberKind.UNUSABLE,
            )
            for phone in found.phones
        ),
        newest=session.scalar(newest) or 0,
    )


def _conditions(scope: Scope, chosen: Filter) -> list[ColumnElement[bool]]:
    return [Callback.state == State.AGENT_QUEUE, *scope.limit(Callback.unit_id), *of_cases(chosen)]


def _in_tab(tab: Tab | None, login: str, now: datetime) -> list[ColumnElement[bool]]:
    waits = AgentClaim.at > now
    here = or_(AgentClaim.callback_id.is_(None), AgentClaim.at <= now)
    match tab:
        case Tab.COME:
            return [here, _newest_outcome() == ContactOutcome.LATER]
        case Tab.AGREED:
            return [waits]
        case Tab.MINE:
            return [AgentClaim.login == login, or_(waits, AgentClaim.until > now)]
        case None:
            return [here]


def _newest_outcome() -> Any:
    return (
        select(AgentContact.outcome)
        .where(AgentContact.callback_id == Callback.id)
        .order_by(AgentContact.id.desc())
        .limit(1)
        .correlate(Callback)
        .scalar_subquery()
    )


def _joined(query: Any) -> Any:
    return (
        query.select_from(Callback)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Callback.unit_id)
        .outerjoin(AgentClaim, AgentClaim.callback_id == Callback.id)
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
    contacts = (
        select(func.count(AgentContact.id))
        .where(AgentContact.callback_id == Callback.id)
        .correlate(Callback)
        .scalar_subquery()
    )
    columns = (Callback.next_at, Callback.id, Callback, Case, Unit, AgentClaim, User.name)
    query = _joined(select(*columns, first_phone, contacts, _newest_outcome()))
    return query.outerjoin(User, User.login == AgentClaim.login)


def _row(row: Any, scope: Scope) -> QueueRow:
    next_at, _, callback, found, unit, claim, name, number, contacts, last = row
    holder = None if claim is None else Holder(claim.login, name or claim.login, claim.at, claim.until)
    return QueueRow(
        id=callback.id,
        case=found.number,
        round=callback.round,
        unit=unit.name,
        unit_en=unit.name_en,
        category=found.category,
        enterprise=found.enterprise,
        why=callback.handed_over or "",
        since=callback.state_since,
        deadline=min(next_at, callback.deadline),
        number=number if scope.numbers else None,
        contacts=contacts,
        last=last,
        holder=holder,
        agreed=claim.at if claim is not None and last is ContactOutcome.LATER else None,
    )
