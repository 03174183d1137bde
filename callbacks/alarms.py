"""Alarms: what a seat must see. One open alarm a kind and subject; what comes again counts up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.models import Audit
from callbacks.models_office import Alarm

log = structlog.get_logger(__name__)


class AlarmKind(StrEnum):
    """What can be wrong; the desk has words for each."""

    EMERGENCY_REPLY = "emergency_reply"
    ATTEMPT_UNKNOWN = "attempt_unknown"
    NETWORK_FAIL = "network_fail"
    LEDGER_BROKEN = "ledger_broken"
    INTAKE_GAP = "intake_gap"
    INTAKE_FILE = "intake_file"
    SPOOL = "spool"
    WEBHOOK_GIVEN_UP = "webhook_given_up"
    GATEWAY_DOWN = "gateway_down"
    AUDIT_BROKEN = "audit_broken"
    RECORDING_FAILED = "recording_failed"
    TRUNK_ASIDE = "trunk_aside"
    TOLL = "toll"


def raise_alarm(session: Session, kind: AlarmKind, subject: str, now: datetime, **detail: Any) -> None:
    """Opens the alarm, or counts it up where it's open already. No telephone numbers in `detail`."""
    log.error("alarm", kind=kind.value, subject=subject, **detail)
    alarm = _open(session, kind, subject)
    if alarm is None:
        try:
            with session.begin_nested():
                session.add(
                    Alarm(kind=kind, subject=subject, detail=detail, raised_at=now, last_at=now, times=1)
                )
            return
        except IntegrityError:  # raised elsewhere in this instant
            alarm = _open(session, kind, subject)
    if alarm is not None:
        alarm.times, alarm.last_at, alarm.detail = alarm.times + 1, now, _later(alarm.detail, detail)


def _later(was: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told last, but a flag that was raised stays up until somebody has seen it."""
    flags = {name: True for name, value in told.items() if value is False and was.get(name) is True}
    return {**told, **flags}


def acknowledge_alarm(session: Session, alarm_id: int, login: str, now: datetime) -> bool:
    """Somebody has seen it; False when somebody else was first."""
    alarm = session.get(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    if alarm is None or alarm.acknowledged_at is not None:
        return False
    alarm.acknowledged_at, alarm.acknowledged_by = now, login
    session.add(
        Audit(at=now, actor=login, action="acknowledge_alarm", subject=f"alarm:{alarm.id}", detail={})
    )
    return True


def _open(session: Session, kind: AlarmKind, subject: str) -> Alarm | None:
    query = select(Alarm).where(Alarm.kind == kind, Alarm.subject == subject, Alarm.acknowledged_at.is_(None))
    return session.scalar(query.with_for_update())
