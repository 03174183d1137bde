"""The assessment records of a month, or of a year's months together, as ranking and unit page show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.models import Unit
from callbacks.vocabulary import UnitGroup
from scoring.assessment import units_from
from scoring.models import AssessmentRecord, MonthState, ScoreMonth
from scoring.months import month_after
from scoring.queries import Scope, UnitRow, unit_row
from scoring.rules import Component, Counts, band, nonresponse_bounds, wilson
from scoring.settings import ScoringSettings
from scoring.tree import UnitOf, assess_units


@dataclass(frozen=True, slots=True)
class Rate:
    """A share that can't be shown without its n."""

    hits: int
    n: int

    @property
    def value(self) -> Fraction | None:
        return Fraction(self.hits, self.n) if self.n > 0 else None


@dataclass(frozen=True, slots=True)
class RankingRow:
    """A unit's month (or year), exact. `listed_apart` says why it has no rank; `interval` is Wilson's
    of 满意率, `bounds` what 满意率 would be if all who didn't answer were dissatisfied, or satisfied.
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
    contact: Rate
    without_number: Rate
    interval: tuple[Fraction, Fraction] | None
    bounds: tuple[Fraction, Fraction] | None
    band: str | None
    counts: Counts
    components: tuple[Component, ...]
    settings_version: str
    computed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A group's month: the ranked, and those with too few ratings. `ranked_in_all` is beyond the scope."""

    ranked: tuple[RankingRow, ...]
    apart: tuple[RankingRow, ...]
    ranked_in_all: int


@dataclass(frozen=True, slots=True)
class Period:
    """What a table is of: a month as it was closed, or an open one, or a year's months together.

    `settings` are the month's own once it's closed, today's before; a year goes by its last month's.
    """

    name: str
    months: tuple[str, ...]
    settings: ScoringSettings
    closed: ScoreMonth | None = None

    @property
    def is_year(self) -> bool:
        return len(self.name) == 4

    @property
    def is_published(self) -> bool:
        return self.closed is not None and self.closed.state is MonthState.PUBLISHED

    @property
    def tree(self) -> Mapping[int, UnitOf] | None:
        """The units as they were when the month was closed; None while it's open."""
        return None if self.closed is None else units_from(self.closed.units)


def read_period(session: Session, name: str, today: ScoringSettings) -> Period:
    """Of "2026-11", or of "2026": its assessed months summed."""
    if len(name) == 4:
        query = select(AssessmentRecord.month).where(AssessmentRecord.month.startswith(f"{name}-"))
        found = tuple(session.scalars(query.distinct().order_by(AssessmentRecord.month)))
        last = session.get(ScoreMonth, found[-1]) if found else None
        return Period(name, found, _settings_of(last, today))
    row = session.get(ScoreMonth, name)
    return Period(name, (name,), _settings_of(row, today), row)


def _settings_of(row: ScoreMonth | None, today: ScoringSettings) -> ScoringSettings:
    return today if row is None else ScoringSettings.model_validate(row.settings)


def read_table(session: Session, scope: Scope, group: UnitGroup, period: Period) -> Ranking:
    """Units without one above them, by rank; equal ranks, and those listed apart, by the unit's code."""
    of_group = [row for row in read_roots(session, period) if row.unit.group is group]
    seen = [row for row in of_group if scope.covers(row.unit.id)]
    return Ranking(
        ranked=tuple(row for row in seen if row.rank is not None),
        apart=tuple(row for row in seen if row.rank is None),
        ranked_in_all=sum(row.rank is not None for row in of_group),
    )


def read_roots(session: Session, period: Period) -> tuple[RankingRow, ...]:
    """The whole city's units without one above them, both groups, the ranked first."""
    rows = _year_rows(session, period) if period.is_year else _month_rows(session, period, None)
    return tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.unit.code)))


def read_below(session: Session, scope: Scope, unit_id: int, period: Period) -> tuple[RankingRow, ...]:
    """The units right below one, by rank among themselves."""
    rows = [row for row in _month_rows(session, period, unit_id) if scope.covers(row.unit.id)]
    return tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.unit.code)))


def _month_rows(session: Session, period: Period, parent: int | None) -> list[RankingRow]:
    """Those that had this parent then: units are renamed and moved later, a closed month's table isn't."""
    tree = period.tree
    rows = []
    for record, unit in session.execute(_records().where(AssessmentRecord.month == period.name)):
        then = None if tree is None else tree.get(unit.id)
        if (unit.parent_id if then is None else then.parent) == parent:
            rows.append(_row(record, _named(unit, then)))
    return rows


def _named(unit: Unit, then: UnitOf | None) -> UnitRow:
    row = unit_row(unit)
    if then is None or (then.name == row.name and then.group is row.group):
        return row
    english = row.name_en if then.name == row.name else ""
    return replace(row, code=then.code, name=then.name or row.name, name_en=english, group=then.group)


def _year_rows(session: Session, period: Period) -> list[RankingRow]:
    """Counts summed over the months and assessed once: no mean of scores, whose months weigh unlike.

    A month counts for those that had none above them then: what a unit did before it came below another is
    its own, and in its name of its last such month.
    """
    sums: dict[int, Counts] = defaultdict(Counts)
    units: dict[int, UnitRow] = {}
    closed = session.scalars(select(ScoreMonth).where(ScoreMonth.month.in_(period.months)))
    trees = {row.month: units_from(row.units) for row in closed}
    query = _records().where(AssessmentRecord.month.in_(period.months)).order_by(AssessmentRecord.month)
    for record, unit in session.execute(query):
        then = trees.get(record.month, {}).get(unit.id)
        if (unit.parent_id if then is None else then.parent) is None:
            sums[unit.id] += Counts.of(record.counts)
            units[unit.id] = _named(unit, then)
    roots = {id_: UnitOf(id_, unit.code, None, unit.group) for id_, unit in units.items()}
    return [
        _of(
            units[each.unit_id],
            period.name,
            each.assessment.counts,
            components=each.assessment.components,
            score=each.assessment.score,
            item_points=each.item_points,
            listed_apart=each.assessment.listed_apart,
            rank=each.rank,
            settings_version=period.settings.version,
            computed_at=None,
        )
        for each in assess_units(sums, roots, period.settings)
    ]


def _records() -> Any:
    return select(AssessmentRecord, Unit).join(Unit, Unit.id == AssessmentRecord.unit_id)


def read_months_of(session: Session, unit_id: int) -> tuple[RankingRow, ...]:
    """A unit's months, the newest first."""
    query = _records().where(AssessmentRecord.unit_id == unit_id).order_by(AssessmentRecord.month.desc())
    return tuple(_row(record, unit_row(unit)) for record, unit in session.execute(query))


def last_twelve(of_unit: Iterable[RankingRow], month: str) -> tuple[tuple[str, RankingRow | None], ...]:
    """The twelve months up to `month`, oldest first, with a gap where the unit has no record."""
    known = {row.month: row for row in of_unit}
    year, number = (int(part) for part in month.split("-"))
    at = f"{year - (number < 12):04}-{number % 12 + 1:02}"
    found = []
    for _ in range(12):
        found.append((at, known.get(at)))
        at = month_after(at)
    return tuple(found)


def years(session: Session) -> tuple[str, ...]:
    """The years that have assessed months, newest first."""
    year = func.substr(AssessmentRecord.month, 1, 4)
    return tuple(session.scalars(select(year).distinct().order_by(year.desc())))


def city_counts(rows: Iterable[RankingRow]) -> Counts:
    """What the units come to together; of roots only, whose counts hold what is below them."""
    return sum((row.counts for row in rows), Counts())


def _row(record: AssessmentRecord, unit: UnitRow) -> RankingRow:
    return _of(
        unit,
        record.month,
        Counts.of(record.counts),
        components=tuple(_component(part) for part in record.components["parts"]),
        score=_fraction(record.score),
        item_points=_fraction(record.item_points),
        listed_apart=record.listed_apart,
        rank=record.rank,
        settings_version=record.settings_version,
        computed_at=record.computed_at,
    )


def _of(
    unit: UnitRow,
    month: str,
    counts: Counts,
    *,
    components: Sequence[Component],
    score: Fraction | None,
    item_points: Fraction | None,
    listed_apart: str | None,
    rank: int | None,
    settings_version: str,
    computed_at: datetime | None,
) -> RankingRow:
    interval = wilson(counts.positive, counts.rated)
    return RankingRow(
        unit=unit,
        month=month,
        rank=rank,
        score=score,
        item_points=item_points,
        listed_apart=listed_apart,
        closed=int(counts.closed),
        interval=None if interval is None else (Fraction(interval[0]), Fraction(interval[1])),
        bounds=nonresponse_bounds(counts) if counts.rated > 0 else None,
        band=None if score is None else band(score),
        counts=counts,
        components=tuple(components),
        settings_version=settings_version,
        computed_at=computed_at,
        **rates(counts),
    )


def rates(c: Counts) -> dict[str, Rate]:
    """The rates that are published together, and the share without a number (domain.md §3.1)."""
    return {
        "satisfaction": Rate(int(c.positive), int(c.rated)),
        "response": Rate(int(c.rated_raw), int(c.due)),
        "callback": Rate(int(c.ended), int(c.due)),
        "contact": Rate(int(c.contacted), int(c.due)),
        "without_number": Rate(int(c.without_number), int(c.closed)),
    }


def _component(part: Mapping[str, str | None]) -> Component:
    """A component as the record keeps it: exact texts."""
    exact = {name: Fraction(str(part[name])) for name in ("numerator", "denominator", "points", "value")}
    return Component(name=str(part["name"]), rate=_fraction(part["rate"]), **exact)


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
