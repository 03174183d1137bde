"""From what the ledger is counted: how closings and callbacks stand now, or stood at a moment.

The past is read from what only grows: closings by when they came, moves and ratings by their times. Some of
it is written down later than it happened (a key that was spooled, a long import); `Marks` keep that apart, so
that a day's ledger stays what its proof said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from callbacks.models import Attempt, AttemptCallback, Callback, CallbackMove, Closing, Rating
from callbacks.service.core import LIVE
from callbacks.states import State, Trigger

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Marks:
    """The last rows that a proof has seen, by their ids."""

    callback: int
    move: int
    rating: int


_EVERYTHING = Marks(*(2**31 - 1,) * 3)  # what the ids' columns take


@dataclass(frozen=True, slots=True)
class Standing:
    """Expressions over a query's Callback and Closing: how they stand, and which of them there are."""

    state: SQLColumnExpression[State]
    has_callback: Condition
    has_closing: Condition
    is_rated: Condition  # by a counted rating
    is_live: Condition  # an attempt for the callback is


@dataclass(frozen=True, slots=True)
class WrittenLater:
    """What has a time before a proof's day ended, and was written after the proof."""

    closings: int
    moves: int


def read_marks(session: Session) -> Marks:
    """Where the tables end in this transaction."""

    def last(column: SQLColumnExpression[int]) -> int:
        return session.scalar(select(func.max(column))) or 0

    return Marks(last(Callback.id), last(CallbackMove.id), last(Rating.id))


def read_written_later(session: Session, until: datetime, marks: Marks) -> WrittenLater:
    """What the proof with these marks couldn't know of the time before `until`."""
    closings = select(func.count()).select_from(Closing).join(Callback, _of_closing())
    moves = select(func.count(CallbackMove.id)).where(CallbackMove.at < until, CallbackMove.id > marks.move)
    late = closings.where(Closing.came_at < until, Callback.id > marks.callback)
    return WrittenLater(session.scalar(late) or 0, session.scalar(moves) or 0)


def standing_now() -> Standing:
    of_callback = exists().where(Rating.callback_id == Callback.id, Rating.counted)
    live = exists().where(_linked(), AttemptCallback.live, Attempt.state.in_(LIVE))
    return Standing(Callback.state, true(), true(), of_callback, live)


def standing_at(until: datetime, marks: Marks = _EVERYTHING) -> Standing:
    """How things stood just before `until`; with `marks`, as far as their proof knew it."""
    came = aliased(Closing)
    of_callback = and_(came.case_id == Callback.case_id, came.closing_no == Callback.closing_no)
    written_later = exists().where(_of_closing(), Callback.id > marks.callback)
    return Standing(
        state=_state_at(until, marks),
        has_callback=and_(exists().where(of_callback, came.came_at < until), Callback.id <= marks.callback),
        has_closing=and_(Closing.came_at < until, ~written_later),
        is_rated=_rated_at(until, marks),
        is_live=exists().where(
            _linked(),
            Attempt.claimed_at < until,
            or_(Attempt.ended_at.is_(None), Attempt.ended_at >= until),
        ),
    )


def _of_closing() -> Condition:
    same = and_(Callback.case_id == Closing.case_id, Callback.closing_no == Closing.closing_no)
    return and_(same, Callback.round == 1)


def _linked() -> Condition:
    return and_(AttemptCallback.callback_id == Callback.id, Attempt.id == AttemptCallback.attempt_id)


def _state_at(until: datetime, marks: Marks) -> ColumnElement[State]:
    """Where the last move before led; else where the first one after came from; else it never moved."""
    moves = select(CallbackMove).where(CallbackMove.callback_id == Callback.id)
    before = and_(CallbackMove.at < until, CallbackMove.id <= marks.move)
    last = moves.where(before).order_by(CallbackMove.id.desc()).limit(1)
    first = moves.where(~before).order_by(CallbackMove.id).limit(1)
    return func.coalesce(
        last.with_only_columns(CallbackMove.to_state).scalar_subquery(),
        first.with_only_columns(CallbackMove.from_state).scalar_subquery(),
        Callback.state,
    )


def _rated_at(until: datetime, marks: Marks) -> Condition:
    """A rating counted that counts still, or was changed since: of those the move tells which one it was."""
    change = aliased(Rating)
    known = (Rating.at < until, Rating.id <= marks.rating)
    changed = exists().where(
        change.callback_id == Rating.callback_id, change.is_change, change.id > Rating.id
    )
    by_it = exists().where(
        CallbackMove.callback_id == Rating.callback_id,
        CallbackMove.trigger == Trigger.RATE,
        CallbackMove.at == Rating.at,
    )
    return exists().where(
        Rating.callback_id == Callback.id, *known, or_(Rating.counted, and_(changed, by_it))
    )
