"""Changing the tree of units at the desk: the checks of their import, and no unit above itself."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.days import day_begins, day_of
from callbacks.models import Unit
from callbacks.service.core import Context, audit, find_unit, subtree
from callbacks.vocabulary import UnitGroup, UnitLevel

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")  # it stands in addresses
_NAME, _NAME_EN = 80, 120


class UnitFault(StrEnum):
    CODE = "code"
    CODE_TAKEN = "code_taken"
    NAME = "name"
    NAME_TAKEN = "name_taken"
    NAME_EN = "name_en"
    PARENT = "parent"
    CYCLE = "cycle"
    VALID_TO = "valid_to"


class BadUnit(ValueError):
    """The deed isn't done; `fault` says why."""

    def __init__(self, fault: UnitFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class StaleUnit(Exception):
    """Somebody changed the unit since the form was made."""


@dataclass(frozen=True, slots=True)
class UnitWords:
    """What may be changed of a unit. `last_day` is the last local day of it, None for no end."""

    name: str
    name_en: str = ""
    parent: str = ""
    last_day: date | None = None


def subject_of(code: str) -> str:
    """What the audit's lines on a unit are about."""
    return f"unit:{code}"


def stamp(unit: Unit) -> str:
    """What a unit is now, in short; another one after any change."""
    facts = f"{unit.name}|{unit.name_en}|{unit.parent_id}|{unit.valid_to}|{unit.group}|{unit.level}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def add_unit(
    ctx: Context, code: str, group: UnitGroup, level: UnitLevel, words: UnitWords, by: str, now: datetime
) -> None:
    """A unit that is valid from now on."""

    def work(session: Session) -> None:
        if not _CODE.fullmatch(code):
            raise BadUnit(UnitFault.CODE)
        if session.scalar(select(Unit.id).where(Unit.code == code)) is not None:
            raise BadUnit(UnitFault.CODE_TAKEN)
        unit = Unit(code=code, group=group, level=level, valid_from=now)
        changed = _fill(ctx, session, unit, words, now)
        session.add(unit)
        told = {key: value[1] for key, value in changed.items()}
        audit(session, now, by, "add_unit", subject_of(code), group=group.value, level=level.value, **told)

    ctx.run(work)


def change_unit(ctx: Context, code: str, made_from: str, words: UnitWords, by: str, now: datetime) -> None:
    """Another name, parent or end; group and level stay, for the months' ranks go by them."""

    def work(session: Session) -> None:
        session.scalars(select(Unit.id).order_by(Unit.id).with_for_update()).all()  # two moves make no cycle
        unit = session.scalar(select(Unit).where(Unit.code == code))
        if unit is None or stamp(unit) != made_from:
            raise StaleUnit(code)
        changed = _fill(ctx, session, unit, words, now)
        if changed:
            audit(session, now, by, "change_unit", subject_of(code), **changed)

    ctx.run(work)


def _fill(
    ctx: Context, session: Session, unit: Unit, words: UnitWords, now: datetime
) -> dict[str, list[str | None]]:
    """What changed: before and after, by its name."""
    name, name_en = words.name.strip(), words.name_en.strip()
    if not name or len(name) > _NAME or not name.isprintable():
        raise BadUnit(UnitFault.NAME)
    if len(name_en) > _NAME_EN or not (name_en.isprintable() or not name_en):
        raise BadUnit(UnitFault.NAME_EN)
    with session.no_autoflush:
        parent = _parent(session, unit, words.parent)
        other = session.scalar(select(Unit.code).where(Unit.name == name, Unit.code != unit.code))
    if other is not None:
        raise BadUnit(UnitFault.NAME_TAKEN)
    was = _facts(session, unit)
    unit.name, unit.name_en, unit.parent_id = name, name_en, parent
    unit.valid_to = _valid_to(unit, words.last_day, ctx.policy.windows.timezone)
    facts = _facts(session, unit)
    return {key: [was[key], facts[key]] for key in facts if was[key] != facts[key]}


def _facts(session: Session, unit: Unit) -> dict[str, str | None]:
    until = None if unit.valid_to is None else unit.valid_to.isoformat()
    parent = None if unit.parent_id is None else session.get_one(Unit, unit.parent_id).code
    return {"name": unit.name, "name_en": unit.name_en, "parent": parent, "valid_to": until}


def _parent(session: Session, unit: Unit, code: str) -> int | None:
    if not code:
        return None
    found = find_unit(session, code)
    if found is None:
        raise BadUnit(UnitFault.PARENT)
    if unit.id is not None and found.id in subtree(session, unit.id):
        raise BadUnit(UnitFault.CYCLE)
    return found.id


def _valid_to(unit: Unit, last_day: date | None, timezone: str) -> datetime | None:
    """The first moment after its last day."""
    if last_day is None:
        return None
    if last_day < day_of(unit.valid_from, timezone) or last_day.year > 2999:
        raise BadUnit(UnitFault.VALID_TO)
    return day_begins(date.fromordinal(last_day.toordinal() + 1), timezone)
