"""The desk's users: made with a hashed password, verified in equal time whether they exist or not."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from callbacks.models import Unit
from callbacks.vocabulary import Role
from scoring.models import User

_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,39}")
MIN_PASSWORD = 10
PASSWORD_METHOD = "scrypt:32768:8:1"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is easily misread


class BadUser(ValueError):
    """A user can't be made so; the message says what would be right."""


def random_password(groups: int = 3) -> str:
    """Groups of four letters and digits, 59 bits with three: easy to copy from a terminal."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(groups))


def add_user(
    session: Session,
    login: str,
    name: str,
    role: Role,
    password: str,
    unit: Unit | None = None,
    *,
    now: datetime,
) -> User:
    """A new active user. A unit user needs a unit; BadUser where login, password or unit are wrong."""
    if not _LOGIN.fullmatch(login):
        raise BadUser(f"login {login!r}: 2 to 40 of a-z, 0-9, dot, hyphen, underscore, a letter first")
    if len(password) < MIN_PASSWORD:
        raise BadUser(f"password of {login}: at least {MIN_PASSWORD} characters")
    if (role is Role.UNIT_USER) != (unit is not None):
        raise BadUser(f"{login}: a unit user has a unit, and nobody else has")
    if session.scalar(select(User.id).where(User.login == login)) is not None:
        raise BadUser(f"login {login!r} exists already")
    user = User(
        login=login,
        name=name,
        role=role,
        unit_id=None if unit is None else unit.id,
        password_hash=generate_password_hash(password, method=PASSWORD_METHOD),
        active=True,
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def verify(session: Session, login: str, password: str) -> User | None:
    """The active user with this login and password, else None."""
    login = login.strip().lower()
    possible = _LOGIN.fullmatch(login) is not None
    user = session.scalar(select(User).where(User.login == login)) if possible else None
    matches = check_password_hash(_nobody() if user is None else user.password_hash, password)
    return user if user is not None and matches and user.active else None


@cache
def _nobody() -> str:
    """A hash that no password is checked against in earnest: an unknown login must cost the same time."""
    return generate_password_hash(secrets.token_hex(16), method=PASSWORD_METHOD)
