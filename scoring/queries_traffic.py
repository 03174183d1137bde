"""What each trunk has carried on a day, with its answer-seizure ratio and mean talk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from callbacks.cdr_traffic import TrafficRow, by_day
from scoring.queries_ranking import Rate


@dataclass(frozen=True, slots=True)
class TrunkDay:
    """A trunk's day, one way."""

    of: TrafficRow

    @property
    def asr(self) -> Rate:
        return Rate(self.of.traffic.answered, self.of.traffic.seizures)


def read_trunk_days(session: Session, day: date, timezone: str) -> tuple[TrunkDay, ...]:
    return tuple(map(TrunkDay, by_day(session, day, day, timezone)))
