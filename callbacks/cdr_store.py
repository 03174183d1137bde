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


_VOICE = ("lost_percent", "jitter_ms")
_OF_ALL = (
    "id", "trunk", "sip_call_id", "answered_at", "ended_at", "sip_status", "q850", "talk_seconds", *_VOICE
)  # fmt: skip


def _rows(
    session: Session, table: type[Carried], began: str, names: tuple[str, ...], wanted: Wanted, *where: Any
) -> Iterator[Any]:
    """Of the columns alone: a day's objects would take thrice as long."""
    of: Any = table
    columns = [getattr(of, name) for name in (began, *names, *_OF_ALL)]
    at = getattr(of, began)
    query = select(*columns).where(*wanted.takes(at, of.trunk), *where).order_by(at, of.id)
    return iter(session.execute(query.execution_options(yield_per=_AT_ONCE)))


def _attempts(session: Session, wanted: Wanted) -> Iterator[Record]:
    names = ("channel", "number_encrypted", "number_masked", "rang_at", "price", "disposition")
    called = Attempt.channel.in_(BY_TELEPHONE)
    for row in _rows(session, Attempt, "invited_at", names, wanted, called):
        yield Record(
            f"attempt:{row.id}",
            Kind.PERSON if row.channel is Channel.AGENT else Kind.CALLBACK,
            Direction.OUT,
            row.trunk,
            wanted.stored(row.number_encrypted, row.number_masked),
            "",
            started=row.invited_at,
            rang=row.rang_at,
            disposition=row.disposition,
            cost=_cost(row.price, row.talk_seconds, wanted.increment),
            **_carried(row),
        )


def _cost(price: int | None, seconds: int | None, increment: int) -> int | None:
    return None if price is None or seconds is None else cost_of(seconds, price, increment)


_OWN = ("kind", "target", "dialled", "rang_at", "disposition")


def _person_legs(session: Session, wanted: Wanted) -> Iterator[Record]:
    for row in _rows(session, PersonLeg, "began_at", _OWN, wanted):
        kind = Kind.AGENT if row.kind is PersonLegKind.AGENT else Kind.TRANSFER
        yield _own_telephone(f"person_leg:{row.id}", kind, row, wanted)


def _legs(session: Session, wanted: Wanted) -> Iterator[Record]:
    """A trunk that was asked by REFER calls for itself: that is no leg of ours."""
    ours = InboundLeg.kind != LegKind.REFER
    for row in _rows(session, InboundLeg, "began_at", _OWN, wanted, ours):
        yield _own_telephone(f"inbound_leg:{row.id}", Kind.DESK, row, wanted)


def _own_telephone(name: str, kind: Kind, row: Any, wanted: Wanted) -> Record:
    return Record(
        name,
        kind,
        Direction.OUT,
        row.trunk or "",
        wanted.own(row.dialled),
        row.target,
        started=row.began_at,
        rang=row.rang_at,
        disposition=row.disposition,
        **_carried(row),
    )


def _callers(session: Session, wanted: Wanted) -> Iterator[Record]:
    """It rings at once, unless it is sent elsewhere at once."""
    names = ("number_encrypted", "number_masked", "called", "redirected_at")
    for row in _rows(session, InboundCall, "came_at", names, wanted):
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
