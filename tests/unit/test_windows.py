"""When a call or a text may begin: holidays, make-up workdays, whole days, day-parts (domain.md §1).

Times are local (Asia/Shanghai); 2026-11-23 is a Monday.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from callbacks.settings import Span, WindowSettings
from callbacks.vocabulary import Channel
from callbacks.windows import (
    CN_HOLIDAYS,
    DAY_PARTS,
    NeverOpen,
    calendar_ends,
    day_part,
    half_day,
    is_evening_or_rest_day,
    is_open,
    is_rest_day,
    kind_of_day,
    local_day,
    next_open,
    pass_days,
    slots_of,
)

CITY = ZoneInfo("Asia/Shanghai")
WHOLE_DAY = (Span(start="00:00", end="00:00"),)
# National Day: Thursday and Friday off, the Sunday before is worked for one of them.
YEAR = WindowSettings(calendar="none", holidays={"2026-10-01", "2026-10-02"}, workdays={"2026-09-27"})


def at(text: str) -> datetime:
    """`"11-23 10:00"` in the city's time."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY).astimezone(UTC)


REST = [
    # day, rests?
    ("2026-11-23", False),  # a Monday
    ("2026-11-28", True),  # a Saturday
    ("2026-11-29", True),
    ("2026-10-01", True),  # a Thursday, but a holiday
    ("2026-09-27", False),  # a Sunday that is worked
    ("2026-09-26", True),  # the Saturday before it isn't
]


@pytest.mark.parametrize(("day", "rests"), REST)
def test_rest_days(day: str, rests: bool) -> None:
    assert is_rest_day(date.fromisoformat(day), YEAR) is rests


def test_a_day_that_is_both_is_worked() -> None:
    both = WindowSettings(holidays={"2026-10-01"}, workdays={"2026-10-01"})
    assert not is_rest_day(date(2026, 10, 1), both)


CHINA = WindowSettings()
CALENDAR = [
    # day, kind by China's calendar
    ("2026-10-01", "holiday"),  # the National Day
    ("2026-09-20", "workday"),  # a Sunday that is worked for it
    ("2026-10-10", "workday"),  # … and a Saturday
    ("2026-02-17", "holiday"),  # the Spring Festival
    ("2026-02-14", "workday"),  # the Saturday before it, worked
    ("2026-11-28", "weekend"),
    ("2026-11-23", "workday"),
    ("2031-10-01", "workday"),  # not announced yet: `huifang config check` says so
]


@pytest.mark.parametrize(("day", "kind"), CALENDAR)
def test_chinas_holidays_and_make_up_workdays(day: str, kind: str) -> None:
    assert kind_of_day(date.fromisoformat(day), CHINA) == kind


def test_the_citys_own_days_stand_over_the_calendar() -> None:
    windows = WindowSettings(holidays={"2026-11-23"}, workdays={"2026-10-01"})
    assert kind_of_day(date(2026, 11, 23), windows) == "holiday"
    assert kind_of_day(date(2026, 10, 1), windows) == "workday"


def test_the_calendars_end_is_known() -> None:
    assert calendar_ends(CHINA) == date(max(day.year for day in CN_HOLIDAYS), 12, 31)
    assert calendar_ends(YEAR) is None


LATE = [Span(start="10:00", end="11:00")]
KINDS = WindowSettings(
    voice_holiday=(), sms_holiday=(), sms_weekend=LATE, weekday={"fri": {"voice": LATE, "sms": []}}
)
BY_KIND = [
    # channel, now, next opening
    (Channel.VOICE, "09-30 20:30", "10-08 09:00"),  # no calls for the whole of the holidays
    (Channel.SMS, "09-30 21:00", "10-08 08:00"),  # … and no texts
    (Channel.SMS, "11-28 08:00", "11-28 10:00"),  # Saturday's texts begin later
    (Channel.VOICE, "11-27 09:00", "11-27 10:00"),  # Friday has its own hours …
    (Channel.SMS, "11-27 08:00", "11-28 10:00"),  # … and no texts
    (Channel.VOICE, "09-20 09:00", "09-20 09:00"),  # a worked Sunday is a workday
]


@pytest.mark.parametrize(("channel", "now", "opens"), BY_KIND)
def test_windows_by_weekday_holiday_and_channel(channel: Channel, now: str, opens: str) -> None:
    assert next_open(at(now), channel, KINDS) == at(opens)


NO_WEEKENDS = YEAR.model_copy(update={"voice_weekend": ()})
OPENINGS = [
    # channel, windows, now, next opening
    (Channel.VOICE, YEAR, "11-23 10:00", "11-23 10:00"),  # open: now
    (Channel.VOICE, YEAR, "11-23 12:00", "11-23 14:00"),  # the noon rest
    (Channel.VOICE, YEAR, "11-23 20:30", "11-24 09:00"),
    (Channel.VOICE, YEAR, "11-27 20:30", "11-28 09:30"),  # into the weekend, which begins later
    (Channel.VOICE, NO_WEEKENDS, "11-27 20:30", "11-30 09:00"),  # no calls at weekends, by setting
    (Channel.VOICE, YEAR, "10-01 09:00", "10-01 09:30"),  # a holiday is like a weekend
    (Channel.VOICE, NO_WEEKENDS, "09-30 20:30", "10-05 09:00"),  # holidays, then a weekend
    (Channel.VOICE, NO_WEEKENDS, "09-26 10:00", "09-27 09:00"),  # the worked Sunday
    (Channel.SMS, YEAR, "10-01 21:00", "10-02 08:00"),  # texts go on holidays too
]


@pytest.mark.parametrize(("channel", "windows", "now", "opens"), OPENINGS)
def test_the_next_opening(channel: Channel, windows: WindowSettings, now: str, opens: str) -> None:
    assert next_open(at(now), channel, windows) == at(opens)


def test_a_whole_day_has_no_gap_at_midnight() -> None:
    windows = WindowSettings(sms=WHOLE_DAY)
    for when in ("11-23 00:00", "11-23 12:34", "11-23 23:59", "11-24 00:00"):
        assert is_open(at(when), Channel.SMS, windows)
    [slot] = slots_of(date(2026, 11, 23), Channel.SMS, windows)
    assert (slot.start, slot.end) == (at("11-23 00:00"), at("11-24 00:00"))


def test_a_span_may_end_at_midnight() -> None:
    windows = WindowSettings(sms=[Span(start="22:00", end="00:00")])
    assert is_open(at("11-23 23:59"), Channel.SMS, windows)
    assert not is_open(at("11-24 00:00"), Channel.SMS, windows)


def test_the_order_in_the_settings_does_not_matter() -> None:
    late_first = WindowSettings(voice=tuple(reversed(YEAR.voice)))
    assert next_open(at("11-23 08:00"), Channel.VOICE, late_first) == at("11-23 09:00")


def test_windows_without_any_time_are_named() -> None:
    days = {date(2026, 11, 23) + timedelta(days=n) for n in range(60)}
    windows = WindowSettings(voice_weekend=(), holidays=days)
    with pytest.raises(NeverOpen, match="no time for voice within 60 days of 2026-11-23"):
        next_open(at("11-23 10:00"), Channel.VOICE, windows)


WRONG = [
    # settings, what is said
    ({"voice": [{"start": "12:00", "end": "09:00"}]}, "end 09:00:00 is not after start 12:00:00"),
    ({"voice": [{"start": "12:00", "end": "12:00"}]}, "is not after start"),
    ({"timezone": "Asia/Nowhere"}, "is no time zone; e.g. Asia"),
    ({"holidays": ["2026-02-30"]}, "date"),
    ({"sms": []}, "policy.texts = false"),
    ({"voice": [], "voice_weekend": []}, "nobody could ever be called"),
]


@pytest.mark.parametrize(("given_", "told"), WRONG)
def test_wrong_windows_are_refused_at_the_start(given_: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        WindowSettings.model_validate(given_)


PARTS = [
    # time, part of the day, second half?, evening or rest day?
    ("11-23 09:00", "morning", False, False),
    ("11-23 12:59", "morning", False, False),  # the noon rest still belongs to the morning
    ("11-23 13:00", "afternoon", True, False),
    ("11-23 17:59", "afternoon", True, False),
    ("11-23 18:00", "evening", True, True),
    ("11-23 20:29", "evening", True, True),
    ("11-23 20:30", "evening", True, False),  # after the last call of the day
    ("11-28 10:00", "morning", False, True),  # a Saturday
    ("10-01 10:00", "morning", False, True),  # a holiday
    ("09-27 10:00", "morning", False, False),  # a Sunday that is worked
]


@pytest.mark.parametrize(("when", "part", "second", "prime"), PARTS)
def test_parts_of_the_day(when: str, part: str, second: bool, prime: bool) -> None:
    now = at(when)
    assert day_part(now, YEAR) == part
    assert half_day(now, YEAR) == (local_day(now, YEAR), second)
    assert is_evening_or_rest_day(now, YEAR) is prime


def test_an_evening_may_last_to_midnight() -> None:
    windows = WindowSettings(evening=Span(start="18:00", end="00:00"))
    assert is_evening_or_rest_day(at("11-23 23:00"), windows)
    assert not is_evening_or_rest_day(at("11-23 17:00"), windows)


def test_a_day_is_the_citys_not_utcs() -> None:
    assert local_day(at("11-24 00:30"), YEAR) == date(2026, 11, 24)
    assert at("11-24 00:30").date() == date(2026, 11, 23)


minutes = st.integers(0, 60 * 24 * 60).map(lambda m: at("09-01 00:00") + timedelta(minutes=m))
clock = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
spans = st.lists(
    st.tuples(clock, clock).filter(lambda ends: ends[0] < ends[1] or ends[1] == "00:00"),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150)
@given(now=minutes, week=spans, weekend=spans, channel=st.sampled_from([Channel.VOICE, Channel.SMS]))
def test_the_next_opening_is_open_and_the_first(
    now: datetime, week: list[tuple[str, str]], weekend: list[tuple[str, str]], channel: Channel
) -> None:
    windows = YEAR.model_copy(
        update={
            "voice": tuple(Span(start=start, end=end) for start, end in week),
            "voice_weekend": tuple(Span(start=start, end=end) for start, end in weekend),
            "sms": tuple(Span(start=start, end=end) for start, end in weekend),
        }
    )
    opens = next_open(now, channel, windows)
    assert opens >= now and is_open(opens, channel, windows)
    assert opens == now or not is_open(now, channel, windows)
    for before in range(int((opens - now) / timedelta(minutes=30))):  # spans begin at half hours
        assert not is_open(now + before * timedelta(minutes=30), channel, windows)


# -- days without a wanted kind of time are passed at once, and the place is the same as step by step

SPANS = [
    (Span(start="09:00", end="12:00"), Span(start="14:00", end="20:30")),
    (Span(start="09:00", end="12:00"),),
    (Span(start="00:00", end="00:00"),),
    (Span(start="14:10", end="17:50"),),
    (Span(start="00:00", end="03:15"), Span(start="22:00", end="00:00")),
]
HALF_HOUR, MOST_STEPS = timedelta(minutes=30), 300


@settings(max_examples=80)
@given(
    workdays=st.sampled_from(SPANS),
    rest_days=st.sampled_from([*SPANS, ()]),
    minutes=st.integers(0, 20 * 24 * 60),
    wanted=st.frozensets(st.tuples(st.sampled_from(DAY_PARTS), st.booleans()), min_size=1),
)
def test_days_are_passed_as_by_steps(
    workdays: tuple[Span, ...],
    rest_days: tuple[Span, ...],
    minutes: int,
    wanted: frozenset[tuple[str, bool]],
) -> None:
    windows = WindowSettings(voice=workdays, voice_weekend=rest_days)
    start = datetime(2026, 9, 24, tzinfo=UTC) + timedelta(minutes=minutes)  # over the National Day week
    begun = next_open(start, Channel.VOICE, windows)

    def suits(at: datetime) -> bool:
        return (day_part(at, windows), is_evening_or_rest_day(at, windows)) in wanted

    at, steps = begun, 0
    while steps < MOST_STEPS and not suits(at):
        at, steps = next_open(at + HALF_HOUR, Channel.VOICE, windows), steps + 1

    found, passed = begun, 0
    while passed < MOST_STEPS:
        found, more = pass_days(found, wanted, windows, HALF_HOUR, MOST_STEPS)
        passed += more
        if passed >= MOST_STEPS or suits(found):
            break
        found, passed = next_open(found + HALF_HOUR, Channel.VOICE, windows), passed + 1
    assert (passed >= MOST_STEPS) == (steps >= MOST_STEPS)
    if steps < MOST_STEPS:
        assert (found, passed) == (at, steps)
