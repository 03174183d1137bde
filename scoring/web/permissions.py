"""Who may do what at the desk. Every route declares its permission; one without is refused."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from callbacks.vocabulary import Role

View = TypeVar("View", bound=Callable[..., Any])


class Permission(StrEnum):
    SIGNED_IN = "signed_in"
    SEE_OVERVIEW = "see_overview"
    SEE_DISSATISFACTION = "see_dissatisfaction"
    EXPORT_DISSATISFACTION = "export_dissatisfaction"
    SEE_CASES = "see_cases"
    SEE_NUMBERS = "see_numbers"  # masked ones, and finding cases by a whole number
    SEE_RANKING = "see_ranking"
    SEE_PROGRESS = "see_progress"


PUBLIC = "public"

_P = Permission
_EVERYONE = frozenset({_P.SIGNED_IN, _P.SEE_OVERVIEW, _P.SEE_CASES, _P.SEE_PROGRESS})
_READS_ALL = frozenset(Permission)

# Every unit user's right is bounded to the unit's own subtree; who rated is not among them (domain.md §1).
ROLES: dict[Role, frozenset[Permission]] = {
    Role.AGENT: _EVERYONE | {_P.SEE_NUMBERS},
    Role.SUPERVISOR: _READS_ALL,
    Role.OFFICE_HEAD: _READS_ALL,
    Role.INSPECTOR: _READS_ALL,
    Role.ADMINISTRATOR: _READS_ALL,
    Role.UNIT_USER: _READS_ALL - {_P.SEE_NUMBERS},
}


def needs(permission: Permission) -> Callable[[View], View]:
    """Declares what a view needs; `enforce` in the desk reads it."""

    def declare(view: View) -> View:
        view.__dict__["desk_permission"] = permission
        return view

    return declare


def public(view: View) -> View:
    """Declares that a view is for everybody: login, static files, health."""
    view.__dict__["desk_permission"] = PUBLIC
    return view


def declared(view: Callable[..., Any] | None) -> Permission | str | None:
    """What a view declared, None where it declared nothing."""
    return None if view is None else view.__dict__.get("desk_permission")
