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


def working_days_before(at: datetime, days: int, windows: WindowSettings) -> datetime:
    """The same hour so many working days before `at`: when it's time to urge."""
    zone = ZoneInfo(windows.timezone)
    local = at.astimezone(zone)
    day = local.date()
    for _ in range(days):
        day -= _DAY
        while is_rest_day(day, windows):
            day -= _DAY
    return datetime.combine(day, local.time(), zone).astimezone(UTC)


def _next(day: date, windows: WindowSettings) -> date:
    day += _DAY
    while is_rest_day(day, windows):
        day += _DAY
    return day


def worked_between(start: datetime, end: datetime, windows: WindowSettings) -> timedelta:
    """The time of working days from `start` to `end`; none where `end` isn't later."""
    worked, zone, cursor = timedelta(0), ZoneInfo(windows.timezone), start
    while cursor < end:
        day = cursor.astimezone(zone).date()
        until = min(datetime.combine(day + _DAY, time(0), zone).astimezone(UTC), end)
        if not is_rest_day(day, windows):
            worked += until - cursor
        cursor = until
    return worked


def add_worked(at: datetime, worked: timedelta, windows: WindowSettings) -> datetime:
    """The instant by which so much time of working days has passed since `at`; aware UTC."""
    zone = ZoneInfo(windows.timezone)
    day, cursor = at.astimezone(zone).date(), at
    while True:
        end = datetime.combine(day + _DAY, time(0), zone).astimezone(UTC)
        if not is_rest_day(day, windows):
            if worked <= end - cursor:
                return (cursor + worked).astimezone(UTC)
            worked -= end - cursor
        day, cursor = day + _DAY, end


def worked_before(at: datetime, worked: timedelta, windows: WindowSettings) -> datetime:
    """The instant since which so much time of working days has passed until `at`; aware UTC."""
    zone = ZoneInfo(windows.timezone)
    day, cursor = at.astimezone(zone).date(), at
    while True:
        start = datetime.combine(day, time(0), zone).astimezone(UTC)
        if not is_rest_day(day, windows):
            if worked <= cursor - start:
                return (cursor - worked).astimezone(UTC)
            worked -= cursor - start
        day, cursor = day - _DAY, start
