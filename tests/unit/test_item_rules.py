"""The dissatisfaction item's rules as tables: clocks in working days, who may do what, what ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.settings import WindowSettings
from scoring.item_rules import Fault, Party, View, acts_of, decided, due_after, fault_of, lacking
from scoring.item_settings import ItemSettings
from scoring.item_states import (
    ENDED,
    OPEN,
    ItemState,
    ItemTrigger,
    UnknownItemTransition,
    next_item_state,
    triggers_of,
)
from scoring.working_days import (
    add_worked,
    add_working_days,
    worked_before,
    worked_between,
    working_days_before,
)

WINDOWS, SETTINGS = WindowSettings(), ItemSettings()
S, T = ItemState, ItemTrigger
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # a Tuesday, 10:00


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


WORKING_DAYS = [
    # begun, working days, runs out
    ("2026-11-24 10:15", 1, "2026-11-25 10:15"),  # Tuesday → Wednesday, the same hour
    ("2026-11-27 17:00", 1, "2026-11-30 17:00"),  # Friday → Monday
    ("2026-11-28 11:00", 1, "2026-12-01 00:00"),  # begun on Saturday: counts from Monday's first minute
    ("2026-11-24 10:15", 5, "2026-12-01 10:15"),  # a week
    ("2026-09-30 09:00", 1, "2026-10-08 09:00"),  # over the National Day's week
    ("2026-10-09 09:00", 1, "2026-10-10 09:00"),  # a Saturday that is worked
]


@pytest.mark.parametrize(("begun", "days", "ends"), WORKING_DAYS)
def test_working_days(begun: str, days: int, ends: str) -> None:
    assert add_working_days(local(begun), days, WINDOWS) == local(ends)


BEFORE = [
    ("2026-11-25 10:15", 1, "2026-11-24 10:15"),
    ("2026-11-30 17:00", 1, "2026-11-27 17:00"),  # over the weekend
    ("2026-10-08 09:00", 1, "2026-09-30 09:00"),  # over the holidays
    ("2026-12-01 17:00", 3, "2026-11-26 17:00"),  # as many as the city sets
]


@pytest.mark.parametrize(("at", "days", "before"), BEFORE)
def test_the_working_days_before(at: str, days: int, before: str) -> None:
    assert working_days_before(local(at), days, WINDOWS) == local(before)


WORKED = [
    # from, to, hours of working days
    ("2026-11-24 10:00", "2026-11-24 13:00", 3),
    ("2026-11-27 15:00", "2026-11-30 15:00", 24),  # over the weekend
    ("2026-11-28 11:00", "2026-11-29 23:00", 0),  # within it
    ("2026-09-30 12:00", "2026-10-08 12:00", 24),  # over the holidays
    ("2026-10-09 12:00", "2026-10-11 12:00", 36),  # Saturday is worked, Sunday isn't
]


@pytest.mark.parametrize(("begun", "ended", "hours"), WORKED)
def test_working_time(begun: str, ended: str, hours: int) -> None:
    assert worked_between(local(begun), local(ended), WINDOWS) == timedelta(hours=hours)


@given(st.integers(0, 300 * 86_400), st.integers(0, 20 * 86_400))
def test_working_time_there_and_back(since: int, seconds: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=since)
    worked = timedelta(seconds=seconds)
    end = add_worked(at, worked, WINDOWS)
    assert worked_between(at, end, WINDOWS) == worked
    assert worked_between(worked_before(end, worked, WINDOWS), end, WINDOWS) == worked
    days, rest = divmod(worked, timedelta(days=1))
    if not rest:  # the two ways to count differ by the rest days after a day's very end, and in no work
        assert worked_between(at, add_working_days(at, days, WINDOWS), WINDOWS) == worked


CLOCKS = [
    # trigger, state reached, the item, working days till the clock runs out
    (T.VERIFY, S.VERIFYING, View(S.LISTED), 1),
    (T.NO_BASIS, S.EXPLAINING, View(S.VERIFYING), 3),
    (T.UPHOLD, S.ASSIGNED, View(S.VERIFYING), 1),  # to sign
    (T.APPEAL, S.APPEALED, View(S.ASSIGNED), 3),
    (T.SIGN, S.REWORKING, View(S.ASSIGNED), 5),
    (T.SIGN, S.REWORKING, View(S.ASSIGNED, complex=True), 15),
    (T.SUBMIT, S.CHECKING, View(S.REWORKING), 1),
    (T.SEND_BACK, S.REWORKING, View(S.CHECKING), 5),
    (T.DISSATISFIED, S.ESCALATED, View(S.SECOND_CALLBACK), 5),
]


@pytest.mark.parametrize(("trigger", "to", "item", "days"), CLOCKS)
def test_clocks(trigger: ItemTrigger, to: ItemState, item: View, days: int) -> None:
    expected = add_working_days(NOW, days, WINDOWS)
    assert due_after(trigger, to, item, NOW, SETTINGS, WINDOWS) == expected


def test_clocks_that_go_on() -> None:
    due = NOW + timedelta(days=2)

    def after(trigger: ItemTrigger, to: ItemState, **item: object) -> datetime | None:
        return due_after(trigger, to, View(to, **{"due_at": due, **item}), NOW, SETTINGS, WINDOWS)  # type: ignore[arg-type]

    assert after(T.NOTE, S.VERIFYING) == due
    assert after(T.TRIED, S.VERIFYING) == due  # the office's day is one, however often it tries
    assert after(T.SUPERVISE, S.REWORKING) == due  # overdue stays overdue
    assert after(T.EXTEND, S.REWORKING) == add_working_days(due, 5, WINDOWS)
    assert after(T.URGE, S.ASSIGNED, assigned_at=NOW) == due  # by the office, before its time
    urged = after(T.URGE, S.ASSIGNED, assigned_at=NOW - timedelta(days=1), due_at=NOW)
    assert urged == add_working_days(NOW - timedelta(days=1), 2, WINDOWS)  # then it's signed by default
    left = after(T.APPEAL_REJECTED, S.ASSIGNED, stands_still=timedelta(hours=5))
    assert left == NOW + timedelta(hours=5)  # what was left when it was stopped
    left = after(T.APPEAL_REJECTED_SIGNED, S.REWORKING, stands_still=timedelta(days=3), reworks=1)
    assert left == NOW + timedelta(days=3)
    assert after(T.FIX, S.FIXED) is None


MAY = [
    # party, state, what it may do
    (Party.OFFICE, S.VERIFYING, {T.TRIED, T.UPHOLD, T.MISRATED, T.NO_BASIS, T.NOTE}),
    (Party.UNIT, S.VERIFYING, {T.NOTE}),
    (Party.UNIT, S.ASSIGNED, {T.SIGN, T.APPEAL, T.NOTE}),
    (Party.OFFICE, S.ASSIGNED, {T.REASSIGN, T.URGE, T.NOTE}),
    (Party.UNIT, S.REWORKING, {T.APPEAL, T.SUBMIT, T.ASK_TIME, T.NOTE}),
    (Party.OFFICE, S.CHECKING, {T.ACCEPT, T.SEND_BACK, T.NOTE}),
    (Party.OFFICE, S.SECOND_CALLBACK, {T.NOTE}),  # the citizen's word alone decides
    (Party.OFFICE, S.ESCALATED, {T.REWORK, T.NOTE}),
    (Party.OFFICE, S.HARD_CASE, {T.MEET, T.FIX, T.PERSIST, T.NOTE}),
    (Party.UNIT, S.APPEALED, {T.NOTE}),
    (Party.UNIT, S.FIXED, {T.NOTE}),
]


@pytest.mark.parametrize(("party", "state", "acts"), MAY)
def test_who_may_do_what(party: Party, state: ItemState, acts: set[ItemTrigger]) -> None:
    item = View(state, assigned_at=NOW)
    assert set(acts_of(party, item, NOW, SETTINGS, WINDOWS)) == acts


FAULTS = [
    # party, trigger, the item, why not
    (Party.UNIT, T.UPHOLD, View(S.VERIFYING), Fault.PARTY),
    (Party.OFFICE, T.SIGN, View(S.ASSIGNED), Fault.PARTY),  # units sign for themselves
    (Party.UNIT, T.SIGN, View(S.REWORKING), Fault.STATE),
    (Party.UNIT, T.APPEAL, View(S.ASSIGNED, appealed=True), Fault.APPEALED),  # once
    (Party.UNIT, T.APPEAL, View(S.ASSIGNED, assigned_at=NOW - timedelta(days=5)), Fault.TOO_LATE),
    (Party.UNIT, T.APPEAL, View(S.ASSIGNED, assigned_at=NOW - timedelta(days=2)), None),  # since Sunday
    (Party.UNIT, T.APPEAL, View(S.ASSIGNED, assigned_at=NOW - timedelta(days=1)), None),
    (Party.UNIT, T.APPEAL, View(S.REWORKING, assigned_at=NOW, reworks=1), None),  # signing isn't agreeing
    (Party.UNIT, T.APPEAL, View(S.REWORKING, assigned_at=NOW - timedelta(days=5), reworks=1), Fault.TOO_LATE),
    (Party.UNIT, T.APPEAL, View(S.REWORKING, assigned_at=NOW, reworks=2), Fault.TOO_LATE),  # it's escalated
    (Party.OFFICE, T.EXTEND, View(S.REWORKING, extended=True), Fault.EXTENDED),  # once
    (Party.UNIT, T.ASK_TIME, View(S.REWORKING), None),
    (Party.SYSTEM, T.SIGN_BY_DEFAULT, View(S.ASSIGNED), None),
]


@pytest.mark.parametrize(("party", "trigger", "item", "fault"), FAULTS)
def test_why_not(party: Party, trigger: ItemTrigger, item: View, fault: Fault | None) -> None:
    assert fault_of(party, trigger, item, NOW, SETTINGS, WINDOWS) is fault


LACKING = [
    (T.MISRATED, "", 0, Fault.REASON),  # the citizen's own words
    (T.MISRATED, "按错了键，其实满意", 0, None),
    (T.SUBMIT, "已疏通", 0, Fault.EVIDENCE),
    (T.SUBMIT, "已疏通", 1, None),
    (T.APPEAL, "不是我们的", 0, Fault.EVIDENCE),
    (T.SIGN, "", 0, None),
    (T.NOTE, "字" * 2001, 0, Fault.REASON),
]


@pytest.mark.parametrize(("trigger", "reason", "files", "fault"), LACKING)
def test_what_an_act_lacks(trigger: ItemTrigger, reason: str, files: int, fault: Fault | None) -> None:
    assert lacking(trigger, reason, files) is fault


COMES_TO = [
    (T.TRIED, View(S.VERIFYING, tries=0), T.TRIED),
    (T.TRIED, View(S.VERIFYING, tries=2), T.NOT_REACHED),  # the third: the claim is taken as it is
    (T.DISSATISFIED, View(S.SECOND_CALLBACK, reworks=1), T.DISSATISFIED),
    (T.DISSATISFIED, View(S.SECOND_CALLBACK, reworks=2), T.DISSATISFIED_AGAIN),  # a hard case
    (T.APPEAL_REJECTED, View(S.APPEALED), T.APPEAL_REJECTED),  # it has to sign
    (T.APPEAL_REJECTED, View(S.APPEALED, reworks=1), T.APPEAL_REJECTED_SIGNED),  # it had: its rework goes on
]


@pytest.mark.parametrize(("trigger", "item", "comes_to"), COMES_TO)
def test_what_it_comes_to(trigger: ItemTrigger, item: View, comes_to: ItemTrigger) -> None:
    assert decided(trigger, item, SETTINGS) is comes_to


def test_every_open_state_has_a_way_to_an_end_and_no_ended_one_goes_on() -> None:
    for state in OPEN:
        reached, level = {state}, {state}
        while level:
            level = {next_item_state(of, by) for of in level for by in triggers_of(of)} - reached
            reached |= level
        assert reached & ENDED, state
    for state in ENDED:
        assert triggers_of(state) == {T.NOTE}


def test_another_pair_is_an_error() -> None:
    with pytest.raises(UnknownItemTransition, match="fixed has no sign"):
        next_item_state(S.FIXED, T.SIGN)
