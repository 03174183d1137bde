"""The audit as a page shows it: newest first, narrowed by who, what, of what and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from callbacks.days import day_begins, day_ends, read_day
from callbacks.models import Audit, AuditLink
from scoring.queries import Page, one_page
from scoring.queries_filter import BadFilter, Filter


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A line; `seq` is its link's place in the chain, None where it isn't linked yet."""

    at: datetime
    id: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    seq: int | None = None


def read_audit(session: Session, chosen: Filter, zone: ZoneInfo) -> Page[AuditRow]:
    """One page of it."""
    narrowed = _narrowed(chosen, zone)
    query = select(Audit.at, Audit.id, Audit.actor, Audit.action, Audit.subject, Audit.detail, AuditLink.seq)
    query = query.outerjoin(AuditLink, AuditLink.audit_id == Audit.id).where(*narrowed)
    rows, before, after = one_page(session, query, (Audit.at, Audit.id), chosen.page, newest_first=True)
    total = session.scalar(select(func.count()).select_from(Audit).where(*narrowed)) or 0
    return Page(tuple(AuditRow(*row) for row in rows), total, before, after)


def actions(session: Session) -> tuple[str, ...]:
    """What has been done at all."""
    return tuple(session.scalars(select(Audit.action).distinct().order_by(Audit.action)))


def deeds_on(session: Session, subject: str, most: int) -> tuple[AuditRow, ...]:
    """What was done to a person or a unit, newest first."""
    query = select(Audit.at, Audit.id, Audit.actor, Audit.action, Audit.subject, Audit.detail)
    rows = session.execute(query.where(Audit.subject == subject).order_by(Audit.id.desc()).limit(most))
    return tuple(AuditRow(*row) for row in rows)


def _narrowed(chosen: Filter, zone: ZoneInfo) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.actor:
        found.append(Audit.actor == chosen.actor)
    if chosen.action:
        found.append(Audit.action == chosen.action)
    if chosen.subject:
        found.append(Audit.subject.startswith(chosen.subject, autoescape=True))
    if chosen.month:
        first = date.fromisoformat(f"{chosen.month}-01")
        after = (first + timedelta(days=31)).replace(day=1)
        found += [Audit.at >= day_begins(first, str(zone)), Audit.at < day_begins(after, str(zone))]
    if chosen.day:
        try:
            day = read_day(chosen.day)
        except ValueError:
            raise BadFilter("day", chosen.day) from None
        found += [Audit.at >= day_begins(day, str(zone)), Audit.at < day_ends(day, str(zone))]
    return found
