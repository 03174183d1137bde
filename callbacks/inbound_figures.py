"""How calls to 110 end: who waits and talks, who was answered in time, who gave up and is to be rung back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from callbacks.models_inbound import InboundCall

ANSWER_WITHIN = timedelta(seconds=15)  # GB/T 33358: domain.md A1.5
CALLBACK_LINE = "callback_line"  # the target of who was asked by the flow, and by nobody of ours

GAVE_UP = (
    InboundCall.ended_at.is_not(None)
    & InboundCall.talked_at.is_(None)
    & InboundCall.redirected_at.is_(None)
    & InboundCall.rung_back_at.is_(None)
)
_FOR_A_PERSON = or_(InboundCall.target.is_(None), InboundCall.target != CALLBACK_LINE)


class Outcome(StrEnum):
    """What came of a call for a person."""

    IN_TIME = "answered_in_15_s"
    LATER = "answered_later"
    GAVE_UP = "given_up"
    REDIRECTED = "redirected"


@dataclass(frozen=True, slots=True)
class InboundFigures:
    """`outcomes` are of the calls that came since then, and are over or were answered."""

    waiting: int
    talking: int
    outcomes: Counter[Outcome]


def read_figures(session: Session, since: datetime) -> InboundFigures:
    """Of calls for a person; what the callback number's flow took is none."""
    talks = case((InboundCall.talked_at.is_not(None), 1), else_=0)
    now = select(func.count(), func.sum(talks)).where(InboundCall.ended_at.is_(None), _FOR_A_PERSON)
    live, talking = session.execute(now).one()
    times = select(
        InboundCall.came_at, InboundCall.talked_at, InboundCall.redirected_at, InboundCall.ended_at
    ).where(InboundCall.came_at >= since, _FOR_A_PERSON)
    outcomes: Counter[Outcome] = Counter()
    for came, talked, redirected, ended in session.execute(times):
        if talked is not None:
            outcomes[Outcome.IN_TIME if talked - came <= ANSWER_WITHIN else Outcome.LATER] += 1
        elif ended is not None:
            outcomes[Outcome.GAVE_UP if redirected is None else Outcome.REDIRECTED] += 1
    return InboundFigures(live - (talking or 0), talking or 0, outcomes)
