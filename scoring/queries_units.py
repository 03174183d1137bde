"""The tree of units as a page shows it: by group, children below their parents, with what hangs on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.models import Case, Unit
from callbacks.vocabulary import UnitGroup, UnitLevel
from scoring.models import User
from scoring.queries import Scope


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A unit in its tree, `depth` below the first; its own active users and open cases."""

    id: int
    code: str
    name: str
    name_en: str
    group: UnitGroup
    level: UnitLevel
    valid_from: datetime
    valid_to: datetime | None
    depth: int
    users: int
    open_cases: int


def read_tree(session: Session, scope: Scope, group: UnitGroup | None = None) -> tuple[TreeRow, ...]:
    """The units of a scope: groups one after the other, each unit before those below it."""
    found = session.scalars(select(Unit).where(*scope.limit(Unit.id)).order_by(Unit.code)).all()
    counted = select(User.unit_id, func.count()).where(User.active, User.unit_id.is_not(None))
    users: dict[int, int] = dict(session.execute(counted.group_by(User.unit_id)).all())  # type: ignore[arg-type]
    cases = select(Case.lead_unit_id, func.count()).where(
        Case.closed_at.is_(None), *scope.limit(Case.lead_unit_id)
    )
    open_cases: dict[int, int] = dict(session.execute(cases.group_by(Case.lead_unit_id)).all())
    shown = {unit.id for unit in found}
    below: dict[int | None, list[Unit]] = {}
    for unit in found:
        below.setdefault(unit.parent_id if unit.parent_id in shown else None, []).append(unit)
    roots = [
        unit
        for each in UnitGroup
        if group in (None, each)
        for unit in below.get(None, [])
        if unit.group is each
    ]
    return tuple(_rows(roots, below, users, open_cases))


def _rows(
    roots: Sequence[Unit],
    below: Mapping[int | None, Sequence[Unit]],
    users: Mapping[int, int],
    open_cases: Mapping[int, int],
) -> Iterator[TreeRow]:
    waiting = [(unit, 0) for unit in reversed(roots)]
    while waiting:
        unit, depth = waiting.pop()
        yield TreeRow(
            unit.id,
            unit.code,
            unit.name,
            unit.name_en,
            unit.group,
            unit.level,
            unit.valid_from,
            unit.valid_to,
            depth,
            users.get(unit.id, 0),
            open_cases.get(unit.id, 0),
        )
        waiting += [(child, depth + 1) for child in reversed(below.get(unit.id, []))]
