"""Keeps who called us, as the process that carries the calls tells it in snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.cdr import talk_seconds
from callbacks.inbound_figures import GAVE_UP
from callbacks.models_carried import LONGEST_CALL_ID
from callbacks.models_inbound import InboundCall, InboundLeg, Recorded
from callbacks.numbers import mask
from callbacks.service.core import Context, audit
from callbacks.vocabulary import Disposition, LegKind

_TIMES = ("came_at", "answered_at", "queued_at", "talked_at", "redirected_at", "ended_at")
_PLAIN = ("seq", "target", "ended_by", "sip_status", "q850")
_AT_FIRST = ("owner", "service", "trunk", "called", "asserted", "private", "access_network", "geolocation")
_OF_LEG = ("target", "trunk", "dialled", "sip_status", "q850")
_LONGEST_CALL = timedelta(hours=12)
_TIMES_OF_LEG = ("began_at", "rang_at", "answered_at", "ended_at")


def keep_inbound(ctx: Context, record: Mapping[str, Any]) -> bool:
    """Stores a snapshot (`ivr.inbound.journal`); False for one that isn't newer than what is known."""

    def work(session: Session) -> bool:
        token = record["token"]
        query = select(InboundCall).where(InboundCall.token == token).with_for_update()
        row = session.scalars(query).one_or_none()
        if row is not None and row.seq >= record["seq"]:
            return False
        if row is None:
            row = _new(ctx, record)
            session.add(row)
        for name in _PLAIN:  # a spool may hold what an earlier version wrote, with less in it
            setattr(row, name, record.get(name))
        for name in _TIMES:
            setattr(row, name, _time(record.get(name)))
        _keep_carried(row, record)
        session.flush()
        _keep_recording(session, row, record, token)
        _keep_legs(session, row, record["legs"])
        return True

    try:
        return ctx.run(work)
    except IntegrityError:  # another process plays in what this one has just written
        return ctx.run(work)


def end_orphaned(ctx: Context, is_gone: Callable[[str], bool], now: datetime) -> int:
    """Ends the calls whose process is dead: nobody else will say so. How many.

    Of another machine's processes nothing is known: their calls end when none can have lasted so long. What
    the dead one's spool holds is to be played in before.
    """

    def work(session: Session) -> int:
        query = select(InboundCall).where(InboundCall.ended_at.is_(None)).with_for_update()
        rows = [
            row
            for row in session.scalars(query)
            if row.came_at < now - _LONGEST_CALL or (row.owner is not None and is_gone(row.owner))
        ]
        for row in rows:
            row.ended_at, row.ended_by = now, "network"
            for leg in row.legs:
                leg.ended_at = leg.ended_at or now
        return len(rows)

    return ctx.run(work)


def _new(ctx: Context, record: Mapping[str, Any]) -> InboundCall:
    row = InboundCall(token=record["token"], **{name: record.get(name) for name in _AT_FIRST})
    if number := record["number"]:
        row.number_encrypted = ctx.privacy.encrypt(number)
        row.number_index = ctx.privacy.index(number)
        row.number_masked = mask(number)
    return row


def _keep_legs(session: Session, row: InboundCall, legs: list[Mapping[str, Any]]) -> None:
    known = {leg.token: leg for leg in row.legs}
    for told in legs:
        leg = known.get(told["token"])
        if leg is None:
            leg = InboundLeg(call_id=row.id, token=told["token"])
            session.add(leg)
        for name in _OF_LEG:
            setattr(leg, name, told.get(name))
        leg.kind = LegKind(told.get("kind", LegKind.RUNG))
        for name in _TIMES_OF_LEG:
            setattr(leg, name, _time(told.get(name)))
        _keep_carried(leg, told)
        disposition = told["disposition"]
        leg.disposition = None if disposition is None else Disposition(disposition)
        _keep_recording(session, leg, told, row.token)


def _keep_carried(row: InboundCall | InboundLeg, told: Mapping[str, Any]) -> None:
    call_id = told.get("sip_call_id")
    row.sip_call_id = None if call_id is None else call_id[:LONGEST_CALL_ID]
    row.lost_percent, row.jitter_ms = told.get("lost_percent"), told.get("jitter_ms")
    if row.ended_at is not None:
        row.talk_seconds = talk_seconds(row.answered_at, row.ended_at)


def _keep_recording(session: Session, row: Recorded, told: Mapping[str, Any], call: str) -> None:
    """What is told for the first time to have failed is an alarm: in the same transaction, so once."""
    recording = told.get("recording")  # none of a role before this version, whose spool waits
    if recording is None:
        return
    failed, at = recording["failed"], _time(recording["failed_at"])
    if failed is not None and row.recording_failed is None:
        raise_alarm(session, AlarmKind.RECORDING_FAILED, "inbound", at, call=call, reason=failed)
    row.recording, row.recorded_seconds = recording["file"], recording["seconds"]
    row.recorded_at, row.recording_failed = _time(recording["began_at"]), failed


def _time(told: str | None) -> Any:
    return None if told is None else datetime.fromisoformat(told)


def mark_rung_back(ctx: Context, call_id: int, by: str, now: datetime) -> bool:
    """Somebody has rung back who had given up; False when another was first, or the caller was answered."""

    def work(session: Session) -> bool:
        query = select(InboundCall).where(InboundCall.id == call_id, GAVE_UP).with_for_update()
        row = session.scalars(query).one_or_none()
        if row is None:
            return False
        row.rung_back_at, row.rung_back_by = now, by
        audit(session, now, by, "ring_back", f"inbound:{row.id}")
        return True

    return ctx.run(work)
