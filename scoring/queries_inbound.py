"""Who called 110: who waits and talks, who gave up and isn't rung back, how quickly people answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, selectinload

from callbacks.models import Case, CasePhone
from callbacks.models_inbound import InboundCall
from scoring.queries_ranking import Rate

ANSWER_WITHIN = timedelta(seconds=15)  # GB/T 33358: domain.md A1.5
_MOST = 100
_CASES = 20


@dataclass(frozen=True, slots=True)
class InboundPage:
    """`in_time` is of those that came since `since`: a person within 15 s, of all that weren't redirected."""

    waiting: int
    talking: int
    came: int
    in_time: Rate
    given_up: Sequence[InboundCall]
    recent: Sequence[InboundCall]


@dataclass(frozen=True, slots=True)
class CallerPage:
    """A call, with the cases of its number that are open or still being asked about."""

    call: InboundCall
    cases: tuple[tuple[str, str, datetime, datetime | None], ...]  # number, category, accepted, closed


def waited(call: InboundCall, now: datetime) -> timedelta:
    """From when it came until a person, the end, or now."""
    return (call.talked_at or call.redirected_at or call.ended_at or now) - call.came_at


def read_inbound(session: Session, since: datetime, now: datetime) -> InboundPage:
    """`since` begins the day that is counted."""
    open_now = InboundCall.ended_at.is_(None)
    waiting = select(func.count()).where(open_now, InboundCall.talked_at.is_(None))
    talking = select(func.count()).where(open_now, InboundCall.talked_at.is_not(None))
    today = select(InboundCall.came_at, InboundCall.talked_at, InboundCall.ended_at).where(
        InboundCall.came_at >= since, InboundCall.redirected_at.is_(None)
    )
    rows = [row for row in session.execute(today) if row.talked_at or row.ended_at]
    hits = sum(row.talked_at is not None and row.talked_at - row.came_at <= ANSWER_WITHIN for row in rows)
    came = session.scalar(select(func.count()).where(InboundCall.came_at >= since)) or 0
    recent = select(InboundCall).order_by(InboundCall.came_at.desc(), InboundCall.id.desc()).limit(_MOST)
    return InboundPage(
        waiting=session.scalar(waiting) or 0,
        talking=session.scalar(talking) or 0,
        came=came,
        in_time=Rate(hits, len(rows)),
        given_up=session.scalars(_given_up()).all(),
        recent=session.scalars(recent).all(),
    )


def _given_up() -> Select[InboundCall]:
    return (
        select(InboundCall)
        .where(
            InboundCall.ended_at.is_not(None),
            InboundCall.talked_at.is_(None),
            InboundCall.redirected_at.is_(None),
            InboundCall.rung_back_at.is_(None),
        )
        .order_by(InboundCall.came_at, InboundCall.id)
        .limit(_MOST)
    )


def read_caller(session: Session, token: str) -> CallerPage | None:
    """None where there is no such call."""
    query = select(InboundCall).where(InboundCall.token == token).options(selectinload(InboundCall.legs))
    call = session.scalars(query).one_or_none()
    if call is None:
        return None
    return CallerPage(call, () if call.number_index is None else _cases_of(session, call.number_index))


def _cases_of(session: Session, index: str) -> tuple[tuple[str, str, datetime, datetime | None], ...]:
    """Open ones first, then those that were closed last."""
    mine = select(CasePhone.case_id).where(CasePhone.number_index == index)
    query = (
        select(Case.number, Case.category, Case.accepted_at, Case.closed_at)
        .where(Case.id.in_(mine))
        .order_by(Case.closed_at.is_not(None), Case.accepted_at.desc(), Case.id)
        .limit(_CASES)
    )
    return tuple((row.number, row.category, row.accepted_at, row.closed_at) for row in session.execute(query))
