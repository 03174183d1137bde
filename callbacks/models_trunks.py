"""What trunks carry beside citizens' calls: legs to people's telephones; each hour's sums of calls out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from callbacks.models import Base, stored
from callbacks.models_carried import Carried
from callbacks.vocabulary import Disposition


class PersonLegKind(StrEnum):
    """Why the voice role rang a telephone of ours."""

    AGENT = "agent"  # its user clicked, and is rung before the citizen
    TRANSFER = "transfer"  # a citizen asked for a person amidst a callback


class PersonLeg(Carried, Base):
    """A telephone of ours that the voice role rang. Without `ended_at` it's up, or its process died."""

    __tablename__ = "person_leg"
    __table_args__ = (Index("ix_person_leg_began", "began_at", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(80), unique=True)  # the leg's name on the line
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"), index=True)
    kind: Mapped[PersonLegKind] = mapped_column(stored(PersonLegKind))
    target: Mapped[str] = mapped_column(String(40))
    dialled: Mapped[str] = mapped_column(String(40))
    trunk: Mapped[str] = mapped_column(String(40))
    began_at: Mapped[datetime]
    rang_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    disposition: Mapped[Disposition | None]
    sip_status: Mapped[int | None]
    q850: Mapped[int | None]


class TollHour(Base):
    """What was called in a local hour (2026-11-23T14) by a trunk: calls begun, seconds and money spent.

    Each process has a row of its own, so that none waits for another. `cost` is in ten-thousandths. A call's
    seconds are in the hour in which it ended.
    """

    __tablename__ = "toll_hour"
    hour: Mapped[str] = mapped_column(String(13), primary_key=True)
    trunk: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    calls: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[int] = mapped_column(default=0)
    cost: Mapped[int] = mapped_column(BigInteger, default=0)
