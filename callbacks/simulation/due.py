"""What is due when: lets virtual time jump over the hours in which nothing is, and skip idle looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, Callback, Rating, TextMessage, TextState
from callbacks.service.core import LIVE, Context
from callbacks.states import ON_THE_LINE, OPEN, State

_CALLABLE = (State.CALL_QUEUED, State.RETRY_WAIT)


@dataclass(frozen=True, slots=True)
class Due:
    """The earliest time of each kind of work; None: nothing of it is left."""

    plan: datetime | None
    deadline: datetime | None
    call: datetime | None
    text: datetime | None
    submit: datetime | None
    question: datetime | None
    lease: datetime | None
    rating: datetime | None

    @property
    def first(self) -> datetime | None:
        """The earliest of all."""
        times = (getattr(self, each.name) for each in fields(self))
        return min((at for at in times if at is not None), default=None)


def _first(column: Any, *where: Any) -> list[Any]:
    return [select(func.min(column)).where(*where).scalar_subquery()]


def _first_in(column: Any, states: Iterable[State]) -> list[Any]:
    """State by state: each is the first entry of an index then, however many callbacks there are."""
    return [each for state in sorted(states) for each in _first(column, Callback.state == state)]


_OFF_LINE = OPEN - ON_THE_LINE
_ASKED: dict[str, list[Any]] = {
    "plan": _first_in(Callback.next_at, _OFF_LINE - frozenset(_CALLABLE)),
    "deadline": _first_in(Callback.deadline, _OFF_LINE),
    "call": _first_in(Callback.next_at, _CALLABLE),
    "text": _first(TextMessage.not_before, TextMessage.state == TextState.QUEUED),
    "submit": _first(TextMessage.lease_expires_at, TextMessage.state == TextState.SUBMITTING),
    "question": _first(TextMessage.answerable_until, TextMessage.open),
    "lease": _first(Attempt.lease_expires_at, Attempt.state.in_(LIVE)),
    "rating": _first(Rating.at, Rating.counted, Rating.settled_at.is_(None)),
}
_ALL: Select[Any] = select(*(each for asked in _ASKED.values() for each in asked))


def read_due(ctx: Context, session: Session) -> Due:
    """What is due, in one question."""
    times = iter(session.execute(_ALL).one())
    first: dict[str, datetime | None] = {}
    for kind, asked in _ASKED.items():
        told = [at for at in islice(times, len(asked)) if at is not None]
        first[kind] = min(told, default=None)
    rated = first["rating"]
    return Due(**first | {"rating": rated and rated + ctx.policy.change_window})
