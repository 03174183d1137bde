"""What an item makes the city send: to the handler at each rework, to the citizen of a removed rating."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Callback, Case, Suppression, TextKind, TextMessage, TextState
from callbacks.numbers import mask
from callbacks.policy import Call, Text, Wait, next_step
from callbacks.privacy import Privacy
from callbacks.service.core import view_of
from callbacks.service.planning import plan_due, settle_due
from callbacks.service.texts import claim_texts
from callbacks.states import State
from callbacks.vocabulary import Channel, UnitGroup
from scoring.appeals import Word, appeal, decide_appeal
from scoring.evidence import File
from scoring.item_clock import run_item_clocks
from scoring.item_rules import Escalation, Grounds, Party
from scoring.item_settings import ItemSettings
from scoring.item_states import ItemState, ItemTrigger
from scoring.items import Act, ItemRules, act
from scoring.models_items import DissatisfactionItem
from scoring.settings import AdjustmentSettings
from tests.integration.months_city import ZONE, Months
from tests.integration.office import FREE, MOBILE, NOON, Desk, make_desk

T = ItemTrigger
RULES = ItemRules(ItemSettings(), AdjustmentSettings(), ZONE)
PHOTO = File("现场.png", b"\x89PNG\r\n\x1a\n photo")
HANDLER = "13803799001"


@dataclass
class Office:
    """One dissatisfied citizen with a mobile, whose case has a handler; Monday, noon."""

    desk: Desk
    city: Months
    callback: int
    item: int
    now: datetime = NOON

    def act(self, trigger: ItemTrigger, party: Party = Party.OFFICE, **more: object) -> None:
        with self.desk.session() as session:
            seen = session.get_one(DissatisfactionItem, self.item).seq
        wanted = Act(trigger, "zhao", party, seen, "已办", (PHOTO,), **more)  # type: ignore[arg-type]
        act(self.city.ctx, RULES, self.item, wanted, self.now)

    def rework(self) -> None:
        self.act(T.SUBMIT, Party.UNIT)
        self.act(T.ACCEPT)

    def clock(self, **later: float) -> None:
        self.now += timedelta(**later)
        run_item_clocks(self.city.ctx, RULES, self.now)

    def second(self, value: int) -> None:
        with self.desk.session() as session:
            found = session.scalars(select(Callback.id).where(Callback.state == State.PENDING)).one()
        self.city.rate(found, value, self.now)
        self.clock(hours=1)

    def texts(self, *kinds: TextKind) -> list[TextMessage]:
        return [text for text in self.desk.texts() if text.kind in kinds]

    @property
    def state(self) -> ItemState:
        with self.desk.session() as session:
            return session.get_one(DissatisfactionItem, self.item).state


@pytest.fixture
def office(sessions: sessionmaker[Session], privacy: Privacy) -> Office:
    desk = make_desk(sessions, privacy)
    city = Months.of(desk.ctx)
    callback = desk.close(MOBILE)

    def handled(session: Session) -> None:
        case = session.get_one(Case, session.get_one(Callback, callback).case_id)
        case.handler_phone_encrypted = privacy.encrypt(HANDLER)
        case.handler_phone_index = privacy.index(HANDLER)
        case.handler_phone_masked = mask(HANDLER)

    city.ctx.run(handled)
    city.rate(callback, 3, NOON)
    run_item_clocks(city.ctx, RULES, NOON)
    with sessions() as session:
        item = session.scalars(select(DissatisfactionItem.id)).one()
    return Office(desk, city, callback, item)


def test_each_rework_has_its_own_reminders(office: Office) -> None:
    office.act(T.UPHOLD)
    (rectify,) = office.texts(TextKind.HANDLER_RECTIFY)
    assert "请1个工作日内签收，5个工作日内办结反馈" in rectify.body
    office.clock(days=1)  # not signed: urged
    office.clock(days=1)  # signed by default
    office.clock(days=6)  # Tuesday: a day before the end
    office.clock(days=1, hours=1)  # over
    assert len(office.texts(TextKind.HANDLER_URGE)) == 2
    assert len(office.texts(TextKind.HANDLER_SUPERVISE)) == 1
    office.rework()
    assert {text.state for text in office.texts(TextKind.HANDLER_URGE)} == {TextState.CANCELLED}
    office.second(3)
    assert office.state is ItemState.ESCALATED
    office.act(T.REWORK, method=Escalation.PHONE)
    office.clock(days=20)
    assert len(office.texts(TextKind.HANDLER_SUPERVISE)) == 2  # the second rework's
    office.clock(days=1)
    assert len(office.texts(TextKind.HANDLER_SUPERVISE)) == 2


def test_another_units_handler_isnt_written_to(office: Office) -> None:
    office.city.unit("B", UnitGroup.DEPT)
    office.act(T.UPHOLD)
    office.act(T.REASSIGN, unit="B")
    before = len(office.texts(TextKind.HANDLER_URGE))
    office.clock(days=1)
    assert len(office.texts(TextKind.HANDLER_URGE)) == before


def test_the_citizen_is_told_of_a_removed_rating_in_the_window(office: Office) -> None:
    office.act(T.MISRATED)
    (text,) = office.texts(TextKind.REMOVED)
    assert text.body == "【示例市110联动】您对编号尾号0001的评价经复核未计入考核，联动办将来电说明。"
    assert text.ungated_until is None  # it answers nothing: the window holds
    assert [claimed.kind for claimed in claim_texts(office.city.ctx, "sms:1", "city", 9, 15, office.now)] == [
        TextKind.REMOVED
    ]


def test_who_opted_out_of_texts_gets_none(office: Office, privacy: Privacy) -> None:
    def opt_out(session: Session) -> None:
        session.add(
            Suppression(number_index=privacy.index(MOBILE), channel=Channel.SMS, reason="退订", at=office.now)
        )

    office.city.ctx.run(opt_out)
    office.act(T.MISRATED)
    assert office.texts(TextKind.REMOVED) == []


def test_an_appeal_stops_the_clock_in_working_time(office: Office) -> None:
    ctx = office.city.ctx
    office.now += timedelta(days=4)  # Friday, noon
    office.act(T.UPHOLD)
    office.now += timedelta(hours=3)
    with office.desk.session() as session:
        seen = session.get_one(DissatisfactionItem, office.item).seq
    appealed = appeal(ctx, RULES, office.item, Grounds.MALICIOUS, "恶意", (PHOTO,), "unit", seen, office.now)
    office.now += timedelta(days=4)  # Tuesday, 15:00
    for by in ("zhao", "qian"):
        decide_appeal(ctx, RULES, appealed, Word(False, True, True, "属实"), by, None, office.now)
    with office.desk.session() as session:
        due = session.get_one(DissatisfactionItem, office.item).due_at
    assert due == office.now + timedelta(hours=21)  # no weekend in it
    office.clock(hours=21)
    with office.desk.session() as session:
        due = session.get_one(DissatisfactionItem, office.item).due_at
    assert due == office.now + timedelta(days=1)  # then by default, a working day after
    office.clock(days=1)
    assert office.state is ItemState.REWORKING


def test_the_second_callback_keeps_the_first_steps_delay(
    sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    policy = FREE.model_copy(update={"first_step_delay": timedelta(hours=2)})
    desk = make_desk(sessions, privacy, policy)
    city = Months.of(desk.ctx)
    callback = desk.close(MOBILE)
    city.rate(callback, 3, NOON)
    run_item_clocks(city.ctx, RULES, NOON)
    with sessions() as session:
        item = session.scalars(select(DissatisfactionItem.id)).one()
    office = Office(desk, city, callback, item, NOON + timedelta(hours=5))
    office.act(T.UPHOLD)
    office.act(T.SIGN, Party.UNIT)
    office.rework()
    with sessions() as session:
        second = session.scalars(select(Callback).where(Callback.round == 2)).one()
        view = view_of(city.ctx, session, second)
    assert isinstance(next_step(view, office.now + timedelta(minutes=119), policy), Wait)
    assert isinstance(next_step(view, office.now + timedelta(hours=2), policy), Text | Call)


def test_nobody_is_told_of_verification_after_a_second_answer(office: Office) -> None:
    office.act(T.UPHOLD)
    office.act(T.SIGN, Party.UNIT)
    office.rework()
    plan_due(office.city.ctx, office.now)
    with office.desk.session() as session:
        second = session.scalars(select(Callback).where(Callback.round == 2)).one()
        assert second.state is State.SMS_QUEUED
    before = len(office.texts(TextKind.VERIFYING))
    office.city.rate(second.id, 3, office.now)
    settle_due(office.city.ctx, office.now + timedelta(hours=1))
    assert len(office.texts(TextKind.VERIFYING)) == before
