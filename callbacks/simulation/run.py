"""A simulated city, run to its end: closings, clock, voice, texts, web and agents in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from random import Random

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.intake import store_rows
from callbacks.intake_rows import CaseRow
from callbacks.models import Callback, Case, Unit
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
        for row in rows:
            self._arrange_web(row)
        self._arrange_closings()

    # -- the clock

    def _tick(self, planned_for: datetime) -> None:
        self._looked = True
        if planned_for != self._tick_at:
            return  # an earlier look took its place
        now, due = self.world.now, self._read_due()
        self.over = due.first is None and now >= self._over
        self._tick_at = FAR
        if due.first is None:
            return
        self._tick_at = max(due.first, now + timedelta(seconds=TICK))
        self.world.at(self._tick_at, partial(self._tick, self._tick_at))
        if due.first <= now:
            self._look(due)

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
        while is_due(due.rating) and settle_due(self.ctx, now, _BATCH) == _BATCH:
            pass
        if is_due(due.question):
            expire_questions(self.ctx, now)
        if is_due(due.text):
            self.texts.look(TICK)
        if is_due(due.call):
            self.voice.look()

    # -- the web: those without a number who come back to the forum

    def _arrange_web(self, row: CaseRow) -> None:
        if row.platform and not row.citizen_phones and self.random.random() < 0.3:
            first = self.ctx.policy.first_step_delay.total_seconds()
            self.world.after(first + self.random.uniform(600, 6 * 86400), partial(self._web, row.number))

    def _web(self, number: str) -> None:
        def work(session: Session) -> int:
            query = select(Callback.id).join(Callback.case).where(Case.number == number)
            return session.scalars(query.order_by(Callback.id.desc())).first() or 0

        value = self.random.choices((1, 2, 3), (60, 20, 20))[0]
        answer = Answer(value, Channel.WEB, str(value))
        web_rated(self.ctx, self.ctx.run(work), answer, self.world.now)
