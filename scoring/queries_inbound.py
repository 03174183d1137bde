"""Who called 110: who waits and talks, who gave up and isn't rung back, how quickly people answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from callbacks.inbound_figures import GAVE_UP, Outcome, read_figures
from callbacks.models import Case, CasePhone
from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.recording_file import seconds_of
from scoring.queries import Page, one_page
from scoring.queries_filter import Filter
from scoring.queries_messages import MessageRow, left_messages, messages_of_caller
from scoring.queries_ranking import Rate

MOST = 100
_CASES = 20


@dataclass(frozen=True, slots=True)
class InboundPage:
    """`in_time`: a person within 15 s, of the day's calls for one that are over and weren't redirected."""

    waiting: int
    talking: int
    came: int
    in_time: Rate
    given_up: Sequence[InboundCall]  # at most MOST of `to_ring_back`
    to_ring_back: int
    left_messages: frozenset[str]  # tokens of those among them who did


@dataclass(frozen=True, slots=True)
class CallerPage:
    """A call, with the cases of its number that are open or still being asked about."""

    call: InboundCall
    messages: tuple[MessageRow, ...]
    cases: tuple[tuple[str, str, datetime, datetime | None], ...]  # number, category, accepted, closed


@dataclass(frozen=True, slots=True)
class RecordedLeg:
    """What was recorded of the caller (without a target) or of a telephone's leg.

    `seconds` is None where nobody knows it: of a file that isn't here, and wasn't finished.
    """

    row: InboundCall | InboundLeg
    target: str
    seconds: float | None


def recorded_legs(call: InboundCall, folder: Path | None) -> list[RecordedLeg]:
    """The caller first. Of one that isn't finished, or never was, the file says how long it is."""
    caller = RecordedLeg(call, "", _seconds(call, folder))
    legs = [RecordedLeg(leg, leg.target, _seconds(leg, folder)) for leg in call.legs]
    return [each for each in (caller, *legs) if each.row.recorded_at is not None]


def _seconds(row: InboundCall | InboundLeg, folder: Path | None) -> float | None:
    if row.recorded_seconds is not None or folder is None or row.recording is None:
        return row.recorded_seconds
    try:
        return seconds_of((folder / row.recording).stat().st_size)
    except OSError:
        return None


def waited(call: InboundCall, now: datetime) -> timedelta:
    """From when it came until a person, the end, or now."""
    return (call.talked_at or call.redirected_at or call.ended_at or now) - call.came_at


def read_inbound(session: Session, since: datetime, most: int | None = MOST) -> InboundPage:
    """`since` begins the day that is counted; of those who gave up at most so many, the longest ago first."""
    figures = read_figures(session, since)
    answered = figures.outcomes[Outcome.IN_TIME]
    ended = answered + figures.outcomes[Outcome.LATER] + figures.outcomes[Outcome.GAVE_UP]
    given_up = select(InboundCall).where(GAVE_UP).order_by(InboundCall.came_at, InboundCall.id)
    gave_up = session.scalars(given_up.limit(most)).all()
    return InboundPage(
        waiting=figures.waiting,
        talking=figures.talking,
        came=session.scalar(select(func.count()).where(InboundCall.came_at >= since)) or 0,
        in_time=Rate(answered, ended),
        given_up=gave_up,
        to_ring_back=session.scalar(select(func.count(InboundCall.id)).where(GAVE_UP)) or 0,
        left_messages=left_messages(session, [call.token for call in gave_up]),
    )


def read_calls(session: Session, chosen: Filter) -> Page[InboundCall]:
    """All calls to 110, the newest first."""
    key = InboundCall.came_at, InboundCall.id
    query: Any = select(*key, InboundCall)
    found, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    total = session.scalar(select(func.count(InboundCall.id))) or 0
    return Page(tuple(row[2] for row in found), total, before, after)


def read_caller(session: Session, token: str) -> CallerPage | None:
    """None where there is no such call."""
    query = select(InboundCall).where(InboundCall.token == token).options(selectinload(InboundCall.legs))
    call = session.scalars(query).one_or_none()
    if call is None:
        return None
    cases = () if call.number_index is None else _cases_of(session, call.number_index)
    return CallerPage(call, messages_of_caller(session, token), cases)


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


def read_recorded(session: Session, token: str, leg: str) -> InboundCall | InboundLeg | None:
    """The caller's own row where both names are the call's, else that of one of its legs."""
    if not (token + leg).isprintable():
        return None
    if leg == token:
        return session.scalars(select(InboundCall).where(InboundCall.token == token)).one_or_none()
    of_call = select(InboundLeg).join(InboundCall).where(InboundCall.token == token)
    return session.scalars(of_call.where(InboundLeg.token == leg)).one_or_none()
