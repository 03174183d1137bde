"""How the processes that telephone find their trunks, as the desk shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.database import dbnow
from callbacks.models_voice import TrunkState
from callbacks.vocabulary import TrunkReason, TrunkStanding


@dataclass(frozen=True, slots=True)
class TrunkRow:
    """One process's word; `process` is its role, host and number."""

    trunk: str
    process: str
    standing: TrunkStanding
    reason: TrunkReason | None
    sip_status: int | None
    since: datetime


def read_trunks(session: Session) -> tuple[TrunkRow, ...]:
    """What living processes say, by trunk."""
    query = select(TrunkState).where(TrunkState.until >= dbnow()).order_by(TrunkState.trunk, TrunkState.owner)
    return tuple(
        TrunkRow(row.trunk, row.owner, row.standing, row.reason, row.sip_status, row.since)
        for row in session.scalars(query)
    )
