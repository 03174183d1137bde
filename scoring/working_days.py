"""Working days as the clocks of domain.md §6 count them. Pure.

A clock of n working days that is begun at 10:15 on a working day ends at 10:15 on the n-th working day after
it. Begun on a rest day it counts from the first minute of the next working day, so that a weekend costs
nobody anything. Holidays and make-up workdays are those of the calling windows (`callbacks.windows`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callbacks.settings import WindowSettings
from callbacks.windows import is_rest_day

_DAY = timedelta(days=1)


def add_working_days(at: datetime, days: int, windows: WindowSettings) -> datetime:
    """When a clock of `days` working days, begun at `at`, runs out; aware UTC."""
    zone = ZoneInfo(windows.timezone)
    local = at.astimezone(zone)
    day, of_day = local.date(), local.time()
    if is_rest_day(day, windows):
        day, of_day = _next(day, windows), time(0)
    for _ in range(days):
        day = _next(day, windows)
    return datetime.combine(day, of_day, zone).astimezone(UTC)


def working_day_before(at: datetime, windows: WindowSettings) -> datetime:
    """The same hour on the last working day before `at`: when it's time to urge."""
    zone = ZoneInfo(windows.timezone)
    local = at.astimezone(zone)
    day = local.date() - _DAY
    while is_rest_day(day, windows):
        day -= _DAY
    return datetime.combine(day, local.time(), zone).astimezone(UTC)


def _next(day: date, windows: WindowSettings) -> date:
    day += _DAY
    while is_rest_day(day, windows):
        day += _DAY
    return day
