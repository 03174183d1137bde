"""The toll limits' sums: counted as calls begin and end, read where a call may begin, and their alarm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CursorResult, bindparam, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.cdr import cost_of, talk_seconds
from callbacks.database import dbnow
from callbacks.days import day_of
from callbacks.gates import Gate, Hold
from callbacks.models import Attempt, AttemptState
from callbacks.models_office import Alarm
from callbacks.models_trunks import TollHour
from callbacks.service.core import BY_TELEPHONE, Context
from callbacks.toll import Limit, Spent, Toll, hour_of, limits, price_of
from callbacks.vocabulary import Disposition

__all__ = ["count_call", "count_talk", "is_shut", "price_for", "tell_limit", "toll_of"]

_SUMS = (Limit.PER_HOUR, Limit.SECONDS, Limit.SPEND)


def toll_of(ctx: Context, session: Session, now: datetime) -> Toll:
    """The limits and what they count; nothing is read for those that aren't set."""
    timezone, settings = ctx.policy.windows.timezone, ctx.toll
    counts_talk = bool(settings.seconds_per_day or settings.spend_per_day)
    if not (counts_talk or settings.calls_per_hour):
        return Toll(settings, timezone, Spent(now))
    hour = hour_of(now, ZoneInfo(timezone))
    day = {"first": f"{hour[:10]}T00", "last": f"{hour[:10]}T23", "hour": hour}
    calls, seconds, cost = map(int, session.execute(_READ, day).one())
    if counts_talk:
        for answered_at, price, lease, database_now in session.execute(_TALKING):
            so_far = talk_seconds(answered_at, _carried_until(lease, database_now, now))
            seconds += so_far
            cost += cost_of(so_far, price or 0, settings.billing_increment)
    return Toll(settings, timezone, Spent(now, calls, seconds, cost))


_IN_HOUR = func.sum(TollHour.calls).filter(TollHour.hour == bindparam("hour"))
_READ = select(
    func.coalesce(_IN_HOUR, 0),
    func.coalesce(func.sum(TollHour.seconds), 0),
    func.coalesce(func.sum(TollHour.cost), 0),
).where(TollHour.hour.between(bindparam("first"), bindparam("last")))
_TALKING = select(Attempt.answered_at, Attempt.price, Attempt.lease_expires_at, dbnow()).where(
    Attempt.state == AttemptState.TALKING, Attempt.channel.in_(BY_TELEPHONE)
)


def is_shut(session: Session, toll: Toll, now: datetime) -> bool:
    """Whether a sum over all calls is reached: then no callback is looked at, and a seat learns it."""
    for limit, until in limits(toll, 0, now):
        if limit in _SUMS and until is not None:
            tell_limit(session, Hold(until, limit.value), toll.timezone, now)
            return True
    return False


def tell_limit(session: Session, gate: Gate, timezone: str, now: datetime) -> None:
    """An alarm where the gate's reason is a toll limit: once a local day and limit, seen or not."""
    if not isinstance(gate, Hold) or gate.reason not in set(Limit):
        return
    day = day_of(now, timezone).isoformat()
    subject = f"{gate.reason} {day}"
    known = select(exists().where(Alarm.kind == AlarmKind.TOLL, Alarm.subject == subject))
    if not session.scalar(known):
        raise_alarm(session, AlarmKind.TOLL, subject, now, limit=gate.reason, day=day)


# -- counting


def price_for(ctx: Context, attempt: Attempt) -> int | None:
    """What a minute of the call costs, by its trunk and number."""
    settings = ctx.toll
    by_number = any(price.prefix for price in settings.prices)
    number = ctx.privacy.decrypt(attempt.number_encrypted) if by_number else ""
    return price_of(settings, attempt.trunk, number)


def count_call(ctx: Context, session: Session, attempt: Attempt, now: datetime) -> None:
    """An INVITE is about to leave."""
    _add(ctx, session, attempt, now, calls=1)


def count_talk(ctx: Context, session: Session, attempt: Attempt, now: datetime) -> None:
    """The call is over, while `attempt.owner` is still told. One whose end nobody saw counts as long as its
    process may have lived.
    """
    until = now
    if attempt.answered_at is not None and attempt.disposition is Disposition.UNKNOWN:
        until = _carried_until(attempt.lease_expires_at, session.scalars(select(dbnow())).one(), now)
    if seconds := talk_seconds(attempt.answered_at, until):
        cost = cost_of(seconds, attempt.price or 0, ctx.toll.billing_increment)
        _add(ctx, session, attempt, now, seconds=seconds, cost=cost)


def _carried_until(lease: datetime | None, database_now: datetime, now: datetime) -> datetime:
    """Nobody talks through the night in which the machine was down: at most until the lease was over. It's
    by the database's clock, and a worker's may be another.
    """
    overdue = timedelta(0) if lease is None else database_now - lease
    return now - max(overdue, timedelta(0))


def _add(ctx: Context, session: Session, attempt: Attempt, now: datetime, **more: int) -> None:
    told = {
        "of_hour": hour_of(now, ZoneInfo(ctx.policy.windows.timezone)),
        "of_trunk": attempt.trunk,
        "of_owner": attempt.owner or "",
        **{f"more_{name}": more.get(name, 0) for name in ("calls", "seconds", "cost")},
    }
    result: CursorResult[Any] = session.execute(_COUNT, told)  # type: ignore[assignment]
    if result.rowcount:
        return
    try:
        with session.begin_nested():
            session.execute(_FIRST, told)
    except IntegrityError:  # made in this instant
        session.execute(_COUNT, told)


_COUNT = (
    update(TollHour)
    .where(
        TollHour.hour == bindparam("of_hour"),
        TollHour.trunk == bindparam("of_trunk"),
        TollHour.owner == bindparam("of_owner"),
    )
    .values(
        calls=TollHour.calls + bindparam("more_calls"),
        seconds=TollHour.seconds + bindparam("more_seconds"),
        cost=TollHour.cost + bindparam("more_cost"),
    )
    .execution_options(synchronize_session=False)
)
_FIRST = insert(TollHour).values(
    hour=bindparam("of_hour"),
    trunk=bindparam("of_trunk"),
    owner=bindparam("of_owner"),
    calls=bindparam("more_calls"),
    seconds=bindparam("more_seconds"),
    cost=bindparam("more_cost"),
)
