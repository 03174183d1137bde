"""The tables of what people decide about scores: deductions, bonus, objections, accountability, remarks."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, Case, Unit, stored
from scoring.decisions import AdjustmentKind as AdjustmentKind
from scoring.decisions import Decision as Decision
from scoring.decisions import Measure as Measure
from scoring.decisions import ObjectionKind as ObjectionKind


class Adjustment(Base):
    """扣分 or 加分: proposed by one (or by the system), approved by another; then a score entry.

    `subject` is what it's for (`item:5`, `case:12`, `commendation:…`): one that stands a kind and subject.
    """

    __tablename__ = "adjustment"
    __table_args__ = (
        CheckConstraint("decided_by IS NULL OR decided_by <> proposed_by", name="two_people"),
        Index(
            "uq_adjustment_once",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("state <> 'rejected'"),
            postgresql_where=text("state <> 'rejected'"),
        ),
        Index("ix_adjustment_list", "state", "proposed_at", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[AdjustmentKind] = mapped_column(stored(AdjustmentKind))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    subject: Mapped[str] = mapped_column(String(80))
    item_id: Mapped[int | None] = mapped_column(ForeignKey("dissatisfaction_item.id"), index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case.id"), index=True)
    points: Mapped[str] = mapped_column(String(24))  # exact, what is taken or given: "2"
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(String(80))
    proposed_at: Mapped[datetime]
    state: Mapped[Decision] = mapped_column(stored(Decision), default=Decision.PROPOSED)
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str] = mapped_column(Text, default="")

    unit: Mapped[Unit] = relationship()
    case: Mapped[Case | None] = relationship()


class Objection(Base):
    """异议 of a unit to a line of its month, while the month is a draft or later; decided by two.

    `subject` is the score entry's source (`closing:12:1`, `open:2026-11:12`, `adjustment:3`).
    Upheld in the draft it corrects the draft's month, after publication the next open one.
    """

    __tablename__ = "objection"
    __table_args__ = (
        Index(
            "uq_objection_once",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("state <> 'rejected'"),
            postgresql_where=text("state <> 'rejected'"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    month: Mapped[str] = mapped_column(String(7), index=True)
    kind: Mapped[ObjectionKind] = mapped_column(stored(ObjectionKind))
    subject: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    state: Mapped[Decision] = mapped_column(stored(Decision), default=Decision.PROPOSED)
    decided_at: Mapped[datetime | None]

    unit: Mapped[Unit] = relationship()


class ObjectionDecision(Base):
    """One decider's word on an objection. Append-only by trigger."""

    __tablename__ = "objection_decision"
    objection_id: Mapped[int] = mapped_column(ForeignKey("objection.id"), primary_key=True)
    by: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    uphold: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)


class Accountability(Base):
    """What a unit was called to account for; its file is evidence of `accountability:ID`. Append-only."""

    __tablename__ = "accountability"
    id: Mapped[int] = mapped_column(primary_key=True)
    measure: Mapped[Measure] = mapped_column(stored(Measure))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("dissatisfaction_item.id"), index=True)
    on_day: Mapped[date] = mapped_column(Date)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]

    unit: Mapped[Unit] = relationship()


class Remark(Base):
    """What a discipline inspector signs on a subject (`item:5`, `month:2026-11`). Append-only by trigger."""

    __tablename__ = "remark"
    __table_args__ = (Index("ix_remark_subject", "subject", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(80))
    body: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
