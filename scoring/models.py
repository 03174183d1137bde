"""The tables of scores, the dissatisfaction list and the desk's users."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, Callback, Unit, stored
from callbacks.vocabulary import Role


class ScoreEntry(Base):
    """A change of a unit's counts, append-only by trigger. A score is a pure function of their sums.

    `changes` holds the changes of `scoring.rules.Counts` as exact text (`{"rated": "1", "weight_first":
    "1/2"}`), `provenance` where they come from (attempt, channel, raw key or text, prompt id, ms since the
    prompt's end, scale).
    """

    __tablename__ = "score_entry"
    __table_args__ = (
        UniqueConstraint("rating_id", "kind"),
        Index("ix_score_entry_month", "unit_id", "month"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    month: Mapped[str] = mapped_column(String(7))  # 2026-11, by Asia/Shanghai
    kind: Mapped[str] = mapped_column(String(24))  # rated, superseded, resolved …
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), index=True)
    rating_id: Mapped[int | None] = mapped_column(ForeignKey("rating.id"))
    changes: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class AssessmentRecord(Base):
    """考核记录 of a unit and month, computed from the closings, callbacks and score entries."""

    __tablename__ = "assessment_record"
    __table_args__ = (UniqueConstraint("unit_id", "month"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    month: Mapped[str] = mapped_column(String(7), index=True)
    counts: Mapped[dict[str, Any]]
    components: Mapped[dict[str, Any]]
    score: Mapped[str | None] = mapped_column(String(80))  # an exact fraction, "2692/14"
    item_points: Mapped[str | None] = mapped_column(String(80))
    rank: Mapped[int | None]
    listed_apart: Mapped[str | None] = mapped_column(String(24))  # not_rated, small_sample
    settings_version: Mapped[str] = mapped_column(String(24))
    computed_at: Mapped[datetime]

    unit: Mapped[Unit] = relationship()


class DissatisfactionItem(Base):
    """不满意件: opened when the minutes for a change are over and the rating stays dissatisfied."""

    __tablename__ = "dissatisfaction_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), unique=True)
    rating_id: Mapped[int] = mapped_column(ForeignKey("rating.id"), unique=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    state: Mapped[str] = mapped_column(String(24), default="listed")
    opened_at: Mapped[datetime] = mapped_column(index=True)

    callback: Mapped[Callback] = relationship()
    unit: Mapped[Unit] = relationship()


class User(Base):
    """A user of the desk. `unit_id` bounds a unit user to its subtree."""

    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[Role] = mapped_column(stored(Role))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    password_hash: Mapped[str] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
