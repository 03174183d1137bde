"""Alarms: raised with what they are about, counted up while open, acknowledged once, by somebody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

import app
from callbacks.alarms import AlarmKind, acknowledge_alarm, raise_alarm
from callbacks.database import make_engine, make_sessions
from callbacks.models import Audit, Reply
from callbacks.models_office import Alarm
from callbacks.privacy import Privacy
from callbacks.service import calls, replies
from callbacks.service.calls import CallOutcome
from callbacks.service.replies import IncomingReply
from callbacks.spool import own_spool
from callbacks.vocabulary import Disposition
from callbacks.writer import Writer
from sms.events import GatewayEvent, LinkDown, LinkUp, Submission, Submitted
from sms.link_watch import Link, WatchedGateway
from sms.simulated_gateway import SimulatedGateway
from tests.integration.office import LANDLINE, MOBILE, NOON, Desk, make_desk
from tests.integration.test_absent_database import wait_for


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


def alarms(desk: Desk) -> list[Alarm]:
    with desk.session() as session:
        return list(session.scalars(select(Alarm).order_by(Alarm.id)))


def cry(digest: str = "d1", number: str = MOBILE) -> IncomingReply:
    return IncomingReply("smsc", digest, number, "106380110", "救命", emergency=True, unclear=True)


def test_a_cry_for_help_and_its_alarm_are_one_transaction(desk: Desk, engine: Engine) -> None:
    replies.reply_came(desk.ctx, cry(), desk.now)
    [alarm] = alarms(desk)
    with desk.session() as session:
        [reply] = session.scalars(select(Reply))
    assert (alarm.kind, alarm.subject) == ("emergency_reply", f"reply:{reply.id}")
    assert MOBILE not in str(alarm.detail)  # masked there too

    def fail(_session: Session) -> None:
        raise RuntimeError("the machine dies at the commit")

    dying = make_sessions(engine)
    event.listen(dying, "before_commit", fail)
    with pytest.raises(RuntimeError):
        replies.reply_came(replace(desk.ctx, sessions=dying), cry("d2"), desk.now)
    assert len(alarms(desk)) == 1
    with desk.session() as session:
        assert len(session.scalars(select(Reply)).all()) == 1


def test_a_repeated_push_of_it_raises_nothing_more(desk: Desk) -> None:
    for _ in range(2):
        replies.reply_came(desk.ctx, cry(), desk.now)
    assert [alarm.times for alarm in alarms(desk)] == [1]


def test_an_open_alarm_counts_up_and_an_acknowledged_one_opens_anew(desk: Desk) -> None:
    def spooled(refused: bool) -> None:
        desk.ctx.run(
            lambda s: raise_alarm(s, AlarmKind.SPOOL, "sms", desk.later(minutes=1), played=3, refused=refused)
        )

    spooled(True)
    spooled(False)
    [alarm] = alarms(desk)
    assert (alarm.times, alarm.last_at - alarm.raised_at) == (2, timedelta(minutes=1))
    assert alarm.detail == {"played": 3, "refused": True}  # that some were turned away isn't forgotten
    seen = [desk.ctx.run(partial(acknowledge_alarm, alarm_id=alarm.id, login=who, now=NOON)) for who in "ab"]
    assert seen == [True, False]
    with desk.session() as session:
        [line] = session.scalars(select(Audit).where(Audit.action == "acknowledge_alarm"))
        assert (line.actor, line.subject) == ("a", f"alarm:{alarm.id}")
    spooled(False)
    assert [(a.times, a.acknowledged_by, a.detail["refused"]) for a in alarms(desk)] == [
        (2, "a", True),
        (1, None, False),
    ]


def test_a_call_whose_worker_was_lost_is_an_alarm(desk: Desk) -> None:
    _, call = desk.call(LANDLINE)
    calls.ended(desk.ctx, call.attempt_id, call.token, CallOutcome(Disposition.UNKNOWN), desk.now)
    [alarm] = alarms(desk)
    assert (alarm.kind, alarm.subject, alarm.detail) == (
        "attempt_unknown",
        "city",
        {"attempt": call.attempt_id},
    )


# -- keys that waited


@pytest.mark.parametrize(("is_folder", "told"), [(True, (1, False)), (False, (0, True))])
def test_a_seat_hears_of_keys_that_waited_or_had_no_place_to(
    desk: Desk, tmp_path: Path, is_folder: bool, told: tuple[int, bool]
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/later/huifang.db")
    if not is_folder:
        (tmp_path / "spool").write_text("no folder")
    heard: list[tuple[int, bool]] = []
    spool = own_spool(tmp_path / "spool", "voice", desk.ctx.privacy)
    writer = Writer(lambda: None, spool, lambda waited, refused: heard.append((waited, refused)))

    def write() -> None:
        with engine.connect():
            pass

    writer.submit(lambda: None, record={"n": 0})
    writer.submit(write, record={"n": 1})
    wait_for(lambda: spool.waiting if is_folder else writer._refused)
    (tmp_path / "later").mkdir()
    wait_for(lambda: heard)
    writer.submit(lambda: None, record={"n": 2})
    assert writer.close(5) and heard == [told]  # once
    engine.dispose()


# -- gateways that stay down

DOWN, UP = LinkDown("192.0.2.20:2775: refused"), LinkUp()


@pytest.mark.parametrize(
    ("happens", "overdue_at"),
    [
        ([(0, "down")], 60),  # a minute
        ([(0, "down"), (50, "up")], None),  # mended in time
        ([(0, "down"), (50, "up"), (55, "down")], 60),  # up for a moment only
        ([(0, "down"), (10, "up"), (75, "down")], 135),  # it was up for a minute: a new break
        ([(0, "down"), (50, "up"), (52, "took"), (55, "down")], 115),  # it took a text: a new break
        ([(0, "up")], None),
    ],
)
def test_when_a_gateway_is_down_for_too_long(happens: list[tuple[int, str]], overdue_at: int | None) -> None:
    link, found = Link(), []
    for second in range(300):
        for at, what in happens:
            if at == second:
                {"down": lambda now: link.down("x", now), "up": link.up, "took": lambda _now: link.works()}[
                    what
                ](float(second))
        if link.overdue(float(second)) is not None:
            found.append(second)
            link.is_told = True
    assert found == ([] if overdue_at is None else [overdue_at])


class Breaking(SimulatedGateway):
    """The simulated gateway with links that a test lets go down and up."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks: list[GatewayEvent] = []

    def poll(self, timeout: float) -> list[GatewayEvent]:
        told, self.breaks = self.breaks, []
        return [*told, *super().poll(timeout)]


def test_a_gateway_that_stays_down_is_an_alarm_once_the_database_takes_it(desk: Desk) -> None:
    breaking, now, away = Breaking(), [0.0], [True]

    def tell(gateway: str, reason: str, seconds: float) -> None:
        if away[0]:
            raise OperationalError("", {}, Exception("away"))
        app._gateway_down(desk.ctx, gateway, reason, seconds)

    watched = WatchedGateway(breaking, tell, clock=lambda: now[0])
    breaking.breaks = [DOWN]
    assert watched.poll(0) == [DOWN] and watched.name == "simulated"
    now[0] = 61.0
    watched.poll(0)
    assert alarms(desk) == []
    away[0], now[0] = False, 67.0
    for _ in range(2):
        watched.poll(0)
    [alarm] = alarms(desk)
    assert (alarm.kind, alarm.subject, alarm.times) == ("gateway_down", "simulated", 1)
    assert alarm.detail == {"reason": "192.0.2.20:2775: refused", "seconds": 67}
    breaking.breaks = [UP]
    watched.submit(Submission(1, "106380110", MOBILE, "您好"))
    assert any(isinstance(event, Submitted) for event in watched.poll(0))
    now[0] = 500.0
    watched.poll(0)
    assert len(alarms(desk)) == 1 and alarms(desk)[0].raised_at > NOON
