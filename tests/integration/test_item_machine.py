"""Whatever people, the citizen and the clock do with an item, in whatever order: what must hold holds."""

from __future__ import annotations

import shutil
from datetime import timedelta
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.database import make_engine, make_sessions
from callbacks.models import Callback
from callbacks.privacy import Privacy
from callbacks.service.core import lock_callbacks, move
from callbacks.states import OPEN as CALLBACK_OPEN
from callbacks.states import Trigger
from callbacks.vocabulary import UnitGroup
from scoring.appeals import Word, appeal, decide_appeal
from scoring.evidence import File
from scoring.hard_cases import Meeting, close_hard_case, meet
from scoring.item_clock import run_item_clocks
from scoring.item_rules import Escalation, Grounds, Party
from scoring.item_settings import ItemSettings
from scoring.item_states import ENDED, ItemState, ItemTrigger
from scoring.items import Act, BadAct, ItemConflict, ItemRules, act
from scoring.models import ScoreEntry
from scoring.models_decisions import Adjustment
from scoring.models_items import Appeal, DissatisfactionItem, ItemStep
from scoring.removal import sums
from scoring.settings import AdjustmentSettings
from tests.integration.months_city import ZONE, Months, at
from tests.integration.office import make_desk

RULES = ItemRules(ItemSettings(), AdjustmentSettings(), ZONE)
PHOTO = File("现场.png", b"\x89PNG\r\n\x1a\n photo")
DECIDERS = ("head", "zhao", "qian")
SYSTEMS_OWN = {ItemTrigger.VERIFY, ItemTrigger.SATISFIED, ItemTrigger.DISSATISFIED, ItemTrigger.NO_ANSWER}


class Life(RuleBasedStateMachine):
    """One item. Acts are tried whether they're allowed or not: a refusal changes nothing."""

    def __init__(self, url: str, privacy: Privacy) -> None:
        super().__init__()
        self.engine = make_engine(url)
        self.city = Months.of(make_desk(make_sessions(self.engine), privacy).ctx)
        self.city.unit("A", UnitGroup.COUNTY)
        self.city.unit("B", UnitGroup.COUNTY)
        self.now = at("2026-11-10")
        first = self.city.case("A", self.now - timedelta(days=1))
        self.city.rate(first, 3, self.now, False)
        self.clock(0)
        with self.city.ctx.sessions() as session:
            self.item = session.scalars(select(DissatisfactionItem.id)).one()

    def teardown(self) -> None:
        self.engine.dispose()

    @property
    def row(self) -> DissatisfactionItem:
        with self.city.ctx.sessions() as session:
            return session.get_one(DissatisfactionItem, self.item)

    def tried(self, work: object) -> None:
        """A refused act leaves the item as it was."""
        before = self.row.seq
        try:
            work()  # type: ignore[operator]
        except BadAct:
            assert self.row.seq == before
        else:
            assert self.row.seq >= before

    @rule(
        trigger=st.sampled_from(ItemTrigger),
        party=st.sampled_from([Party.OFFICE, Party.UNIT]),
        reason=st.sampled_from(["", "已核实"]),
        with_file=st.booleans(),
        unit=st.sampled_from(["A", "B", ""]),
        confirmed=st.booleans(),
        method=st.sampled_from([None, *Escalation]),
    )
    def somebody(self, trigger, party, reason, with_file, unit, confirmed, method) -> None:
        files = (PHOTO,) if with_file else ()
        wanted = Act(trigger, "zhao", party, self.row.seq, reason, files, unit, confirmed, method)
        assert trigger not in SYSTEMS_OWN or self.refuses(wanted)
        self.tried(lambda: act(self.city.ctx, RULES, self.item, wanted, self.now))

    def refuses(self, wanted: Act) -> bool:
        with pytest.raises(BadAct):
            act(self.city.ctx, RULES, self.item, wanted, self.now)
        return True

    # What makes sense in a state comes by more rules than one, else few examples get far.
    @rule(number=st.integers(0, 5), uphold=st.booleans(), value=st.sampled_from([1, 3, 3, 3, None]))
    def goes_on(self, number: int, uphold: bool, value: int | None) -> None:
        self._step_on(number, uphold, value)

    @rule(number=st.integers(0, 5), uphold=st.booleans(), value=st.sampled_from([1, 3, 3, 3, None]))
    def goes_on_too(self, number: int, uphold: bool, value: int | None) -> None:
        self._step_on(number, uphold, value)
        self._step_on(number, uphold, value)

    def _step_on(self, number: int, uphold: bool, value: int | None) -> None:
        T, state = ItemTrigger, self.row.state
        if state is ItemState.SECOND_CALLBACK:
            self.the_citizen(value)
        elif state is ItemState.HARD_CASE:
            self.joint_meeting(uphold)
        elif state is ItemState.APPEALED:
            self.decided(DECIDERS[number % 3], uphold)
        elif state is ItemState.ASSIGNED and number == 5:
            self.appealed(Grounds.WRONG_UNIT)
        else:
            ways = {
                ItemState.VERIFYING: (T.UPHOLD, T.UPHOLD, T.UPHOLD, T.TRIED, T.NO_BASIS, T.MISRATED),
                ItemState.EXPLAINING: (T.EXPLAIN,),
                ItemState.ASSIGNED: (T.SIGN, T.SIGN, T.REASSIGN, T.URGE),
                ItemState.REWORKING: (T.SUBMIT, T.SUBMIT, T.ASK_TIME, T.EXTEND, T.SUPERVISE),
                ItemState.CHECKING: (T.ACCEPT, T.ACCEPT, T.ACCEPT, T.SEND_BACK),
                ItemState.ESCALATED: (T.REWORK,),
            }.get(state, (T.NOTE,))
            trigger = ways[number % len(ways)]
            party = Party.UNIT if trigger in (T.SIGN, T.SUBMIT, T.ASK_TIME) else Party.OFFICE
            wanted = Act(
                trigger, "zhao", party, self.row.seq, "已办", (PHOTO,), "B", uphold, Escalation.PHONE
            )
            self.tried(lambda: act(self.city.ctx, RULES, self.item, wanted, self.now))

    @rule(trigger=st.sampled_from([ItemTrigger.NOTE, ItemTrigger.UPHOLD, ItemTrigger.MISRATED]))
    def who_is_too_late(self, trigger: ItemTrigger) -> None:
        seen = self.row.seq - 1
        with pytest.raises(ItemConflict) as told:
            act(self.city.ctx, RULES, self.item, Act(trigger, "late", Party.OFFICE, seen, "晚了"), self.now)
        assert [step.seq for step in told.value.since] == [seen + 1]

    def appealed(self, grounds: Grounds) -> None:
        row, ctx = self.row, self.city.ctx
        self.tried(
            lambda: appeal(ctx, RULES, self.item, grounds, "申诉", (PHOTO,), "unit", row.seq, self.now)
        )

    def decided(self, by: str, uphold: bool) -> None:
        with self.city.ctx.sessions() as session:
            found = session.scalar(select(Appeal.id).where(Appeal.item_id == self.item))
        if found is not None:
            word = Word(uphold, True, False, "见材料")
            self.tried(lambda: decide_appeal(self.city.ctx, RULES, found, word, by, None, self.now))

    def joint_meeting(self, fixed: bool) -> None:
        ctx = self.city.ctx
        meeting = Meeting(self.now.date(), "副市长", "已研究")
        self.tried(lambda: meet(ctx, RULES, self.item, meeting, "head", self.row.seq, self.now))
        self.tried(
            lambda: close_hard_case(ctx, RULES, self.item, fixed, "办结", "head", self.row.seq, self.now)
        )

    def the_citizen(self, value: int | None) -> None:
        """Answers the callback that asks, or never does."""
        with self.city.ctx.sessions() as session:
            found = session.scalar(select(Callback.id).where(Callback.state.in_(CALLBACK_OPEN)))
        if found is None:
            return
        if value is not None:
            self.city.rate(found, value, self.now)
        else:

            def never(session: Session) -> None:
                (callback,) = lock_callbacks(session, [found])
                move(self.city.ctx, session, callback, Trigger.DEADLINE, self.now)

            self.city.ctx.run(never)
        self.clock(1)
        assert self.row.state is not ItemState.SECOND_CALLBACK

    @rule(hours=st.sampled_from([1, 10, 24, 72, 200]))
    def clock(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for _ in range(5):
            if not run_item_clocks(self.city.ctx, RULES, self.now):
                break
        else:
            raise AssertionError("the clock doesn't come to rest")

    @invariant()
    def it_ended_or_a_clock_runs(self) -> None:
        row = self.row
        assert (row.due_at is None) is (row.state in ENDED), row.state
        assert (row.ended_at is None) is (row.state not in ENDED)

    @invariant()
    def its_steps_have_no_gap(self) -> None:
        with self.city.ctx.sessions() as session:
            query = select(ItemStep).where(ItemStep.item_id == self.item).order_by(ItemStep.seq)
            steps = session.scalars(query).all()
        assert [step.seq for step in steps] == list(range(1, self.row.seq + 1))
        assert all(one.to_state is two.from_state for one, two in pairwise(steps))
        assert steps[-1].to_state is self.row.state

    @invariant()
    def counts_are_those_of_its_end(self) -> None:
        """A removed rating leaves nothing behind, an open one stays whole, wherever it moved."""
        with self.city.ctx.sessions() as session:
            entries = session.scalars(select(ScoreEntry).where(ScoreEntry.rating_id.is_not(None))).all()
            adjustments = session.scalars(select(Adjustment.kind)).all()
        counts = {name: value for name, value in sums(entries).items() if value}
        if self.row.state in (ItemState.REMOVED, ItemState.EXPLAINED):
            seconds = counts.pop("second_answered", 0)
            assert (counts, seconds) == ({"rated_raw": 1, "removed": 1}, 0)
        else:
            assert (counts["rated"], counts["rated_raw"], counts.get("removed", 0)) == (1, 1, 0)
        assert len(set(adjustments)) == len(adjustments)  # each deduction once an item


def test_the_life_of_an_item(sqlite_template: Path, tmp_path: Path, privacy: Privacy) -> None:
    numbers = count(1)

    def life() -> Life:
        path = tmp_path / f"{next(numbers)}.db"
        shutil.copy(sqlite_template, path)
        return Life(f"sqlite:///{path}", privacy)

    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=10,
            stateful_step_count=30,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
