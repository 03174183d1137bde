"""ASR and ACD of each trunk by local day or hour, each counted by the database for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from callbacks.cdr import Direction, Traffic
from callbacks.cdr_store import read_traffic
from callbacks.days import day_begins, day_ends, days_between

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """A trunk's traffic of a day (`begins` is 2026-11-23) or an hour (2026-11-23 14:00), one way."""

    begins: str
    trunk: str
    direction: Direction
    traffic: Traffic


def by_day(session: Session, first: date, last: date, timezone: str) -> Iterator[TrafficRow]:
    """Without the days and trunks that carried nothing."""
    for day in days_between(first, last):
        yield from _rows(session, str(day), day_begins(day, timezone), day_ends(day, timezone))


def by_hour(session: Session, first: date, last: date, timezone: str) -> Iterator[TrafficRow]:
    """Likewise, by hour."""
    start, end, zone = day_begins(first, timezone), day_ends(last, timezone), ZoneInfo(timezone)
    while start < end:
        yield from _rows(session, f"{start.astimezone(zone):%Y-%m-%d %H:%M}", start, start + _HOUR)
        start += _HOUR


def _rows(session: Session, begins: str, start: datetime, end: datetime) -> Iterator[TrafficRow]:
    for (trunk, direction), traffic in read_traffic(session, start, end).items():
        yield TrafficRow(begins, trunk, direction, traffic)
