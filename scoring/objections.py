"""异议: a unit objects to a line of its month; two of the office decide; upheld, an entry corrects it.

While the month is open or a draft the correction counts in it, after publication in the first open one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.service.core import Context, audit
from scoring.adjustments import add_once
from scoring.decisions import Decision, ObjectionKind, verdict
from scoring.evidence import File, store_files
from scoring.models import MonthState, ScoreEntry, ScoreMonth
from scoring.models_decisions import Adjustment, Objection, ObjectionDecision
from scoring.months import counted
from scoring.reasons import checked_reason

# The kinds of entries that are objected to.
_LINES: dict[ObjectionKind, tuple[str, ...]] = {
    ObjectionKind.ON_TIME: ("closed", "open"),
    ObjectionKind.SIGNED: ("closed",),
    ObjectionKind.DEDUCTION: ("adjustment",),
}
# The count that a closing's line would have if it were on time.
_LACKING = {ObjectionKind.ON_TIME: "closed_on_time", ObjectionKind.SIGNED: "signed_on_time"}
# What a line takes that an upheld objection takes back. An open case is in T and A only because it's overdue
# (domain.md §4.1), so its signing in time goes with it: both rates come out as if it were open and not due.
_TAKEN = {"adjustment": ("deductions",), "open": ("overdue_open", "signed_on_time")}


class ObjectionFault(StrEnum):
    """What is wrong with an objection, or with a word on one."""

    LINE = "line"  # no such line, or another unit's
    FINE = "fine"  # it counts as on time already
    LATE = "late"  # the days for objections are over and the month isn't published yet
    REASON = "reason"
    FILE = "file"  # of no kind that is taken, or too large
    TWICE = "twice"  # it's objected to already
    AGAIN = "again"  # this decider has spoken
    OWN = "own"  # who proposed or approved a deduction can't decide whether it was right


class BadObjection(ValueError):
    """It can't be; `fault` says why."""

    def __init__(self, fault: ObjectionFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class ObjectionMoved(Exception):
    """Somebody else's word came in the meantime: the page was older than the objection."""


@dataclass(frozen=True, slots=True)
class NewObjection:
    """An objection as a unit makes it; `subject` is the line's source.

    `closing:12:1`, `adjustment:3`; of a case that was open and overdue at a month's end `open:2026-11:12`.
    """

    kind: ObjectionKind
    subject: str
    reason: str
    files: tuple[File, ...] = ()


def object_to(ctx: Context, wanted: NewObjection, units: Collection[int], by: str, now: datetime) -> int:
    """Returns its id. `units` are those that the user stands for; BadObjection where it can't be."""

    def work(session: Session) -> int:
        line = _line(session, wanted, units)
        if not may_object(session, line.month, now):
            raise BadObjection(ObjectionFault.LATE)
        row = Objection(
            unit_id=line.unit_id,
            month=line.month,
            kind=wanted.kind,
            subject=wanted.subject,
            reason=checked_reason(wanted.reason, BadObjection(ObjectionFault.REASON)),
            by=by,
            at=now,
        )
        add_once(session, row, BadObjection(ObjectionFault.TWICE))
        refused = BadObjection(ObjectionFault.FILE)
        store_files(session, f"objection:{row.id}", wanted.files, by, now, refused)
        audit(session, now, by, "object", f"objection:{row.id}", kind=row.kind.value, of=row.subject)
        return row.id

    return ctx.run(work)


def may_object(session: Session, month: str, now: datetime) -> bool:
    """An open month, a draft in its days for objections, a published month (then it's a correction)."""
    found = session.get(ScoreMonth, month)
    if found is None or found.state is MonthState.PUBLISHED:
        return True
    return now < found.objections_until


def is_wrong(kind: ObjectionKind, entry: ScoreEntry) -> bool:
    """Whether a line takes something away that an objection could give back."""
    if entry.kind not in _LINES[kind]:
        return False
    if entry.kind in _TAKEN:
        return _TAKEN[entry.kind][0] in entry.changes
    return _LACKING[kind] not in entry.changes


def barred_from(session: Session, objection: Objection) -> frozenset[str]:
    """Who proposed and who approved the deduction that is objected to: they don't decide the objection."""
    if objection.kind is not ObjectionKind.DEDUCTION:
        return frozenset()
    found = session.get(Adjustment, int(objection.subject.rpartition(":")[2]))
    return frozenset() if found is None else frozenset({found.proposed_by, found.decided_by or ""})


def decide_objection(
    ctx: Context, objection_id: int, uphold: bool, reason: str, by: str, now: datetime, seen: int
) -> bool | None:
    """One decider's word; returns the verdict, None while another is needed. `seen` words were shown.

    ObjectionMoved where more had come, or it's decided.
    """

    def work(session: Session) -> bool | None:
        row = session.get_one(Objection, objection_id, with_for_update=True, populate_existing=True)
        said = session.scalars(
            select(ObjectionDecision).where(ObjectionDecision.objection_id == objection_id)
        ).all()
        if row.state is not Decision.PROPOSED or len(said) != seen:
            raise ObjectionMoved
        if by in (word.by for word in said):
            raise BadObjection(ObjectionFault.AGAIN)
        if by in barred_from(session, row):
            raise BadObjection(ObjectionFault.OWN)
        why = checked_reason(reason, BadObjection(ObjectionFault.REASON))
        word = ObjectionDecision(objection_id=row.id, by=by, at=now, uphold=uphold, reason=why)
        session.add(word)
        audit(session, now, by, "decide_objection", f"objection:{row.id}", uphold=uphold)
        found = verdict([each.uphold for each in said] + [uphold])
        if found is not None:
            row.state, row.decided_at = (Decision.APPROVED if found else Decision.REJECTED), now
        if found:
            _correct(session, row, [*said, word], now)
        return found

    return ctx.run(work)


def _line(session: Session, wanted: NewObjection, units: Collection[int]) -> ScoreEntry:
    entry = _entry(session, wanted.kind, wanted.subject) if wanted.subject.isprintable() else None
    if entry is None or entry.unit_id not in units:
        raise BadObjection(ObjectionFault.LINE)
    if not is_wrong(wanted.kind, entry):
        raise BadObjection(ObjectionFault.FINE)
    return entry


def _entry(session: Session, kind: ObjectionKind, subject: str) -> ScoreEntry | None:
    """The line: no two kinds that one kind of objection is raised against have the same source."""
    query = select(ScoreEntry).where(ScoreEntry.source == subject, ScoreEntry.kind.in_(_LINES[kind]))
    return session.scalars(query).one_or_none()


def _corrected(kind: ObjectionKind, line: ScoreEntry) -> dict[str, str]:
    """What the upheld objection changes."""
    if line.kind in _TAKEN:
        return {name: f"-{line.changes[name]}" for name in _TAKEN[line.kind] if name in line.changes}
    return {_LACKING[kind]: "1"}


def _correct(session: Session, row: Objection, words: list[ObjectionDecision], now: datetime) -> None:
    line = _entry(session, row.kind, row.subject)
    assert line is not None  # entries are never taken away
    month = counted(session, row.month, decided=True)
    session.add(
        ScoreEntry(
            unit_id=row.unit_id,
            month=month.month,
            of_month=month.late_of,
            kind="objection",
            source=f"objection:{row.id}",
            callback_id=line.callback_id,
            changes=_corrected(row.kind, line),
            provenance={
                "kind": row.kind.value,
                "corrects": row.subject,
                "month": row.month,
                "by": row.by,
                "reason": row.reason,
                "upheld_by": [word.by for word in words if word.uphold],
            },
            at=now,
        )
    )
