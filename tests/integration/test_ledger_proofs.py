"""The ledger of an earlier moment is what it was then, and a night's proof is kept once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random
from threading import Thread

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.days import day_ends
from callbacks.ledger import Ledger, read_ledger, read_ledger_at
from callbacks.ledger_proofs import list_proofs, read_as_of, read_proof
from callbacks.ledger_standing import Marks, read_marks
from callbacks.models import Callback, Case
from callbacks.models_office import Alarm, LedgerDay, LedgerProof
from callbacks.privacy import Privacy
from callbacks.service import calls
from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ClaimedCall, begin_invite
from callbacks.service.closing import reopen_case
from callbacks.service.late import play_key, rated_record
from callbacks.service.proofs import take_due_proofs, take_proof
from callbacks.settings import PolicySettings, WindowSettings
from callbacks.simulation.closings import Plan
from callbacks.simulation.shards import City, make_simulation
from callbacks.vocabulary import Channel, Disposition, Exclusion
from scoring.ledger import ScoreLedger
from sms.reply import parse
from tests.integration.office import LANDLINE, NOON, OFFICE, Desk, make_desk

TIMEZONE = "Asia/Shanghai"
TODAY = date(2026, 11, 23)  # of NOON
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def prove(desk: Desk, read_sessions: sessionmaker[Session]) -> Callable[[], int]:
    return lambda: take_due_proofs(desk.ctx, read_sessions, desk.now)


def at_the_end_of(day: date) -> datetime:
    return day_ends(day, TIMEZONE)


# -- the past is what it was

Moment = tuple[datetime, Marks, Ledger]


class Office:
    """Things that happen to a desk's cases, in an order that chance decides."""

    def __init__(self, desk: Desk, random: Random) -> None:
        self.desk, self.random = desk, random
        self.calls: list[tuple[int, ClaimedCall]] = []
        self.all: list[int] = []
        self._serial = 0

    def step(self) -> None:
        self.desk.later(minutes=self.random.uniform(1, 200))
        ways = (self.close, self.dial, self.press, self.end, self.reopen, self.press_late)
        self.random.choices(ways, (4, 4, 2, 2, 1, 1))[0]()

    def close(self) -> None:
        self._serial += 1
        numbers = [f"03796311{self._serial:04}"] if self.random.random() < 0.8 else []
        exclusion = Exclusion.TEST if self.random.random() < 0.2 else None
        self.all.append(self.desk.close(*numbers, exclusion=exclusion))
        self.desk.plan()

    def dial(self) -> None:
        for call in self.desk.claim(2):
            if begin_invite(self.desk.ctx, call.attempt_id, call.token, f"c{call.attempt_id}", self.desk.now):
                self.calls.append((call.cases[0].callback_id, call))

    def press(self) -> None:
        if self.calls:
            callback_id, call = self.random.choice(self.calls)
            value = self.random.choice((1, 2, 3))
            answer = Answer(value, Channel.VOICE, str(value), call.attempt_id)
            calls.answered(self.desk.ctx, call.attempt_id, call.token, self.desk.now)
            calls.rated(self.desk.ctx, call.attempt_id, call.token, callback_id, answer, self.desk.now)

    def end(self) -> None:
        if self.calls:
            _, call = self.calls.pop(self.random.randrange(len(self.calls)))
            outcome = CallOutcome(self.random.choice((Disposition.BUSY, Disposition.UNALLOCATED)))
            calls.ended(self.desk.ctx, call.attempt_id, call.token, outcome, self.desk.now)

    def reopen(self) -> None:
        if self.all and self.random.random() < 0.3:
            callback_id = self.random.choice(self.all)

            def work(session: Session) -> None:
                case = session.get_one(Case, session.get_one(Callback, callback_id).case_id)
                reopen_case(self.desk.ctx, session, case, self.desk.now)

            self.desk.ctx.run(work)

    def press_late(self) -> None:
        """A key of hours ago comes out of the spool."""
        if self.calls:
            callback_id, call = self.random.choice(self.calls)
            answer = Answer(1, Channel.VOICE, "1", call.attempt_id)
            at = self.desk.now - timedelta(minutes=self.random.uniform(1, 900))
            play_key(self.desk.ctx, rated_record(call.attempt_id, callback_id, answer, at))


@pytest.mark.parametrize("seed", range(3))
def test_any_moment_reads_as_it_was_whatever_came_later(desk: Desk, seed: int) -> None:
    office, moments = Office(desk, Random(seed)), []
    for _ in range(60):
        office.step()
        with desk.session() as session:
            moments.append((desk.now + INSTANT, read_marks(session), read_ledger(session)))
    assert len({repr(ledger) for *_, ledger in moments}) > 10  # enough happened
    for until, marks, ledger in moments:
        with desk.session() as session:
            assert read_ledger_at(session, until, marks) == ledger


def _quiet_city(seed: int) -> City:
    start = datetime(2026, 9, 28, 16, 0, tzinfo=UTC)
    policy = PolicySettings(windows=WindowSettings(voice_holiday=(), sms_holiday=()))
    plan = Plan(15, 2, seed, start, lines=4, texts_per_second=5.0)
    return City(plan, policy, OFFICE, parse, partial(ScoreLedger, TIMEZONE))


@settings(max_examples=3, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10_000), every=st.integers(15, 40))
def test_a_simulated_city_reads_at_each_moment_as_it_was(seed: int, every: int) -> None:
    with structlog.testing.capture_logs():
        simulation, moments, step = make_simulation(_quiet_city(seed)), [], 0
        while simulation.step():
            step += 1
            if step % every == 0:
                with simulation.ctx.sessions() as session:
                    now = simulation.world.now
                    moments.append((now + INSTANT, read_marks(session), read_ledger(session)))
        with simulation.ctx.sessions() as session:
            assert moments
            for until, marks, ledger in moments:
                assert read_ledger_at(session, until, marks) == ledger
            last = read_ledger_at(session, simulation.world.now + INSTANT)
            assert last == read_ledger(session) and last.coverage == 1.0


def test_a_changed_rating_was_the_first_one_before(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE)
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.later(seconds=5))
    for value in (3, 1):
        answer = Answer(value, Channel.VOICE, str(value), call.attempt_id)
        calls.rated(desk.ctx, call.attempt_id, call.token, callback_id, answer, desk.later(minutes=5))
    assert [rating.counted for rating in desk.ratings(callback_id)] == [False, True]
    between = desk.now - timedelta(minutes=1)
    with desk.session() as session:
        found = read_ledger_at(session, between)
        assert found.balanced and found.outcomes == {"rated": 1}


# -- the night's proof


def test_a_night_is_proved_once_and_kept(desk: Desk, prove: Callable[[], int]) -> None:
    callback_id, call = desk.call(LANDLINE)
    desk.close()
    desk.close(exclusion=Exclusion.TEST)
    desk.plan()
    assert prove() == 0  # the day isn't over
    desk.now = at_the_end_of(TODAY)
    assert prove() == 0  # what was under way at midnight may not be written yet
    desk.later(minutes=5)
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)
    answer = Answer(1, Channel.VOICE, "1", call.attempt_id)
    assert calls.rated(desk.ctx, call.attempt_id, call.token, callback_id, answer, desk.now)  # after midnight
    assert [prove(), prove()] == [1, 0]
    with desk.session() as session:
        proof = read_proof(session, TODAY.isoformat())
        assert proof is not None and proof.ledger.balanced and proof.taken_at == desk.now
        [row] = proof.ledger.units
        # nobody can ask a citizen without a number: both of them are excluded
        assert (row.closed, row.done, row.excluded, row.without_number) == (3, 0, 2, 2)
        assert proof.ledger.outcomes["dialing"] == 1
        told = read_as_of(session, TODAY, TIMEZONE)
        assert told.holds and told.ledger == proof.ledger and told.differences == ()
        assert session.scalars(select(Alarm)).all() == []
        [listed] = list_proofs(session)
        assert (listed.day, listed.balanced, listed.sums["without_number"]) == ("2026-11-23", True, 2)
    for table in (LedgerProof, LedgerDay):
        with pytest.raises(DBAPIError, match="append-only"), desk.ctx.sessions.begin() as session:
            session.execute(delete(table))


def test_missed_nights_are_made_up_for(desk: Desk, prove: Callable[[], int]) -> None:
    desk.close(LANDLINE)
    desk.later(days=2)
    desk.close("037963110002")
    desk.later(days=6)
    assert [prove(), prove(), prove()] == [5, 3, 0]
    with desk.session() as session:
        closed = {row.day: row.sums["closed"] for row in list_proofs(session)}
    assert len(closed) == 8
    assert [closed[f"2026-11-{day}"] for day in (23, 24, 25, 30)] == [1, 1, 2, 2]


def test_an_office_without_closings_has_nothing_to_prove(prove: Callable[[], int]) -> None:
    assert prove() == 0


def test_clocks_at_once_keep_one_proof(desk: Desk, read_sessions: sessionmaker[Session]) -> None:
    desk.close(LANDLINE)
    now, taken = desk.now + timedelta(days=1), []
    clocks = [
        Thread(target=lambda: taken.append(take_proof(desk.ctx, read_sessions, TODAY, now))) for _ in range(4)
    ]
    for clock in clocks:
        clock.start()
    for clock in clocks:
        clock.join()
    assert sorted(taken) == [False, False, False, True]


def test_what_breaks_the_sum_is_named_by_the_proof_and_an_alarm(desk: Desk, prove: Callable[[], int]) -> None:
    callback_id = desk.close(LANDLINE)
    desk.close("037963110002")
    with desk.ctx.sessions.begin() as session:
        session.execute(delete(Callback).where(Callback.id == callback_id))
    desk.later(days=1)
    assert prove() == 1
    with desk.session() as session:
        [alarm] = session.scalars(select(Alarm))
        assert (alarm.kind, alarm.subject) == ("ledger_broken", "ledger")
        cases = {"cases": ["110-0001"], "number": 1, "units": ["u1"]}
        assert alarm.detail == {"day": "2026-11-23", **cases}
        told = read_as_of(session, TODAY, TIMEZONE)
        assert not told.holds and told.differences == ()
        [breach] = told.ledger.breaches
        assert (breach.case, breach.fault) == ("110-0001", "closed without a callback")


def test_what_is_gone_since_the_proof_is_told_as_a_difference(desk: Desk, prove: Callable[[], int]) -> None:
    callback_id = desk.close(LANDLINE)
    desk.later(days=1)
    prove()
    with desk.ctx.sessions.begin() as session:
        session.execute(delete(Callback).where(Callback.id == callback_id))
    with desk.session() as session:
        told = read_as_of(session, TODAY, TIMEZONE)
    assert not told.holds
    assert told.differences == (
        "u1: open was 1, now 0",
        "pending: was 1, now 0",
        "a breach now: 110-0001 closing 1: closed without a callback",
    )
    assert "DIFFERS FROM THE KEPT PROOF:" in told.lines()


def test_what_is_written_after_the_proof_is_told_and_is_no_difference(
    desk: Desk, prove: Callable[[], int]
) -> None:
    callback_id, call = desk.call(LANDLINE)
    pressed = desk.later(minutes=1)
    desk.later(days=1)
    prove()
    answer = Answer(1, Channel.VOICE, "1", call.attempt_id)
    play_key(desk.ctx, rated_record(call.attempt_id, callback_id, answer, pressed))
    with desk.session() as session:
        told = read_as_of(session, TODAY, TIMEZONE)
    assert told.holds and (told.later.closings, told.later.moves) == (0, 1)
    assert (
        "written after the proof, and not in it: 0 closings and 1 moves of this day or before" in told.lines()
    )


def test_a_day_before_the_first_closing_is_empty(desk: Desk) -> None:
    desk.close(LANDLINE)
    with desk.session() as session:
        told = read_as_of(session, (NOON - timedelta(days=9)).date(), TIMEZONE)
    assert told.ledger.units == () and told.lines()[-1] == "no proof of this day is kept"
