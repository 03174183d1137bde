"""What citizens said after the beep, the one thing of a call that is recorded; and how trunks are found."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from callbacks.models import Base, stored
from callbacks.vocabulary import TrunkReason, TrunkStanding


class VoiceMessage(Base):
    """A message, as octets of `codec` (pcma, pcmu) at 8 kHz. Without `content` it's purged.

    It's about a callback, in a call of ours (`attempt_id`) or of who rang back; or about none, then it is of
    the caller of `inbound_token`. The same message, played in again from a spool, is the same row.
    """

    __tablename__ = "voice_message"
    __table_args__ = (
        UniqueConstraint("callback_id", "sha256"),
        UniqueConstraint("inbound_token", "sha256"),
        CheckConstraint("(callback_id IS NULL) <> (inbound_token IS NULL)", name="about_one"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    callback_id: Mapped[int | None] = mapped_column(ForeignKey("callback.id"))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempt.id"), index=True)
    inbound_token: Mapped[str | None] = mapped_column(String(60))
    at: Mapped[datetime]
    codec: Mapped[str] = mapped_column(String(8))
    seconds: Mapped[float]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)


class TrunkState(Base):
    """How one process finds a trunk: since when, because of what. After `until` it's nobody's word."""

    __tablename__ = "trunk_state"
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    trunk: Mapped[str] = mapped_column(String(40), primary_key=True)
    standing: Mapped[TrunkStanding] = mapped_column(stored(TrunkStanding))
    reason: Mapped[TrunkReason | None] = mapped_column(stored(TrunkReason))
    sip_status: Mapped[int | None]
    since: Mapped[datetime]
    until: Mapped[datetime]
