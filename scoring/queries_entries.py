"""The lines behind a unit's month: each change of its counts, with the case that it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, or_, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, Unit
from scoring.decisions import ObjectionKind
from scoring.models import ScoreEntry
from scoring.models_decisions import Adjustment, Objection
from scoring.models_items import DissatisfactionItem
from scoring.objections import is_wrong
from scoring.queries import Page, Scope, one_page, subtree
from scoring.queries_decisions import case_id
from scoring.queries_filter import Cursor, Part

# The counts that a part of the score is made of: a line that changes one of them is behind that part.
_COUNTS: Mapping[Part, tuple[str, ...]] = {
    Part.SATISFACTION: ("rated", "weight_first", "weight_delta", "positive"),
    Part.RESOLUTION: ("resolved_answered", "resolved"),
    Part.ON_TIME: ("closed", "closed_on_time", "overdue_open"),
    Part.SIGNED: ("closed", "signed_on_time", "overdue_open"),
    Part.RECTIFIED: ("second_answered", "second_not_dissatisfied"),
    Part.POINTS: ("deductions", "bonus"),
    Part.COVERAGE: ("due", "ended", "contacted", "unreached", "rated_raw", "without_number"),
}
_NUMBERED = re.compile(r"(adjustment|objection):(\d+)")


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A line. `value` and `scale` are a rating's, `kind_of` an adjustment's or objection's, `why` is why."""

    at: datetime
    kind: str
    source: str
    unit_code: str
    unit: str
    unit_en: str
    case: str | None
    changes: tuple[tuple[str, Fraction], ...]
    scale: str | None
    value: int | None
    second: bool
    kind_of: str
    why: str
    objections: tuple[ObjectionKind, ...]

    @property
    def number(self) -> int:
        """The adjustment's or objection's own."""
        return int(self.source.rpartition(":")[2])


def read_entries(
    session: Session, scope: Scope, unit_id: int, month: str, part: Part | None, cursor: Cursor | None
) -> Page[EntryRow]:
    """The lines of a unit and of all below it in a month, the newest first."""
    units = [unit for unit in subtree(session, unit_id) if scope.covers(unit)]
    conditions: list[ColumnElement[bool]] = [ScoreEntry.month == month, ScoreEntry.unit_id.in_(units)]
    if part is not None:
        changes = cast(ScoreEntry.changes, Text)
        conditions.append(or_(*(changes.contains(f'"{name}"', autoescape=True) for name in _COUNTS[part])))
    total = session.scalar(select(func.count(ScoreEntry.id)).where(*conditions)) or 0
    query: Any = (
        select(ScoreEntry.at, ScoreEntry.id, ScoreEntry, Unit)
        .join(Unit, Unit.id == ScoreEntry.unit_id)
        .where(*conditions)
    )
    rows, before, after = one_page(session, query, (ScoreEntry.at, ScoreEntry.id), cursor, newest_first=True)
    about = About(session, [row[2] for row in rows])
    return Page(tuple(_row(row[2], row[3], about) for row in rows), total, before, after)


class About:
    """What a page's lines are about, asked for all of them at once."""

    def __init__(self, session: Session, entries: Sequence[ScoreEntry]) -> None:
        numbered = [found for entry in entries if (found := _NUMBERED.fullmatch(entry.source))]
        ids = {kind: [int(found[2]) for found in numbered if found[1] == kind] for kind in _KINDS}
        self.adjustments = {
            row.id: row
            for row in session.scalars(select(Adjustment).where(Adjustment.id.in_(ids["adjustment"])))
        }
        self.objections = {
            row.id: row
            for row in session.scalars(select(Objection).where(Objection.id.in_(ids["objection"])))
        }
        self._items = {row.item_id for row in self.adjustments.values() if row.item_id is not None}
        callbacks = {entry.callback_id for entry in entries if entry.callback_id is not None}
        by_callback = select(Callback.id, Callback.round, Case.number).join(Case, Case.id == Callback.case_id)
        self.callbacks: dict[int, tuple[int, str]] = {
            id_: (round_, number)
            for id_, round_, number in session.execute(by_callback.where(Callback.id.in_(callbacks)))
        }
        by_item = (
            select(DissatisfactionItem.id, Case.number)
            .join(Callback, Callback.id == DissatisfactionItem.callback_id)
            .join(Case, Case.id == Callback.case_id)
        )
        of_items = session.execute(by_item.where(DissatisfactionItem.id.in_(self._items)))
        self._of_items: dict[int, str] = {row[0]: row[1] for row in of_items}
        sources = [entry.source for entry in entries] + [row.subject for row in self.objections.values()]
        cases = {case for source in sources if (case := case_id(source)) is not None}
        cases |= {row.case_id for row in self.adjustments.values() if row.case_id is not None}
        numbers = session.execute(select(Case.id, Case.number).where(Case.id.in_(cases)))
        self._cases: dict[int, str] = {row[0]: row[1] for row in numbers}

    def adjustment(self, source: str) -> Adjustment | None:
        found = _NUMBERED.fullmatch(source)
        return self.adjustments.get(int(found[2])) if found and found[1] == "adjustment" else None

    def objection(self, source: str) -> Objection | None:
        found = _NUMBERED.fullmatch(source)
        return self.objections.get(int(found[2])) if found and found[1] == "objection" else None

    def case(self, entry: ScoreEntry) -> str | None:
        if entry.callback_id in self.callbacks:
            return self.callbacks[entry.callback_id][1]
        objection = self.objection(entry.source)
        return self._case_of(entry.source if objection is None else objection.subject)

    def _case_of(self, source: str) -> str | None:
        adjustment = self.adjustment(source)
        if adjustment is not None:
            return self._cases.get(adjustment.case_id or 0) or self._of_items.get(adjustment.item_id or 0)
        return self._cases.get(case_id(source) or 0)


_KINDS = ("adjustment", "objection")


def _row(entry: ScoreEntry, unit: Unit, about: About) -> EntryRow:
    changes = tuple((name, Fraction(str(value))) for name, value in entry.changes.items())
    adjustment, objection = about.adjustment(entry.source), about.objection(entry.source)
    of = adjustment or objection
    return EntryRow(
        at=entry.at,
        kind=entry.kind,
        source=entry.source,
        unit_code=unit.code,
        unit=unit.name,
        unit_en=unit.name_en,
        case=about.case(entry),
        changes=changes,
        scale=_text(entry.provenance, "scale"),
        value=_number(entry.provenance, "value"),
        second=about.callbacks.get(entry.callback_id or 0, (1, ""))[0] > 1,
        kind_of="" if of is None else of.kind.value,
        why=str(entry.provenance.get("why", "")) if of is None else of.reason,
        objections=tuple(kind for kind in ObjectionKind if is_wrong(kind, entry)),
    )


def _text(provenance: Mapping[str, Any], name: str) -> str | None:
    value = provenance.get(name)
    return None if value is None else str(value)


def _number(provenance: Mapping[str, Any], name: str) -> int | None:
    value = provenance.get(name)
    return value if isinstance(value, int) else None
