"""The desk's users as a page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from callbacks.models import Unit
from callbacks.vocabulary import Role
from scoring.models import User
from scoring.queries import Page, one_page
from scoring.queries_filter import Filter


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A user; `unit` is empty for who isn't a unit's."""

    created_at: datetime
    id: int
    login: str
    name: str
    role: Role
    active: bool
    unit_code: str
    unit: str
    unit_en: str


_UNIT = (func.coalesce(column, "") for column in (Unit.code, Unit.name, Unit.name_en))
_COLUMNS: tuple[Any, ...] = (
    User.created_at,
    User.id,
    User.login,
    User.name,
    User.role,
    User.active,
    *_UNIT,
)


def read_people(session: Session, chosen: Filter) -> Page[PersonRow]:
    """One page, the newest first."""
    narrowed = _narrowed(chosen)
    query = select(*_COLUMNS).outerjoin(Unit, Unit.id == User.unit_id).where(*narrowed)
    rows, before, after = one_page(session, query, (User.created_at, User.id), chosen.page, newest_first=True)
    counted = select(func.count()).select_from(User).outerjoin(Unit, Unit.id == User.unit_id)
    total = session.scalar(counted.where(*narrowed)) or 0
    return Page(tuple(PersonRow(*row) for row in rows), total, before, after)


def person(session: Session, login: str) -> User | None:
    """None where nobody has the login."""
    return session.scalar(select(User).where(User.login == login)) if login.isprintable() else None


def _narrowed(chosen: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.role is not None:
        found.append(User.role == chosen.role)
    if chosen.unit:
        found.append(Unit.code == chosen.unit)
    if chosen.q:
        found.append(
            or_(User.login.contains(chosen.q, autoescape=True), User.name.contains(chosen.q, autoescape=True))
        )
    return found
