"""The assessment records of a month as ranking and unit page show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.models import Unit
from callbacks.vocabulary import UnitGroup
from scoring.models import AssessmentRecord
from scoring.queries import Scope, UnitRow, unit_row
from scoring.rules import Component, Counts


@dataclass(frozen=True, slots=True)
class Rate:
    """A share that can't be shown without its n."""

    hits: int
    n: int

    @property
    def value(self) -> Fraction | None:
        return Fraction(self.hits, self.n) if self.n else None


@dataclass(frozen=True, slots=True)
class RankingRow:
    """A unit's month, exact. `listed_apart` says why it has no rank; `interval` is Wilson's of 满意率,
    `bounds` what 满意率 would be if all who didn't answer were dissatisfied, or satisfied.
    """

    unit: UnitRow
    month: str
    rank: int | None
    score: Fraction | None
    item_points: Fraction | None
    listed_apart: str | None
    closed: int
    satisfaction: Rate
    response: Rate
    callback: Rate
    interval: tuple[Fraction, Fraction] | None
    bounds: tuple[Fraction, Fraction] | None
    band: str | None
    counts: Counts
    components: tuple[Component, ...]
    settings_version: str
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class Ranking:
    """A group's month: the ranked, and those with too few ratings. `ranked_in_all` is beyond the scope."""

    ranked: tuple[RankingRow, ...]
    apart: tuple[RankingRow, ...]
    ranked_in_all: int


def read_ranking(session: Session, scope: Scope, group: UnitGroup, month: str) -> Ranking:
    """By rank; equal ranks, and those listed apart, by the unit's code."""
    of_group = (AssessmentRecord.month == month, Unit.group == group)
    query = (
        select(AssessmentRecord, Unit)
        .join(Unit, Unit.id == AssessmentRecord.unit_id)
        .where(*of_group, *scope.limit(Unit.id))
        .order_by(AssessmentRecord.rank.is_(None), AssessmentRecord.rank, Unit.code)
    )
    rows = [_row(record, unit) for record, unit in session.execute(query)]
    in_all = session.scalar(
        select(func.count(AssessmentRecord.id))
        .join(Unit, Unit.id == AssessmentRecord.unit_id)
        .where(*of_group, AssessmentRecord.rank.is_not(None))
    )
    return Ranking(
        ranked=tuple(row for row in rows if row.rank is not None),
        apart=tuple(row for row in rows if row.rank is None),
        ranked_in_all=in_all or 0,
    )


def read_months_of(session: Session, unit_id: int) -> tuple[RankingRow, ...]:
    """A unit's months, the newest first."""
    query = (
        select(AssessmentRecord, Unit)
        .join(Unit, Unit.id == AssessmentRecord.unit_id)
        .where(AssessmentRecord.unit_id == unit_id)
        .order_by(AssessmentRecord.month.desc())
    )
    return tuple(_row(record, unit) for record, unit in session.execute(query))


def _row(record: AssessmentRecord, unit: Unit) -> RankingRow:
    counts = Counts.of(record.counts)
    stored = record.components
    interval, bounds = stored["wilson"], stored["nonresponse_bounds"]
    return RankingRow(
        unit=unit_row(unit),
        month=record.month,
        rank=record.rank,
        score=_fraction(record.score),
        item_points=_fraction(record.item_points),
        listed_apart=record.listed_apart,
        closed=int(counts.closed),
        satisfaction=Rate(int(counts.positive), int(counts.rated)),
        response=Rate(int(counts.rated_raw), int(counts.due)),
        callback=Rate(int(counts.ended), int(counts.due)),
        interval=_pair(interval),
        bounds=_pair(bounds) if counts.rated else None,
        band=stored["band"],
        counts=counts,
        components=tuple(_component(part) for part in stored["parts"]),
        settings_version=record.settings_version,
        computed_at=record.computed_at,
    )


def _component(part: Mapping[str, str | None]) -> Component:
    """A component as the record keeps it: exact texts."""
    exact = {name: Fraction(str(part[name])) for name in ("numerator", "denominator", "points", "value")}
    return Component(name=str(part["name"]), rate=_fraction(part["rate"]), **exact)


def _pair(stored: Sequence[object] | None) -> tuple[Fraction, Fraction] | None:
    return None if stored is None else (Fraction(str(stored[0])), Fraction(str(stored[1])))


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
