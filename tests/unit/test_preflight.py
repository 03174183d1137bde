"""What a policy would come to: windows, caps, lines and pauses hold, and every callback is counted once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.gates import PauseRule
from callbacks.numbers import NumberKind
from callbacks.policy import PastCall, Phone, View
from callbacks.preflight import Assumptions, Outcome, Snapshot, Waiting
from callbacks.preflight_report import comparison_json, comparison_lines
from callbacks.preflight_run import compare, forecast
from callbacks.settings import CapSettings, PolicySettings, Span, WindowSettings
from callbacks.states import State
from callbacks.toll_settings import TollSettings
from callbacks.vocabulary import Disposition

CITY = ZoneInfo("Asia/Shanghai")
POLICY = PolicySettings()
NOBODY = Assumptions(calls_answered=0.0, texts_answered=0.0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY).astimezone(UTC)


MONDAY = at("11-23 10:00")


def waiting(id_: int, number: str | None, state: State = State.CALL_QUEUED, **more: object) -> Waiting:
    closed = MONDAY - timedelta(hours=3)
    phones = () if number is None else (Phone(number, NumberKind.LANDLINE),)
    fields: dict[str, object] = {"phones": phones, "has_platform": True}
    given_ = {key: more.pop(key) for key in ("phones", "has_platform", "deadline", "calls") if key in more}
    fields |= {"deadline": closed + timedelta(days=10), **given_}
    view = View(state, closed, closed, next_at=MONDAY, **fields)  # type: ignore[arg-type]
    return Waiting(id_, view, unit_id=1, category="water", **more)  # type: ignore[arg-type]


def hours(found: object) -> list[tuple[str, int, int]]:
    return [(f"{hour.at:%d %H}", hour.calls, hour.texts) for hour in found.hours]  # type: ignore[attr-defined]


def test_lines_bound_how_many_are_called_in_an_hour() -> None:
    snapshot = Snapshot(MONDAY, [waiting(n, f"n{n}") for n in range(200)], lines=1)
    lasts = Assumptions(calls_answered=1.0, answered_call=timedelta(seconds=60))
    found = forecast(snapshot, POLICY, lasts)
    # sixty an hour: two hours to noon, none in the rest, and on from two
    assert hours(found) == [("23 10", 60, 0), ("23 11", 60, 0), ("23 14", 60, 0), ("23 15", 20, 0)]
    assert found.outcomes[Outcome.ANSWERED] == 200
    assert found.ends == at("11-23 15:20")


def test_a_text_first_then_the_call_a_day_later() -> None:
    mobile = (Phone("m", NumberKind.MOBILE),)
    snapshot = Snapshot(MONDAY, [waiting(1, None, State.PENDING, phones=mobile)])
    found = forecast(snapshot, POLICY, Assumptions(calls_answered=1.0, texts_answered=0.0))
    assert hours(found) == [("23 10", 0, 1), ("24 10", 1, 0)]


def test_nobody_answers_three_calls_within_the_caps_then_a_person() -> None:
    found = forecast(Snapshot(MONDAY, [waiting(1, "n")]), POLICY, NOBODY)
    assert found.calls == 3 and found.outcomes[Outcome.HANDED_OVER] == 1
    one_a_day = Counter(hour.at.date() for hour in found.hours)
    assert len(one_a_day) >= 2  # on two days at least


def test_cases_of_one_citizen_are_one_call() -> None:
    snapshot = Snapshot(MONDAY, [waiting(n, "same") for n in range(3)])
    all_answer = Assumptions(calls_answered=1.0)
    assert forecast(snapshot, POLICY, all_answer).calls == 1
    apart = PolicySettings(cases_per_call=1)
    assert forecast(snapshot, apart, all_answer).calls == 3


def test_what_is_paused_without_an_end_reaches_its_deadline_unasked() -> None:
    pause = PauseRule("系统切换", None, category="water")
    found = forecast(Snapshot(MONDAY, [waiting(1, "n")], pauses=[pause]), POLICY)
    assert found.outcomes[Outcome.UNASKED] == 1 and found.calls == 0
    till = PauseRule("系统切换", at("11-24 09:00"))
    found = forecast(Snapshot(MONDAY, [waiting(1, "n")], pauses=[till]), POLICY, NOBODY)
    assert hours(found)[0] == ("24 09", 1, 0)


def test_history_of_the_number_holds_it_back() -> None:
    earlier = PastCall(at("11-23 09:30"), Disposition.NO_ANSWER, True, "n")
    found = forecast(Snapshot(MONDAY, [waiting(1, "n")], history={"n": [earlier]}), POLICY, NOBODY)
    assert hours(found)[0] == ("23 14", 1, 0)  # one a half-day


def test_the_toll_limits_stand_over_the_windows_of_a_policy() -> None:
    """A wider window is no promise of calls at night, nor of a fifth call to a number."""
    open_ = (Span(start="00:00", end="00:00"),)
    windows = WindowSettings(voice=open_, voice_weekend=open_)
    wide = PolicySettings(windows=windows, caps=CapSettings(enabled=False))
    late = Snapshot(at("11-23 22:00"), [waiting(1, "n")], toll=TollSettings())
    assert hours(forecast(late, wide, Assumptions(calls_answered=1.0))) == [("24 08", 1, 0)]
    called = [
        PastCall(at(f"11-23 09:{minute}"), Disposition.NO_ANSWER, True, "n") for minute in range(10, 50, 10)
    ]
    often = Snapshot(MONDAY, [waiting(1, "n")], history={"n": called}, toll=TollSettings())
    assert hours(forecast(often, wide, Assumptions(calls_answered=1.0))) == [("24 08", 1, 0)]


def test_sensitive_goes_by_the_candidates_own_categories() -> None:
    snapshot = Snapshot(MONDAY, [waiting(1, "n", State.PENDING)])
    wanted = PolicySettings(sensitive_categories=frozenset({"water"}), sensitive="exclude")
    found = compare(snapshot, POLICY, wanted)
    assert found.then.outcomes[Outcome.EXCLUDED] == 1 and found.now.outcomes[Outcome.EXCLUDED] == 0


def test_a_sample_is_scaled_and_says_so() -> None:
    snapshot = Snapshot(MONDAY, [waiting(n, f"n{n}") for n in range(10)], lines=30, open_in_all=100)
    found = compare(snapshot, POLICY, POLICY, Assumptions(calls_answered=1.0))
    assert found.is_sample and found.now.calls == 100
    assert any("a sample of 10 was played" in line for line in comparison_lines(found))
    assert comparison_json(found)["now"] == comparison_json(found)["then"]


def test_windows_that_leave_no_second_day_part_are_played_quickly_too() -> None:
    """The search for another day-part finds none in a month, for every callback anew."""
    mornings = PolicySettings(
        windows=WindowSettings(voice=(Span(start="09:00", end="12:00"),), voice_weekend=())
    )
    snapshot = Snapshot(MONDAY, [waiting(n, f"n{n}") for n in range(400)])
    found = forecast(snapshot, mornings, NOBODY)
    assert found.outcomes[Outcome.HANDED_OVER] == 400
    assert all(9 <= hour.at.hour < 12 for hour in found.hours)


states = st.sampled_from(
    [State.PENDING, State.SMS_QUEUED, State.AWAIT_REPLY, State.CALL_QUEUED, State.DIALING, State.RETRY_WAIT]
)
cases = st.lists(
    st.tuples(
        states,
        st.sampled_from("abcd"),
        st.sampled_from(NumberKind),
        st.booleans(),
        st.integers(1, 14 * 24),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=120)
@given(
    cases=cases,
    lines=st.integers(1, 3),
    start=st.integers(0, 10 * 24 * 60),
    answered=st.sampled_from([0.0, 0.4]),
    caps=st.booleans(),
)
def test_every_callback_ends_once_and_nothing_begins_outside_the_windows(
    cases: list[tuple[State, str, NumberKind, bool, int]], lines: int, start: int, answered: float, caps: bool
) -> None:
    now = at("09-28 08:00") + timedelta(minutes=start)  # over the National Day week
    policy = PolicySettings(
        windows=WindowSettings(voice_holiday=(), sms_holiday=()), caps=CapSettings(enabled=caps)
    )
    opened = [
        Waiting(
            n,
            View(
                state,
                now,
                now - timedelta(hours=5),
                now + timedelta(hours=left),
                now,
                phones=(Phone(number, kind, barred),),
            ),
            text_at=now,
            text_number=number,
        )
        for n, (state, number, kind, barred, left) in enumerate(cases)
    ]
    snapshot = Snapshot(now, opened, lines=lines)
    found = forecast(snapshot, policy, Assumptions(calls_answered=answered))
    assert sum(found.outcomes.values()) == len(cases)
    assert found == forecast(snapshot, policy, Assumptions(calls_answered=answered))
    assert found.calls <= 3 * len(cases) and found.texts <= len(cases)
    for hour in found.hours:
        assert not (hour.at.month == 10 and hour.at.day <= 7)
        assert not hour.calls or 9 <= hour.at.hour < 12 or 14 <= hour.at.hour <= 20
        assert not hour.texts or 8 <= hour.at.hour < 21
    assert found.ends is not None and found.ends <= max(each.view.deadline for each in opened)
