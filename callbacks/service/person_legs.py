"""Keeps each telephone of ours that the voice role rings: a trunk carries it, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.cdr import VoiceQuality, talk_seconds
from callbacks.models_carried import LONGEST_CALL_ID
from callbacks.models_trunks import PersonLeg, PersonLegKind
from callbacks.service.core import Context
from callbacks.vocabulary import Disposition

__all__ = ["LegEnd", "LegStart", "leg_began", "leg_ended"]


@dataclass(frozen=True, slots=True)
class LegStart:
    """A leg whose INVITE has left: `token` is its name, `attempt_id` the call that it belongs to."""

    token: str
    attempt_id: int
    kind: PersonLegKind
    target: str
    dialled: str
    trunk: str
    sip_call_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LegEnd:
    """What came of it."""

    rang: datetime | None
    answered: datetime | None
    at: datetime
    disposition: Disposition | None
    sip_status: int | None
    q850: int | None
    quality: VoiceQuality | None = None


def leg_began(ctx: Context, leg: LegStart) -> None:
    call_id = None if leg.sip_call_id is None else leg.sip_call_id[:LONGEST_CALL_ID]
    row = PersonLeg(
        token=leg.token,
        attempt_id=leg.attempt_id,
        kind=leg.kind,
        target=leg.target,
        dialled=leg.dialled,
        trunk=leg.trunk,
        sip_call_id=call_id,
        began_at=leg.at,
    )
    ctx.run(lambda session: session.add(row))


def leg_ended(ctx: Context, token: str, end: LegEnd) -> None:
    """What is known of the leg now; nothing where its beginning could not be kept."""

    def work(session: Session) -> None:
        row = session.scalar(select(PersonLeg).where(PersonLeg.token == token).with_for_update())
        if row is None:
            return
        row.rang_at, row.answered_at, row.ended_at = end.rang, end.answered, end.at
        row.disposition, row.sip_status, row.q850 = end.disposition, end.sip_status, end.q850
        row.talk_seconds = talk_seconds(end.answered, end.at)
        if end.quality is not None:
            row.lost_percent, row.jitter_ms = end.quality.lost_percent, end.quality.jitter_ms

    ctx.run(work)
