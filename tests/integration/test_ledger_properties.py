"""Whatever citizens and the office do, through the service: what a score is a function of, and what not.

Stories of several callbacks, each with its own answers, change, second callback and removal, are told in one
order and in another; with a removed rating, and with one that never came; after a month is published.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from callbacks.database import make_engine, make_sessions
from callbacks.models import Callback, Rating
from callbacks.privacy import Privacy
from callbacks.service.answers import Answer, change, counted_rating, give_resolution, rate
from callbacks.service.core import lock_callbacks, move
from callbacks.service.rounds import open_round
from callbacks.states import Trigger
from callbacks.vocabulary import Channel, UnitGroup
from scoring.assessment import entry_sums
from scoring.models import ScoreMonth
from scoring.month_closing import freeze_month, inputs_text, inputs_writer, publish_month
from scoring.moving import move_rating, unit_of_rating
from scoring.removal import remove_rating
from scoring.rules import Counts, assess, satisfaction_rate
from tests.integration.months_city import Months, at
from tests.integration.office import make_desk

BEGAN = at("2026-11-10")
QUICK = settings(
    max_examples=12,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Story:
    """What happens to one callback: the first rating with its change and answer to "solved?", the second."""

    first: int
    changed: int | None
    solved: bool | None
    second: int | None
    second_changed: int | None
    second_solved: bool | None
    removed: bool
    moved: bool
    removed_early: bool  # before the change, the answer and the second rating that are still on their way


STORIES = st.builds(
    Story,
    first=st.integers(1, 3),
    changed=st.none() | st.integers(1, 3),
    solved=st.none() | st.booleans(),
    second=st.none() | st.integers(1, 3),
    second_changed=st.none() | st.integers(1, 3),
    second_solved=st.none() | st.booleans(),
    removed=st.booleans(),
    moved=st.booleans(),
    removed_early=st.booleans(),
)


@dataclass
class Told:
    """A city in which stories are told; each one's times are its own, whoever comes first."""

    city: Months

    def close(self, number: int) -> list[int]:
        self.city.unit("A", UnitGroup.COUNTY)
        self.city.unit("B", UnitGroup.COUNTY)
        return [self.city.case("A", BEGAN - timedelta(days=1)) for _ in range(number)]

    def steps(self, story: Story, callback_id: int) -> list[Callable[[], None]]:
        """In their order. `removed` says whether the rating is taken out, not whether it came."""
        now = BEGAN + timedelta(minutes=1)
        found = [lambda: self.rated(callback_id, story.first, now)]
        if story.moved:
            found.append(lambda: self.move(callback_id, now + timedelta(hours=1)))
        if story.removed and story.removed_early:
            found.append(lambda: self.remove(callback_id, now))
        found += self._answers(callback_id, story.changed, story.solved, now)
        if story.second is not None:
            found.append(lambda: self.again(callback_id, story.second or 0, now + timedelta(days=1)))
            later = now + timedelta(days=1)
            found += self._answers(callback_id, story.second_changed, story.second_solved, later, second=True)
        if story.removed and not story.removed_early:
            found.append(lambda: self.remove(callback_id, now + timedelta(days=2)))
        return found

    def _answers(
        self, first: int, value: int | None, solved: bool | None, at: datetime, *, second: bool = False
    ) -> list[Callable[[], None]]:
        found: list[Callable[[], None]] = []
        if solved is not None:
            found.append(lambda: self.solve(first, solved, at, second))
        if value is not None:
            found.append(lambda: self.change(first, value, at + timedelta(minutes=2), second))
        return found

    def rated(self, callback_id: int, value: int, now: datetime) -> None:
        def work(session: Session) -> None:
            (callback,) = lock_callbacks(session, [callback_id])
            rate(self.city.ctx, session, callback, Answer(value, Channel.VOICE, str(value)), now)

        self.city.ctx.run(work)

    def again(self, first: int, value: int, now: datetime) -> None:
        """The second callback, as a rework brings it, of whoever has the rating."""

        def work(session: Session) -> int:
            callback = session.get_one(Callback, first)
            rating = counted_rating(session, first)
            assert rating is not None
            return open_round(self.city.ctx, session, callback, unit_of_rating(session, rating), now).id

        self.rated(self.city.ctx.run(work), value, now)

    def change(self, first: int, value: int, now: datetime, second: bool) -> None:
        def work(session: Session) -> None:
            (callback,) = lock_callbacks(session, [_round(session, first, second)])
            change(self.city.ctx, session, callback, Answer(value, Channel.VOICE, str(value)), now)

        self.city.ctx.run(work)

    def solve(self, first: int, solved: bool, now: datetime, second: bool) -> None:
        self.city.ctx.run(
            lambda session: give_resolution(
                self.city.ctx, session, _round(session, first, second), solved, now
            )
        )

    def move(self, callback_id: int, now: datetime) -> None:
        self._with_rating(
            callback_id, lambda session, of: move_rating(session, of, self.city.units["B"], "head", now)
        )

    def remove(self, callback_id: int, now: datetime) -> None:
        self._with_rating(callback_id, lambda session, of: remove_rating(session, of, "misrated", "x", now))

    def _with_rating(self, callback_id: int, do: Callable[[Session, Rating], object]) -> None:
        def work(session: Session) -> None:
            rating = counted_rating(session, callback_id)
            assert rating is not None
            do(session, rating)

        self.city.ctx.run(work)

    def unreached(self, callback_id: int) -> None:
        def work(session: Session) -> None:
            (callback,) = lock_callbacks(session, [callback_id])
            move(self.city.ctx, session, callback, Trigger.DEADLINE, BEGAN)

        self.city.ctx.run(work)

    def counts(self) -> dict[str, Counts]:
        with self.city.ctx.sessions() as session:
            found = entry_sums(session, "2026-11")
        return {code: found.get(id_, Counts()) for code, id_ in self.city.units.items()}


def _round(session: Session, first: int, second: bool) -> int:
    callback = session.get_one(Callback, first)
    query = select(Callback.id).where(Callback.case_id == callback.case_id, Callback.round == 1 + second)
    return session.scalars(query).one()


@pytest.fixture
def make_city(sqlite_template: Path, tmp_path: Path, privacy: Privacy) -> Iterator[Callable[[], Told]]:
    """Cities in files of their own; only the last one stays open."""
    numbers, engines = count(1), list[Engine]()

    def make() -> Told:
        path = tmp_path / f"{next(numbers)}.db"
        shutil.copy(sqlite_template, path)
        engines.append(make_engine(f"sqlite:///{path}"))
        return Told(Months.of(make_desk(make_sessions(engines[-1]), privacy).ctx))

    yield make
    for engine in engines:
        engine.dispose()


@QUICK
@given(st.data(), st.lists(STORIES, min_size=2, max_size=3))
def test_the_order_of_entries_of_different_callbacks_doesn_t_matter(
    make_city: Callable[[], Told], data: st.DataObject, stories: list[Story]
) -> None:
    found = []
    for mixed in (False, True):
        told = make_city()
        ways = [told.steps(*each) for each in zip(stories, told.close(len(stories)), strict=True)]
        order = [place for place, way in enumerate(ways) for _ in way]
        for place in data.draw(st.permutations(order)) if mixed else order:
            ways[place].pop(0)()
        found.append(told.counts())
    assert found[0] == found[1]


@QUICK
@given(st.lists(STORIES, min_size=1, max_size=3))
def test_a_removed_rating_equals_one_that_never_came(
    make_city: Callable[[], Told], stories: Sequence[Story]
) -> None:
    """For S, satisfaction, RES and Q; the response rate tells that the citizen did answer."""
    found = []
    for never_came in (False, True):
        told = make_city()
        for story, callback_id in zip(stories, told.close(len(stories)), strict=True):
            if story.removed and never_came:
                told.unreached(callback_id)
                continue
            for step in told.steps(story, callback_id):
                step()
        found.append({code: _what_it_says(of) for code, of in told.counts().items()})
    assert found[0] == found[1]


def _what_it_says(c: Counts) -> tuple[Fraction | None, ...]:
    settings = Months.__dataclass_fields__["settings"].default_factory()  # type: ignore[misc]
    parts = {part.name: part for part in assess(c, settings).components}
    return (satisfaction_rate(c), parts["S"].rate, parts["RES"].rate, parts["Q"].rate)


@QUICK
@given(st.lists(STORIES, min_size=2, max_size=4), st.integers(0, 3))
def test_a_published_month_never_changes(
    make_city: Callable[[], Told], stories: list[Story], before: int
) -> None:
    """Some stories are told before it's frozen, the others, and late closings, when it's published."""
    told = make_city()
    city = told.city
    ways = list(zip(stories, told.close(len(stories)), strict=True))
    for story, callback_id in ways[:before]:
        for step in told.steps(story, callback_id):
            step()
    freeze_month(city.ctx, "2026-11", "head", at("2026-12-03"), city.settings, at("2026-12-09"))
    publish_month(city.ctx, "2026-11", "head", at("2026-12-09"))
    records = {code: _columns(record) for code, record in city.records("2026-11").items()}
    for story, callback_id in ways[before:]:
        for step in told.steps(story, callback_id):
            step()
    for story, callback_id in ways[:before]:
        if not story.removed:
            told.remove(callback_id, at("2026-12-10"))
    city.case("B", BEGAN)
    with city.ctx.sessions() as session:
        month = session.get_one(ScoreMonth, "2026-11")
        writer = inputs_writer(session, "2026-11")
        for _ in inputs_text(session, "2026-11", writer):
            pass
        assert (writer.digest, writer.entries) == (month.inputs_hash, month.entries)
    assert {code: _columns(record) for code, record in city.records("2026-11").items()} == records


def _columns(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in ("counts", "components", "score", "item_points", "rank")}


def test_all_counts_are_said_by_entries_alone(make_city: Callable[[], Told]) -> None:
    """No count of the rules but what a line may change: a score has no other source."""
    told = make_city()
    told.close(1)
    assert told.counts()["A"] == Counts(
        closed=Fraction(1), closed_on_time=Fraction(1), signed_on_time=Fraction(1), without_number=Fraction(1)
    )
    assert {field.name for field in fields(Counts)} >= set(told.counts()["A"].as_texts())
