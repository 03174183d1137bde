"""Deeds on the desk's users: each by an administrator, never on himself, and in the audit.

A form carries the `stamp` of what it was made from; where somebody changed the person meanwhile, Stale is
raised and nothing is written. Deeds on administrators wait for one another, so that two who switch off one
another don't leave the office without any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from callbacks.models import Unit
from callbacks.service.core import Context, audit, find_unit
from callbacks.vocabulary import Role
from scoring.models import User
from scoring.users import MIN_PASSWORD, PASSWORD_METHOD, BadUser, add_user, random_password

_NAME = 80
_MOST = 200  # characters of a password: hashing a longer one is work for nothing


class PersonFault(StrEnum):
    LOGIN = "login"
    TAKEN = "taken"
    NAME = "name"
    UNIT = "unit"
    MYSELF = "myself"
    NO_RIGHT = "no_right"
    OLD_PASSWORD = "old_password"
    SHORT = "short"
    SAME = "same"
    DIFFERENT = "different"


class BadPerson(ValueError):
    """The deed isn't done; `fault` says why."""

    def __init__(self, fault: PersonFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class StalePerson(Exception):
    """Somebody changed the person since the form was made."""


def subject_of(login: str) -> str:
    """What the audit's lines on a person are about."""
    return f"user:{login}"


def stamp(user: User) -> str:
    """What a person is now, in short; another one after any change."""
    facts = f"{user.name}|{user.role.value}|{user.unit_id}|{user.active}|{user.password_hash}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def add_person(
    ctx: Context, login: str, name: str, role: Role, unit: str, by: str, now: datetime
) -> tuple[User, str]:
    """A new user with a random password, which is told once."""
    password = random_password()

    def work(session: Session) -> User:
        _administrator(session, by)
        try:
            user = add_user(session, login, _name(name), role, password, _unit(session, role, unit), now=now)
        except BadUser:
            taken = session.scalar(select(User.id).where(User.login == login)) is not None
            raise BadPerson(PersonFault.TAKEN if taken else PersonFault.LOGIN) from None
        audit(session, now, by, "add_user", subject_of(login), name=user.name, role=role.value, unit=unit)
        return user

    return ctx.run(work), password


def change_person(
    ctx: Context,
    login: str,
    made_from: str,
    by: str,
    now: datetime,
    *,
    name: str,
    role: Role,
    unit: str,
) -> None:
    """Another name, role or unit. With another role or unit the person's older sessions end."""

    def work(session: Session, user: User) -> None:
        found = _unit(session, role, unit)
        before = None if user.unit_id is None else session.get_one(Unit, user.unit_id).code
        was = {"name": user.name, "role": user.role.value, "unit": before}
        user.name, user.role, user.unit_id = _name(name), role, None if found is None else found.id
        now_is = {"name": user.name, "role": role.value, "unit": None if found is None else found.code}
        changed = {key: [was[key], now_is[key]] for key in was if was[key] != now_is[key]}
        if changed:
            audit(session, now, by, "change_user", subject_of(login), **changed)

    _on(ctx, login, made_from, by, work)


def switch_person(ctx: Context, login: str, made_from: str, by: str, now: datetime, *, active: bool) -> None:
    """Off: out at once, and kept, so that the audit's lines still name somebody. Or on again."""

    def work(session: Session, user: User) -> None:
        user.active = active
        audit(session, now, by, "switch_user_on" if active else "switch_user_off", subject_of(login))

    _on(ctx, login, made_from, by, work)


def give_password(ctx: Context, login: str, made_from: str, by: str, now: datetime) -> str:
    """A new random password, which is told once; older sessions end."""
    password = random_password()

    def work(session: Session, user: User) -> None:
        user.password_hash = generate_password_hash(password, method=PASSWORD_METHOD)
        audit(session, now, by, "give_password", subject_of(login))

    _on(ctx, login, made_from, by, work)
    return password


def change_own_password(ctx: Context, login: str, old: str, new: str, again: str, now: datetime) -> User:
    """A person's own new password; the old one must be told."""
    if not MIN_PASSWORD <= len(new) <= _MOST:
        raise BadPerson(PersonFault.SHORT)
    if new != again:
        raise BadPerson(PersonFault.DIFFERENT)
    if new == old:
        raise BadPerson(PersonFault.SAME)

    def work(session: Session) -> User:
        user = session.scalars(select(User).where(User.login == login).with_for_update()).one()
        if not check_password_hash(user.password_hash, old[:_MOST]):
            raise BadPerson(PersonFault.OLD_PASSWORD)
        user.password_hash = generate_password_hash(new, method=PASSWORD_METHOD)
        audit(session, now, login, "change_own_password", subject_of(login))
        return user

    return ctx.run(work)


def _on(ctx: Context, login: str, made_from: str, by: str, work: Callable[[Session, User], None]) -> None:
    def locked(session: Session) -> None:
        _administrator(session, by)
        user = session.scalar(select(User).where(User.login == login).with_for_update())
        if user is None or stamp(user) != made_from:
            raise StalePerson(login)
        if login == by:
            raise BadPerson(PersonFault.MYSELF)
        work(session, user)

    ctx.run(locked)


def _administrator(session: Session, login: str) -> None:
    """Whoever does it must still be one, now that nobody else's deed is under way."""
    query = select(User.login).where(User.role == Role.ADMINISTRATOR, User.active).order_by(User.id)
    if login not in session.scalars(query.with_for_update()).all():
        raise BadPerson(PersonFault.NO_RIGHT)


def _name(given: str) -> str:
    name = given.strip()
    if not name or len(name) > _NAME or not name.isprintable():
        raise BadPerson(PersonFault.NAME)
    return name


def _unit(session: Session, role: Role, code: str) -> Unit | None:
    """A unit user's unit; whoever isn't one has none."""
    if role is not Role.UNIT_USER:
        return None
    unit = find_unit(session, code)
    if unit is None:
        raise BadPerson(PersonFault.UNIT)
    return unit
