"""The tables of the dissatisfaction list: items, steps, evidence, appeals and meetings (domain.md §6)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, Callback, Unit, stored
from scoring.item_states import ItemState, ItemTrigger


class DissatisfactionItem(Base):
    """不满意件: opened when the minutes for a change are over and the rating stays dissatisfied.

    `callback_id` is the first round's; `unit_id` who works on it now. `seq` is the number of its last step:
    who acts names the one that was seen, and of two at once the second is told.
    """

    __tablename__ = "dissatisfaction_item"
    __table_args__ = (
        Index("ix_dissatisfaction_item_list", "state", "opened_at", "id"),
        Index("ix_dissatisfaction_item_clock", "state", "due_at"),
        Index("ix_dissatisfaction_item_due", "due_at", "id"),  # the whole list by its clocks
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), unique=True)
    rating_id: Mapped[int] = mapped_column(ForeignKey("rating.id"), unique=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    state: Mapped[ItemState] = mapped_column(stored(ItemState), default=ItemState.LISTED)
    opened_at: Mapped[datetime] = mapped_column(index=True)
    seq: Mapped[int] = mapped_column(default=0)
    state_since: Mapped[datetime | None]
    due_at: Mapped[datetime | None]  # when the state's clock runs out; null: no clock
    assigned_at: Mapped[datetime | None]  # 交办, the last time: the days to sign and to appeal run from it
    clock_step: Mapped[int] = mapped_column(default=0)  # of the state's clock: 1 urged, 2 supervised
    rework_left: Mapped[int | None]  # seconds of the rework's clock, while it stands still
    reworks: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)  # of the office to reach the citizen
    extended: Mapped[bool] = mapped_column(default=False)
    appealed: Mapped[bool] = mapped_column(default=False)
    supervisor: Mapped[str | None] = mapped_column(String(40), index=True)  # the login of who sees to it
    round: Mapped[int] = mapped_column(default=1)  # of the last callback about it
    escalation: Mapped[str | None] = mapped_column(String(24))  # 电话督办 实地查看 领导批办 联合研究
    next_review: Mapped[date | None] = mapped_column(Date)  # of a hard case
    published_reason: Mapped[str] = mapped_column(Text, default="")  # of a persistent one
    ended_at: Mapped[datetime | None]

    callback: Mapped[Callback] = relationship()
    unit: Mapped[Unit] = relationship()


class ItemStep(Base):
    """What happened to an item: who, when, why, from, to and the hashes of what's attached. Append-only.

    `seq` counts from 1 without a gap; unique, so that two people can't both take the same step.
    """

    __tablename__ = "item_step"
    __table_args__ = (UniqueConstraint("item_id", "seq"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("dissatisfaction_item.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))  # a login, or "system"
    trigger: Mapped[ItemTrigger] = mapped_column(stored(ItemTrigger))
    from_state: Mapped[ItemState] = mapped_column(stored(ItemState))
    to_state: Mapped[ItemState] = mapped_column(stored(ItemState))
    reason: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]]  # {"evidence": [sha256, …], "unit": code, …}


class Evidence(Base):
    """A file of a subject (`item:5`, `adjustment:3`, `objection:2` …). Append-only by trigger."""

    __tablename__ = "evidence"
    __table_args__ = (Index("ix_evidence_subject", "subject", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(80))
    sha256: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(160))
    media_type: Mapped[str] = mapped_column(String(80))
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]


class Appeal(Base):
    """申诉 of a unit against an item, once; two deciders, neither of the unit. `upheld` when it's decided."""

    __tablename__ = "appeal"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("dissatisfaction_item.id"), unique=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    grounds: Mapped[str] = mapped_column(String(24))  # misrated, wrong_unit, malicious, no_legal_basis, test
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    upheld: Mapped[bool | None]
    decided_at: Mapped[datetime | None]

    item: Mapped[DissatisfactionItem] = relationship()
    unit: Mapped[Unit] = relationship()


class AppealDecision(Base):
    """One decider's word on an appeal. Append-only by trigger."""

    __tablename__ = "appeal_decision"
    appeal_id: Mapped[int] = mapped_column(ForeignKey("appeal.id"), primary_key=True)
    by: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    uphold: Mapped[bool]
    claim_reasonable: Mapped[bool]  # 诉求合理性
    conduct_proper: Mapped[bool]  # 承办单位履职情况
    reason: Mapped[str] = mapped_column(Text)


class HardCaseMeeting(Base):
    """联席会议 on a hard case: date, leader, finding, next review. Append-only by trigger."""

    __tablename__ = "hard_case_meeting"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("dissatisfaction_item.id"), index=True)
    held_on: Mapped[date] = mapped_column(Date)
    leader: Mapped[str] = mapped_column(String(80))
    finding: Mapped[str] = mapped_column(Text)
    next_review: Mapped[date | None] = mapped_column(Date)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
