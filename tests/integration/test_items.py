"""The dissatisfaction item's whole life through the service, on both databases (domain.md §6)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Callback, TextKind, TextMessage
from callbacks.privacy import Privacy
from callbacks.service.answers import Answer, rate, settle_ratings
from callbacks.service.core import lock_callbacks, move
from callbacks.service.planning import plan_due
from callbacks.states import State, Trigger
from callbacks.vocabulary import Channel, UnitGroup
from scoring.appeals import Word, appeal, decide_appeal
from scoring.decisions import AdjustmentKind
from scoring.evidence import File
from scoring.hard_cases import Meeting, close_hard_case, meet
from scoring.item_clock import run_item_clocks
from scoring.item_rules import Escalation, Fault, Grounds, Party
from scoring.item_settings import ItemSettings
from scoring.item_states import ItemState, ItemTrigger
from scoring.items import Act, BadAct, ItemConflict, ItemRules, act, act_on_many, assign_supervisor
from scoring.models import ScoreEntry
from scoring.models_decisions import Adjustment
from scoring.models_items import DissatisfactionItem, Evidence, ItemStep
from scoring.removal import sums
from scoring.settings import AdjustmentSettings
from tests.integration.months_city import ZONE, Months, at
from tests.integration.office import make_desk

S, T = ItemState, ItemTrigger
RULES = ItemRules(ItemSettings(), AdjustmentSettings(), ZONE)
PHOTO = File("现场.png", b"\x89PNG\r\n\x1a\n photo")
BEGAN = at("2026-11-10")  # a Tuesday, 10:00


@dataclass
class Listed:
    """A city with one dissatisfied citizen, and the time."""

    city: Months
    callback: int = 0
    rating: int = 0
    item: int = 0
    now: datetime = BEGAN
    _made: list[int] = field(default_factory=list)

    def rated(self, value: int = 3) -> Listed:
        self.callback = self.city.case("A", self.now - timedelta(days=1))
        self.rating = self.city.rate(self.callback, value, self.now, False)
        self.clock()
        with self.city.ctx.sessions() as session:
            self.item = session.scalars(
                select(DissatisfactionItem.id).where(DissatisfactionItem.callback_id == self.callback)
            ).one()
        return self

    def clock(self, **later: float) -> int:
        self.now += timedelta(**later)
        return run_item_clocks(self.city.ctx, RULES, self.now)

    @property
    def row(self) -> DissatisfactionItem:
        with self.city.ctx.sessions() as session:
            return session.get_one(DissatisfactionItem, self.item)

    @property
    def state(self) -> ItemState:
        return self.row.state

    def steps(self) -> list[ItemTrigger]:
        with self.city.ctx.sessions() as session:
            query = select(ItemStep).where(ItemStep.item_id == self.item).order_by(ItemStep.seq)
            steps = session.scalars(query).all()
        assert [step.seq for step in steps] == list(range(1, len(steps) + 1))
        assert all(one.to_state is two.from_state for one, two in pairwise(steps))
        return [step.trigger for step in steps]

    def office(self, trigger: ItemTrigger, reason: str = "已核实", **more: Any) -> None:
        wanted = Act(trigger, "supervisor", Party.OFFICE, self.row.seq, reason, **more)
        act(self.city.ctx, RULES, self.item, wanted, self.now)

    def unit(self, trigger: ItemTrigger, reason: str = "已整改", *files: File) -> None:
        wanted = Act(trigger, "unit-a", Party.UNIT, self.row.seq, reason, files)
        act(self.city.ctx, RULES, self.item, wanted, self.now)

    def second(self, value: int | None) -> None:
        """The citizen answers the second callback, or never does; then the clock looks."""
        with self.city.ctx.sessions() as session:
            query = select(Callback.id).where(Callback.state == State.PENDING)
            callback = session.scalars(query.order_by(Callback.id.desc()).limit(1)).one()
        if value is None:

            def work(session: Session) -> None:
                (row,) = lock_callbacks(session, [callback])
                move(self.city.ctx, session, row, Trigger.DEADLINE, self.now)

            self.city.ctx.run(work)
        else:
            self.city.rate(callback, value, self.now)
        self.clock(hours=1)

    def adjustments(self) -> list[AdjustmentKind]:
        with self.city.ctx.sessions() as session:
            return list(session.scalars(select(Adjustment.kind).order_by(Adjustment.id)))

    def counts(self) -> dict[str, Any]:
        with self.city.ctx.sessions() as session:
            query = select(ScoreEntry).where(ScoreEntry.rating_id.is_not(None))
            return {name: value for name, value in sums(session.scalars(query).all()).items() if value}


@pytest.fixture
def listed(sessions: sessionmaker[Session], privacy: Privacy) -> Listed:
    city = Months.of(make_desk(sessions, privacy).ctx)
    city.unit("A", UnitGroup.COUNTY)
    city.unit("B", UnitGroup.COUNTY)
    return Listed(city).rated()


def refused(fault: Fault):
    return pytest.raises(BadAct, check=lambda error: error.fault is fault)


def reworking(listed: Listed) -> None:
    listed.office(T.UPHOLD)
    listed.unit(T.SIGN)


def asked_again(listed: Listed) -> None:
    listed.unit(T.SUBMIT, "已疏通", PHOTO)
    listed.office(T.ACCEPT)


def test_a_rating_is_listed_by_its_own_scale_though_the_city_changes_it_meanwhile(
    sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    """Key 3 of three is dissatisfied; before the minutes for a change are over the city takes up five."""
    city = Months.of(make_desk(sessions, privacy).ctx)
    city.unit("A", UnitGroup.COUNTY)
    callback_id = city.case("A", BEGAN - timedelta(days=1))

    def answered(session: Session) -> None:
        (callback,) = lock_callbacks(session, [callback_id])
        rate(city.ctx, session, callback, Answer(3, Channel.VOICE, "3"), BEGAN)

    city.ctx.run(answered)
    five = replace(city.ctx, policy=city.ctx.policy.model_copy(update={"scale": "cn5"}))
    five.run(lambda session: settle_ratings(five, session, BEGAN + timedelta(hours=1), 100))
    with sessions() as session:
        assert session.scalars(select(DissatisfactionItem.callback_id)).all() == [callback_id]


def test_verification_begins_at_once(listed: Listed) -> None:
    assert listed.state is S.VERIFYING
    assert listed.steps() == [T.VERIFY]
    assert listed.row.due_at == at("2026-11-11")


def test_a_whole_life_through_a_rejected_appeal_to_a_satisfied_citizen(listed: Listed) -> None:
    listed.office(T.UPHOLD)
    listed.now += timedelta(hours=3)
    appeal_id = appeal(
        listed.city.ctx, RULES, listed.item, Grounds.WRONG_UNIT, "归市政管", (PHOTO,), "unit-a",
        listed.row.seq, listed.now,
    )  # fmt: skip
    listed.now += timedelta(days=1)
    word = Word(False, True, False, "管线在该单位辖区")
    assert decide_appeal(listed.city.ctx, RULES, appeal_id, word, "supervisor", None, listed.now) is None
    with refused(Fault.TWICE):
        decide_appeal(listed.city.ctx, RULES, appeal_id, word, "supervisor", None, listed.now)
    assert decide_appeal(listed.city.ctx, RULES, appeal_id, word, "head", None, listed.now) is False
    assert listed.state is S.ASSIGNED
    assert listed.row.due_at == listed.now + timedelta(hours=21)  # the clock stood still
    with refused(Fault.APPEALED):
        listed.unit(T.APPEAL, "再申诉", PHOTO)
    listed.unit(T.SIGN)
    asked_again(listed)
    listed.second(1)
    assert listed.state is S.FIXED
    assert listed.steps() == [
        T.VERIFY, T.UPHOLD, T.APPEAL, T.APPEAL_REJECTED, T.SIGN, T.SUBMIT, T.ACCEPT, T.SATISFIED,
    ]  # fmt: skip
    assert listed.counts() == {
        "rated_raw": 1, "rated": 1, "resolved_answered": 1, "weight_delta": 1, "second_answered": 1,
        "second_not_dissatisfied": 1,
    }  # fmt: skip
    assert listed.adjustments() == []


def test_dissatisfied_after_two_reworks_is_a_hard_case(listed: Listed) -> None:
    reworking(listed)
    asked_again(listed)
    listed.second(3)
    assert listed.state is S.ESCALATED
    with refused(Fault.METHOD):
        listed.office(T.REWORK)
    listed.office(T.REWORK, method=Escalation.ON_SITE)
    assert (listed.row.escalation, listed.row.reworks) == ("on_site", 2)
    asked_again(listed)
    listed.second(3)
    assert listed.state is S.HARD_CASE
    assert listed.adjustments() == [AdjustmentKind.SECOND_DISSATISFIED]  # once an item
    ctx = listed.city.ctx
    with refused(Fault.MEETING):
        close_hard_case(ctx, RULES, listed.item, False, "无法解决", "head", listed.row.seq, listed.now)
    meeting = Meeting(listed.now.date(), "副市长", "列入明年改造", (listed.now + timedelta(days=30)).date())
    meet(ctx, RULES, listed.item, meeting, "head", listed.row.seq, listed.now)
    assert listed.row.next_review == meeting.next_review
    close_hard_case(ctx, RULES, listed.item, False, "已列入明年计划", "head", listed.row.seq, listed.now)
    assert (listed.state, listed.row.published_reason) == (S.PERSISTENT, "已列入明年计划")
    assert listed.row.due_at is None


def test_without_an_answer_it_ends_unverified(listed: Listed) -> None:
    reworking(listed)
    asked_again(listed)
    listed.second(None)
    assert listed.state is S.UNVERIFIED
    assert "second_answered" not in listed.counts()


REMOVED = {"rated_raw": 1, "removed": 1}


def test_misrated_by_the_citizens_own_words_is_removed(listed: Listed) -> None:
    with refused(Fault.REASON):
        listed.office(T.MISRATED, " ")
    listed.office(T.MISRATED, "“按错了，我是满意的”")
    assert (listed.state, listed.counts()) == (S.REMOVED, REMOVED)


def test_without_a_legal_basis_it_is_explained_then_removed_never_satisfied(listed: Listed) -> None:
    listed.office(T.NO_BASIS, "超出法定职责")
    assert listed.counts()["rated"] == 1
    listed.office(T.EXPLAIN, "已当面解释")
    assert (listed.state, listed.counts()) == (S.EXPLAINED, REMOVED)


def test_an_upheld_appeal_removes_the_rating_and_one_to_one_needs_a_third(listed: Listed) -> None:
    listed.office(T.UPHOLD)
    ctx = listed.city.ctx
    appeal_id = appeal(
        ctx, RULES, listed.item, Grounds.MALICIOUS, "恶意差评", (PHOTO,), "unit-a", listed.row.seq, listed.now
    )
    with refused(Fault.OWN_UNIT):
        decide_appeal(
            ctx, RULES, appeal_id, Word(True, True, True, "是"), "x", listed.city.units["A"], listed.now
        )
    for by, uphold, comes_to in (("one", True, None), ("two", False, None), ("three", True, True)):
        word = Word(uphold, False, True, "见录音")
        assert decide_appeal(ctx, RULES, appeal_id, word, by, None, listed.now) is comes_to
    assert (listed.state, listed.counts()) == (S.REMOVED, REMOVED)
    with refused(Fault.STATE):
        decide_appeal(ctx, RULES, appeal_id, word, "four", None, listed.now)


@pytest.mark.parametrize("upheld", [False, True])
def test_who_signed_may_appeal_and_its_rework_stands_still(listed: Listed, upheld: bool) -> None:
    """The two days are those of the assignment, signed or not; rejected, the same rework goes on."""
    reworking(listed)
    listed.now += timedelta(days=1)
    appeal_id = appeal(
        listed.city.ctx, RULES, listed.item, Grounds.MALICIOUS, "恶意差评", (PHOTO,), "unit-a",
        listed.row.seq, listed.now,
    )  # fmt: skip
    assert listed.state is S.APPEALED
    listed.clock(days=1)
    word = Word(upheld, True, False, "见录音")
    for by in ("supervisor", "head"):
        decide_appeal(listed.city.ctx, RULES, appeal_id, word, by, None, listed.now)
    if upheld:
        assert (listed.state, listed.counts()) == (S.REMOVED, REMOVED)
        return
    assert (listed.state, listed.row.reworks) == (S.REWORKING, 1)  # it isn't signed twice
    assert listed.row.due_at == at("2026-11-18")  # Tuesday and five working days, and the one it stood still
    assert listed.steps()[-2:] == [T.APPEAL, T.APPEAL_REJECTED_SIGNED]
    with refused(Fault.APPEALED):
        listed.unit(T.APPEAL, "再申诉", PHOTO)


def test_three_tries_without_reaching_the_citizen_assign_it(listed: Listed) -> None:
    for _ in range(2):
        listed.office(T.TRIED, "无人接听")
        assert listed.state is S.VERIFYING
    listed.office(T.TRIED, "无人接听")
    assert (listed.state, listed.steps()[-1], listed.row.tries) == (S.ASSIGNED, T.NOT_REACHED, 3)


def test_unsigned_it_is_urged_and_signed_by_default(listed: Listed) -> None:
    listed.office(T.UPHOLD)
    assert listed.clock(hours=23) == 0
    assert listed.clock(hours=1) == 1  # urged after a working day
    assert listed.clock(hours=23) == 0
    assert listed.clock(hours=1) == 1
    assert listed.state is S.REWORKING
    assert listed.steps()[-2:] == [T.URGE, T.SIGN_BY_DEFAULT]


def test_a_rework_is_urged_as_many_days_before_as_the_city_sets(listed: Listed) -> None:
    reworking(listed)
    early = replace(RULES, settings=ItemSettings(urge_before_days=3))
    due = listed.row.due_at
    assert due is not None
    assert run_item_clocks(listed.city.ctx, RULES, due - timedelta(days=5)) == 0
    assert run_item_clocks(listed.city.ctx, early, due - timedelta(days=5)) == 1  # over a weekend
    assert listed.steps()[-1] is T.URGE


def test_a_rework_is_urged_a_day_before_and_supervised_when_overdue(listed: Listed) -> None:
    reworking(listed)  # Tuesday: five working days, till Tuesday
    assert listed.clock(days=5) == 0
    assert listed.clock(days=1) == 1  # Monday, 10:00
    assert listed.clock(hours=1) == 0
    assert listed.clock(days=1) == 1
    assert listed.clock(days=1) == 0  # once
    assert listed.steps()[-2:] == [T.URGE, T.SUPERVISE]
    assert listed.adjustments() == [AdjustmentKind.REWORK_OVERDUE]
    assert listed.state is S.REWORKING


def test_one_extension(listed: Listed) -> None:
    reworking(listed)
    due = listed.row.due_at
    listed.unit(T.ASK_TIME, "雨季施工")
    assert listed.row.due_at == due
    listed.office(T.EXTEND, "同意")
    assert listed.row.due_at == at("2026-11-24")
    with refused(Fault.EXTENDED):
        listed.office(T.EXTEND, "再延")
    with refused(Fault.EXTENDED):
        listed.unit(T.ASK_TIME, "再延")
    asked_again(listed)
    listed.second(3)
    listed.office(T.REWORK, method=Escalation.PHONE)
    with refused(Fault.EXTENDED):  # once an item: escalation hastens, it gives no second one
        listed.unit(T.ASK_TIME, "再延")


@pytest.mark.parametrize("confirmed", [True, False])
def test_reassigned_the_rating_moves_only_if_the_office_confirms_it(listed: Listed, confirmed: bool) -> None:
    listed.office(T.UPHOLD)
    with refused(Fault.UNIT):
        listed.office(T.REASSIGN, "归 B 管", unit="A")
    listed.office(T.REASSIGN, "归 B 管", unit="B", confirmed=confirmed)
    assert listed.row.unit_id == listed.city.units["B"]
    with listed.city.ctx.sessions() as session:
        entries = session.scalars(select(ScoreEntry).where(ScoreEntry.rating_id.is_not(None))).all()
    of = {code: sums([e for e in entries if e.unit_id == id_]) for code, id_ in listed.city.units.items()}
    has = {code: counts.get("rated", 0) for code, counts in of.items()}
    assert has == ({"A": 0, "B": 1} if confirmed else {"A": 1, "B": 0})
    listed.office(T.REASSIGN, "还是 A", unit="A", confirmed=confirmed)  # and back again
    assert listed.counts()["rated"] == 1
    listed.office(T.REASSIGN, "仍归 B", unit="B", confirmed=confirmed)
    listed.unit(T.SIGN)
    asked_again(listed)
    listed.second(1)
    with listed.city.ctx.sessions() as session:
        entries = session.scalars(select(ScoreEntry).where(ScoreEntry.rating_id.is_not(None))).all()
    holder = listed.city.units["B" if confirmed else "A"]
    of_holder = sums([entry for entry in entries if entry.unit_id == holder])
    assert (of_holder["rated"], of_holder["weight_delta"]) == (1, 1)  # both in one unit's index


def test_the_citizen_is_asked_again_by_the_ordinary_clock(sessions, privacy: Privacy) -> None:
    """A real round: planned, texted with the words of the second callback, in the window."""
    desk = make_desk(sessions, privacy)
    city = Months.of(desk.ctx)
    city.unit("A", UnitGroup.COUNTY)
    callback = desk.close("13800000001")
    listed = Listed(city, callback=callback, now=desk.now)
    listed.rating = city.rate(callback, 3, desk.now)
    listed.clock()
    with city.ctx.sessions() as session:
        listed.item = session.scalars(select(DissatisfactionItem.id)).one()
    reworking(listed)
    asked_again(listed)
    assert plan_due(city.ctx, listed.now) == 1
    with city.ctx.sessions() as session:
        kinds = session.scalars(select(TextMessage.kind)).all()
        second = session.scalars(select(Callback).where(Callback.round == 2)).one()
    assert TextKind.RE_EVAL in kinds
    assert second.state is State.SMS_QUEUED
    assert listed.row.due_at == second.deadline


def test_who_is_second_is_told_what_happened(listed: Listed) -> None:
    seen = listed.row.seq
    listed.office(T.UPHOLD, "属实")
    with pytest.raises(ItemConflict) as told:
        act(
            listed.city.ctx,
            RULES,
            listed.item,
            Act(T.NO_BASIS, "late", Party.OFFICE, seen, "不属实"),
            listed.now,
        )
    assert [(step.trigger, step.by, step.reason) for step in told.value.since] == [
        (T.UPHOLD, "supervisor", "属实")
    ]
    assert listed.state is S.ASSIGNED


def test_of_eight_at_once_one_acts(listed: Listed, engine: Engine) -> None:
    seen = listed.row.seq

    def uphold(number: int) -> bool:
        try:
            wanted = Act(T.UPHOLD, f"supervisor-{number}", Party.OFFICE, seen, "属实")
            act(listed.city.ctx, RULES, listed.item, wanted, listed.now)
        except ItemConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(uphold, range(8))) == 1
    assert listed.steps() == [T.VERIFY, T.UPHOLD]


def test_many_at_once_and_what_failed_is_named(listed: Listed) -> None:
    others = [Listed(listed.city, now=listed.now).rated() for _ in range(4)]
    others[0].office(T.MISRATED, "“按错了”")
    items = {each.item: each.row.seq for each in others}
    items[others[1].item] = 0
    failed = act_on_many(
        listed.city.ctx, RULES, items, Act(T.UPHOLD, "head", Party.OFFICE, None, "属实"), listed.now
    )
    assert [(each.item_id, each.fault) for each in failed] == [
        (others[0].item, Fault.STATE),
        (others[1].item, None),
    ]
    assert [each.state for each in others] == [S.REMOVED, S.VERIFYING, S.ASSIGNED, S.ASSIGNED]
    nobody = dict.fromkeys(items)
    named = assign_supervisor(listed.city.ctx, nobody, "zhao", "head", listed.now)
    assert named == set(items) - {others[0].item}  # not the one that has ended
    late = assign_supervisor(listed.city.ctx, nobody, "qian", "head", listed.now)
    assert late == frozenset()  # somebody else was named meanwhile
    assert {each.row.supervisor for each in others[1:]} == {"zhao"}


def test_evidence_is_kept_with_its_hash(listed: Listed) -> None:
    reworking(listed)
    with refused(Fault.EVIDENCE):
        listed.unit(T.SUBMIT, "已疏通")
    listed.unit(T.SUBMIT, "已疏通", PHOTO)
    with listed.city.ctx.sessions() as session:
        file = session.scalars(select(Evidence)).one()
        step = session.scalars(select(ItemStep).where(ItemStep.trigger == T.SUBMIT)).one()
        assert (file.subject, file.name, file.content) == (f"item:{listed.item}", PHOTO.name, PHOTO.content)
    assert step.detail["evidence"] == [file.sha256]


@pytest.fixture(autouse=True)
def _nothing_is_left(engine: Engine) -> Iterator[None]:
    yield
    engine.dispose()
