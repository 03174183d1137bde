"""What the callbacks tell whoever listens, inside the transaction in which it happens. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from callbacks.states import State


@dataclass(frozen=True, slots=True)
class ClosedCase:
    """A closing as it is kept: the unit that handled it then, and its times."""

    case_id: int
    closing_no: int
    unit_id: int
    accepted_at: datetime
    signed_at: datetime | None
    due_at: datetime | None
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class CasesClosed:
    """Cases were closed, one or many at once."""

    closings: tuple[ClosedCase, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class CallbackEnded:
    """A callback reached its first terminal state."""

    callback_id: int
    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class Rated:
    """The first valid answer, or a late one, counts from now on."""

    rating_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RatingChanged:
    """The same person changed it within the minutes: the new rating counts instead of the old."""

    old_rating_id: int
    new_rating_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ResolutionGiven:
    """The citizen said whether the matter is solved."""

    rating_id: int
    resolved: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class RatingSettled:
    """The minutes for a change are over."""

    rating_id: int
    dissatisfied: bool
    at: datetime


Event = CasesClosed | CallbackEnded | Rated | RatingChanged | ResolutionGiven | RatingSettled
