"""A simulated city, run to its end: closings, clock, voice, texts, web and agents in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from random import Random

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from callbacks.intake import store_rows
from callbacks.intake_rows import CaseRow
from callbacks.models import Callback, CasePhone, Unit
from callbacks.service.answers import Answer
from callbacks.service.core import Context
from callbacks.service.leases import settle_leases
from callbacks.service.planning import plan_due, settle_due
from callbacks.service.texts import expire_questions
from callbacks.service.web_answers import web_rated
from callbacks.simulation.closings import Plan, closings
from callbacks.simulation.due import Due, read_due
from callbacks.simulation.people import Citizen, draw
from callbacks.simulation.texts import Parsed, VirtualTexts
from callbacks.simulation.voice import VirtualVoice
from callbacks.simulation.world import World
from callbacks.states import State
from callbacks.vocabulary import Channel

TICK = 60.0  # seconds of virtual time between two looks of the clock and the workers
FAR = datetime.max.replace(tzinfo=UTC)
_BATCH = 200


class Simulation:
    """One shard of a simulated city. `step` until it says False, or `run`."""

    def __init__(self, ctx: Context, world: World, plan: Plan, read: Callable[[str], Parsed]) -> None:
        self.ctx, self.world, self.plan = ctx, world, plan
        self.random = Random(f"{plan.seed}:world:{plan.shard}")
        self._citizens: dict[str, Citizen] = {}
        lines = max(1, plan.lines // plan.shards)
        self.voice = VirtualVoice(ctx, world, lines, self.citizen)
        self.texts = VirtualTexts(
            ctx, world, plan.texts_per_second / plan.shards, self.citizen, read, self.random
        )
        self._closings: Iterator[tuple[datetime, CaseRow]] = closings(plan, self._units())
        self._over = plan.start + timedelta(days=plan.days)
        self._asked_on_web: set[int] = set()
        self.over = self._looked = False
        self._arrange_closings()
        self._tick_at = plan.start
        world.at(plan.start, partial(self._tick, plan.start))

    def citizen(self, number: str) -> Citizen:
        if number not in self._citizens:
            self._citizens[number] = draw(number, str(self.plan.seed))
        return self._citizens[number]

    def run(self) -> None:
        """To the end: every callback has its outcome."""
        while self.step():
            pass

    def step(self) -> bool:
        """The next happening; what it changed is looked at within a tick. False when all is over."""
        self._looked = False
        if not self.world.step():
            return False
        if not self._looked:
            self._look_by(self.world.now + timedelta(seconds=TICK))
        return True

    def _look_by(self, when: datetime) -> None:
        if not self.over and when < self._tick_at:
            self._tick_at = when
            self.world.at(when, partial(self._tick, when))

    def _units(self) -> list[str]:
        return self.ctx.run(lambda session: list(session.scalars(select(Unit.code).order_by(Unit.code))))

    # -- closings: an hour's come with one file, when the last of them is closed

    def _arrange_closings(self) -> None:
        first = next(self._closings, None)
        if first is None:
            return
        hour = [first]
        for later in self._closings:
            if later[0] >= first[0] + timedelta(hours=1) or len(hour) == _BATCH:
                self._closings = chain([later], self._closings)
                break
            hour.append(later)
        self.world.at(hour[-1][0], partial(self._close, [row for _, row in hour]))

    def _close(self, rows: Sequence[CaseRow]) -> None:
        store_rows(self.ctx, rows, self.world.now)
        self._arrange_closings()

    # -- the clock

    def _tick(self, planned_for: datetime) -> None:
        if planned_for != self._tick_at:
            self._looked = True
            return  # an earlier look took its place
        self._looked = True
        self._look(self._read_due())
        due = self._read_due().first
        self.over = due is None and self.world.now >= self._over
        self._tick_at = FAR
        if due is not None:
            self._tick_at = max(due, self.world.now + timedelta(seconds=TICK))
            self.world.at(self._tick_at, partial(self._tick, self._tick_at))

    def _read_due(self) -> Due:
        return self.ctx.run(lambda session: read_due(self.ctx, session))

    def _look(self, due: Due) -> None:
        """What the clock and the workers do each second, where it is due."""
        now = self.world.now

        def is_due(*times: datetime | None) -> bool:
            return any(at is not None and at <= now for at in times)

        if not self.voice.dead:
            self.voice.renew()
        if is_due(due.lease, due.submit):
            settle_leases(self.ctx, now)
        if is_due(due.plan, due.deadline):
            while plan_due(self.ctx, now, _BATCH) == _BATCH:
                pass
            self._ask_on_web(now)
        while is_due(due.rating) and settle_due(self.ctx, now, _BATCH) == _BATCH:
            pass
        if is_due(due.question):
            expire_questions(self.ctx, now)
        self.texts.look(TICK)
        self.voice.look()

    # -- the web: those without a number who come back to the forum

    def _ask_on_web(self, now: datetime) -> None:
        def work(session: Session) -> list[int]:
            query = select(Callback.id).where(
                Callback.state == State.AWAIT_REPLY,
                Callback.state_since > now - timedelta(seconds=2 * TICK),
                ~exists().where(CasePhone.case_id == Callback.case_id),
            )
            return list(session.scalars(query.order_by(Callback.id)))

        for callback_id in self.ctx.run(work):
            if callback_id not in self._asked_on_web:
                self._asked_on_web.add(callback_id)
                if self.random.random() < 0.3:
                    self.world.after(self.random.uniform(600, 6 * 86400), partial(self._web, callback_id))

    def _web(self, callback_id: int) -> None:
        value = self.random.choices((1, 2, 3), (60, 20, 20))[0]
        web_rated(self.ctx, callback_id, Answer(value, Channel.WEB, str(value)), self.world.now)
