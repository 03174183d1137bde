"""Lists of cases (search by number) and of callbacks (what a count on the progress page leads to)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, CasePhone, Closing, Rating, Unit
from callbacks.states import DONE, OPEN, State
from callbacks.vocabulary import Channel, Exclusion
from scoring.queries import Page, Scope, of_cases, one_page, running_out
from scoring.queries_filter import SOON, BadFilter, Filter, Only, Sort


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as the search shows it. `state` is its newest callback's, None before its first closing."""

    number: str
    unit_code: str
    unit: str
    unit_en: str
    category: str
    enterprise: bool
    accepted_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    state: State | None


@dataclass(frozen=True, slots=True)
class CallbackRow:
    """A callback in a list, with its counted rating."""

    case: str
    round: int
    unit_code: str
    unit: str
    unit_en: str
    category: str
    state: State
    state_since: datetime
    closed_at: datetime
    deadline: datetime
    exclusion: Exclusion | None
    scale: str | None
    value: int | None
    channel: Channel | None


def read_cases(session: Session, scope: Scope, chosen: Filter) -> Page[CaseRow]:
    """Cases by part of their number or a telephone number's index, the newest first."""
    conditions = _case_conditions(scope, chosen)
    total = session.scalar(_cases(select(func.count())).where(*conditions)) or 0
    newest = (
        select(Callback.state)
        .where(Callback.case_id == Case.id, *scope.limit(Callback.unit_id))
        .order_by(Callback.id.desc())
        .limit(1)
        .correlate(Case)
        .scalar_subquery()
    )
    query = _cases(select(Case.accepted_at, Case.id, Case, Unit, newest)).where(*conditions)
    rows, before, after = one_page(
        session, query, (Case.accepted_at, Case.id), chosen.page, newest_first=chosen.sort is not Sort.OLDEST
    )
    return Page(tuple(_case(row) for row in rows), total, before, after)


def handled_in(scope: Scope) -> list[ColumnElement[bool]]:
    """Cases that a unit of the scope has or closed once; another unit's are not there at all."""
    if scope.units is None:
        return []
    closed_once = select(Closing.case_id).where(*scope.limit(Closing.unit_id))
    return [or_(Case.lead_unit_id.in_(scope.units), Case.id.in_(closed_once))]


def _cases(query: Any) -> Any:
    return query.select_from(Case).join(Unit, Unit.id == Case.lead_unit_id)


def _case_conditions(scope: Scope, chosen: Filter) -> list[ColumnElement[bool]]:
    found = [*handled_in(scope), *of_cases(chosen)]
    if chosen.phone:
        found.append(literal(scope.numbers))  # who mustn't see numbers finds nothing by one
        with_number = select(CasePhone.case_id).where(CasePhone.number_index == chosen.phone)
        found.append(Case.id.in_(with_number))
    if chosen.only is Only.UNDER_WAY:
        found.append(Case.closed_at.is_(None))
    elif chosen.only is not None:
        raise BadFilter("only", chosen.only)
    return found


def _case(row: Any) -> CaseRow:
    _, _, case, unit, state = row
    return CaseRow(
        number=case.number,
        unit_code=unit.code,
        unit=unit.name,
        unit_en=unit.name_en,
        category=case.category,
        enterprise=case.enterprise,
        accepted_at=case.accepted_at,
        due_at=case.due_at,
        closed_at=case.closed_at,
        state=state,
    )


@dataclass(frozen=True, slots=True)
class Times:
    """The moments that a filter's words stand for: `today` is the local midnight, `month` the filter's."""

    now: datetime
    today: datetime
    month: tuple[datetime, datetime] | None = None


def read_callbacks(session: Session, scope: Scope, chosen: Filter, times: Times) -> Page[CallbackRow]:
    """Callbacks by unit, group, state, round and month of closing; the newest closing first."""
    conditions = _callback_conditions(scope, chosen) + _timely(chosen.only, times)
    total = session.scalar(_callbacks(select(func.count())).where(*conditions)) or 0
    query = _callbacks(select(Callback.closed_at, Callback.id, Callback, Case, Unit, Rating))
    query = query.outerjoin(Rating, (Rating.callback_id == Callback.id) & Rating.counted)
    rows, before, after = one_page(
        session,
        query.where(*conditions),
        (Callback.closed_at, Callback.id),
        chosen.page,
        newest_first=chosen.sort is not Sort.OLDEST,
    )
    return Page(tuple(_callback(row) for row in rows), total, before, after)


def _callbacks(query: Any) -> Any:
    return (
        query.select_from(Callback)
        .join(Case, Case.id == Callback.case_id)
        .join(Unit, Unit.id == Callback.unit_id)
    )


def _timely(only: Only | None, times: Times) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if times.month is not None:
        found += [Callback.closed_at >= times.month[0], Callback.closed_at < times.month[1]]
    match only:
        case Only.RUNNING_OUT:
            found.append(running_out(times.now + SOON))
        case Only.RATED_TODAY:
            rated = select(Rating.callback_id).where(Rating.counted, Rating.at >= times.today)
            found.append(Callback.id.in_(rated))
        case Only.DONE:
            found.append(Callback.state.in_(DONE))
        case Only.OPEN:
            found.append(Callback.state.in_(OPEN))
        case Only.NO_NUMBER:
            found.append(~exists().where(CasePhone.case_id == Callback.case_id))
        case Only.UNDER_WAY:
            found.append(Case.closed_at.is_(None))
    return found


def _callback_conditions(scope: Scope, chosen: Filter) -> list[ColumnElement[bool]]:
    found = [*scope.limit(Callback.unit_id), *of_cases(chosen)]
    if chosen.state is not None:
        found.append(Callback.state == chosen.state)
    if chosen.round is not None:
        found.append(Callback.round == chosen.round)
    return found


def _callback(row: Any) -> CallbackRow:
    _, _, callback, case, unit, rating = row
    return CallbackRow(
        case=case.number,
        round=callback.round,
        unit_code=unit.code,
        unit=unit.name,
        unit_en=unit.name_en,
        category=case.category,
        state=callback.state,
        state_since=callback.state_since,
        closed_at=callback.closed_at,
        deadline=callback.deadline,
        exclusion=callback.exclusion,
        scale=None if rating is None else rating.scale,
        value=None if rating is None else rating.value,
        channel=None if rating is None else rating.channel,
    )
