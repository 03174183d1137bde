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
    SEE_NODES = "see_nodes"
    WORK_AGENT_QUEUE = "work_agent_queue"
    REVEAL_NUMBER = "reveal_number"  # one whole number, of a callback that one has taken; audited
    SEE_PAUSES = "see_pauses"
    SET_PAUSES = "set_pauses"
    SEE_POLICY = "see_policy"
    CHANGE_POLICY = "change_policy"
    SEE_WATCH = "see_watch"  # alarms, proofs and gaps
    ACKNOWLEDGE_ALARMS = "acknowledge_alarms"
    HEAR_MESSAGES = "hear_messages"  # of citizens; each listening is in the audit
    SEE_INBOUND = "see_inbound"  # who calls 110, masked
    RING_BACK = "ring_back"  # who gave up
    SEE_TEMPLATES = "see_templates"
    CHANGE_TEMPLATES = "change_templates"
    SEE_FLOWS = "see_flows"
    CHANGE_FLOWS = "change_flows"
    SEE_PROMPTS = "see_prompts"
    CHANGE_PROMPTS = "change_prompts"
    WORK_ITEMS = "work_items"  # verify, assign, check, escalate
    HANDLE_ITEMS = "handle_items"  # a unit: sign, submit, appeal, ask for time
    DECIDE = "decide"  # appeals, objections and adjustments, as one of two
    PROPOSE_ADJUSTMENTS = "propose_adjustments"
    SEE_ADJUSTMENTS = "see_adjustments"
    OBJECT = "object"  # a unit: to T, A and deductions of its own
    SEE_APPEALS = "see_appeals"
    SEE_MONTHS = "see_months"
    CLOSE_MONTHS = "close_months"
    SEE_FLAGS = "see_flags"  # gaming flags: the office's alone
    SEE_ACCOUNTABILITY = "see_accountability"
    RECORD_ACCOUNTABILITY = "record_accountability"
    SIGN_REMARKS = "sign_remarks"
    SEE_UNITS = "see_units"
    CHANGE_UNITS = "change_units"
    SEE_PEOPLE = "see_people"
    CHANGE_PEOPLE = "change_people"
    SEE_AUDIT = "see_audit"


PUBLIC = "public"

_P = Permission
_EVERYONE = frozenset({_P.SIGNED_IN, _P.SEE_OVERVIEW, _P.SEE_CASES, _P.SEE_PROGRESS, _P.SEE_NODES})
_READS_ALL = _EVERYONE | {
    _P.SEE_DISSATISFACTION,
    _P.EXPORT_DISSATISFACTION,
    _P.SEE_NUMBERS,
    _P.SEE_RANKING,
    _P.SEE_MONTHS,
    _P.SEE_APPEALS,
    _P.SEE_ADJUSTMENTS,
    _P.SEE_ACCOUNTABILITY,
    _P.SEE_UNITS,
    _P.SEE_PAUSES,
    _P.SEE_POLICY,
    _P.SEE_WATCH,
    _P.SEE_INBOUND,
}
_CALLS = frozenset(
    {
        _P.WORK_AGENT_QUEUE,
        _P.REVEAL_NUMBER,
        _P.SEE_PAUSES,
        _P.SEE_POLICY,
        _P.SEE_WATCH,
        _P.SEE_INBOUND,
        _P.RING_BACK,
        _P.HEAR_MESSAGES,
    }
)
_DECIDES = frozenset(
    {
        _P.SET_PAUSES,
        _P.ACKNOWLEDGE_ALARMS,
        _P.SEE_TEMPLATES,
        _P.SEE_FLOWS,
        _P.SEE_PROMPTS,
        _P.WORK_ITEMS,
        _P.DECIDE,
        _P.PROPOSE_ADJUSTMENTS,
        _P.SEE_FLAGS,
    }
)
_HEADS = frozenset(
    {
        _P.CHANGE_TEMPLATES,
        _P.CHANGE_FLOWS,
        _P.CHANGE_PROMPTS,
        _P.CHANGE_POLICY,
        _P.CLOSE_MONTHS,
        _P.RECORD_ACCOUNTABILITY,
        _P.SEE_PEOPLE,
        _P.SEE_AUDIT,
    }
)

# Every unit user's right is bounded to the unit's own subtree; who rated is not among them (domain.md §1).
# Units never ask the citizen themselves, and who inspects or administers rates for nobody.
ROLES: dict[Role, frozenset[Permission]] = {
    Role.AGENT: _EVERYONE | _CALLS | {_P.SEE_NUMBERS, _P.ACKNOWLEDGE_ALARMS},
    Role.SUPERVISOR: _READS_ALL | _CALLS | _DECIDES,
    Role.OFFICE_HEAD: _READS_ALL | _CALLS | _DECIDES | _HEADS,
    Role.INSPECTOR: _READS_ALL
    | {
        _P.HEAR_MESSAGES,
        _P.SIGN_REMARKS,
        _P.SEE_FLAGS,
        _P.SEE_TEMPLATES,
        _P.SEE_FLOWS,
        _P.SEE_PROMPTS,
        _P.SEE_PEOPLE,
        _P.SEE_AUDIT,
    },
    Role.ADMINISTRATOR: _READS_ALL
    | {_P.ACKNOWLEDGE_ALARMS, _P.SEE_PEOPLE, _P.CHANGE_PEOPLE, _P.CHANGE_UNITS, _P.SEE_AUDIT},
    Role.UNIT_USER: (_READS_ALL | {_P.HANDLE_ITEMS, _P.OBJECT})
    - {_P.SEE_NUMBERS, _P.SEE_PAUSES, _P.SEE_POLICY, _P.SEE_WATCH, _P.SEE_INBOUND},
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
