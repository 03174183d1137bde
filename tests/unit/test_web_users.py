"""Users of the desk: who may be made, and what roles may do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from callbacks.vocabulary import Role
from scoring.users import BadUser, add_user, random_password
from scoring.web.permissions import ROLES, Permission

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_every_role_has_rights() -> None:
    assert set(ROLES) == set(Role)
    assert all(Permission.SIGNED_IN in rights for rights in ROLES.values())


def test_a_unit_never_sees_who_rated() -> None:
    assert Permission.SEE_NUMBERS not in ROLES[Role.UNIT_USER]


@pytest.mark.parametrize(
    ("login", "password", "role", "fault"),
    [
        ("X", "long-enough-1", Role.AGENT, "login"),  # upper case, and one letter alone
        ("1abc", "long-enough-1", Role.AGENT, "login"),  # a letter first
        ("abc", "short", Role.AGENT, "at least 10"),
        ("abc", "long-enough-1", Role.UNIT_USER, "a unit user has a unit"),
    ],
)
def test_a_wrong_user_is_refused_with_what_would_be_right(
    login: str, password: str, role: Role, fault: str
) -> None:
    with Session() as session, pytest.raises(BadUser, match=fault):
        add_user(session, login, "某人", role, password, now=NOW)


def test_a_demo_password_is_long_and_never_the_same() -> None:
    made = {random_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 14 for password in made)
