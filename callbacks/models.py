"""The tables of cases, callbacks, attempts, texts and answers. What must hold is a constraint here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from callbacks.database import UtcDateTime
from callbacks.models_carried import Carried
from callbacks.numbers import NumberKind
from callbacks.states import State, Trigger
from callbacks.vocabulary import (
    Channel,
    Disposition,
    Exclusion,
    MachineSign,
    NodeKind,
    SourceChannel,
    UnitGroup,
    UnitLevel,
)


class AttemptState(StrEnum):
    """Live while CLAIMED, SUBMITTING, RINGING or TALKING; a text that waits for its reply is not."""

    CLAIMED = "claimed"
    SUBMITTING = "submitting"
    RINGING = "ringing"
    TALKING = "talking"
    AWAITING = "awaiting"
    ENDED = "ended"


class TextState(StrEnum):
    QUEUED = "queued"
    SUBMITTING = "submitting"  # committed before the submit leaves: lost after this, it is `unknown`
    SUBMITTED = "submitted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class TextKind(StrEnum):
    """What a text is for: the ids of the written texts in domain.md §8.2."""

    EVAL = "eval"
    RE_EVAL = "re_eval"
    CLARIFY = "clarify"
    THANKS = "thanks"
    REASON = "reason"
    VERIFYING = "verifying"
    REMOVED = "removed"
    CLOSED = "closed"
    OPTOUT = "optout"
    EMERGENCY = "emergency"
    HANDLER_TODO = "handler_todo"
    HANDLER_URGE = "handler_urge"
    HANDLER_SUPERVISE = "handler_supervise"
    HANDLER_RECTIFY = "handler_rectify"


ASKING = frozenset({TextKind.EVAL, TextKind.RE_EVAL})

LIVE_ATTEMPT = text("state IN ('claimed', 'submitting', 'ringing', 'talking')")
MACHINE_HEARD = text("machine_at IS NOT NULL")
QUEUED_TEXT = text("state = 'queued'")

_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def stored(enum: type[StrEnum]) -> Enum:
    """A column type that stores `.value`, as text (adding a word is then no migration)."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=24,
        values_callable=lambda e: [member.value for member in e],
        validate_strings=True,
    )


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        Channel: stored(Channel),
        Disposition: stored(Disposition),
        Exclusion: stored(Exclusion),
        MachineSign: stored(MachineSign),
        NodeKind: stored(NodeKind),
        NumberKind: stored(NumberKind),
        SourceChannel: stored(SourceChannel),
        State: stored(State),
        Trigger: stored(Trigger),
        UnitGroup: stored(UnitGroup),
        UnitLevel: stored(UnitLevel),
        AttemptState: stored(AttemptState),
        TextState: stored(TextState),
        TextKind: stored(TextKind),
    }


def table_of(model: type[Base]) -> Table:
    """The table itself, for statements of many rows: past the ORM, which keeps books of each."""
    return cast(Table, model.__table__)


def _once(name: str, *columns: str, where: str) -> Index:
    """A partial unique index, the same on both databases."""
    return Index(name, *columns, unique=True, sqlite_where=text(where), postgresql_where=text(where))


class Unit(Base):
    """承办单位. Sums and rights go by subtree of `parent_id`."""

    __tablename__ = "unit"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    name_en: Mapped[str] = mapped_column(String(120), default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    level: Mapped[UnitLevel]
    group: Mapped[UnitGroup]
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class Case(Base):
    """诉求, as it stands now; what a closing was is kept in `closing`."""

    __tablename__ = "case"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(64), unique=True)
    source_channel: Mapped[SourceChannel]
    platform: Mapped[str | None] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(40))
    enterprise: Mapped[bool] = mapped_column(default=False)
    sensitive: Mapped[bool] = mapped_column(default=False)
    complex: Mapped[bool] = mapped_column(default=False)
    lead_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    summary: Mapped[str] = mapped_column(Text, default="")
    reply: Mapped[str] = mapped_column(Text, default="")
    handler_phone_encrypted: Mapped[str | None] = mapped_column(Text)
    handler_phone_index: Mapped[str | None] = mapped_column(String(32), index=True)
    handler_phone_masked: Mapped[str | None] = mapped_column(String(20))
    accepted_at: Mapped[datetime]
    signed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closing_no: Mapped[int] = mapped_column(default=0)
    exclusion: Mapped[Exclusion | None]

    lead_unit: Mapped[Unit] = relationship()
    phones: Mapped[list[CasePhone]] = relationship(order_by="CasePhone.position", back_populates="case")


class CaseUnit(Base):
    """协办单位 of a case."""

    __tablename__ = "case_unit"
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)


class CasePhone(Base):
    """A citizen's number of a case, in the order in which it is tried."""

    __tablename__ = "case_phone"
    __table_args__ = (UniqueConstraint("case_id", "number_index"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    position: Mapped[int]
    kind: Mapped[NumberKind]
    number_encrypted: Mapped[str] = mapped_column(Text)
    number_index: Mapped[str] = mapped_column(String(32), index=True)
    number_masked: Mapped[str] = mapped_column(String(20))
    barred_at: Mapped[datetime | None]  # key 9: not the person

    case: Mapped[Case] = relationship(back_populates="phones")


class CaseNode(Base):
    """交办 签收 催办 督办 回复 办结: what happened to a case, when, by whom."""

    __tablename__ = "case_node"
    __table_args__ = (UniqueConstraint("case_id", "kind", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    kind: Mapped[NodeKind]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))


def _when_closed(context: Any) -> datetime:
    found: datetime = context.get_current_parameters()["closed_at"]
    return found


class Closing(Base):
    """One closing of a case, frozen: the unit that handled it then, its times and its reply then.

    `came_at` is when we learnt of it: the ledger of an earlier day counts what had come by then.
    """

    __tablename__ = "closing"
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    closing_no: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    accepted_at: Mapped[datetime]
    signed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime] = mapped_column(index=True)
    came_at: Mapped[datetime] = mapped_column(default=_when_closed)
    reply: Mapped[str] = mapped_column(Text, default="")
    exclusion: Mapped[Exclusion | None]


class Callback(Base):
    """回访: one per closing and round. `next_at` is when somebody must look at it again."""

    __tablename__ = "callback"
    __table_args__ = (
        UniqueConstraint("case_id", "closing_no", "round"),
        ForeignKeyConstraint(["case_id", "closing_no"], ["closing.case_id", "closing.closing_no"]),
        Index("ix_callback_due", "state", "next_at", "priority"),
        Index("ix_callback_deadline", "state", "deadline"),
        Index(
            "ix_callback_excluded",
            "closed_at",
            "unit_id",
            sqlite_where=text("state = 'excluded'"),
            postgresql_where=text("state = 'excluded'"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    closing_no: Mapped[int]
    round: Mapped[int] = mapped_column(default=1)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    state: Mapped[State]
    state_since: Mapped[datetime]
    next_at: Mapped[datetime]
    deadline: Mapped[datetime]
    priority: Mapped[int] = mapped_column(default=1)  # 0: enterprise first
    closed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    exclusion: Mapped[Exclusion | None]
    late: Mapped[bool] = mapped_column(default=False)
    handed_over: Mapped[str | None] = mapped_column(String(24))
    unclear_texts: Mapped[int] = mapped_column(default=0)
    network_fails: Mapped[int] = mapped_column(default=0)

    case: Mapped[Case] = relationship()
    unit: Mapped[Unit] = relationship()


class CallbackMove(Base):
    """A change of a callback's state: append-only by trigger, the case story's thread."""

    __tablename__ = "callback_move"
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), index=True)
    at: Mapped[datetime]
    trigger: Mapped[Trigger]
    from_state: Mapped[State]
    to_state: Mapped[State]
    detail: Mapped[str] = mapped_column(String(80), default="")


class Attempt(Carried, Base):
    """One call or one evaluation text; a call covers up to three callbacks.

    `machine` is advice: true where `machine_sign` was heard at `machine_at` and no key came, false where a
    key came, null where nothing tells. No rule asks for it. `price` is what a minute of the call costs, in
    ten-thousandths, as it was set when the call began.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        _once("uq_attempt_live_number", "number_index", where=str(LIVE_ATTEMPT)),
        Index("ix_attempt_lease", "state", "lease_expires_at"),
        Index("ix_attempt_number", "number_index", "invited_at"),
        Index("ix_attempt_invited", "invited_at"),
        Index(
            "ix_attempt_machine_at",
            "machine_at",
            sqlite_where=MACHINE_HEARD,
            postgresql_where=MACHINE_HEARD,
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[Channel]
    state: Mapped[AttemptState]
    number_encrypted: Mapped[str] = mapped_column(Text)
    number_index: Mapped[str] = mapped_column(String(32))
    number_masked: Mapped[str] = mapped_column(String(20))
    trunk: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str | None] = mapped_column(String(80), index=True)
    lease_expires_at: Mapped[datetime | None]
    token: Mapped[int]
    claimed_at: Mapped[datetime]
    invited_at: Mapped[datetime | None]
    rang_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    disposition: Mapped[Disposition | None]
    counts: Mapped[bool] = mapped_column(default=False)
    sip_status: Mapped[int | None]
    q850: Mapped[int | None]
    cause_raw: Mapped[str] = mapped_column(String(200), default="")
    machine: Mapped[bool | None]
    machine_sign: Mapped[MachineSign | None]
    machine_at: Mapped[datetime | None]
    provider_call_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    price: Mapped[int | None]
    flow: Mapped[str | None] = mapped_column(String(40))
    flow_version: Mapped[str | None] = mapped_column(String(24))
    prompt_version: Mapped[str | None] = mapped_column(String(24))

    links: Mapped[list[AttemptCallback]] = relationship(
        order_by="AttemptCallback.position", back_populates="attempt"
    )


class AttemptCallback(Base):
    """Which callbacks an attempt asks for; `live` as long as the attempt is."""

    __tablename__ = "attempt_callback"
    __table_args__ = (
        _once("uq_attempt_callback_live", "callback_id", where="live"),
        UniqueConstraint("attempt_id", "position"),
    )
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"), primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), primary_key=True, index=True)
    position: Mapped[int]
    live: Mapped[bool] = mapped_column(default=True)

    attempt: Mapped[Attempt] = relationship(back_populates="links")
    callback: Mapped[Callback] = relationship()


class Line(Base):
    """A line of a trunk: leased by a conditional update, never counted and then used.

    It carries an attempt, or the agent's leg of a person's call, or somebody who calls us: then it's held by
    `inbound_owner` until `inbound_until`, which that process moves on while it lives. `reserved` ones are
    never taken for callbacks.
    """

    __tablename__ = "line"
    trunk: Mapped[str] = mapped_column(String(40), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempt.id"), unique=True)
    agent_call_id: Mapped[int | None] = mapped_column(ForeignKey("agent_call.id"), unique=True)
    reserved: Mapped[bool] = mapped_column(default=False)
    inbound_owner: Mapped[str | None] = mapped_column(String(80), index=True)
    inbound_until: Mapped[datetime | None]


class TextMessage(Base):
    """A text that we send. `open` while a reply to it is taken as an answer to its question."""

    __tablename__ = "text_message"
    __table_args__ = (
        _once("uq_text_open_question", "number_index", "sender_code", where='"open"'),
        Index("ix_text_due", "state", "not_before"),
        Index(
            "ix_text_next", "priority", "not_before", sqlite_where=QUEUED_TEXT, postgresql_where=QUEUED_TEXT
        ),
        Index("ix_text_answerable", "open", "answerable_until"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TextKind]
    callback_id: Mapped[int | None] = mapped_column(ForeignKey("callback.id"), index=True)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempt.id"), unique=True)
    number_encrypted: Mapped[str] = mapped_column(Text)
    number_index: Mapped[str] = mapped_column(String(32), index=True)
    number_masked: Mapped[str] = mapped_column(String(20))
    sender_code: Mapped[str] = mapped_column(String(24))
    body: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(default=1)  # 0: answers go before bulk
    state: Mapped[TextState]
    open: Mapped[bool] = mapped_column(default=False)
    answerable_until: Mapped[datetime | None]
    not_before: Mapped[datetime]
    ungated_until: Mapped[datetime | None]  # an answer to a citizen's own text isn't gated for ten minutes
    owner: Mapped[str | None] = mapped_column(String(80), index=True)
    lease_expires_at: Mapped[datetime | None]
    token: Mapped[int | None]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(String(120), default="")

    callback: Mapped[Callback | None] = relationship()


class TextPart(Base):
    """A part of a submitted text, by the gateway's id. It's all but unique by itself: it leads the index."""

    __tablename__ = "text_part"
    __table_args__ = (UniqueConstraint("provider_id", "gateway"),)
    text_id: Mapped[int] = mapped_column(ForeignKey("text_message.id"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(40))
    provider_id: Mapped[str] = mapped_column(String(80))


class Receipt(Base):
    """A delivery receipt; one that beats its submit's answer waits here (`applied_at` is null)."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("provider_id", "gateway", "status"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(40))
    provider_id: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(24))
    error: Mapped[str] = mapped_column(String(40), default="")
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]


class Reply(Base):
    """A text from a citizen, kept whatever it says. `digest` finds a redelivery of the same PDU."""

    __tablename__ = "reply"
    __table_args__ = (Index("ix_reply_digest", "digest", "received_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))
    delivery: Mapped[str | None] = mapped_column(String(160), unique=True)
    number_encrypted: Mapped[str] = mapped_column(Text)
    number_index: Mapped[str] = mapped_column(String(32), index=True)
    number_masked: Mapped[str] = mapped_column(String(20))
    sender_code: Mapped[str] = mapped_column(String(24))
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    callback_id: Mapped[int | None] = mapped_column(ForeignKey("callback.id"), index=True)
    rating: Mapped[int | None]
    opt_out: Mapped[bool] = mapped_column(default=False)
    emergency: Mapped[bool] = mapped_column(default=False)
    unclear: Mapped[bool] = mapped_column(default=False)
    comment: Mapped[str] = mapped_column(Text, default="")
    outcome: Mapped[str] = mapped_column(String(24), default="")
    redelivered: Mapped[int] = mapped_column(default=0)


class Rating(Base):
    """评价: append-only but for `counted`, which exactly one rating of a callback has."""

    __tablename__ = "rating"
    __table_args__ = (
        _once("uq_rating_counted", "callback_id", where="counted"),
        Index(
            "ix_rating_unsettled",
            "at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), index=True)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempt.id"))
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("reply.id"), unique=True)
    channel: Mapped[Channel]
    scale: Mapped[str] = mapped_column(String(8))
    value: Mapped[int]
    raw: Mapped[str] = mapped_column(Text)
    prompt_id: Mapped[str | None] = mapped_column(String(40))
    ms_since_prompt_end: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(index=True)
    counted: Mapped[bool]
    is_change: Mapped[bool] = mapped_column(default=False)
    late: Mapped[bool] = mapped_column(default=False)
    resolved: Mapped[bool | None]
    reason: Mapped[str | None] = mapped_column(String(40))
    comment: Mapped[str] = mapped_column(Text, default="")
    settled_at: Mapped[datetime | None]  # the minutes for a change are over

    callback: Mapped[Callback] = relationship()


class Suppression(Base):
    """A number that takes no texts (opt-out) until somebody lifts it."""

    __tablename__ = "suppression"
    __table_args__ = (UniqueConstraint("number_index", "channel"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    number_index: Mapped[str] = mapped_column(String(32))
    channel: Mapped[Channel]
    reason: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]


class Audit(Base):
    """Who did what: append-only by trigger on both databases."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at", "id"),
        Index("ix_audit_action", "action", "at"),
        Index("ix_audit_subject", "subject", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[dict[str, Any]]


class AuditLink(Base):
    """The audit's chain: `hash` is SHA-256 over the one before and the line. Append-only by trigger.

    Lines are linked in the order in which they were committed, by one process at a time; `seq` has no gap.
    """

    __tablename__ = "audit_link"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    audit_id: Mapped[int] = mapped_column(ForeignKey("audit.id"), unique=True)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
