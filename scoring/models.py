"""The tables of scores, months and the desk's users; those of the dissatisfaction list are beside them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, Unit, stored
from callbacks.vocabulary import Role


class ScoreEntry(Base):
    """A change of a unit's counts, append-only by trigger. A score is a pure function of their sums.

    `changes` holds the changes of `scoring.rules.Counts` as exact text (`{"rated": "1", "weight_first":
    "1/2"}`), `provenance` where they come from (attempt, channel, raw key or text, prompt id, ms since the
    prompt's end, scale). `source` is what it is about: `rating:7`, `closing:12:1`, `callback:9`,
    `adjustment:3`, `open:2026-11:4`, `objection:2`; one entry a source and kind. `month` is the month in
    which it counts: never one that is published, whatever happened when (domain.md §4.1).
    `of_month` is the closed month that it is about, where that is an earlier one.
    """

    __tablename__ = "score_entry"
    __table_args__ = (
        UniqueConstraint("source", "kind"),
        Index("ix_score_entry_month", "unit_id", "month"),
        Index("ix_score_entry_inputs", "month", "id"),
        Index(
            "ix_score_entry_of_month",
            "month",
            "at",
            sqlite_where=text("of_month IS NOT NULL"),
            postgresql_where=text("of_month IS NOT NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    month: Mapped[str] = mapped_column(String(7))  # 2026-11, by Asia/Shanghai
    of_month: Mapped[str | None] = mapped_column(String(7))
    kind: Mapped[str] = mapped_column(String(24))  # rated, changed, resolution, removed, closed, due …
    source: Mapped[str] = mapped_column(String(80))
    callback_id: Mapped[int | None] = mapped_column(ForeignKey("callback.id"), index=True)
    rating_id: Mapped[int | None] = mapped_column(ForeignKey("rating.id"))
    changes: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class MonthState(StrEnum):
    """A month without a row is open."""

    DRAFT = "draft"  # frozen: objections are heard
    PUBLISHED = "published"  # immutable by trigger


class ScoreMonth(Base):
    """A month that was closed: its settings; when it's published, the hash of what it was computed from."""

    __tablename__ = "score_month"
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    state: Mapped[MonthState] = mapped_column(stored(MonthState))
    frozen_at: Mapped[datetime]
    frozen_by: Mapped[str] = mapped_column(String(80))
    objections_until: Mapped[datetime]
    settings_version: Mapped[str] = mapped_column(String(24))
    settings: Mapped[dict[str, Any]]  # the whole [scoring] section that decides this month
    units: Mapped[dict[str, Any]]  # the tree of units when it was closed
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None] = mapped_column(String(80))
    entries: Mapped[int | None]  # how many lines the inputs have
    inputs_hash: Mapped[str | None] = mapped_column(String(64))  # SHA-256 of the exported CSV
    audit_head: Mapped[str | None] = mapped_column(String(64))  # the audit chain's when it was published


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


# So that whoever has the scores' tables has all of this package's.
import scoring.models_decisions  # noqa: E402
import scoring.models_items  # noqa: E402, F401
