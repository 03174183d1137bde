"""The call detail records as the tables have them: each leg by a trunk, and what each trunk carried."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from callbacks.cdr import Direction, Kind, Record, Traffic, cost_of
from callbacks.models import Attempt
from callbacks.models_carried import Carried
from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.models_trunks import PersonLeg, PersonLegKind
from callbacks.numbers import mask
from callbacks.service.core import BY_TELEPHONE
from callbacks.vocabulary import Channel, LegKind

__all__ = ["Wanted", "read_cdr", "read_traffic"]

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Legs that began from `start` until before `end`, of one trunk or of all.

    `whole` brings a stored number back; without it numbers are masked. `increment`: what is billed as begun.
    """

    start: datetime
    end: datetime
    trunk: str | None = None
    direction: Direction | None = None
    whole: Callable[[str], str] | None = None
    increment: int = 60

    def takes(self, began: Any, trunk: Any) -> list[ColumnElement[bool]]:
        found = [began >= self.start, began < self.end]
        return found if self.trunk is None else [*found, trunk == self.trunk]

    def stored(self, encrypted: str | None, masked: str | None) -> str:
        return (masked or "") if self.whole is None or encrypted is None else self.whole(encrypted)

    def own(self, dialled: str | None) -> str:
        return (dialled or "") if self.whole is not None else mask(dialled or "")


def read_cdr(session: Session, wanted: Wanted) -> Iterator[Record]:
    """By their beginning, streamed."""
    out = (_attempts, _person_legs, _legs) if wanted.direction is not Direction.IN else ()
    into = (_callers,) if wanted.direction is not Direction.OUT else ()
    return heapq.merge(*(read(session, wanted) for read in (*out, *into)), key=lambda each: each.started)


def _rows(session: Session, query: Select[Any]) -> Iterator[Any]:
    return iter(session.scalars(query.execution_options(yield_per=_AT_ONCE)))


def _attempts(session: Session, wanted: Wanted) -> Iterator[Record]:
    query = select(Attempt).where(
        *wanted.takes(Attempt.invited_at, Attempt.trunk), Attempt.channel.in_(BY_TELEPHONE)
    )
    for row in _rows(session, query.order_by(Attempt.invited_at, Attempt.id)):
        yield Record(
            f"attempt:{row.id}",
            Kind.PERSON if row.channel is Channel.AGENT else Kind.CALLBACK,
            Direction.OUT,
            row.trunk,
            wanted.stored(row.number_encrypted, row.number_masked),
            "",
            started=row.invited_at,
            rang=row.rang_at,
            cost=_cost(row, wanted.increment),
            **_carried(row),
        )


def _cost(row: Attempt, increment: int) -> int | None:
    if row.price is None or row.talk_seconds is None:
        return None
    return cost_of(row.talk_seconds, row.price, increment)


def _person_legs(session: Session, wanted: Wanted) -> Iterator[Record]:
    query = select(PersonLeg).where(*wanted.takes(PersonLeg.began_at, PersonLeg.trunk))
    for row in _rows(session, query.order_by(PersonLeg.began_at, PersonLeg.id)):
        yield Record(
            f"person_leg:{row.id}",
            Kind.AGENT if row.kind is PersonLegKind.AGENT else Kind.TRANSFER,
            Direction.OUT,
            row.trunk,
            wanted.own(row.dialled),
            row.target,
            started=row.began_at,
            rang=row.rang_at,
            **_carried(row),
        )


def _legs(session: Session, wanted: Wanted) -> Iterator[Record]:
    """A trunk that was asked by REFER calls for itself: that is no leg of ours."""
    query = select(InboundLeg).where(
        *wanted.takes(InboundLeg.began_at, InboundLeg.trunk), InboundLeg.kind != LegKind.REFER
    )
    for row in _rows(session, query.order_by(InboundLeg.began_at, InboundLeg.id)):
        yield Record(
            f"inbound_leg:{row.id}",
            Kind.DESK,
            Direction.OUT,
            row.trunk or "",
            wanted.own(row.dialled),
            row.target,
            started=row.began_at,
            rang=row.rang_at,
            **_carried(row),
        )


def _callers(session: Session, wanted: Wanted) -> Iterator[Record]:
    """It rings at once, unless it is sent elsewhere at once."""
    query = select(InboundCall).where(*wanted.takes(InboundCall.came_at, InboundCall.trunk))
    for row in _rows(session, query.order_by(InboundCall.came_at, InboundCall.id)):
        yield Record(
            f"inbound_call:{row.id}",
            Kind.CALLER,
            Direction.IN,
            row.trunk,
            wanted.stored(row.number_encrypted, row.number_masked),
            row.called,
            started=row.came_at,
            rang=None if row.redirected_at else row.came_at,
            **_carried(row),
        )


def _carried(row: Any) -> dict[str, Any]:
    return {
        "sip_call_id": row.sip_call_id,
        "answered": row.answered_at,
        "ended": row.ended_at,
        "disposition": getattr(row, "disposition", None),
        "sip_status": row.sip_status,
        "q850": row.q850,
        "seconds": row.talk_seconds,
        "lost_percent": row.lost_percent,
        "jitter_ms": row.jitter_ms,
    }


def read_traffic(session: Session, start: datetime, end: datetime) -> dict[tuple[str, Direction], Traffic]:
    """What each trunk carried that began in the time, out and in."""
    wanted = Wanted(start, end)
    found: dict[tuple[str, Direction], Traffic] = {}
    for direction, query in _counts(wanted):
        for trunk, seizures, answered, talks, seconds in session.execute(query):
            key = trunk or "", direction
            counted = Traffic(seizures, int(answered or 0), int(talks or 0), int(seconds or 0))
            found[key] = found.get(key, Traffic()) + counted
    return dict(sorted(found.items()))


def _counts(wanted: Wanted) -> Iterator[tuple[Direction, Select[Any]]]:
    calls = _count(Attempt, Attempt.invited_at, wanted)
    yield Direction.OUT, calls.where(Attempt.channel.in_(BY_TELEPHONE))
    yield Direction.OUT, _count(PersonLeg, PersonLeg.began_at, wanted)
    legs = _count(InboundLeg, InboundLeg.began_at, wanted)
    yield Direction.OUT, legs.where(InboundLeg.kind != LegKind.REFER)
    yield Direction.IN, _count(InboundCall, InboundCall.came_at, wanted)


def _count(table: type[Carried], began: Any, wanted: Wanted) -> Select[Any]:
    of: Any = table
    talked = of.answered_at.is_not(None)
    is_known = talked & of.talk_seconds.is_not(None)
    return (
        select(
            of.trunk,
            func.count(),
            func.sum(case((talked, 1), else_=0)),
            func.sum(case((is_known, 1), else_=0)),
            func.sum(case((is_known, of.talk_seconds), else_=0)),
        )
        .where(*wanted.takes(began, of.trunk))
        .group_by(of.trunk)
    )
