"""Imports the units: `code,name,name_en,group,level,parent`, parents before or after their children."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.intake_files import RawRow, read_rows
from callbacks.intake_rows import Fault
from callbacks.models import Unit
from callbacks.service.core import Context
from callbacks.vocabulary import UnitGroup, UnitLevel


def import_units(ctx: Context, path: Path, now: datetime) -> tuple[int, list[Fault]]:
    """Adds or renames the units of `path`, by code; nothing is written when a row is wrong."""
    rows = list(read_rows(path))
    faults = [fault for row in rows for fault in _faults(row, {r.values.get("code", "") for r in rows})]
    faults += ctx.run(lambda session: _taken(session, rows))
    if faults:
        return 0, faults

    def work(session: Session) -> int:
        units = {unit.code: unit for unit in session.scalars(select(Unit))}
        for row in rows:
            values = row.values
            unit = units.get(values["code"]) or Unit(code=values["code"], valid_from=now)
            unit.name, unit.name_en = values["name"], values.get("name_en", "")
            unit.group, unit.level = UnitGroup(values["group"]), UnitLevel(values["level"])
            session.add(unit)
            units[unit.code] = unit
        session.flush()
        for row in rows:
            parent = row.values.get("parent")
            units[row.values["code"]].parent_id = units[parent].id if parent else None
        return len(rows)

    return ctx.run(work), []


def _taken(session: Session, rows: Sequence[RawRow]) -> list[Fault]:
    """Codes that stand twice in the file, and names that another code has, there or in the database."""
    named = {unit.name: unit.code for unit in session.scalars(select(Unit))}
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        code, name = row.values.get("code", ""), row.values.get("name", "")
        if code and seen.setdefault(code, row.line) != row.line:
            found.append(Fault(row.line, "code", f"{code!r} stands in line {seen[code]} already"))
        if name and named.setdefault(name, code) != code:
            found.append(Fault(row.line, "name", f"{name!r} is the unit with the code {named[name]!r}"))
    return found


def _faults(row: RawRow, codes: set[str]) -> list[Fault]:
    if row.fault is not None:
        return [Fault(row.line, "-", row.fault)]
    values, found = row.values, []
    for name in ("code", "name", "group", "level"):
        if not values.get(name):
            found.append(Fault(row.line, name, "missing"))
    for name, enum in (("group", UnitGroup), ("level", UnitLevel)):
        words = {member.value for member in enum}
        if values.get(name) and values[name] not in words:
            found.append(Fault(row.line, name, f"{values[name]!r}; one of {', '.join(sorted(words))}"))
    if values.get("parent") and values["parent"] not in codes:
        found.append(Fault(row.line, "parent", f"{values['parent']!r} is no code in this file"))
    return found
