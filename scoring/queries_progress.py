"""How far the callbacks are: states, attempts, ratings, coverage and the ledger's sums, by unit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from callbacks.ledger import HAS_NUMBER
from callbacks.models import (
    Attempt,
    AttemptCallback,
    Callback,
    Closing,
    Rating,
    TextMessage,
    TextState,
    Unit,
)
from callbacks.states import DONE, OPEN, State
from callbacks.vocabulary import Channel, Disposition
from scoring.queries import Scope, UnitRow, of_units, unit_row
from scoring.queries_filter import Filter
from scoring.queries_ranking import Rate


@dataclass(frozen=True, slots=True)
class Sums:
    """closed = done + open + excluded + cancelled (domain.md §1): each closing is in exactly one of them."""

    closed: int
    done: int
    open: int
    excluded: int
    cancelled: int
    rated: int
    without_number: int = 0  # closings of cases that came without a citizen's number

    @property
    def callback(self) -> Rate:
        return Rate(self.done, self.due)

    @property
    def response(self) -> Rate:
        return Rate(self.rated, self.due)

    @property
    def no_number(self) -> Rate:
        return Rate(self.without_number, self.closed)

    @property
    def due(self) -> int:
        return self.done + self.open

    @property
    def balanced(self) -> bool:
        return self.closed == self.done + self.open + self.excluded + self.cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """The first-round callbacks of a scope. `attempts` counts calls by what came of them, None: under way.

    `by_person` counts the calls that a person made; what came of those, the person says. `machines` counts
    those of `attempts` that a machine may have taken.
    """

    sums: Sums
    states: dict[State, int]
    units: tuple[tuple[UnitRow, Sums], ...]
    attempts: dict[Disposition | None, int]
    by_person: int
    machines: int
    texts: dict[TextState, int]
    ratings: dict[Channel, int]


def read_progress(session: Session, scope: Scope, chosen: Filter) -> Progress:
    """Counts in one transaction, so that the sums fit one another."""
    wanted = _wanted(scope, chosen)
    closings = select(Closing.unit_id, func.count()).join(Unit, Unit.id == Closing.unit_id).where(*wanted)
    closed = dict(session.execute(closings.group_by(Closing.unit_id)).all())
    without = dict(session.execute(closings.where(~HAS_NUMBER).group_by(Closing.unit_id)).all())
    states: dict[int, Counter[State]] = {}
    first_round = (
        select(Callback.unit_id, Callback.state, func.count())
        .join(Unit, Unit.id == Callback.unit_id)
        .where(Callback.round == 1, *wanted)
        .group_by(Callback.unit_id, Callback.state)
    )
    for unit_id, state, number in session.execute(first_round):
        states.setdefault(unit_id, Counter())[state] += number
    units = session.scalars(select(Unit).where(Unit.id.in_({*closed, *states})).order_by(Unit.code))
    total = sum(states.values(), Counter[State]())
    return Progress(
        sums=_sums(sum(closed.values()), sum(without.values()), total),
        states={state: total[state] for state in State},
        units=tuple(
            (
                unit_row(unit),
                _sums(closed.get(unit.id, 0), without.get(unit.id, 0), states.get(unit.id, Counter())),
            )
            for unit in units
        ),
        attempts=_attempts(session, wanted),
        by_person=_by_person(session, wanted),
        machines=_machines(session, wanted),
        texts=_texts(session, wanted),
        ratings=_ratings(session, wanted),
    )


def _wanted(scope: Scope, chosen: Filter) -> list[ColumnElement[bool]]:
    return [*scope.limit(Unit.id), *of_units(chosen)]


def _sums(closed: int, without_number: int, states: Counter[State]) -> Sums:
    return Sums(
        closed=closed,
        done=sum(states[state] for state in DONE),
        open=sum(states[state] for state in OPEN),
        excluded=states[State.EXCLUDED],
        cancelled=states[State.CANCELLED],
        rated=states[State.RATED],
        without_number=without_number,
    )


def _of_units(wanted: list[ColumnElement[bool]]) -> Any:
    """The ids of the callbacks of the wanted units."""
    return select(Callback.id).join(Unit, Unit.id == Callback.unit_id).where(*wanted)


def _attempts(session: Session, wanted: list[ColumnElement[bool]]) -> dict[Disposition | None, int]:
    """Each call once, however many cases it asks for."""
    query = select(Attempt.disposition, func.count()).where(*_called(Channel.VOICE, wanted))
    return dict(session.execute(query.group_by(Attempt.disposition)).all())


def _by_person(session: Session, wanted: list[ColumnElement[bool]]) -> int:
    """Calls begun on the desk that reached for the citizen."""
    query = select(func.count()).select_from(Attempt).where(*_called(Channel.AGENT, wanted))
    return session.scalar(query) or 0


def _machines(session: Session, wanted: list[ColumnElement[bool]]) -> int:
    """Calls on which a machine was heard, and no key."""
    heard = (Attempt.machine_at.is_not(None), Attempt.machine.is_(True))
    query = select(func.count()).select_from(Attempt).where(*heard, *_called(Channel.VOICE, wanted))
    return session.scalar(query) or 0


def _called(channel: Channel, wanted: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    linked = select(AttemptCallback.attempt_id).where(AttemptCallback.callback_id.in_(_of_units(wanted)))
    return [Attempt.channel == channel, Attempt.invited_at.is_not(None), Attempt.id.in_(linked)]


def _texts(session: Session, wanted: list[ColumnElement[bool]]) -> dict[TextState, int]:
    query = (
        select(TextMessage.state, func.count())
        .where(TextMessage.attempt_id.is_not(None), TextMessage.callback_id.in_(_of_units(wanted)))
        .group_by(TextMessage.state)
    )
    return dict(session.execute(query).all())


def _ratings(session: Session, wanted: list[ColumnElement[bool]]) -> dict[Channel, int]:
    query = (
        select(Rating.channel, func.count())
        .where(Rating.counted, Rating.callback_id.in_(_of_units(wanted)))
        .group_by(Rating.channel)
    )
    return dict(session.execute(query).all())
