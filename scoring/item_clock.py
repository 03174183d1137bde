"""What the clock does with the dissatisfaction list: begins, urges, signs by default, supervises, hears.

Each item is looked at under its lock and in a transaction of its own, so that a kill leaves it before or
after a step; `clock_step` says what of the running clock was done.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import and_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from callbacks.models import Callback, Rating
from callbacks.rating import SCALES
from callbacks.service.core import Context
from callbacks.states import TERMINAL, State
from callbacks.vocabulary import SYSTEM
from scoring.item_rules import Party
from scoring.item_states import ItemState, ItemTrigger
from scoring.items import Act, ItemRules, act_within, locked
from scoring.models_items import DissatisfactionItem
from scoring.working_days import working_days_before

_BATCH = 100
_URGED, _SUPERVISED = 1, 2
_FAR = timedelta(days=12)  # a working day before is at most that long before: the longest holidays
Item = DissatisfactionItem
Step = tuple[ItemTrigger, dict[str, Any]] | None
Look = Callable[[Session, DissatisfactionItem, datetime], Step]
log = structlog.get_logger(__name__)


def run_item_clocks(ctx: Context, rules: ItemRules, now: datetime) -> int:
    """One round over what is due, at most a batch of each kind; returns how many steps were taken."""
    return (
        _each(ctx, rules, now, _listed(ctx), _begin)
        + _each(ctx, rules, now, _overdue(ctx, ItemState.ASSIGNED, now), _sign)
        + _each(ctx, rules, now, _overdue(ctx, ItemState.REWORKING, now), _supervise)
        + _each(ctx, rules, now, _to_urge(ctx, rules.settings.urge_before_days, now), _urge)
        + _each(ctx, rules, now, _answered(ctx), _answer)
    )


def _each(ctx: Context, rules: ItemRules, now: datetime, ids: list[int], look: Look) -> int:
    taken = 0
    for item_id in ids:

        def work(session: Session, item_id: int = item_id) -> int:
            item = locked(session, item_id)
            found = look(session, item, now)
            if found is None:
                return 0
            trigger, detail = found
            wanted = Act(trigger, SYSTEM, Party.SYSTEM, None, detail=detail)
            act_within(ctx, session, rules, item_id, wanted, now)
            if trigger is ItemTrigger.URGE:
                item.clock_step = _URGED
            elif trigger is ItemTrigger.SUPERVISE:
                item.clock_step = _SUPERVISED
            return 1

        try:
            taken += ctx.run(work)
        except OperationalError:
            raise  # the database is away, for the others too
        except Exception:  # one item's fault doesn't stop those after it
            log.exception("item_clock_failed", item=item_id)
    return taken


def _ids(ctx: Context, *conditions: object) -> list[int]:
    query = select(Item.id).where(*conditions).order_by(Item.due_at, Item.id).limit(_BATCH)  # type: ignore[arg-type]
    with ctx.sessions() as session:
        return list(session.scalars(query))


def _listed(ctx: Context) -> list[int]:
    return _ids(ctx, Item.state == ItemState.LISTED)


def _overdue(ctx: Context, state: ItemState, now: datetime) -> list[int]:
    return _ids(ctx, Item.state == state, Item.due_at <= now, Item.clock_step < _SUPERVISED)


def _to_urge(ctx: Context, days: int, now: datetime) -> list[int]:
    """Whose rework ends within so many working days, and who weren't urged."""
    query = (
        select(Item.id, Item.due_at)
        .where(Item.state == ItemState.REWORKING, Item.clock_step == 0)
        .where(Item.due_at > now, Item.due_at <= now + days * _FAR)
        .order_by(Item.due_at, Item.id)
        .limit(_BATCH)
    )
    with ctx.sessions() as session:
        rows = session.execute(query).all()
    windows = ctx.policy.windows
    return [id_ for id_, due in rows if due is not None and working_days_before(due, days, windows) <= now]


def _begin(_session: Session, item: DissatisfactionItem, _now: datetime) -> Step:
    return (ItemTrigger.VERIFY, {}) if item.state is ItemState.LISTED else None


def _sign(_session: Session, item: DissatisfactionItem, now: datetime) -> Step:
    if item.state is not ItemState.ASSIGNED or item.due_at is None or item.due_at > now:
        return None
    return (ItemTrigger.URGE if item.clock_step == 0 else ItemTrigger.SIGN_BY_DEFAULT), {}


def _urge(_session: Session, item: DissatisfactionItem, _now: datetime) -> Step:
    is_due = item.state is ItemState.REWORKING and item.clock_step == 0
    return (ItemTrigger.URGE, {}) if is_due else None


def _supervise(_session: Session, item: DissatisfactionItem, now: datetime) -> Step:
    is_due = item.state is ItemState.REWORKING and item.clock_step < _SUPERVISED
    return (ItemTrigger.SUPERVISE, {}) if is_due and item.due_at is not None and item.due_at <= now else None


def _answered(ctx: Context) -> list[int]:
    """Whose second callback ended: with an answer that can't be changed any more, or without one."""
    callback = and_(
        Callback.case_id == _first.c.case_id,
        Callback.closing_no == _first.c.closing_no,
        Callback.round == Item.round,
    )
    query = (
        select(Item.id)
        .join(_first, _first.c.id == Item.callback_id)
        .join(Callback, callback)
        .outerjoin(Rating, and_(Rating.callback_id == Callback.id, Rating.counted))
        .where(Item.state == ItemState.SECOND_CALLBACK, Callback.state.in_(TERMINAL))
        .where(~and_(Callback.state == State.RATED, Rating.settled_at.is_(None)))
        .order_by(Item.id)
        .limit(_BATCH)
    )
    with ctx.sessions() as session:
        return list(session.scalars(query))


_first = Callback.__table__.alias("first_callback")


def _answer(session: Session, item: DissatisfactionItem, _now: datetime) -> Step:
    if item.state is not ItemState.SECOND_CALLBACK:
        return None
    first = item.callback
    of_round = select(Callback).where(
        Callback.case_id == first.case_id,
        Callback.closing_no == first.closing_no,
        Callback.round == item.round,
    )
    callback = session.scalars(of_round).one()
    rating = session.scalar(select(Rating).where(Rating.callback_id == callback.id, Rating.counted))
    if callback.state not in TERMINAL or (rating is not None and rating.settled_at is None):
        return None
    if rating is None:
        return ItemTrigger.NO_ANSWER, {"round": item.round, "outcome": callback.state.value}
    dissatisfied = rating.value in SCALES[rating.scale].dissatisfied
    detail = {"round": item.round, "rating": rating.value, "scale": rating.scale}
    return (ItemTrigger.DISSATISFIED if dissatisfied else ItemTrigger.SATISFIED), detail
