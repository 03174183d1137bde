"""Verifying the chain and keeping what it came to: a line of the audit, and an alarm where it's broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.audit_faults import Fault, Verdict
from callbacks.audit_verify import verify_audit
from callbacks.days import day_begins, day_of
from callbacks.models import Audit
from callbacks.service.core import Context, audit

CLOCK = "clock"
SUBJECT = "audit"
ACTION = "verify_audit"


@dataclass(frozen=True, slots=True)
class Check:
    """A verification that was kept: `fault` is empty where all was right, `whole` without a bound."""

    at: datetime
    by: str
    whole: bool
    verified: int
    waiting: int
    head: str
    fault: str = ""
    line: int | None = None
    link: int | None = None


def check_audit(
    ctx: Context,
    reading: sessionmaker[Session],
    by: str,
    now: datetime,
    *,
    newest: int | None = None,
    heads: Mapping[str, str] | None = None,
) -> Verdict:
    """Verifies the chain, or its `newest` links, and keeps what it came to."""
    with reading() as session:
        verdict = verify_audit(session, newest, heads)
    ctx.run(lambda session: _keep(session, verdict, by, now, newest))
    return verdict


def check_due(
    ctx: Context, reading: sessionmaker[Session], now: datetime, heads: Mapping[str, str] | None = None
) -> bool:
    """The nightly verification of the whole chain, once a local day; whether it was due."""
    zone = ctx.policy.windows.timezone
    midnight = day_begins(day_of(now, zone), zone)
    with reading() as session:
        query = select(Audit.at).where(Audit.action == ACTION, Audit.actor == CLOCK)
        last = session.scalar(query.order_by(Audit.at.desc()).limit(1))
    if last is not None and last >= midnight:
        return False
    check_audit(ctx, reading, CLOCK, now, heads=heads)
    return True


def last_check(session: Session) -> Check | None:
    """The newest verification that was kept."""
    query = select(Audit).where(Audit.action == ACTION).order_by(Audit.at.desc(), Audit.id.desc()).limit(1)
    row = session.scalar(query)
    if row is None:
        return None
    told = row.detail
    return Check(
        at=row.at,
        by=row.actor,
        whole=bool(told.get("whole")),
        verified=int(told.get("verified", 0)),
        waiting=int(told.get("waiting", 0)),
        head=str(told.get("head", "")),
        fault=str(told.get("fault", "")),
        line=told.get("line"),
        link=told.get("link"),
    )


def _keep(session: Session, verdict: Verdict, by: str, now: datetime, newest: int | None) -> None:
    told = {"whole": newest is None, "verified": verdict.verified, "waiting": verdict.waiting}
    audit(session, now, by, ACTION, SUBJECT, head=verdict.head, **told, **_told(verdict.fault))
    if verdict.fault is not None:
        raise_alarm(session, AlarmKind.AUDIT_BROKEN, SUBJECT, now, **_told(verdict.fault))


def _told(fault: Fault | None) -> dict[str, object]:
    if fault is None:
        return {}
    return {"fault": fault.kind.value, "line": fault.audit_id, "link": fault.seq, "of_head": fault.head}
