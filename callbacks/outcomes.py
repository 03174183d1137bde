"""What became of a case, written for other systems in the transaction in which it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from callbacks.events import CallbackEnded, Event, Rated, RatingChanged, RatingSettled, ResolutionGiven
from callbacks.models import Callback, Rating
from callbacks.models_systems import Outcome
from callbacks.rating import SCALES
from callbacks.states import State


class OutcomeKind(StrEnum):
    """What may come of a case: its callback's terminal states, and what may still befall its rating."""

    RATED = State.RATED.value
    UNREACHED = State.UNREACHED.value
    REFUSED = State.REFUSED.value
    INVALID_NUMBER = State.INVALID_NUMBER.value
    WRONG_PERSON = State.WRONG_PERSON.value
    EXCLUDED = State.EXCLUDED.value
    CANCELLED = State.CANCELLED.value
    CHANGED = "changed"  # the citizen's own change: this rating counts instead
    RESOLUTION = "resolution"  # the citizen said whether the matter is solved
    SETTLED = "settled"  # the minutes for a change are over


class OutcomeFeed:
    """The subscriber that `app.py` wires to the callbacks: an `Outcome` row for each that other systems see.

    Without a number yet: `callbacks.service.outcomes` numbers what is committed. The rows of one callback are
    written under its lock, so their ids are in the order of the facts. A payload holds no telephone number,
    no name and none of the citizen's words.
    """

    def __call__(self, session: Session, event: Event) -> None:
        match event:
            case CallbackEnded(_, State.RATED, _):
                pass  # `Rated` follows and knows the rating
            case CallbackEnded(callback_id, state, at):
                _write(session, callback_id, OutcomeKind(state.value), 0, at, {"outcome": state.value})
            case Rated(rating_id, at):
                _of_rating(session, OutcomeKind.RATED, 0, rating_id, at)
            case RatingChanged(old_id, new_id, at):
                old = _rating_payload(session.get_one(Rating, old_id))
                _of_rating(session, OutcomeKind.CHANGED, new_id, new_id, at, changed_from=old)
            case ResolutionGiven(rating_id, _, at):
                _of_rating(session, OutcomeKind.RESOLUTION, rating_id, rating_id, at)
            case RatingSettled(rating_id, _, at):
                _of_rating(session, OutcomeKind.SETTLED, rating_id, rating_id, at)


def _of_rating(
    session: Session, kind: OutcomeKind, ordinal: int, rating_id: int, at: datetime, **more: Any
) -> None:
    rating = session.get_one(Rating, rating_id)
    told = {
        "outcome": State.RATED.value,
        "rating": _rating_payload(rating),
        "channel": rating.channel.value,
        "late": rating.late,
        "resolved": rating.resolved,
        **more,
    }
    _write(session, rating.callback_id, kind, ordinal, at, told)


def _write(
    session: Session, callback_id: int, kind: OutcomeKind, ordinal: int, at: datetime, told: dict[str, Any]
) -> None:
    callback = session.get_one(Callback, callback_id)  # its writer has it at hand, and its case
    payload = {
        "case": callback.case.number,
        "closing_no": callback.closing_no,
        "round": callback.round,
        "unit": callback.unit.code,
        "outcome": None,
        "exclusion": callback.exclusion and callback.exclusion.value,
        "rating": None,
        "channel": None,
        "late": False,
        "resolved": None,
        "changed_from": None,
        "at": at.astimezone(UTC).isoformat(),
    }
    session.add(
        Outcome(
            case_id=callback.case_id,
            callback_id=callback_id,
            kind=kind.value,
            ordinal=ordinal,
            payload={**payload, **told},
            at=at,
        )
    )


def _rating_payload(rating: Rating) -> dict[str, Any]:
    """A rating as other systems read it: the label in the scale's own words."""
    label = SCALES[rating.scale].labels[rating.value]
    return {"value": rating.value, "scale": rating.scale, "label": label}
