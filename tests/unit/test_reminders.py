"""Of what a handler is reminded, and when: stages by clock, their order, windows (domain.md §2, §6).

Times are local (Asia/Shanghai); 2026-11-23 is a Monday.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from callbacks.reminder_settings import ReminderSettings
from callbacks.reminders import (
    CaseClocks,
    Clock,
    Due,
    Stage,
    next_handler_day,
    next_handler_time,
    reminder_due,
    sign_by,
    stages_due,
    still_stands,
)
from callbacks.settings import Span, WindowSettings
from callbacks.windows import is_rest_day, local_day

CITY = ZoneInfo("Asia/Shanghai")
PLAIN = ReminderSettings()
STRICT = ReminderSettings(urge_unsigned=True)
WINDOWS = WindowSettings()


def at(text: str) -> datetime:
    """`"11-23 10:00"` in the city's time."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY).astimezone(UTC)


ASSIGNED, DUE = at("11-23 09:00"), at("11-30 09:00")
NEW = CaseClocks(ASSIGNED, None, DUE)
SIGNED = CaseClocks(ASSIGNED, at("11-23 15:00"), DUE)
QUICK = CaseClocks(ASSIGNED, None, at("11-23 11:00"))

STAGES = [
    # case, now, settings, stages whose time has come
    (NEW, at("11-23 08:59"), PLAIN, []),  # not assigned yet
    (NEW, ASSIGNED, PLAIN, ["todo"]),
    (SIGNED, at("11-23 16:00"), PLAIN, []),  # signed for: nothing until the due time is near
    (SIGNED, at("11-29 08:59"), PLAIN, []),
    (SIGNED, at("11-29 09:00"), PLAIN, ["urge"]),  # a day before
    (NEW, at("11-29 09:00"), PLAIN, ["todo", "urge"]),
    (SIGNED, at("11-30 09:00"), PLAIN, ["urge", "supervise"]),  # over
    (NEW, at("11-24 09:00"), PLAIN, ["todo"]),  # not signed in time; by default no urge of its own
    (NEW, at("11-24 09:00"), STRICT, ["todo", "urge"]),
    (SIGNED, at("11-24 09:00"), STRICT, []),
    (QUICK, ASSIGNED, PLAIN, ["todo"]),  # two hours in all: a to-do first,
    (QUICK, at("11-23 10:00"), PLAIN, ["todo", "urge"]),  # and urged when half of them are over
    (CaseClocks(None, None, DUE), at("11-29 10:00"), PLAIN, ["urge"]),  # the file doesn't say 交办
    (CaseClocks(ASSIGNED, None, None), at("12-30 10:00"), PLAIN, ["todo"]),  # no due time
    (
        CaseClocks(ASSIGNED, at("11-20 09:00"), DUE),
        ASSIGNED,
        PLAIN,
        ["todo"],
    ),  # signed before it
    (CaseClocks(ASSIGNED, None, DUE, at("11-23 10:00")), at("12-30 10:00"), PLAIN, []),  # closed
    (CaseClocks(None, None, None), at("12-30 10:00"), PLAIN, []),
]


@pytest.mark.parametrize(("case", "now", "rules", "stages"), STAGES)
def test_stages_by_clock(case: CaseClocks, now: datetime, rules: ReminderSettings, stages: list[str]) -> None:
    assert [due.stage.value for due in stages_due(case, now, rules)] == stages


def test_an_urge_says_which_clock_it_is_about() -> None:
    assert stages_due(NEW, at("11-24 09:00"), STRICT)[-1] == Due(
        Stage.URGE, at("11-24 09:00"), at("11-24 09:00"), Clock.SIGN
    )
    assert stages_due(NEW, at("11-29 10:00"), STRICT)[-1] == Due(
        Stage.URGE, at("11-29 09:00"), DUE, Clock.HANDLE
    )
    assert sign_by(NEW, PLAIN) == at("11-24 09:00")
    assert sign_by(CaseClocks(None, None, DUE), PLAIN) is None


NEXT = [
    # case, made already, now, the reminder to make
    (NEW, [], ASSIGNED, "todo"),
    (NEW, ["todo"], ASSIGNED, None),  # once
    (NEW, ["todo"], at("11-29 09:00"), "urge"),
    (NEW, [], at("11-29 09:00"), "urge"),  # heard of late: the to-do isn't made after the fact
    (NEW, ["urge"], at("11-29 10:00"), None),
    (NEW, ["todo", "urge"], DUE, "supervise"),
    (NEW, [], DUE, "supervise"),
    (NEW, ["supervise"], DUE, None),
    (NEW, ["rectify"], ASSIGNED, "todo"),  # an earlier dissatisfaction doesn't stand for a to-do
    (NEW, [], DUE + timedelta(days=30), "supervise"),
    (NEW, [], DUE + timedelta(days=31), None),  # switched on today: years of them aren't sent
    (SIGNED, ["supervise"], at("11-29 10:00"), None),  # the due time was put off after the supervision
]


@pytest.mark.parametrize(("case", "made", "now", "stage"), NEXT)
def test_the_reminder_to_make(case: CaseClocks, made: list[str], now: datetime, stage: str | None) -> None:
    due = reminder_due(case, {Stage(word) for word in made}, now, PLAIN)
    assert (due and due.stage.value) == stage


STANDS = [
    # case, stage, now, still worth sending?
    (NEW, Stage.TODO, at("11-23 10:00"), True),
    (SIGNED, Stage.TODO, at("11-23 16:00"), False),  # signed for
    (NEW, Stage.TODO, at("11-29 09:00"), False),  # it waited so long that the urge is due
    (SIGNED, Stage.URGE, at("11-29 09:00"), True),
    (SIGNED, Stage.URGE, at("11-28 09:00"), False),  # the due time was put off
    (SIGNED, Stage.SUPERVISE, at("12-03 09:00"), True),
    (CaseClocks(ASSIGNED, None, DUE, at("11-30 10:00")), Stage.SUPERVISE, at("12-03 09:00"), False),  # closed
    (SIGNED, Stage.RECTIFY, at("11-23 16:00"), True),  # not by these clocks
]


@pytest.mark.parametrize(("case", "stage", "now", "stands"), STANDS)
def test_what_has_not_left_is_looked_at_again(
    case: CaseClocks, stage: Stage, now: datetime, stands: bool
) -> None:
    assert still_stands(case, stage, now, PLAIN) is stands


OPENINGS = [
    # now, the next handler's time
    (at("11-23 08:29"), at("11-23 08:30")),
    (at("11-23 08:30"), at("11-23 08:30")),
    (at("11-23 17:59"), at("11-23 17:59")),
    (at("11-23 18:00"), at("11-24 08:30")),
    (at("11-27 18:00"), at("11-30 08:30")),  # Friday evening to Monday
    (at("09-30 19:00"), at("10-08 08:30")),  # National Day, a week of it
    (at("10-10 10:00"), at("10-10 10:00")),  # a Saturday that is worked for it
]


@pytest.mark.parametrize(("now", "opens"), OPENINGS)
def test_handlers_windows(now: datetime, opens: datetime) -> None:
    assert next_handler_time(now, WINDOWS, PLAIN) == opens


def test_citizens_windows_do_not_bind_handlers() -> None:
    shut = WindowSettings(
        sms=[Span(start="20:00", end="21:00")], weekday={"mon": {"sms": []}}, sms_weekend=None
    )
    assert next_handler_time(at("11-23 10:00"), shut, PLAIN) == at("11-23 10:00")
    assert next_handler_time(at("11-28 10:00"), shut, PLAIN) == at("11-30 08:30")


def test_the_day_after_a_full_one() -> None:
    assert next_handler_day(at("11-23 09:00"), WINDOWS, PLAIN) == at("11-24 08:30")
    assert next_handler_day(at("11-27 17:30"), WINDOWS, PLAIN) == at("11-30 08:30")
    whole_day = ReminderSettings(window=[Span(start="00:00", end="00:00")])
    opens = next_handler_day(at("11-23 09:10"), WINDOWS, whole_day)
    assert local_day(opens, WINDOWS) == local_day(at("11-24 00:00"), WINDOWS)


def test_a_handler_needs_a_window() -> None:
    with pytest.raises(ValidationError, match="window"):
        ReminderSettings(window=[])


MOMENTS = st.integers(0, 330 * 24 * 60).map(lambda minutes: at("01-01 00:00") + timedelta(minutes=minutes))


@settings(max_examples=150)
@given(
    assigned=MOMENTS,
    handling=st.timedeltas(timedelta(minutes=1), timedelta(days=40)),
    signed=st.none() | st.timedeltas(timedelta(0), timedelta(days=40)),
    steps=st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=9)), max_size=25),
    strict=st.booleans(),
)
def test_each_stage_once_and_never_backwards(
    assigned: datetime,
    handling: timedelta,
    signed: timedelta | None,
    steps: list[timedelta],
    strict: bool,
) -> None:
    """However the clock ticks, a case gets each reminder once, in their order, none before its time."""
    rules = STRICT if strict else PLAIN
    made: list[Stage] = []
    now = assigned
    for step in steps:
        now += step
        known = assigned + signed if signed is not None and assigned + signed <= now else None
        case = CaseClocks(assigned, known, assigned + handling)
        due = reminder_due(case, made, now, rules)
        if due is not None:
            assert due.at <= now
            assert still_stands(case, due.stage, now, rules)
            made.append(due.stage)
    order = list(Stage)
    assert all(order.index(one) < order.index(next_one) for one, next_one in pairwise(made))


@settings(max_examples=100)
@given(now=MOMENTS)
def test_no_handler_is_texted_on_a_rest_day(now: datetime) -> None:
    opens = next_handler_time(now, WINDOWS, PLAIN)
    assert opens >= now
    assert not is_rest_day(local_day(opens, WINDOWS), WINDOWS)
    assert "08:30" <= f"{opens.astimezone(CITY):%H:%M}" < "18:00"
