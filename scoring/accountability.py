"""责任追究: 通报, 约谈 or 移送 of a unit, recorded with its document. A record is never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from callbacks.service.core import Context, audit, find_unit
from scoring.adjustments import find_case, newest_item
from scoring.decisions import Measure
from scoring.evidence import File, store_files
from scoring.models_decisions import Accountability
from scoring.reasons import checked_reason


class RecordFault(StrEnum):
    UNIT = "unit"
    DAY = "day"  # none, or still to come
    CASE = "case"  # a number is given, and no item has it
    REASON = "reason"
    FILE = "file"  # the document that orders it is lacking
    FORM = "form"  # it is of no kind that is taken, or too large


class BadRecord(ValueError):
    """It can't be recorded; `fault` says why."""

    def __init__(self, fault: RecordFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A measure as it is to be recorded; `case` is the number of the case that led to it."""

    measure: Measure
    unit: str
    on_day: date | None
    reason: str
    case: str = ""
    files: tuple[File, ...] = ()


def record(ctx: Context, wanted: NewRecord, by: str, now: datetime, today: date) -> int:
    """Keeps it with its document; returns its id. BadRecord where something is missing."""

    def work(session: Session) -> int:
        row = Accountability(
            measure=wanted.measure,
            unit_id=_unit_id(session, wanted.unit),
            item_id=_item_id(session, wanted.case) if wanted.case else None,
            on_day=_day(wanted.on_day, today),
            reason=checked_reason(wanted.reason, BadRecord(RecordFault.REASON)),
            by=by,
            at=now,
        )
        if not wanted.files:
            raise BadRecord(RecordFault.FILE)
        session.add(row)
        session.flush()
        refused = BadRecord(RecordFault.FORM)
        store_files(session, f"accountability:{row.id}", wanted.files, by, now, refused)
        audit(session, now, by, "accountability", f"accountability:{row.id}", measure=row.measure.value)
        return row.id

    return ctx.run(work)


def _unit_id(session: Session, code: str) -> int:
    unit = find_unit(session, code)
    if unit is None:
        raise BadRecord(RecordFault.UNIT)
    return unit.id


def _item_id(session: Session, number: str) -> int:
    case = find_case(session, number)
    item = None if case is None else newest_item(session, case.id)
    if item is None:
        raise BadRecord(RecordFault.CASE)
    return item.id


def _day(given: date | None, today: date) -> date:
    if given is None or given > today:
        raise BadRecord(RecordFault.DAY)
    return given
