"""异议: a unit objects to a line of its month; two of the office decide; upheld, an entry corrects it.

While the month is open or a draft the correction counts in it, after publication in the first open one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.service.core import Context, audit
from scoring.adjustments import add_once
from scoring.decisions import AGREE, DECIDING, Decision, ObjectionKind, verdict
from scoring.evidence import File, store_files
from scoring.models import MonthState, ScoreEntry, ScoreMonth, User
from scoring.models_decisions import Adjustment, Objection, ObjectionDecision
from scoring.months import counted
from scoring.reasons import checked_reason
from scoring.removal import as_texts, sums

# The kinds of entries that are objected to.
_LINES: dict[ObjectionKind, tuple[str, ...]] = {
    ObjectionKind.ON_TIME: ("closed", "open"),
    ObjectionKind.SIGNED: ("closed", "open"),
    ObjectionKind.DEDUCTION: ("adjustment",),
}
# The count that a line would have if it were on time.
_LACKING = {ObjectionKind.ON_TIME: "closed_on_time", ObjectionKind.SIGNED: "signed_on_time"}


class ObjectionFault(StrEnum):
    """What is wrong with an objection, or with a word on one."""

    LINE = "line"  # no such line, or another unit's
    FINE = "fine"  # it counts as on time already
    LATE = "late"  # the days for objections are over and the month isn't published yet
    REASON = "reason"
    FILE = "file"  # of no kind that is taken, or too large
    TWICE = "twice"  # it's objected to already
    AGAIN = "again"  # this decider has spoken
    OWN = "own"  # who proposed or approved a deduction, or objects, can't decide whether it was right
    TOO_FEW = "too_few"  # the same, and without them the office hasn't two people who decide
    OWN_UNIT = "own_unit"  # the decider is of the unit


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
    return bool(_correction(kind, entry.kind, sums([entry])))


def barred_from(session: Session, objection: Objection) -> frozenset[str]:
    """Who doesn't decide the objection: who raised it, who proposed and who approved the deduction."""
    found = None
    if objection.kind is ObjectionKind.DEDUCTION:
        found = session.get(Adjustment, int(objection.subject.rpartition(":")[2]))
    made = (None, None) if found is None else (found.proposed_by, found.decided_by)
    return frozenset(by for by in (objection.by, *made) if by)


def own_fault(session: Session, objection: Objection, by: str) -> ObjectionFault | None:
    """Why this person doesn't decide the objection: OWN, TOO_FEW or OWN_UNIT; None where they may."""
    barred = barred_from(session, objection)
    if by in barred:
        others = select(func.count(User.id)).where(
            User.active, User.role.in_(DECIDING), User.login.not_in(barred)
        )
        enough = (session.scalar(others) or 0) >= AGREE
        return ObjectionFault.OWN if enough else ObjectionFault.TOO_FEW
    unit = session.scalar(select(User.unit_id).where(User.login == by))
    return ObjectionFault.OWN_UNIT if unit == objection.unit_id else None


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
        if (fault := own_fault(session, row, by)) is not None:
            raise BadObjection(fault)
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
    if not _correction(wanted.kind, entry.kind, _as_corrected(session, entry)):
        raise BadObjection(ObjectionFault.FINE)
    return entry


def _entry(session: Session, kind: ObjectionKind, subject: str) -> ScoreEntry | None:
    """The line: no two kinds that one kind of objection is raised against have the same source."""
    query = select(ScoreEntry).where(ScoreEntry.source == subject, ScoreEntry.kind.in_(_LINES[kind]))
    return session.scalars(query.with_for_update()).one_or_none()


def _as_corrected(session: Session, line: ScoreEntry) -> dict[str, Fraction]:
    """A line's counts with what upheld objections of the other kind made of them."""
    upheld = select(Objection.id).where(
        Objection.subject == line.source, Objection.state == Decision.APPROVED
    )
    sources = [f"objection:{id_}" for id_ in session.scalars(upheld)]
    query = select(ScoreEntry).where(ScoreEntry.source.in_(sources), ScoreEntry.kind == "objection")
    return sums([line, *session.scalars(query)])


def _correction(kind: ObjectionKind, of_line: str, counts: Mapping[str, Fraction]) -> dict[str, str]:
    """What the upheld objection changes of a line of such a kind and counts; nothing where that is fine.

    An open case is in T and A only because it's overdue (domain.md §4.1). Where it isn't, its signing in time
    goes with it: both rates come out as if it were open and not due.
    """

    def taken(*names: str) -> dict[str, str]:
        return as_texts({name: -counts.get(name, Fraction(0)) for name in names})

    if of_line not in _LINES[kind]:
        return {}
    if kind is ObjectionKind.DEDUCTION:
        return taken("deductions")
    if of_line == "open" and not counts.get("overdue_open"):
        return {}
    if of_line == "open" and kind is ObjectionKind.ON_TIME:
        return taken("overdue_open", "signed_on_time")
    return {} if counts.get(_LACKING[kind]) else {_LACKING[kind]: "1"}


def _correct(session: Session, row: Objection, words: list[ObjectionDecision], now: datetime) -> None:
    line = _entry(session, row.kind, row.subject)
    assert line is not None  # entries are never taken away
    changes = _correction(row.kind, line.kind, _as_corrected(session, line))
    if not changes:  # the other kind's was upheld first, and left nothing
        return
    month = counted(session, row.month, decided=True)
    session.add(
        ScoreEntry(
            unit_id=row.unit_id,
            month=month.month,
            of_month=month.late_of,
            kind="objection",
            source=f"objection:{row.id}",
            callback_id=line.callback_id,
            changes=changes,
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
