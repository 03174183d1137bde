"""The toll limits: what lets one more call begin, and until when it doesn't."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callbacks.explain import earliest, explain_gate
from callbacks.gates import Facts, Go, Hold, may_begin
from callbacks.policy import PastCall
from callbacks.settings import CapSettings, PolicySettings, Span, WindowSettings
from callbacks.toll import Limit, Spent, Toll, limits, price_of
from callbacks.toll_settings import NO_LIMITS, NightSettings, TollSettings
from callbacks.vocabulary import Channel, Disposition
from ivr.inbound.settings import InboundSettings

CITY = ZoneInfo("Asia/Shanghai")
ALWAYS = (Span(start="00:00", end="00:00"),)
# A policy that lets everything begin: what a city may save on the desk, by mistake too.
WIDE = PolicySettings(
    windows=WindowSettings(voice=ALWAYS, voice_weekend=ALWAYS), caps=CapSettings(enabled=False)
)


def at(clock: str, day: int = 23) -> datetime:
    """A local time of November 2026; the 23rd is a Monday."""
    return datetime.fromisoformat(f"2026-11-{day} {clock}").replace(tzinfo=CITY)


def settings(**given: object) -> TollSettings:
    """Only what is given is limited."""
    return TollSettings.model_validate({**NO_LIMITS.model_dump(), **given})


NOON = at("12:00")
STOCK = TollSettings()
HOUR, TALK = settings(calls_per_hour=100), settings(seconds_per_day=3600)
SPEND = settings(spend_per_day="30.00", price_per_minute="0.06")
EARLY = settings(night=NightSettings(start="01:00", end="06:30"))

ROWS = [
    # limits, now, calls of the number today, what was called, what holds it back, until when
    (STOCK, at("21:29:59"), 0, Spent(NOON), None, None),  # the evening's last call
    (STOCK, at("21:30"), 0, Spent(NOON), Limit.NIGHT, at("08:00", 24)),  # to the next morning
    (STOCK, at("23:59:59"), 0, Spent(NOON), Limit.NIGHT, at("08:00", 24)),
    (STOCK, at("00:00", 24), 0, Spent(NOON), Limit.NIGHT, at("08:00", 24)),  # midnight ends no night
    (STOCK, at("07:59:59", 24), 0, Spent(NOON), Limit.NIGHT, at("08:00", 24)),
    (STOCK, at("08:00", 24), 0, Spent(NOON), None, None),
    (EARLY, at("23:00"), 0, Spent(NOON), None, None),  # a night within one day
    (EARLY, at("01:00"), 0, Spent(NOON), Limit.NIGHT, at("06:30")),
    (STOCK, NOON, 3, Spent(NOON), None, None),  # the fourth is the last
    (STOCK, NOON, 4, Spent(NOON), Limit.PER_NUMBER, at("00:00", 24)),
    (STOCK, at("22:00"), 4, Spent(NOON), Limit.NIGHT, at("08:00", 24)),  # the first that holds is told
    (HOUR, at("12:59"), 0, Spent(NOON, calls_in_hour=99), None, None),
    (HOUR, at("12:59"), 0, Spent(NOON, calls_in_hour=100), Limit.PER_HOUR, at("13:00")),
    (HOUR, at("23:10"), 0, Spent(at("23:05"), calls_in_hour=100), Limit.PER_HOUR, at("00:00", 24)),
    (HOUR, at("13:00"), 0, Spent(NOON, calls_in_hour=100), None, None),  # another hour than the one read
    (TALK, NOON, 0, Spent(NOON, seconds_in_day=3599), None, None),
    (TALK, NOON, 0, Spent(NOON, seconds_in_day=3600), Limit.SECONDS, at("00:00", 24)),
    (TALK, at("00:00", 24), 0, Spent(NOON, seconds_in_day=9999), None, None),  # another day
    (SPEND, NOON, 0, Spent(NOON, cost_in_day=299_999), None, None),  # 29.9999
    (SPEND, NOON, 0, Spent(NOON, cost_in_day=300_000), Limit.SPEND, at("00:00", 24)),
    (NO_LIMITS, at("03:00"), 99, Spent(NOON, 10**6, 10**6, 10**9), None, None),
]


@pytest.mark.parametrize(("limited", "now", "called", "spent", "limit", "until"), ROWS)
def test_limits(limited, now, called, spent, limit, until) -> None:
    found = list(limits(Toll(limited, "Asia/Shanghai", spent), called, now))
    holding = [(each, end) for each, end in found if end is not None]
    assert holding[:1] == ([] if limit is None else [(limit, until)])


PRICES = settings(
    price_per_minute="0.06",
    prices=(
        {"prefix": "0", "per_minute": "0.1"},
        {"prefix": "0379", "per_minute": "0"},
        {"trunk": "mobile", "per_minute": "0.05"},
        {"trunk": "mobile", "prefix": "0379", "per_minute": "0.02"},
    ),
)
MINUTES = [
    # trunk, number, what a minute costs in ten-thousandths
    ("carrier", "13803790001", 600),  # none fits: the plain price
    ("carrier", "037112345678", 1000),
    ("carrier", "037963110001", 0),  # the longest prefix
    ("mobile", "13803790001", 500),
    ("mobile", "037112345678", 1000),  # a longer prefix before the trunk's own
    ("mobile", "037963110001", 200),  # of two equally long ones the trunk's own
]


@pytest.mark.parametrize(("trunk", "number", "price"), MINUTES)
def test_price(trunk: str, number: str, price: int) -> None:
    assert price_of(PRICES, trunk, number) == price
    assert price_of(STOCK, trunk, number) is None


moments = st.integers(0, 5 * 24 * 60).map(lambda minutes: at("00:00") + timedelta(minutes=minutes))
tolls = st.builds(
    Toll,
    st.builds(
        settings,
        night=st.sampled_from(["off", NightSettings(), NightSettings(start="01:00", end="06:30")]),
        calls_per_number_per_day=st.integers(0, 3),
        calls_per_hour=st.integers(0, 3),
        seconds_per_day=st.integers(0, 3),
    ),
    st.just("Asia/Shanghai"),
    st.builds(Spent, moments, st.integers(0, 4), st.integers(0, 4)),
)
histories = st.lists(
    st.builds(PastCall, at=moments, disposition=st.sampled_from(Disposition), rang=st.booleans()), max_size=6
)


@given(toll=tolls, now=moments, called=st.integers(0, 4))
def test_what_holds_a_call_back_is_over_when_it_says(toll: Toll, now: datetime, called: int) -> None:
    """Another number's call may begin then, as far as that limit goes, and the day after all may."""
    for limit, until in limits(toll, called, now):
        if until is not None:
            assert now < until <= now + timedelta(days=1)
            assert dict(limits(toll, 0, until))[limit] is None


@given(toll=tolls, now=moments, history=histories)
def test_the_gate_says_what_the_limits_say_and_when_it_may_be(
    toll: Toll, now: datetime, history: list[PastCall]
) -> None:
    facts = Facts(history=history, toll=toll)
    gate = may_begin(Channel.VOICE, facts, now, WIDE)
    note = explain_gate(Channel.VOICE, facts, now, WIDE)
    assert note.answer == gate
    when = earliest(Channel.VOICE, facts, now, WIDE)
    assert when is not None  # a limit is never for good
    assert isinstance(may_begin(Channel.VOICE, facts, when, WIDE), Go)
    if isinstance(gate, Hold):
        assert when >= gate.until > now


def test_a_text_is_no_call() -> None:
    night = Toll(STOCK, "Asia/Shanghai", Spent(NOON))
    wide = PolicySettings(windows=WindowSettings(sms=ALWAYS))
    assert isinstance(may_begin(Channel.SMS, Facts(toll=night), at("23:00"), wide), Go)


REFUSED = [
    # what a city may not set, and what it is told
    ({"night": {"start": "08:00", "end": "08:00"}}, 'night = "off"'),
    ({"spend_per_day": 100}, "price_per_minute"),  # nothing would ever be spent
    ({"prices": ({"prefix": "+86", "per_minute": 1},)}, "prefix"),
    ({"calls_per_hour": -1}, "calls_per_hour"),
]


@pytest.mark.parametrize(("given", "told"), REFUSED)
def test_settings_that_are_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TollSettings.model_validate(given)


def test_nobody_who_calls_110_meets_a_limit() -> None:
    with pytest.raises(ValidationError, match="nobody who calls 110"):
        InboundSettings.model_validate({"toll": {"calls_per_hour": 1}})
