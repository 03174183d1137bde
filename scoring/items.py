"""The dissatisfaction list's writer: an act is one transaction, one step, one audit line (domain.md §6).

Who acts names the step that was seen (`seen`): if somebody was faster, ItemConflict tells what happened
since, and nothing is overwritten. The unique (item, seq) of `item_step` holds whatever the code forgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Case, Rating
from callbacks.reminders import Stage
from callbacks.service.core import Context, audit, find_unit
from callbacks.service.reminders import cancel_reminders, remind
from callbacks.service.rounds import open_round
from callbacks.settings import WindowSettings
from scoring.adjustments import propose_for_item
from scoring.decisions import AdjustmentKind
from scoring.evidence import File, store_files
from scoring.item_rules import (
    ASSIGNS,
    BEGINS_REWORK,
    REMOVES,
    Escalation,
    Fault,
    Party,
    View,
    decided,
    due_after,
    fault_of,
    lacking,
)
from scoring.item_settings import ItemSettings
from scoring.item_states import ENDED, ItemState, ItemTrigger, next_item_state
from scoring.item_texts import tell_removed
from scoring.models_items import DissatisfactionItem, ItemStep
from scoring.moving import move_rating, unit_of_rating
from scoring.removal import remove_rating
from scoring.settings import AdjustmentSettings
from scoring.working_days import worked_before, worked_between

_T = ItemTrigger


class BadAct(ValueError):
    """The act can't be; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class StepSince:
    """What somebody did in the meantime."""

    seq: int
    at: datetime
    by: str
    trigger: ItemTrigger
    reason: str


class ItemConflict(Exception):
    """Somebody acted on the item after `seen`; `since` are the steps."""

    def __init__(self, since: Sequence[StepSince]) -> None:
        super().__init__(", ".join(f"{step.trigger} by {step.by}" for step in since))
        self.since = since


@dataclass(frozen=True, slots=True)
class ItemRules:
    """What the list goes by: its own settings, and what the deductions that it proposes are worth."""

    settings: ItemSettings
    points: AdjustmentSettings
    timezone: str


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does with an item. `seen` None is the system's: it looks while it holds the lock."""

    trigger: ItemTrigger
    by: str
    party: Party
    seen: int | None
    reason: str = ""
    files: tuple[File, ...] = ()
    unit: str = ""  # the code to reassign to
    confirmed: bool = False  # the office confirms who handled it: the rating moves, too
    method: Escalation | None = None
    why: str = "misrated"  # a removal's cause
    detail: Mapping[str, Any] = field(default_factory=dict)


def act(ctx: Context, rules: ItemRules, item_id: int, wanted: Act, now: datetime) -> int:
    """Does it; returns the new step's number. BadAct, ItemConflict, or NoResultFound for no such item.

    Appeals, meetings and what ends a hard case have functions of their own, which keep more than the step.
    """

    def work(session: Session) -> int:
        seq = act_within(ctx, session, rules, item_id, wanted, now).seq
        if wanted.trigger in _OWN_WAYS:
            raise BadAct(Fault.PARTY)
        return seq

    return ctx.run(work)


_OWN_WAYS = frozenset({_T.APPEAL, _T.MEET, _T.FIX, _T.PERSIST})  # scoring.appeals, scoring.hard_cases


@dataclass(frozen=True, slots=True)
class Failed:
    """One of many that couldn't be done: by a fault, or because somebody was faster."""

    item_id: int
    fault: Fault | None


def act_on_many(
    ctx: Context, rules: ItemRules, items: Mapping[int, int], wanted: Act, now: datetime
) -> list[Failed]:
    """The same act on several items, id → the step that was seen, each a transaction of its own.

    Returns those that couldn't be done; the others are.
    """
    failed = []
    for item_id, seen in items.items():
        of_item = Act(wanted.trigger, wanted.by, wanted.party, seen, wanted.reason, method=wanted.method)
        try:
            act(ctx, rules, item_id, of_item, now)
        except BadAct as error:
            failed.append(Failed(item_id, error.fault))
        except ItemConflict:
            failed.append(Failed(item_id, None))
    return failed


def assign_supervisor(
    ctx: Context, had: Mapping[int, str | None], login: str, by: str, now: datetime
) -> frozenset[int]:
    """Names who sees to the open ones of these items, each with who was seen to do so; returns which.

    Where somebody else was named meanwhile nothing is overwritten. It's no step: the state stays.
    """

    def work(session: Session) -> frozenset[int]:
        query = select(DissatisfactionItem).where(
            DissatisfactionItem.id.in_(had), DissatisfactionItem.state.not_in(ENDED)
        )
        items = session.scalars(query.order_by(DissatisfactionItem.id).with_for_update()).all()
        found = [item for item in items if item.supervisor in (had[item.id], login)]
        for item in found:
            item.supervisor = login
        ids = [item.id for item in found]
        if ids:
            audit(session, now, by, "assign_supervisor", f"item:{ids[0]}", to=login, items=ids)
        return frozenset(ids)

    return ctx.run(work)


def act_within(
    ctx: Context, session: Session, rules: ItemRules, item_id: int, wanted: Act, now: datetime
) -> DissatisfactionItem:
    """The same within the caller's transaction; the item is locked until it ends."""
    item = locked(session, item_id)
    if wanted.seen is not None and wanted.seen != item.seq:
        raise ItemConflict(steps_since(session, item_id, wanted.seen))
    windows, view = ctx.policy.windows, view_of_item(session, item)
    fault = fault_of(wanted.party, wanted.trigger, view, now, rules.settings, windows)
    if fault is None and wanted.party is not Party.SYSTEM:
        fault = lacking(wanted.trigger, wanted.reason.strip(), len(wanted.files))
    if fault is not None:
        raise BadAct(fault)
    trigger = decided(wanted.trigger, view, rules.settings)
    before = item.state
    to = next_item_state(before, trigger)
    detail = _before(session, item, trigger, wanted, now)
    item.due_at = due_after(trigger, to, view, now, rules.settings, windows)
    _count(item, trigger, view, now, windows)
    if to is not before:
        item.state, item.state_since, item.clock_step = to, now, 0
    if to in ENDED:
        item.ended_at = now
    _add_step(session, item, trigger, before, wanted, detail, now)
    _effects(ctx, session, rules, item, trigger, wanted, detail, now)
    session.flush()
    return item


def locked(session: Session, item_id: int) -> DissatisfactionItem:
    return session.get_one(DissatisfactionItem, item_id, with_for_update=True, populate_existing=True)


def steps_since(session: Session, item_id: int, seen: int) -> tuple[StepSince, ...]:
    query = select(ItemStep.seq, ItemStep.at, ItemStep.by, ItemStep.trigger, ItemStep.reason)
    query = query.where(ItemStep.item_id == item_id, ItemStep.seq > seen).order_by(ItemStep.seq)
    return tuple(StepSince(*row) for row in session.execute(query))


def view_of_item(session: Session, item: DissatisfactionItem) -> View:
    """What the rules must know of it."""
    case = session.get_one(Case, item.callback.case_id)
    left = item.rework_left
    return View(
        state=item.state,
        due_at=item.due_at,
        assigned_at=item.assigned_at,
        stands_still=None if left is None else timedelta(seconds=left),
        reworks=item.reworks,
        tries=item.tries,
        extended=item.extended,
        appealed=item.appealed,
        complex=case.complex,
    )


def _before(
    session: Session, item: DissatisfactionItem, trigger: ItemTrigger, wanted: Act, now: datetime
) -> dict[str, Any]:
    """What the act brings with it, checked and kept: files, another unit, how it's escalated."""
    detail: dict[str, Any] = dict(wanted.detail)
    if wanted.files:
        files = store_files(session, f"item:{item.id}", wanted.files, wanted.by, now, BadAct(Fault.FILE))
        detail["evidence"] = [file.sha256 for file in files]
    if trigger is _T.REASSIGN:
        unit = find_unit(session, wanted.unit)
        if unit is None or unit.id == item.unit_id:
            raise BadAct(Fault.UNIT)
        detail |= {"unit": unit.code, "unit_id": unit.id, "confirmed": wanted.confirmed}
    if trigger is _T.REWORK:
        if wanted.method is None:
            raise BadAct(Fault.METHOD)
        detail["method"] = wanted.method.value
    return detail


def _count(
    item: DissatisfactionItem, trigger: ItemTrigger, view: View, now: datetime, windows: WindowSettings
) -> None:
    """What the item itself keeps; `view` and `state_since` are still those from before the step."""
    if trigger in ASSIGNS:
        item.assigned_at = now
    if trigger in BEGINS_REWORK:
        item.reworks += 1
    if trigger in (_T.TRIED, _T.NOT_REACHED):
        item.tries += 1
    if trigger is _T.EXTEND:
        item.extended, item.clock_step = True, 0
    if trigger is _T.APPEAL:
        item.appealed = True
        left = worked_between(now, view.due_at or now, windows)
        item.rework_left = int(left.total_seconds())
    if trigger in (_T.APPEAL_REJECTED, _T.APPEAL_REJECTED_SIGNED):
        # As if it had been assigned so much later, for the signing by default.
        worked = worked_between(item.assigned_at or now, item.state_since or now, windows)
        item.assigned_at, item.rework_left = worked_before(now, worked, windows), None


def _add_step(
    session: Session,
    item: DissatisfactionItem,
    trigger: ItemTrigger,
    before: ItemState,
    wanted: Act,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    item.seq += 1
    session.add(
        ItemStep(
            item_id=item.id,
            seq=item.seq,
            at=now,
            by=wanted.by,
            trigger=trigger,
            from_state=before,
            to_state=item.state,
            reason=wanted.reason.strip(),
            detail=detail,
        )
    )
    audit(session, now, wanted.by, f"item_{trigger.value}", f"item:{item.id}", seq=item.seq)


def _effects(
    ctx: Context,
    session: Session,
    rules: ItemRules,
    item: DissatisfactionItem,
    trigger: ItemTrigger,
    wanted: Act,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    case_id = item.callback.case_id
    if trigger in REMOVES:
        rating = session.get_one(Rating, item.rating_id)
        why = "no_legal_basis" if trigger is _T.EXPLAIN else wanted.why
        if remove_rating(session, rating, why, wanted.by, now):
            tell_removed(ctx, session, item, now)
        cancel_reminders(session, case_id, now)
    match trigger:
        case _T.UPHOLD | _T.NOT_REACHED:
            _remind(ctx, session, item, Stage.RECTIFY, now)
        case _T.URGE:
            _remind(ctx, session, item, Stage.URGE, now)
        case _T.SUPERVISE:
            _remind(ctx, session, item, Stage.SUPERVISE, now)
            why = wanted.reason or "整改超期"
            propose_for_item(session, rules.points, AdjustmentKind.REWORK_OVERDUE, item, why, now)
        case _T.REASSIGN:
            _reassign(session, item, wanted, detail["unit_id"], now)
        case _T.SUBMIT:
            cancel_reminders(session, case_id, now)
        case _T.ACCEPT:
            # What the second answer changes belongs with the first one's, whoever mended it.
            holder = unit_of_rating(session, session.get_one(Rating, item.rating_id))
            callback = open_round(ctx, session, item.callback, holder, now)
            item.round, item.due_at = callback.round, callback.deadline
        case _T.DISSATISFIED | _T.DISSATISFIED_AGAIN:
            why = "二次回访仍不满意"
            propose_for_item(session, rules.points, AdjustmentKind.SECOND_DISSATISFIED, item, why, now)
        case _T.REWORK if wanted.method is not None:
            item.escalation = wanted.method.value
        case _T.PERSIST:
            item.published_reason = wanted.reason.strip()


def _remind(ctx: Context, session: Session, item: DissatisfactionItem, stage: Stage, now: datetime) -> None:
    """The case's handler, if it's the lead unit's item still: another unit's handler isn't known."""
    case = session.get_one(Case, item.callback.case_id)
    if item.unit_id == case.lead_unit_id:
        remind(ctx, session, case.id, stage, item.due_at, now, ctx.reminders, occasion=item.seq)


def _reassign(session: Session, item: DissatisfactionItem, wanted: Act, unit_id: int, now: datetime) -> None:
    if wanted.confirmed:
        move_rating(session, session.get_one(Rating, item.rating_id), unit_id, wanted.by, now)
    item.unit_id = unit_id
