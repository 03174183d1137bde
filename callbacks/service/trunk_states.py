"""How each process finds its trunks: written as it changes, and again while the process lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.database import dbnow
from callbacks.models_voice import TrunkState
from callbacks.service.core import Context
from callbacks.vocabulary import TrunkReason, TrunkStanding

__all__ = ["TOLD_EVERY", "TrunkTold", "forget_trunks", "tell_trunks"]

TOLD_EVERY = 20.0  # seconds
_BELIEVED = 60.0  # seconds without a word from its process a state is nobody's any more


@dataclass(frozen=True, slots=True)
class TrunkTold:
    """How a trunk stands, since when; `is_news`: it has just been set aside, and a seat must hear of it."""

    trunk: str
    standing: TrunkStanding
    reason: TrunkReason | None
    sip_status: int | None
    since: datetime
    is_news: bool = False


def tell_trunks(ctx: Context, owner: str, told: Sequence[TrunkTold], now: datetime) -> None:
    """What `owner` finds of all its trunks; what it said before and what dead processes said goes."""

    def work(session: Session) -> None:
        mine = select(TrunkState).where(TrunkState.owner == owner).with_for_update()
        known = {row.trunk: row for row in session.scalars(mine)}
        for each in told:
            row = known.pop(each.trunk, None)
            if row is None:
                row = TrunkState(owner=owner, trunk=each.trunk)
                session.add(row)
            row.standing, row.reason, row.sip_status = each.standing, each.reason, each.sip_status
            row.since, row.until = each.since, dbnow(_BELIEVED)
            if each.is_news:
                why = each.reason.value if each.reason else ""
                raise_alarm(
                    session, AlarmKind.TRUNK_ASIDE, each.trunk, now, why=why, sip_status=each.sip_status
                )
        gone = or_(
            TrunkState.until < dbnow(), TrunkState.trunk.in_(list(known)) & (TrunkState.owner == owner)
        )
        session.execute(delete(TrunkState).where(gone).execution_options(synchronize_session=False))

    ctx.run(work)


def forget_trunks(ctx: Context, owner: str) -> None:
    """The process ends."""
    ctx.run(lambda session: session.execute(delete(TrunkState).where(TrunkState.owner == owner)))
