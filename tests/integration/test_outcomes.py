"""What became of a case: written with the fact, numbered so that a reader never misses one."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case
from callbacks.models_systems import Outcome, WebhookDelivery
from callbacks.outcomes import OutcomeFeed
from callbacks.service import calls
from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome
from callbacks.service.closing import reopen_case
from callbacks.service.core import lock_callbacks, move
from callbacks.service.outcomes import number_outcomes
from callbacks.service.planning import settle_due
from callbacks.service.web_answers import web_rated
from callbacks.states import State, Trigger
from callbacks.vocabulary import Channel, Disposition
from callbacks.webhook_settings import WebhookSettings
from tests.integration.office import LANDLINE, MOBILE, NOON, Desk, Exclusion, make_desk


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    desk.ctx = replace(desk.ctx, subscribers=(*desk.ctx.subscribers, OutcomeFeed()))
    return desk


def outcomes(desk: Desk) -> list[Outcome]:
    with desk.session() as session:
        return list(session.scalars(select(Outcome).order_by(Outcome.id)))


def kinds(desk: Desk) -> list[str]:
    return [outcome.kind for outcome in outcomes(desk)]


def rates(desk: Desk, callback_id: int, value: int, resolved: bool | None = None) -> str:
    return web_rated(desk.ctx, callback_id, Answer(value, Channel.WEB, str(value)), desk.now, resolved)


def do(desk: Desk, callback_id: int, trigger: Trigger) -> None:
    def work(session: Session) -> None:
        move(desk.ctx, session, lock_callbacks(session, [callback_id])[0], trigger, desk.now)

    desk.ctx.run(work)


def test_a_rating_tells_what_another_system_needs(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)
    rates(desk, callback_id, 1)
    [outcome] = outcomes(desk)
    assert (outcome.kind, outcome.ordinal, outcome.seq, outcome.at) == ("rated", 0, None, NOON)
    assert outcome.payload == {
        "case": "110-0001",
        "closing_no": 1,
        "round": 1,
        "unit": "u1",
        "outcome": "rated",
        "exclusion": None,
        "rating": {"value": 1, "scale": "cn3", "label": "满意"},
        "channel": "web",
        "late": False,
        "resolved": None,
        "changed_from": None,
        "at": "2026-11-23T04:00:00+00:00",
    }


def test_a_rating_its_resolution_its_change_and_its_end(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)
    assert rates(desk, callback_id, 3, resolved=False) == "rated"
    desk.later(minutes=5)
    assert rates(desk, callback_id, 2) == "changed"
    assert rates(desk, callback_id, 1) == "uncounted"  # a second change is a note: nothing came of it
    settle_due(desk.ctx, desk.later(hours=1))
    settle_due(desk.ctx, desk.later(hours=1))  # told once
    assert kinds(desk) == ["rated", "resolution", "changed", "settled"]
    _, resolution, changed, settled = (outcome.payload for outcome in outcomes(desk))
    assert resolution["resolved"] is False
    assert changed["rating"] == {"value": 2, "scale": "cn3", "label": "基本满意"}
    assert changed["changed_from"] == {"value": 3, "scale": "cn3", "label": "不满意"}
    assert (settled["rating"]["value"], settled["resolved"]) == (2, False)


ENDS = [
    # how a callback of a landline ends without a rating
    ([Trigger.EXCLUDE], State.EXCLUDED),
    ([Trigger.DEADLINE], State.UNREACHED),
    ([Trigger.REFUSE], State.REFUSED),
    ([Trigger.REOPEN], State.CANCELLED),
    ([Trigger.CALL, Trigger.DIAL, Trigger.INVALID], State.INVALID_NUMBER),
    ([Trigger.HAND_OVER, Trigger.WRONG], State.WRONG_PERSON),
]


@pytest.mark.parametrize(("triggers", "state"), ENDS)
def test_every_end_without_a_rating_is_told(desk: Desk, triggers: list[Trigger], state: State) -> None:
    callback_id = desk.close(LANDLINE)
    for trigger in triggers:
        do(desk, callback_id, trigger)
    [outcome] = outcomes(desk)
    assert (outcome.kind, outcome.payload["outcome"]) == (state.value, state.value)
    assert (outcome.payload["rating"], outcome.payload["channel"]) == (None, None)


def test_a_late_answer_comes_after_what_was_told_before(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)
    do(desk, callback_id, Trigger.DEADLINE)
    rates(desk, callback_id, 1)
    assert kinds(desk) == ["unreached", "rated"]
    assert outcomes(desk)[1].payload["late"] is True


def test_a_case_out_of_scope_says_why(desk: Desk) -> None:
    desk.close(LANDLINE, exclusion=Exclusion.LITIGATION)
    desk.plan()
    [outcome] = outcomes(desk)
    assert (outcome.kind, outcome.payload["exclusion"]) == ("excluded", "litigation")


def test_a_reopened_case_says_that_its_callback_is_cancelled(desk: Desk) -> None:
    callback_id = desk.close(LANDLINE)

    def work(session: Session) -> None:
        case = session.get_one(Case, session.get_one(Callback, callback_id).case_id)
        reopen_case(desk.ctx, session, case, desk.now)

    desk.ctx.run(work)
    assert kinds(desk) == ["cancelled"]


def test_a_call_goes_out_without_the_number_it_went_to(desk: Desk) -> None:
    callback_id, call = desk.call(LANDLINE)
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)
    answer = Answer(3, Channel.VOICE, "3", call.attempt_id, comment=f"打我 {MOBILE}")
    calls.rated(desk.ctx, call.attempt_id, call.token, callback_id, answer, desk.now)
    calls.ended(desk.ctx, call.attempt_id, call.token, CallOutcome(Disposition.ANSWERED), desk.now)
    [outcome] = outcomes(desk)
    assert outcome.payload["channel"] == "voice"
    told = json.dumps(outcome.payload, ensure_ascii=False)
    assert not any(part in told for part in (LANDLINE, LANDLINE[-8:], MOBILE, "市供水集团", "****"))


def test_a_fact_that_is_rolled_back_was_never_told(desk: Desk) -> None:
    callback_id = desk.close(MOBILE)

    def work(session: Session) -> None:
        move(desk.ctx, session, lock_callbacks(session, [callback_id])[0], Trigger.DEADLINE, desk.now)
        raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError):
        desk.ctx.run(work)
    assert outcomes(desk) == []


# -- numbers


class Facts:
    """Outcomes of one callback, as many as a test wants."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.callback = desk.callback(desk.close(LANDLINE))
        self.made = 0

    def add(self, session: Session) -> None:
        self.made += 1
        session.add(
            Outcome(
                case_id=self.callback.case_id,
                callback_id=self.callback.id,
                kind="changed",
                ordinal=self.made,
                payload={},
                at=NOON,
            )
        )
        session.flush()

    def commit(self, count: int = 1) -> None:
        for _ in range(count):
            self.desk.ctx.run(self.add)


class Reader:
    """A system that asks for what is after the last that it has seen."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.seen: list[tuple[int, int]] = []  # seq, ordinal

    def read(self, limit: int = 100) -> None:
        after = self.seen[-1][0] if self.seen else 0
        query = select(Outcome.seq, Outcome.ordinal).where(Outcome.seq > after)
        with self.desk.session() as session:
            rows = session.execute(query.order_by(Outcome.seq).limit(limit)).all()
        self.seen += [(seq, ordinal) for seq, ordinal in rows if seq is not None]

    def has_read_all(self, facts: Facts) -> bool:
        numbers = [seq for seq, _ in self.seen]
        ordinals = sorted(ordinal for _, ordinal in self.seen)
        return numbers == list(range(1, facts.made + 1)) and ordinals == list(range(1, facts.made + 1))


def test_numbers_go_on_where_they_ended(desk: Desk) -> None:
    facts = Facts(desk)
    assert number_outcomes(desk.ctx, NOON, 10) == 0
    facts.commit(5)
    assert [number_outcomes(desk.ctx, NOON, 3) for _ in range(3)] == [3, 2, 0]
    facts.commit(2)
    assert number_outcomes(desk.ctx, NOON, 10) == 2
    assert [outcome.seq for outcome in outcomes(desk)] == [1, 2, 3, 4, 5, 6, 7]


STEPS = st.lists(
    st.one_of(
        st.just(("begin", 0)),
        st.tuples(st.just("commit"), st.integers(0, 9)),
        st.tuples(st.just("number"), st.integers(1, 4)),
        st.tuples(st.just("read"), st.integers(1, 4)),
    ),
    max_size=25,
)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_commits_late_is_numbered_late_and_never_missed(
    desk: Desk, steps: list[tuple[str, int]]
) -> None:
    """Ids are given at the insert and seen at the commit, in another order; numbers are given once seen."""
    with desk.ctx.sessions.begin() as session:
        session.query(Outcome).delete()
    facts, reader, open_sessions = Facts(desk), Reader(desk), []
    for step, choice in [*steps, *[("commit", 0)] * len(steps), ("number", 1000), ("read", 1000)]:
        match step:
            case "begin":
                open_sessions.append(desk.ctx.sessions())
                facts.add(open_sessions[-1])
            case "commit" if open_sessions:
                with open_sessions.pop(choice % len(open_sessions)) as session:
                    session.commit()
            case "number":
                number_outcomes(desk.ctx, NOON, choice)
            case "read":
                reader.read(choice)
    assert reader.has_read_all(facts)


def test_two_processes_number_at_once(desk: Desk) -> None:
    facts, reader = Facts(desk), Reader(desk)
    done, faults = threading.Event(), []

    def guarded(work: Any) -> None:
        try:
            work()
        except Exception as error:
            faults.append(error)
            done.set()

    def number() -> None:
        while not done.is_set() or number_outcomes(desk.ctx, NOON, 3):
            number_outcomes(desk.ctx, NOON, 3)

    def read() -> None:
        while not done.is_set():
            reader.read()

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (number, number, read)]
    for thread in threads:
        thread.start()
    facts.commit(40)
    done.set()
    for thread in threads:
        thread.join()
    reader.read()
    assert faults == []
    assert reader.has_read_all(facts)


# -- deliveries are made with the numbers


def webhook(name: str, **given: Any) -> WebhookSettings:
    return WebhookSettings(
        **{"name": name, "url": "https://desk.example.com/", "secret": "invented-secret-of-a-test", **given}
    )


def test_each_webhook_gets_what_it_asked_for_from_when_it_is_set(desk: Desk) -> None:
    first = desk.close(MOBILE, platform="论坛")
    rates(desk, first, 1)
    number_outcomes(desk.ctx, NOON, 10)  # before any webhook was set
    second = desk.close(MOBILE, platform="公众号")
    rates(desk, second, 3, resolved=False)
    settle_due(desk.ctx, desk.later(hours=1))
    webhooks = [
        webhook("all"),
        webhook("ends", events=["rated", "settled"]),
        webhook("forum", platform="论坛"),
    ]
    number_outcomes(desk.ctx, desk.now, 10, webhooks)
    with desk.session() as session:
        query = (
            select(WebhookDelivery.webhook, Outcome.seq, Outcome.kind)
            .join(Outcome, Outcome.id == WebhookDelivery.outcome_id)
            .order_by(WebhookDelivery.webhook, WebhookDelivery.id)
        )
        laid_out = [tuple(row) for row in session.execute(query)]
    assert laid_out == [
        ("all", 2, "rated"),
        ("all", 3, "resolution"),
        ("all", 4, "settled"),
        ("all", 5, "settled"),
        ("ends", 2, "rated"),
        ("ends", 4, "settled"),
        ("ends", 5, "settled"),
        ("forum", 4, "settled"),  # the first case's; that it was rated was numbered before
    ]


def test_an_outcomes_time_is_stored_as_utc(desk: Desk) -> None:
    desk.now = datetime.now(UTC) + timedelta(days=1)
    callback_id = desk.close(MOBILE)
    rates(desk, callback_id, 1)
    [outcome] = outcomes(desk)
    assert outcome.at == desk.now and outcome.payload["at"].endswith("+00:00")
