"""The tables of what other systems send and take: tokens, requests, codes for the web, outcomes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, Callback, Case, stored


class ApiScope(StrEnum):
    """What a token may do."""

    CASES_WRITE = "cases:write"
    RATINGS_WRITE = "ratings:write"
    OUTCOMES_READ = "outcomes:read"


class ApiToken(Base):
    """A system that may use the API. The token itself is shown once; its SHA-256 is kept."""

    __tablename__ = "api_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[dict[str, Any]]  # {"scopes": ["cases:write", …]}
    platform: Mapped[str | None] = mapped_column(String(80))  # whose cases it may rate; None: any
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(80))
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class ApiRequest(Base):
    """An idempotency key's request and its answer: the same request again gets the same answer."""

    __tablename__ = "api_request"
    token_id: Mapped[int] = mapped_column(ForeignKey("api_token.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(index=True)


class WebCode(Base):
    """The one-time code by which a citizen without a number rates on the web."""

    __tablename__ = "web_code"
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"), unique=True)
    code_index: Mapped[str] = mapped_column(String(32), unique=True)
    code_encrypted: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    told_at: Mapped[datetime | None]  # the platform has fetched it
    seen_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]

    callback: Mapped[Callback] = relationship()


class Outcome(Base):
    """What became of a case, for other systems: written beside the fact, numbered when committed.

    `seq` is given by one process, in order, to rows that are already committed, so that a reader who asks
    for what is after N never misses one (a database's own ids don't promise that).
    """

    __tablename__ = "outcome"
    __table_args__ = (UniqueConstraint("callback_id", "kind", "ordinal"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int | None] = mapped_column(unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    callback_id: Mapped[int] = mapped_column(ForeignKey("callback.id"))
    kind: Mapped[str] = mapped_column(String(24))  # a terminal state, "changed", "code", …
    ordinal: Mapped[int] = mapped_column(default=0)  # the rating's id where a kind may come again
    payload: Mapped[dict[str, Any]]
    at: Mapped[datetime]

    case: Mapped[Case] = relationship()


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class WebhookDelivery(Base):
    """An outcome on its way to one webhook; in order per case, tried again with a back-off."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("webhook", "outcome_id"),
        Index("ix_webhook_delivery_due", "state", "next_at"),
        Index("ix_webhook_delivery_case", "webhook", "case_id", "state"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    webhook: Mapped[str] = mapped_column(String(40))
    outcome_id: Mapped[int] = mapped_column(ForeignKey("outcome.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    state: Mapped[DeliveryState] = mapped_column(stored(DeliveryState))
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    last_status: Mapped[int | None]
    last_error: Mapped[str] = mapped_column(String(200), default="")
    delivered_at: Mapped[datetime | None]

    outcome: Mapped[Outcome] = relationship()


class ProviderCall(Base):
    """A call that a provider carries by webhooks: its dialogue between two of them, and what to answer again.

    `step` is the next one that is due, `document` the answer to the one before. `pending` holds what the
    citizen pressed until it's stored, so that a process that dies between the two loses nothing.
    """

    __tablename__ = "provider_call"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"), index=True)
    sid: Mapped[str | None] = mapped_column(String(64), unique=True)
    step: Mapped[int] = mapped_column(default=0)
    dialogue: Mapped[dict[str, Any]]
    document: Mapped[str] = mapped_column(Text, default="")
    pending: Mapped[dict[str, Any]]  # {"records": […]}
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
