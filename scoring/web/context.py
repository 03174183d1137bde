"""What every page of the desk stands on: its dependencies, the reader and what the reader may see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from flask import abort, current_app, g, request
from flask_login import UserMixin, current_user
from sqlalchemy.orm import Session, sessionmaker

from callbacks.flow_shelf import FlowShelf
from callbacks.privacy import Privacy
from callbacks.service.core import Context
from callbacks.settings import OfficeSettings, PolicySettings
from callbacks.target_settings import Targets
from callbacks.vocabulary import Role
from prompts.place import PromptPlace
from scoring.item_settings import ItemSettings
from scoring.items import ItemRules
from scoring.ledger import ScoreLedger
from scoring.models import User
from scoring.months import month_of
from scoring.queries import Scope, UnitRow, subtree, unit_by_code
from scoring.queries_cases import Times
from scoring.queries_filter import Filter, parse
from scoring.settings import ScoringSettings
from scoring.web.permissions import ROLES, Permission
from scoring.web.present import day_start, month_span


@dataclass(frozen=True)
class DeskDeps:
    """What `app.py` hands to the desk. `now` is the domain's clock, aware; `service` the office's writer.

    `recordings` is the folder of what is said on 110, where there is any.
    """

    sessions: sessionmaker[Session]
    read_sessions: sessionmaker[Session]
    privacy: Privacy
    office: OfficeSettings
    policy: PolicySettings
    scoring: ScoringSettings
    demo: bool
    secret_key: bytes = field(repr=False)
    now: Callable[[], datetime]
    secure_cookies: bool = False
    service: Context | None = None
    targets: Targets = field(default_factory=dict)
    transfers: Mapping[str, str] = field(default_factory=dict)  # code → target, of whom 110 may bring in
    items: ItemSettings = field(default_factory=ItemSettings)
    flows: FlowShelf | None = None
    prompts: PromptPlace = field(default_factory=PromptPlace)
    recordings: Path | None = None

    @cached_property
    def writer(self) -> Context:
        """What the pages write through: the office's own, else one whose ratings go into the scores too."""
        if self.service is not None:
            return self.service
        ledger = ScoreLedger(self.policy.windows.timezone, self.scoring)
        return Context(self.sessions, self.policy, self.office, self.privacy, (ledger,))

    @property
    def item_rules(self) -> ItemRules:
        """What the dissatisfaction list goes by."""
        return ItemRules(self.items, self.scoring.adjustments, self.policy.windows.timezone)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.policy.windows.timezone)


class DeskUser(UserMixin):  # type: ignore[misc]
    """The signed-in user. A new password, role or unit ends older sessions: `key` is part of their id."""

    def __init__(self, user: User) -> None:
        self.id = user.id
        self.login = user.login
        self.name = user.name
        self.role = Role(user.role)
        self.unit_id = user.unit_id
        stands_on = f"{user.role.value}|{user.unit_id}|{user.password_hash}"
        self.key = hashlib.sha256(stands_on.encode()).hexdigest()[:16]

    def get_id(self) -> str:
        return f"{self.id}:{self.key}"

    def may(self, permission: Permission) -> bool:
        return permission in ROLES[self.role]


def load_user(session_id: str) -> DeskUser | None:
    """For Flask-Login: the user of a session, None where it was ended or the user was switched off."""
    user_id, _, key = session_id.partition(":")
    if not user_id.isdigit():
        return None
    with deps().read_sessions() as session:
        user = session.get(User, int(user_id))
    if user is None or not user.active:
        return None
    found = DeskUser(user)
    return found if found.key == key else None


def deps() -> DeskDeps:
    return cast(DeskDeps, current_app.extensions["desk"])


def may(permission: str) -> bool:
    """Whether the reader has a permission; nobody has any before signing in."""
    return bool(current_user.is_authenticated and current_user.may(Permission(permission)))


def scope(session: Session) -> Scope:
    """What the reader may see: a unit user its own subtree, everybody else the city."""
    if "scope" not in g:
        bound = None if current_user.unit_id is None else subtree(session, current_user.unit_id)
        if current_user.role is Role.UNIT_USER and bound is None:
            bound = frozenset()
        g.scope = Scope(bound, numbers=may(Permission.SEE_NUMBERS))
    return cast(Scope, g.scope)


def chosen() -> Filter:
    """The filter of this request's query string."""
    return parse(request.args)


def times(month: str) -> Times:
    """The moments of this request, in the office's time zone."""
    now, zone = deps().now(), deps().zone
    return Times(now, day_start(now, zone), month_span(month, zone) if month else None)


def this_month() -> str:
    """The office's month that is going on: "2026-11"."""
    return month_of(deps().now(), deps().policy.windows.timezone)


def unit_or_404(session: Session, code: str) -> UnitRow:
    """The unit, 404 where there is none or it isn't the reader's: which of the two isn't told."""
    unit = unit_by_code(session, code, scope(session)) if code.isprintable() else None
    if unit is None:
        abort(404)
    return unit
