"""What is due when: lets virtual time jump over the hours in which nothing is, and skip idle looks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
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


def _first(column: Any, *where: Any) -> Any:
    return select(func.min(column)).where(*where).scalar_subquery()


_OFF_LINE = Callback.state.in_(OPEN - ON_THE_LINE)
_ALL: Select[Any] = select(
    _first(Callback.next_at, Callback.state.in_(OPEN - ON_THE_LINE - frozenset(_CALLABLE))),
    _first(Callback.deadline, _OFF_LINE),
    _first(Callback.next_at, Callback.state.in_(_CALLABLE)),
    _first(TextMessage.not_before, TextMessage.state == TextState.QUEUED),
    _first(TextMessage.lease_expires_at, TextMessage.state == TextState.SUBMITTING),
    _first(TextMessage.answerable_until, TextMessage.open),
    _first(Attempt.lease_expires_at, Attempt.state.in_(LIVE)),
    _first(Rating.at, Rating.counted, Rating.settled_at.is_(None)),
)


def read_due(ctx: Context, session: Session) -> Due:
    """What is due, in one question."""
    row = list(session.execute(_ALL).one())
    if row[-1] is not None:
        row[-1] += ctx.policy.change_window
    return Due(*row)
