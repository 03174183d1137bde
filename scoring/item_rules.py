"""Who may do what with a dissatisfaction item, what it needs, and each state's clock (domain.md §6). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callbacks.settings import WindowSettings
from scoring.item_settings import ItemSettings
from scoring.item_states import ENDED, ItemState, ItemTrigger, triggers_of
from scoring.working_days import add_worked, add_working_days

_S, _T = ItemState, ItemTrigger
LONGEST_REASON = 2000


class Party(StrEnum):
    """Who acts."""

    OFFICE = "office"
    UNIT = "unit"
    SYSTEM = "system"  # the clock, an answer, two deciders


class Grounds(StrEnum):
    """On what a unit appeals; what `scoring.removal` keeps as the cause."""

    MISRATED = "misrated"
    WRONG_UNIT = "wrong_unit"
    MALICIOUS = "malicious"
    NO_LEGAL_BASIS = "no_legal_basis"
    TEST = "test"


class Escalation(StrEnum):
    """提级督办: 电话督办, 实地查看, 领导批办, 联合研究."""

    PHONE = "phone"
    ON_SITE = "on_site"
    LEADER = "leader"
    JOINT_STUDY = "joint_study"


class Fault(StrEnum):
    """Why an act is refused."""

    STATE = "state"  # the item's state has no such act
    PARTY = "party"  # this side doesn't do it
    APPEALED = "appealed"  # once an item
    TOO_LATE = "too_late"  # the days to appeal are over
    EXTENDED = "extended"  # once an item
    REASON = "reason"  # none, or too long
    EVIDENCE = "evidence"  # it needs a file
    UNIT = "unit"  # none of that code, or the same
    METHOD = "method"  # how it's escalated
    MEETING = "meeting"  # it has a leader, and a hard case is closed after one
    OWN_UNIT = "own_unit"  # the decider is of the unit
    TWICE = "twice"  # the decider has had a word
    FILE = "file"  # of no kind that is taken, or too large


ASSIGNS = frozenset({_T.UPHOLD, _T.NOT_REACHED, _T.REASSIGN})
BEGINS_REWORK = frozenset({_T.SIGN, _T.SIGN_BY_DEFAULT, _T.REWORK})
REMOVES = frozenset({_T.MISRATED, _T.EXPLAIN, _T.APPEAL_UPHELD})  # the rating, out of the scores

_UNIT = frozenset({_T.SIGN, _T.SUBMIT, _T.APPEAL, _T.ASK_TIME, _T.NOTE})
_SYSTEM = frozenset(
    {
        _T.VERIFY,
        _T.SIGN_BY_DEFAULT,
        _T.URGE,
        _T.SUPERVISE,
        _T.APPEAL_UPHELD,
        _T.APPEAL_REJECTED,
        _T.APPEAL_REJECTED_SIGNED,
        _T.SATISFIED,
        _T.DISSATISFIED,
        _T.DISSATISFIED_AGAIN,
        _T.NO_ANSWER,
    }
)
_OFFICE = frozenset(ItemTrigger) - _UNIT - _SYSTEM - {_T.NOT_REACHED} | {_T.NOTE, _T.URGE, _T.SUPERVISE}
_ACTS = {Party.OFFICE: _OFFICE, Party.UNIT: _UNIT, Party.SYSTEM: _SYSTEM}

_NEEDS_REASON = frozenset(
    {
        _T.MISRATED,  # the citizen's own words, noted; or a recording beside it
        _T.NO_BASIS,
        _T.EXPLAIN,
        _T.SUPERVISE,
        _T.REASSIGN,
        _T.APPEAL,
        _T.ASK_TIME,
        _T.REFUSE_TIME,
        _T.SUBMIT,
        _T.SEND_BACK,
        _T.MEET,
        _T.FIX,
        _T.PERSIST,
        _T.NOTE,
    }
)
_NEEDS_EVIDENCE = frozenset({_T.APPEAL, _T.SUBMIT})


@dataclass(frozen=True, slots=True)
class View:
    """An item as the rules see it. `stands_still`: working time left of a clock that an appeal stopped."""

    state: ItemState
    due_at: datetime | None = None
    assigned_at: datetime | None = None
    stands_still: timedelta | None = None
    reworks: int = 0
    tries: int = 0
    extended: bool = False
    appealed: bool = False
    complex: bool = False


def acts_of(
    party: Party, item: View, now: datetime, settings: ItemSettings, windows: WindowSettings
) -> tuple[ItemTrigger, ...]:
    """What `party` may do with the item now, in the order of the triggers."""
    return tuple(
        trigger for trigger in ItemTrigger if fault_of(party, trigger, item, now, settings, windows) is None
    )


def fault_of(
    party: Party,
    trigger: ItemTrigger,
    item: View,
    now: datetime,
    settings: ItemSettings,
    windows: WindowSettings,
) -> Fault | None:
    """Why `party` may not do this with the item now; None where it may."""
    if trigger not in triggers_of(item.state):
        return Fault.STATE
    if trigger not in _ACTS[party]:
        return Fault.PARTY
    match trigger:
        case _T.APPEAL if item.appealed:
            return Fault.APPEALED
        case _T.APPEAL if item.reworks > 1:  # what it was assigned for was rated again since
            return Fault.TOO_LATE
        case _T.APPEAL if item.assigned_at is not None:
            until = add_working_days(item.assigned_at, settings.appeal_within_days, windows)
            return Fault.TOO_LATE if now > until else None
        case _T.ASK_TIME | _T.EXTEND if item.extended:
            # §6's "one extension" is one an item, as the one appeal is: a second rework comes of escalation,
            # whose purpose is speed, and whoever was given more time for the first one has had it.
            return Fault.EXTENDED
        case _:
            return None


def lacking(trigger: ItemTrigger, reason: str, files: int) -> Fault | None:
    """What an act of a person lacks; `reason` without the blanks around it."""
    heard = trigger is _T.MISRATED and files > 0  # recorded
    if len(reason) > LONGEST_REASON or (trigger in _NEEDS_REASON and not reason and not heard):
        return Fault.REASON
    if trigger in _NEEDS_EVIDENCE and not files:
        return Fault.EVIDENCE
    return None


def decided(trigger: ItemTrigger, item: View, settings: ItemSettings) -> ItemTrigger:
    """What it comes to: the third vain try is NOT_REACHED; dissatisfied after two reworks, a hard case.

    An appeal that is rejected after the unit signed lets its rework go on.
    """
    if trigger is _T.TRIED and item.tries + 1 >= settings.tries:
        return _T.NOT_REACHED
    if trigger is _T.DISSATISFIED and item.reworks >= settings.reworks:
        return _T.DISSATISFIED_AGAIN
    if trigger is _T.APPEAL_REJECTED and item.reworks:
        return _T.APPEAL_REJECTED_SIGNED
    return trigger


def due_after(
    trigger: ItemTrigger,
    to: ItemState,
    item: View,
    now: datetime,
    settings: ItemSettings,
    windows: WindowSettings,
) -> datetime | None:
    """When the clock runs out after a step to `to`; `item` is as it was before. None: no clock.

    A second callback's is its deadline, and a meeting may set a hard case's: whoever makes them says so.
    """
    match trigger:
        case _T.APPEAL_REJECTED | _T.APPEAL_REJECTED_SIGNED if item.stands_still is not None:
            return add_worked(now, item.stands_still, windows)
        case _T.EXTEND:
            return add_working_days(item.due_at or now, settings.extension_days, windows)
        case _T.URGE if to is _S.ASSIGNED and (item.due_at is None or now >= item.due_at):
            return add_working_days(item.assigned_at or now, settings.default_sign_days, windows)
        case _T.REASSIGN:
            return add_working_days(now, settings.sign_days, windows)
    if to in ENDED:
        return None
    if to is item.state:
        return item.due_at
    if to is _S.HARD_CASE:
        return review_at(now, settings)
    days = _days(to, item, settings)
    return None if days is None else add_working_days(now, days, windows)


def review_at(now: datetime, settings: ItemSettings) -> datetime:
    """When a hard case is looked at again: monthly, whatever a month's length."""
    return now + timedelta(days=30 * settings.review_months)


def _days(to: ItemState, item: View, settings: ItemSettings) -> int | None:
    """The working days of a state that is entered."""
    return {
        _S.VERIFYING: settings.verify_days,
        _S.EXPLAINING: settings.explain_days,
        _S.ASSIGNED: settings.sign_days,
        _S.APPEALED: settings.appeal_days,
        _S.REWORKING: settings.complex_days if item.complex else settings.rework_days,
        _S.CHECKING: settings.check_days,
        _S.ESCALATED: settings.escalated_days,
    }.get(to)
