"""扣分 and 加分: one proposes with evidence, another approves; then the score changes (domain.md §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case
from callbacks.service.core import Context, audit, find_unit
from callbacks.vocabulary import SYSTEM
from scoring.decisions import OF_ITEMS, AdjustmentKind, Decision, adds, is_covered
from scoring.evidence import File, store_files
from scoring.item_states import ItemTrigger
from scoring.models import ScoreEntry
from scoring.models_decisions import Adjustment
from scoring.models_items import DissatisfactionItem, ItemStep
from scoring.months import counted, month_of
from scoring.reasons import checked_reason
from scoring.settings import AdjustmentSettings


class AdjustmentFault(StrEnum):
    """What is wrong with a proposal, or with who decides it."""

    UNIT = "unit"  # none, or none of that code
    CASE = "case"  # none of that number, or this kind needs one
    ITEM = "item"  # the kind stands on a dissatisfaction item, and the case has none
    REASON = "reason"  # none, or too long
    EVIDENCE = "evidence"  # people show what it stands on
    FILE = "file"  # of no kind that is taken, or too large
    TWICE = "twice"  # it's proposed or approved already: once per item or case
    COVERED = "covered"  # by the second dissatisfied rating's own
    OWN = "own"  # who proposed it can't decide it


class BadAdjustment(ValueError):
    """It can't be; `fault` says why."""

    def __init__(self, fault: AdjustmentFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class AdjustmentDecided(Exception):
    """Somebody decided it in the meantime; `by` and `at` say who and when."""

    def __init__(self, found: Adjustment) -> None:
        super().__init__(f"adjustment {found.id} is {found.state.value} by {found.decided_by}")
        self.state, self.by, self.at = found.state, found.decided_by, found.decided_at


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    """A proposal as somebody makes it: a case by its number, or for a commendation a unit by its code."""

    kind: AdjustmentKind
    reason: str
    case: str = ""
    unit: str = ""
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a proposal stands on."""

    name: str
    unit_id: int
    item_id: int | None = None
    case_id: int | None = None


def propose(ctx: Context, points: AdjustmentSettings, wanted: NewAdjustment, by: str, now: datetime) -> int:
    """A person's proposal; returns its id. BadAdjustment where it makes no sense or stands already."""
    if not wanted.files:
        raise BadAdjustment(AdjustmentFault.EVIDENCE)

    def work(session: Session) -> int:
        subject = _subject(session, wanted)
        row = _add(session, points, wanted.kind, subject, wanted.reason, by, now)
        refused = BadAdjustment(AdjustmentFault.FILE)
        store_files(session, f"adjustment:{row.id}", wanted.files, by, now, refused)
        return row.id

    return ctx.run(work)


def propose_for_item(
    session: Session,
    points: AdjustmentSettings,
    kind: AdjustmentKind,
    item: DissatisfactionItem,
    reason: str,
    now: datetime,
) -> Adjustment | None:
    """What a clock or an answer brings about, in the caller's transaction; a person decides it.

    None where it stands already or is covered: the system asks once, and never against the rule.
    """
    subject = Subject(f"item:{item.id}", item.unit_id, item.id, item.callback.case_id)
    try:
        return _add(session, points, kind, subject, reason, SYSTEM, now)
    except BadAdjustment as error:
        if error.fault in (AdjustmentFault.TWICE, AdjustmentFault.COVERED):
            return None
        raise


def decide(
    ctx: Context, timezone: str, adjustment_id: int, approve: bool, reason: str, by: str, now: datetime
) -> None:
    """A second person's decision. AdjustmentDecided where another was first, BadAdjustment for one's own."""

    def work(session: Session) -> None:
        row = session.get_one(Adjustment, adjustment_id, with_for_update=True, populate_existing=True)
        if row.state is not Decision.PROPOSED:
            raise AdjustmentDecided(row)
        if row.proposed_by == by:
            raise BadAdjustment(AdjustmentFault.OWN)
        row.decision_reason = checked_reason(reason, BadAdjustment(AdjustmentFault.REASON))
        row.state = Decision.APPROVED if approve else Decision.REJECTED
        row.decided_by, row.decided_at = by, now
        audit(session, now, by, f"adjustment_{row.state.value}", f"adjustment:{row.id}", kind=row.kind.value)
        if approve:
            _enter(session, row, timezone, now)

    ctx.run(work)


def _subject(session: Session, wanted: NewAdjustment) -> Subject:
    if not wanted.case:
        if not adds(wanted.kind):
            raise BadAdjustment(AdjustmentFault.CASE)
        # The document itself, so that one letter of thanks is counted once.
        digest = sha256(wanted.files[0].content).hexdigest()
        unit = find_unit(session, wanted.unit)
        if unit is None:
            raise BadAdjustment(AdjustmentFault.UNIT)
        return Subject(f"commendation:{digest[:32]}", unit.id)
    case = find_case(session, wanted.case)
    if case is None:
        raise BadAdjustment(AdjustmentFault.CASE)
    if wanted.kind not in OF_ITEMS:
        return Subject(f"case:{case.id}", case.lead_unit_id, case_id=case.id)
    item = newest_item(session, case.id)
    if item is None and wanted.kind is AdjustmentKind.REWORK_OVERDUE:  # supervision of the case itself
        return Subject(f"case:{case.id}", case.lead_unit_id, case_id=case.id)
    if item is None:
        raise BadAdjustment(AdjustmentFault.ITEM)
    return Subject(f"item:{item.id}", item.unit_id, item.id, case.id)


def find_case(session: Session, number: str) -> Case | None:
    return session.scalar(select(Case).where(Case.number == number)) if number.isprintable() else None


def newest_item(session: Session, case_id: int) -> DissatisfactionItem | None:
    """The case's item: of several closings the newest one's."""
    query = (
        select(DissatisfactionItem)
        .join(Callback, Callback.id == DissatisfactionItem.callback_id)
        .where(Callback.case_id == case_id)
        .order_by(Callback.closing_no.desc())
    )
    return session.scalars(query).first()


def _add(
    session: Session,
    points: AdjustmentSettings,
    kind: AdjustmentKind,
    subject: Subject,
    reason: str,
    by: str,
    now: datetime,
) -> Adjustment:
    if subject.item_id is not None and is_covered(kind, _steps(session, subject.item_id)):
        raise BadAdjustment(AdjustmentFault.COVERED)
    row = Adjustment(
        kind=kind,
        unit_id=subject.unit_id,
        subject=subject.name,
        item_id=subject.item_id,
        case_id=subject.case_id,
        points=str(points.of(kind)),
        reason=checked_reason(reason, BadAdjustment(AdjustmentFault.REASON)),
        proposed_by=by,
        proposed_at=now,
    )
    add_once(session, row, BadAdjustment(AdjustmentFault.TWICE))
    audit(session, now, by, "propose_adjustment", f"adjustment:{row.id}", kind=kind.value, of=subject.name)
    return row


def add_once(session: Session, row: object, otherwise: Exception) -> None:
    """Adds a row that a unique index may refuse; `otherwise` is raised then, the transaction goes on."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise otherwise from error


def _steps(session: Session, item_id: int) -> Sequence[ItemTrigger]:
    return session.scalars(select(ItemStep.trigger).where(ItemStep.item_id == item_id)).all()


def _enter(session: Session, row: Adjustment, timezone: str, now: datetime) -> None:
    """In the month of the proposal; what is decided in a draft's days for objections still counts in it."""
    month = counted(session, month_of(row.proposed_at, timezone), decided=True)
    session.add(
        ScoreEntry(
            unit_id=row.unit_id,
            month=month.month,
            of_month=month.late_of,
            kind="adjustment",
            source=f"adjustment:{row.id}",
            changes={"bonus" if adds(row.kind) else "deductions": row.points},
            provenance={
                "kind": row.kind.value,
                "subject": row.subject,
                "reason": row.reason,
                "proposed_by": row.proposed_by,
                "decided_by": row.decided_by,
                "decision_reason": row.decision_reason,
            },
            at=now,
        )
    )
