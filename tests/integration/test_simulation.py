"""The simulated city: whatever dies or sleeps, the rules of the law and the ledger hold after every step."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from callbacks.ledger import read_ledger
from callbacks.models import Attempt, AttemptCallback, Callback, Rating
from callbacks.models_office import Pause, PauseScope
from callbacks.service.core import LIVE
from callbacks.settings import PolicySettings, WindowSettings
from callbacks.simulation.closings import Plan
from callbacks.simulation.run import Simulation
from callbacks.simulation.shards import City, make_simulation
from callbacks.vocabulary import Channel, Disposition
from scoring.ledger import ScoreLedger
from sms.reply import parse
from tests.integration.office import OFFICE

ZONE = ZoneInfo("Asia/Shanghai")
# 29 September 2026, a Tuesday: Mid-Autumn is just over, the National Day week begins on Thursday.
BEFORE_THE_HOLIDAYS = datetime(2026, 9, 29, tzinfo=ZONE).astimezone(UTC)
NOT_ON_HOLIDAYS = PolicySettings(windows=WindowSettings(voice_holiday=(), sms_holiday=()))


def city(cases: int, seed: int, lines: int = 6, policy: PolicySettings = NOT_ON_HOLIDAYS) -> City:
    plan = Plan(cases, 3, seed, BEFORE_THE_HOLIDAYS, lines=lines, texts_per_second=5.0)
    return City(plan, policy, OFFICE, parse, partial(ScoreLedger, "Asia/Shanghai"))


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of lines of log help nobody."""
    import logging

    import structlog

    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(wrapper_class=before)


# -- what must hold at the end, said a second time and apart from the policy's own words


def began_when_it_may(channel: Channel, at: datetime) -> bool:
    """domain.md §1 by hand: on no public holiday; voice 9–12 and 14–20:30 (9:30 on rest days), texts 8–21."""
    local = at.astimezone(ZONE)
    day, clock = local.date(), local.time()
    rest = chinese_calendar.is_holiday(day)
    if is_public_holiday(day):
        return False
    if channel is Channel.SMS:
        return time(8) <= clock < time(21)
    first = time(9, 30) if rest else time(9)
    return first <= clock < time(12) or time(14) <= clock < time(20, 30)


def is_public_holiday(day: date) -> bool:
    """A day off of a named holiday; a plain Saturday has no name."""
    rest, name = chinese_calendar.get_holiday_detail(day)
    return rest and name is not None


def wrong_with(simulation: Simulation) -> list[str]:
    """Every rule that the whole run broke; the rules of the moment are asked at each step."""
    policy = simulation.ctx.policy
    wrong = []
    with simulation.ctx.sessions() as session:
        begun = list(
            session.scalars(
                select(Attempt).where(Attempt.invited_at.is_not(None)).order_by(Attempt.invited_at)
            )
        )
        for attempt in begun:
            assert attempt.invited_at is not None
            if not began_when_it_may(attempt.channel, attempt.invited_at):
                wrong.append(f"{attempt.channel} begun at {attempt.invited_at.astimezone(ZONE)}")
        calls = [each for each in begun if each.channel is Channel.VOICE]
        wrong += over_caps(calls)
        counted = dict(
            session.execute(
                select(AttemptCallback.callback_id, func.count())
                .join(AttemptCallback.attempt)
                .where(Attempt.channel == Channel.VOICE, Attempt.counts, Attempt.invited_at.is_not(None))
                .group_by(AttemptCallback.callback_id)
            ).all()
        )
        wrong += [
            f"callback {one}: {n} attempts" for one, n in counted.items() if n > policy.attempts_per_round
        ]
        twice = (
            select(Rating.callback_id)
            .where(Rating.counted)
            .group_by(Rating.callback_id)
            .having(func.count() > 1)
        )
        wrong += [f"callback {one} counted twice" for one in session.scalars(twice)]
    return wrong


def over_caps(calls: list[Attempt]) -> list[str]:
    """Per number: two a day, one a half day, ten in 30 days, two hours apart, rest after an unknown one."""
    wrong = []
    by_number = sorted(calls, key=lambda call: (call.number_index or "", call.invited_at))
    for _, group in groupby(by_number, key=lambda call: call.number_index):
        mine = list(group)
        rang = [call for call in mine if call.rang_at or call.disposition is Disposition.UNKNOWN]
        days = Counter(call.invited_at.astimezone(ZONE).date() for call in rang if call.invited_at)
        wrong += [f"{n} calls on {day}" for day, n in days.items() if n > 2]
        if len(rang) > 10:
            wrong.append(f"{len(rang)} calls in less than 30 days")
        for earlier, later in pairwise(rang):
            assert earlier.invited_at and later.invited_at
            if later.invited_at - earlier.invited_at < timedelta(hours=2):
                wrong.append(f"called at {earlier.invited_at} and {later.invited_at}")
    return wrong


def holds_now(simulation: Simulation) -> list[str]:
    """The rules of the moment."""
    wrong = []
    with closing(simulation.ctx.sessions()) as session:
        live = select(func.count()).where(Attempt.state.in_(LIVE))
        twice = live.group_by(Attempt.number_index).having(func.count() > 1)
        if session.scalars(twice).first():
            wrong.append("a number with two live attempts")
        up = session.scalar(live.where(Attempt.channel == Channel.VOICE)) or 0
        if up > simulation.voice.lines:
            wrong.append(f"{up} calls on {simulation.voice.lines} lines")
        ledger = read_ledger(session)
        if not ledger.balanced:
            wrong.append(f"the ledger: {ledger.breaches[:3]}")
    return wrong


# -- what happens to the city


def kill_voice(simulation: Simulation, random: Random) -> None:
    simulation.voice.kill(timedelta(seconds=random.uniform(1, 1800)))


def kill_texts(simulation: Simulation, random: Random) -> None:
    simulation.texts.kill(timedelta(seconds=random.uniform(1, 1800)))


def stall(simulation: Simulation, random: Random) -> None:
    """Everything sleeps, as on a machine that is suspended: what was due is late when it wakes."""
    simulation.world.stall(timedelta(hours=random.uniform(0.1, 9)))


def slow_dials(simulation: Simulation, random: Random) -> None:
    """From now on there are hours, sometimes, between a claim and its INVITE."""
    simulation.voice.delay = lambda: random.choice((0.0, 0.0, 2.0, 500.0))


def pause(simulation: Simulation, random: Random) -> None:
    now = simulation.world.now
    until = now + timedelta(hours=random.uniform(0.2, 20))
    with simulation.ctx.sessions.begin() as session:
        session.add(Pause(scope=PauseScope.ALL, reason="drill", by="office", at=now, until=until))


Trouble = Callable[[Simulation, Random], None]
TROUBLES: tuple[Trouble, ...] = (kill_voice, kill_texts, stall, slow_dials, pause)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    lines=st.integers(1, 8),
    troubles=st.lists(st.tuples(st.sampled_from(TROUBLES), st.integers(0, 1500)), max_size=8),
)
def test_nothing_that_happens_breaks_a_rule(
    seed: int, lines: int, troubles: list[tuple[Trouble, int]]
) -> None:
    simulation, random = make_simulation(city(20, seed, lines)), Random(seed)
    at = sorted(troubles, key=lambda trouble: trouble[1])
    step = 0
    while simulation.step():
        while at and at[0][1] <= step:
            at.pop(0)[0](simulation, random)
        assert holds_now(simulation) == [], f"after step {step}"
        step += 1
    assert wrong_with(simulation) == []
    with simulation.ctx.sessions() as session:
        assert read_ledger(session).coverage == 1.0
        assert not session.scalars(select(Callback.id).where(Callback.ended_at.is_(None))).first()


def test_a_stall_over_the_evening_calls_nobody_at_night() -> None:
    """The machine sleeps from six in the evening to three at night, with calls claimed and queued."""
    simulation = make_simulation(city(40, 7, policy=PolicySettings()))
    simulation.voice.delay = lambda: 30.0
    evening = datetime(2026, 9, 29, 18, 0, tzinfo=ZONE)
    stalled = False
    while simulation.step():
        if not stalled and simulation.world.now >= evening:
            simulation.world.stall(timedelta(hours=9))
            stalled = True
    assert stalled
    with simulation.ctx.sessions() as session:
        hours = {at.astimezone(ZONE).hour for at in session.scalars(select(Attempt.invited_at)) if at}
    assert hours and not hours & {0, 1, 2, 3, 4, 5, 6, 7, 21, 22, 23}


def run(*options: str) -> str:
    command = [sys.executable, "-m", "app", "simulate", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout


def test_the_same_seed_gives_the_same_city(tmp_path: Path) -> None:
    """In other processes, whose hashes of words are other ones too."""
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    options = ("--cases", "120", "--days", "2")
    first = run(*options, "--seed", "5", "--ledger", str(one))
    assert first == run(*options, "--seed", "5", "--ledger", str(two))
    assert one.read_bytes() == two.read_bytes() and len(one.read_text().splitlines()) == 120
    assert first != run(*options, "--seed", "6", "--ledger", str(other))
    assert one.read_bytes() != other.read_bytes()
    assert "coverage 100.00%" in first and "ledger balanced" in first


@pytest.mark.timeout(900)
def test_a_city_of_three_thousand_cases() -> None:
    told = json.loads(run("--cases", "3000", "--days", "10", "--seed", "1", "--json"))
    assert (told["closed"], told["coverage"], told["balanced"]) == (3000, 1.0, True)
    assert told["peak"] <= told["lines"] == 30
    assert set(map(int, told["spread"]["voice"])) <= set(range(9, 12)) | set(range(14, 21))
