"""How many cases a source says that it sent on a day: told by command or by the source itself."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.days import day_of
from callbacks.intake_settings import IntakeSettings
from callbacks.models_office import SourceCount
from callbacks.service.core import Context, audit

MOST = 10_000_000


class BadCount(ValueError):
    """A count that can't be: its words say what would be right."""


class Told(StrEnum):
    """What a count came to."""

    STORED = "stored"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


def tell_count(
    ctx: Context,
    settings: IntakeSettings,
    source: str,
    day: date,
    number: int,
    actor: str,
    now: datetime,
) -> Told:
    """Keeps the count of a local day; a later one takes its place. BadCount where it can't be one."""
    if settings.source(source) is None:
        names = ", ".join(each.name for each in settings.sources) or "none: see [[intake.sources]]"
        raise BadCount(f"no source is named {source!r}; there is {names}")
    if day > day_of(now, ctx.policy.windows.timezone):
        raise BadCount(f"{day} is yet to come")
    if not 0 <= number <= MOST:
        raise BadCount(f"{number}; a whole number from 0 to {MOST}")
    try:
        return ctx.run(lambda session: _store(session, source, day.isoformat(), number, actor, now))
    except IntegrityError:  # told twice at once: now it's there
        return ctx.run(lambda session: _store(session, source, day.isoformat(), number, actor, now))


def _store(session: Session, source: str, day: str, number: int, actor: str, now: datetime) -> Told:
    query = select(SourceCount).where(SourceCount.source == source, SourceCount.day == day)
    row = session.scalar(query.with_for_update())
    if row is not None and row.number == number:
        return Told.UNCHANGED
    was = None if row is None else row.number
    audit(session, now, actor, "source_count", f"source:{source}"[:80], day=day, number=number, was=was)
    if row is None:
        session.add(SourceCount(source=source, day=day, number=number, received_at=now))
        return Told.STORED
    row.number, row.received_at = number, now
    return Told.CHANGED
