"""When we may begin a call or a text: windows by weekday and channel, and day-parts (domain.md §1). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callbacks.settings import Span, WindowSettings
from callbacks.vocabulary import Channel

_MIDNIGHT = time(0)
_NOON = time(13)
_LOOK_AHEAD_DAYS = 60


class NeverOpen(Exception):
    """The windows leave no time at all within sixty days; the settings are wrong."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of time in which we may begin, aware UTC; `end` is outside it."""

    start: datetime
    end: datetime


def is_rest_day(day: date, windows: WindowSettings) -> bool:
    """A weekend or holiday that isn't a make-up workday."""
    if day in windows.workdays:
        return False
    return day in windows.holidays or day.weekday() >= 5


def slots_of(day: date, channel: Channel, windows: WindowSettings) -> list[Slot]:
    """The slots of a local day, in order."""
    if channel is Channel.VOICE:
        spans = windows.voice_weekend if is_rest_day(day, windows) else windows.voice
    else:
        spans = windows.sms
    zone = ZoneInfo(windows.timezone)
    return [_slot(day, span, zone) for span in sorted(spans, key=lambda span: span.start)]


def _slot(day: date, span: Span, zone: ZoneInfo) -> Slot:
    last = day + timedelta(days=1) if span.end == _MIDNIGHT else day
    start = datetime.combine(day, span.start, zone)
    return Slot(start.astimezone(UTC), datetime.combine(last, span.end, zone).astimezone(UTC))


def is_open(now: datetime, channel: Channel, windows: WindowSettings) -> bool:
    """Whether something may begin on this channel at `now`."""
    return any(slot.start <= now < slot.end for slot in slots_of(local_day(now, windows), channel, windows))


def next_open(now: datetime, channel: Channel, windows: WindowSettings) -> datetime:
    """`now` where the window is open, else the next start. NeverOpen when there is none."""
    today = local_day(now, windows)
    for days in range(_LOOK_AHEAD_DAYS):
        for slot in slots_of(today + timedelta(days=days), channel, windows):
            if now < slot.end:
                return max(now, slot.start)
    raise NeverOpen(f"policy.windows leave no time for {channel} within {_LOOK_AHEAD_DAYS} days of {today}")


def local_day(at: datetime, windows: WindowSettings) -> date:
    return at.astimezone(ZoneInfo(windows.timezone)).date()


def half_day(at: datetime, windows: WindowSettings) -> tuple[date, bool]:
    """The local day and whether it's its second half; the cap of one call per half-day goes by it."""
    local = at.astimezone(ZoneInfo(windows.timezone))
    return local.date(), local.time() >= _NOON


def day_part(at: datetime, windows: WindowSettings) -> str:
    """`morning`, `afternoon` or `evening`, local time."""
    local = at.astimezone(ZoneInfo(windows.timezone)).time()
    if local >= windows.evening.start:
        return "evening"
    return "afternoon" if local >= _NOON else "morning"


def is_evening_or_rest_day(at: datetime, windows: WindowSettings) -> bool:
    """18:00–20:30 or a weekend: one of a round's attempts must be there (domain.md §1)."""
    day = local_day(at, windows)
    evening = _slot(day, windows.evening, ZoneInfo(windows.timezone))
    return evening.start <= at < evening.end or is_rest_day(day, windows)
