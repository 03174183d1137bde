"""Who called us: every call to 110 and the callback number, and each leg that was rung for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callbacks.models import Base, stored
from callbacks.models_carried import Carried
from callbacks.vocabulary import Disposition, LegKind


class Recorded:
    """What is said on a leg, as it's recorded: `recording` is its file, below the folder of recordings.

    Without `recorded_at` it wasn't to be recorded; without `recording` it's purged, or nothing was kept.
    `recording_failed` says why it isn't whole. Without `recorded_seconds` it isn't finished, or never was.
    """

    recording: Mapped[str | None] = mapped_column(String(120))
    recorded_at: Mapped[datetime | None]
    recorded_seconds: Mapped[float | None]
    recording_failed: Mapped[str | None] = mapped_column(String(200))


class InboundCall(Recorded, Carried, Base):
    """A caller. Without `talked_at` and `redirected_at` when it's over, they gave up: somebody rings back.

    Written from snapshots of the process that carries the call, each newer than the last (`seq`): a snapshot
    that comes twice or late changes nothing.
    """

    __tablename__ = "inbound_call"
    __table_args__ = (Index("ix_inbound_call_came", "came_at", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(60), unique=True)
    seq: Mapped[int]
    owner: Mapped[str | None] = mapped_column(String(80))  # the process that carries it
    service: Mapped[str] = mapped_column(String(16))  # emergency, callback
    trunk: Mapped[str] = mapped_column(String(40))
    called: Mapped[str] = mapped_column(String(60))
    number_encrypted: Mapped[str | None] = mapped_column(Text)
    number_index: Mapped[str | None] = mapped_column(String(32), index=True)
    number_masked: Mapped[str | None] = mapped_column(String(20))
    asserted: Mapped[bool]  # the network vouches for the number
    private: Mapped[bool]  # the caller asked that others don't see it
    access_network: Mapped[str] = mapped_column(String(300))
    geolocation: Mapped[list[Any]] = mapped_column(JSON)
    came_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]  # heard that they are through
    talked_at: Mapped[datetime | None]  # heard a person
    target: Mapped[str | None] = mapped_column(String(40))  # who that was
    redirected_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]  # our 200 came up: from then on it's paid for
    sip_status: Mapped[int | None]
    q850: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(16))  # caller, person, us, network
    rung_back_at: Mapped[datetime | None]
    rung_back_by: Mapped[str | None] = mapped_column(String(80))

    legs: Mapped[list[InboundLeg]] = relationship(order_by="InboundLeg.began_at, InboundLeg.id")


class InboundPressure(Base):
    """How many wait for a person at a process of the inbound role. One that is too old counts for nothing."""

    __tablename__ = "inbound_pressure"
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    waiting: Mapped[int]
    until: Mapped[datetime]


class InboundLeg(Recorded, Carried, Base):
    """A telephone that was rung for a caller. A `REFER` is no leg of ours: the trunk was asked for it."""

    __tablename__ = "inbound_leg"
    __table_args__ = (Index("ix_inbound_leg_began", "began_at", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("inbound_call.id"), index=True)
    token: Mapped[str] = mapped_column(String(80), unique=True)
    target: Mapped[str] = mapped_column(String(40))
    kind: Mapped[LegKind] = mapped_column(stored(LegKind), default=LegKind.RUNG, server_default="rung")
    trunk: Mapped[str | None] = mapped_column(String(40))
    dialled: Mapped[str | None] = mapped_column(String(40))  # the target's number, as its trunk was told
    began_at: Mapped[datetime]
    rang_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    disposition: Mapped[Disposition | None] = mapped_column(stored(Disposition))
    sip_status: Mapped[int | None]
    q850: Mapped[int | None]
