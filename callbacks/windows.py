"""When we may begin a call or a text: windows by weekday and channel, and day-parts (domain.md §1). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from chinese_calendar.constants import holidays as _cn_holidays
from chinese_calendar.constants import workdays as _cn_workdays

from callbacks.settings import DayWindows, Span, WindowSettings
from callbacks.vocabulary import Channel

# As far as the State Council has announced them; later years are weekends and what the city sets.
CN_HOLIDAYS = frozenset(_cn_holidays)
CN_WORKDAYS = frozenset(_cn_workdays)

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


class DayKind(StrEnum):
    """What a local day is."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def kind_of_day(day: date, windows: WindowSettings) -> DayKind:
    """The city's own days first, then the calendar's holidays and make-up workdays, then the weekday."""
    if day in windows.workdays:
        return DayKind.WORKDAY
    if day in windows.holidays:
        return DayKind.HOLIDAY
    if windows.calendar == "cn":
        if day in CN_HOLIDAYS:
            return DayKind.HOLIDAY
        if day in CN_WORKDAYS:
            return DayKind.WORKDAY
    return DayKind.WEEKEND if day.weekday() >= 5 else DayKind.WORKDAY


def is_rest_day(day: date, windows: WindowSettings) -> bool:
    """A weekend or holiday that isn't a make-up workday."""
    return kind_of_day(day, windows) is not DayKind.WORKDAY


def calendar_ends(windows: WindowSettings) -> date | None:
    """The last year's end that the calendar knows of; None when there is no calendar."""
    return date(max(CN_HOLIDAYS).year, 12, 31) if windows.calendar == "cn" else None


def _spans(day: date, channel: Channel, windows: WindowSettings) -> Sequence[Span]:
    kind = kind_of_day(day, windows)
    is_voice = channel is Channel.VOICE
    if kind is DayKind.HOLIDAY:
        holiday = windows.voice_holiday if is_voice else windows.sms_holiday
        if holiday is not None:
            return holiday
    own: DayWindows = getattr(windows.weekday, _WEEKDAYS[day.weekday()])
    chosen = own.voice if is_voice else own.sms
    if chosen is not None:
        return chosen
    if kind is DayKind.WORKDAY:
        return windows.voice if is_voice else windows.sms
    weekend = windows.voice_weekend if is_voice else windows.sms_weekend
    return windows.sms if weekend is None else weekend


def slots_of(day: date, channel: Channel, windows: WindowSettings) -> Sequence[Slot]:
    """The slots of a local day, in order."""
    return _day(day, windows).slots[channel]


TimeKind = tuple[str, bool]  # the day-part, and whether it's evening or a rest day


@dataclass(frozen=True, slots=True)
class _Day:
    """What is asked of a local day again and again."""

    slots: dict[Channel, tuple[Slot, ...]]
    evening: Slot
    is_rest: bool
    offers: frozenset[TimeKind]
    passed: dict[tuple[datetime, frozenset[TimeKind]], tuple[datetime, int]]  # what `pass_days` found


# Every gate asks about the same few days, and comparing two settings costs more than a slot: the settings are
# told apart by their identity, and kept beside what is known of a day so that it isn't another's.
_KEPT: dict[tuple[int, date], tuple[WindowSettings, _Day]] = {}
_MOST_KEPT = 1000


def _day(day: date, windows: WindowSettings) -> _Day:
    key = (id(windows), day)
    kept = _KEPT.get(key)
    if kept is None or kept[0] is not windows:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        kept = _KEPT[key] = windows, _read_day(day, windows)
    return kept[1]


def _read_day(day: date, windows: WindowSettings) -> _Day:
    zone = ZoneInfo(windows.timezone)
    voice, sms = (
        tuple(
            _slot(day, span, zone)
            for span in sorted(_spans(day, channel, windows), key=lambda span: span.start)
        )
        for channel in (Channel.VOICE, Channel.SMS)
    )
    evening, is_rest = _slot(day, windows.evening, zone), is_rest_day(day, windows)
    noon = datetime.combine(day, _NOON, zone)
    turns = (noon, evening.start, evening.end)
    moments = [at for slot in voice for at in (slot.start, *turns) if slot.start <= at < slot.end]
    offers = frozenset((day_part(at, windows), is_rest or _within(at, evening)) for at in moments)
    return _Day({Channel.VOICE: voice, Channel.SMS: sms}, evening, is_rest, offers, {})


def _within(at: datetime, slot: Slot) -> bool:
    return slot.start <= at < slot.end


def pass_days(
    at: datetime, wanted: frozenset[TimeKind], windows: WindowSettings, step: timedelta, most: int
) -> tuple[datetime, int]:
    """Goes on from `at`, an opening for calls, by steps to a day that has a wanted kind of time.

    Returns where, and how many steps that took: `most` or more where there is no such day within them. Days
    without are passed at once; from a slot's start, where most searches come by, they're remembered.
    """
    day = _day(local_day(at, windows), windows)
    if not day.offers.isdisjoint(wanted):
        return at, 0
    is_start = any(slot.start == at for slot in day.slots[Channel.VOICE])
    if is_start and (at, wanted) in day.passed:
        return day.passed[at, wanted]
    later, steps = _past(day, at, windows, step)
    if is_start:
        while steps < most:
            next_day = _day(local_day(later, windows), windows)
            if not next_day.offers.isdisjoint(wanted):
                break
            later, passed = _past(next_day, later, windows, step)
            steps += passed
        day.passed[at, wanted] = later, steps
        return later, steps
    later, passed = pass_days(later, wanted, windows, step, most)
    return later, steps + passed


def _past(day: _Day, at: datetime, windows: WindowSettings, step: timedelta) -> tuple[datetime, int]:
    """The first step after the day's slots, and how many steps it is away."""
    steps = 0
    for slot in day.slots[Channel.VOICE]:
        if at < slot.end:
            begun = max(at, slot.start)
            within = -((begun - slot.end) // step)
            at, steps = begun + within * step, steps + within
    return next_open(at, Channel.VOICE, windows), steps


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


DAY_PARTS = ("morning", "afternoon", "evening")


def day_part(at: datetime, windows: WindowSettings) -> str:
    """One of `DAY_PARTS`, local time."""
    local = at.astimezone(ZoneInfo(windows.timezone)).time()
    if local >= windows.evening.start:
        return "evening"
    return "afternoon" if local >= _NOON else "morning"


def is_evening_or_rest_day(at: datetime, windows: WindowSettings) -> bool:
    """18:00–20:30 or a weekend: one of a round's attempts must be there (domain.md §1)."""
    day = _day(local_day(at, windows), windows)
    return day.is_rest or _within(at, day.evening)
