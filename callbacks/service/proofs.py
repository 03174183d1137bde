"""The nightly proof: each local day's ledger is taken once, kept, and an alarm where it doesn't balance."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.days import day_ends, day_of, days_between
from callbacks.ledger import COLUMNS, Ledger, read_ledger_at
from callbacks.ledger_proofs import detail_of
from callbacks.ledger_standing import Marks, read_marks
from callbacks.models import Closing, Unit
from callbacks.models_office import LedgerDay, LedgerProof
from callbacks.service.core import Context

log = structlog.get_logger(__name__)

SETTLED = timedelta(minutes=5)  # by then what was under way at midnight is written
_AT_ONCE = 5  # days that one run catches up: the clock has other work
_NAMED = 20  # cases in an alarm; the proof names all


def take_due_proofs(ctx: Context, read_sessions: sessionmaker[Session], now: datetime) -> int:
    """Takes the proofs of the days that are over and have none, the oldest first; returns how many.

    As many processes as like may do so: a day's proof is the first one's.
    """
    with read_sessions() as session:
        days = _missing_days(session, ctx.policy.windows.timezone, now)
    return sum(take_proof(ctx, read_sessions, day, now) for day in days[:_AT_ONCE])


def take_proof(ctx: Context, read_sessions: sessionmaker[Session], day: date, now: datetime) -> bool:
    """Keeps the proof of a day that is over; False where it's kept already."""
    until = day_ends(day, ctx.policy.windows.timezone)
    with read_sessions() as session:  # so that the long reading holds up no writer
        marks = read_marks(session)
        ledger = read_ledger_at(session, until, marks)
    try:
        taken = ctx.run(lambda session: _keep(session, day.isoformat(), ledger, marks, now))
    except IntegrityError:  # another process kept it between our look and our insert
        return False
    if taken:
        log.info("ledger_proved", day=day.isoformat(), balanced=ledger.balanced)
    return taken


def _keep(session: Session, day: str, ledger: Ledger, marks: Marks, now: datetime) -> bool:
    if session.get(LedgerProof, day) is not None:
        return False
    balanced, detail = ledger.balanced, detail_of(ledger, marks)
    session.add(LedgerProof(day=day, taken_at=now, balanced=balanced, detail=detail))
    session.flush()
    ids = dict(session.execute(select(Unit.code, Unit.id)).all())
    for row in ledger.units:
        counted = {name: getattr(row, name) for name in COLUMNS}
        session.add(LedgerDay(day=day, unit_id=ids[row.unit], **counted))
    if not balanced:
        cases = list(dict.fromkeys(breach.case for breach in ledger.breaches))
        units = [row.unit for row in ledger.units if not row.balanced]
        told = {"day": day, "cases": cases[:_NAMED], "number": len(cases), "units": units}
        raise_alarm(session, AlarmKind.LEDGER_BROKEN, "ledger", now, **told)  # it counts the nights
    return True


def _missing_days(session: Session, timezone: str, now: datetime) -> list[date]:
    """The days since the first closing came that are over and have no proof."""
    first = session.scalar(select(func.min(Closing.came_at)))
    last = day_of(now - SETTLED, timezone) - timedelta(days=1)
    if first is None:
        return []
    kept = set(session.scalars(select(LedgerProof.day)))
    return [day for day in days_between(day_of(first, timezone), last) if day.isoformat() not in kept]
