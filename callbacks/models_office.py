"""The tables of what the office decides and watches: pauses, proofs, gaps, alarms, reminders, people."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, Callback, Case, TextMessage, Unit, stored


class PauseScope(StrEnum):
    """What a pause holds back."""

    ALL = "all"
    UNIT = "unit"
    CATEGORY = "category"
    NUMBER = "number"


class Pause(Base):
    """Nothing is begun for what it covers, until `until` or until it's lifted."""

    __tablename__ = "pause"
    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[PauseScope] = mapped_column(stored(PauseScope))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    category: Mapped[str | None] = mapped_column(String(40))
    number_index: Mapped[str | None] = mapped_column(String(32), index=True)
    number_masked: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    until: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(String(80))

    unit: Mapped[Unit | None] = relationship()


class LedgerProof(Base):
    """The nightly proof of a day, kept: `breaches` names what broke the sum. Append-only by trigger."""

    __tablename__ = "ledger_proof"
    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # 2026-11-23, by the city's clock
    taken_at: Mapped[datetime]
    balanced: Mapped[bool]
    detail: Mapped[dict[str, Any]]  # {"breaches": [...], "outcomes": {...}, "without_number": n}

    units: Mapped[list[LedgerDay]] = relationship(order_by="LedgerDay.unit_id")


class LedgerDay(Base):
    """A unit's row of a nightly proof. Append-only by trigger."""

    __tablename__ = "ledger_day"
    day: Mapped[str] = mapped_column(ForeignKey("ledger_proof.day"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    closed: Mapped[int]
    done: Mapped[int]
    open: Mapped[int]
    excluded: Mapped[int]
    cancelled: Mapped[int]
    without_number: Mapped[int] = mapped_column(default=0)

    unit: Mapped[Unit] = relationship()


class SourceCount(Base):
    """How many cases a source says that it sent on a day."""

    __tablename__ = "source_count"
    source: Mapped[str] = mapped_column(String(80), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    number: Mapped[int]
    received_at: Mapped[datetime]


class GapKind(StrEnum):
    MISSING_NUMBERS = "missing_numbers"
    DAILY_COUNT = "daily_count"


class IntakeGap(Base):
    """Cases that a source had and we didn't get. `closed_at` when they have come since."""

    __tablename__ = "intake_gap"
    __table_args__ = (UniqueConstraint("source", "kind", "first", "last"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    kind: Mapped[GapKind] = mapped_column(stored(GapKind))
    first: Mapped[str] = mapped_column(String(64))  # a case number, or the day
    last: Mapped[str] = mapped_column(String(64))
    expected: Mapped[int]
    found: Mapped[int]
    noticed_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Alarm(Base):
    """Something that a seat must see. One open alarm a kind and subject; a repeat counts up."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index(
            "uq_alarm_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("acknowledged_at IS NULL"),
            postgresql_where=text("acknowledged_at IS NULL"),
        ),
        Index("ix_alarm_subject", "kind", "subject"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime]
    last_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(80))


class PolicyVersion(Base):
    """A policy that was saved on the desk or by command: the newest holds. Append-only by trigger."""

    __tablename__ = "policy_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(Text)  # the [policy] section, TOML
    by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


class ReminderStage(StrEnum):
    """待办 催办 督办 整改: what a handler is reminded of."""

    TODO = "todo"
    URGE = "urge"
    SUPERVISE = "supervise"
    RECTIFY = "rectify"


class Reminder(Base):
    """A text to a case's handler: one a stage, closing period and occasion.

    `occasion` 0 is the case's own clock; else the step of its dissatisfaction item that brought it about, so
    that each rework has its own.
    """

    __tablename__ = "reminder"
    __table_args__ = (UniqueConstraint("case_id", "period", "stage", "occasion"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    period: Mapped[int]  # the closing that is being worked on: closing_no + 1
    stage: Mapped[ReminderStage] = mapped_column(stored(ReminderStage))
    occasion: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    text_id: Mapped[int | None] = mapped_column(ForeignKey("text_message.id"))  # none: no handler's number

    case: Mapped[Case] = relationship()
    text: Mapped[TextMessage | None] = relationship()


class AgentClaim(Base):
    """Who works on a callback of the agents' queue, until when."""

    __tablename__ = "agent_claim"
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), primary_key=True)
    login: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    until: Mapped[datetime]


class ContactOutcome(StrEnum):
    """What came of a person's contact with a citizen."""

    RATED = "rated"
    REFUSED = "refused"
    NO_CONTACT = "no_contact"
    LATER = "later"
    WRONG_PERSON = "wrong_person"
    NOTE = "note"


class AgentContact(Base):
    """A person's try to reach a citizen, and what came of it. Append-only by trigger."""

    __tablename__ = "agent_contact"
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), index=True)
    login: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    outcome: Mapped[ContactOutcome] = mapped_column(stored(ContactOutcome))
    note: Mapped[str] = mapped_column(Text, default="")
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempt.id"))

    callback: Mapped[Callback] = relationship()


class AgentCallState(StrEnum):
    """Click to call: the agent's telephone first, then the citizen's."""

    ASKED = "asked"
    RINGING_AGENT = "ringing_agent"
    RINGING_CITIZEN = "ringing_citizen"
    TALKING = "talking"
    ENDED = "ended"


_LIVE_CALL = text("state != 'ended'")


class AgentCall(Base):
    """A person's call to a citizen, asked for on the desk and carried out by the voice role.

    Its lease and its fencing token are those of its attempt, which is made when the voice role takes it.
    """

    __tablename__ = "agent_call"
    __table_args__ = (
        Index(
            "uq_agent_call_live",
            "callback_id",
            unique=True,
            sqlite_where=_LIVE_CALL,
            postgresql_where=_LIVE_CALL,
        ),
        Index(
            "uq_agent_call_telephone",
            "target",
            unique=True,
            sqlite_where=_LIVE_CALL,
            postgresql_where=_LIVE_CALL,
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), index=True)
    phone_id: Mapped[int] = mapped_column(ForeignKey("case_phone.id"))
    login: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(40))  # the agent's telephone, by its name in [targets]
    state: Mapped[AgentCallState] = mapped_column(stored(AgentCallState), index=True)
    asked_at: Mapped[datetime]
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempt.id"), unique=True)
    ended_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(String(24), default="")  # empty: the attempt tells what came of it


class TextTemplate(Base):
    """The words of a text as the office changed them: the newest of a kind holds. Append-only by trigger."""

    __tablename__ = "text_template"
    __table_args__ = (UniqueConstraint("kind", "follows"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24), index=True)
    body: Mapped[str] = mapped_column(Text)
    several_parts: Mapped[bool] = mapped_column(default=False)
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    follows: Mapped[int]  # the id of the row whose place it takes, 0 for the first: so two can't take one's
