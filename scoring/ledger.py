"""Closings, callbacks and ratings become append-only score entries, in the transaction that stores them."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from callbacks.events import (
    CallbackEnded,
    CasesClosed,
    Event,
    Rated,
    RatingChanged,
    RatingSettled,
    ResolutionGiven,
)
from callbacks.models import Callback, Rating
from callbacks.rating import SCALES
from callbacks.states import DONE
from scoring.models import ScoreEntry
from scoring.models_items import DissatisfactionItem
from scoring.months import counted, counting_month, month_of
from scoring.moving import unit_of_rating
from scoring.posting import enter_closings, enter_ended, reached_late
from scoring.removal import as_texts
from scoring.settings import ScoringSettings


class ScoreLedger:
    """The subscriber that `app.py` wires to the callbacks. Months go by the office's time zone."""

    def __init__(self, timezone: str, settings: ScoringSettings | None = None) -> None:
        self._timezone = timezone
        self._settings = settings or ScoringSettings()

    def __call__(self, session: Session, event: Event) -> None:
        match event:
            case CasesClosed(closings, at):
                enter_closings(session, closings, self._settings, self._timezone, at)
            case CallbackEnded(callback_id, state, at) if state in DONE:
                callback = session.get_one(Callback, callback_id)
                if callback.round == 1:
                    enter_ended(session, callback, self._timezone, at)
            case Rated(rating_id, at):
                self._rated(session, session.get_one(Rating, rating_id), at)
            case RatingChanged(old_id, new_id, at):
                old, new = session.get_one(Rating, old_id), session.get_one(Rating, new_id)
                changes = _difference(_worth(session, new), _worth(session, old))
                # Both in the old one's month, so that a change over midnight moves nothing between months.
                if not _is_first_removed(session, new.callback):
                    self._enter(session, new, "changed", changes, at, counted_at=old.at)
            case ResolutionGiven(rating_id, resolved, at):
                rating = session.get_one(Rating, rating_id)
                changes = _resolution(session, rating.callback, resolved)
                if any(changes.values()) and not _is_first_removed(session, rating.callback):
                    self._enter(session, rating, "resolution", changes, at)
            case RatingSettled(rating_id, True, at):
                self._list(session, session.get_one(Rating, rating_id), at)
            case RatingSettled() | CallbackEnded():
                pass

    def _rated(self, session: Session, rating: Rating, at: datetime) -> None:
        first = rating.callback.round == 1
        if not first and _is_first_removed(session, rating.callback):
            return
        counts = (
            {"rated_raw": Fraction(1), "rated": Fraction(1)} if first else {"second_answered": Fraction(1)}
        )
        if first and rating.late:
            month = counting_month(session, month_of(rating.at, self._timezone))
            counts |= reached_late(session, rating.callback, month)
        changes = {**counts, **_worth(session, rating)}
        self._enter(session, rating, "rated", changes, at)

    def _ended_late(self, session: Session, rating: Rating) -> str | None:
        """The month in which the callback of a late answer ended, where that is closed by now."""
        ended = rating.callback.ended_at
        if not rating.late or ended is None:
            return None
        return counted(session, month_of(ended, self._timezone)).late_of

    def _enter(
        self,
        session: Session,
        rating: Rating,
        kind: str,
        changes: dict[str, Fraction],
        at: datetime,
        counted_at: datetime | None = None,
    ) -> None:
        month = counted(session, month_of(counted_at or rating.at, self._timezone))
        # What comes to a rating later goes where that went (scoring.moving).
        unit_id = rating.callback.unit_id if kind == "rated" else unit_of_rating(session, rating)
        session.add(
            ScoreEntry(
                unit_id=unit_id,
                month=month.month,
                of_month=self._ended_late(session, rating) or month.late_of,
                kind=kind,
                source=f"rating:{rating.id}",
                callback_id=rating.callback_id,
                rating_id=rating.id,
                changes=as_texts(changes),
                provenance=_provenance(rating),
                at=at,
            )
        )

    def _list(self, session: Session, rating: Rating, at: datetime) -> None:
        """列入不满意清单, once a closing: what the second callback says goes on with the first one's item."""
        if rating.callback.round > 1:
            return
        found = select(DissatisfactionItem.id).where(DissatisfactionItem.callback_id == rating.callback_id)
        if session.scalar(found) is None:
            item = DissatisfactionItem(
                callback_id=rating.callback_id,
                rating_id=rating.id,
                unit_id=rating.callback.unit_id,
                opened_at=at,
            )
            session.add(item)


def _worth(session: Session, rating: Rating) -> dict[str, Fraction]:
    """What a rating adds: to the first round's index, or as a second callback to the rework credit."""
    scale = SCALES[rating.scale]
    weight = scale.weight(rating.value)
    if rating.callback.round == 1:
        return {"positive": Fraction(int(rating.value in scale.positive)), "weight_first": weight}
    return {
        "second_not_dissatisfied": Fraction(int(rating.value not in scale.dissatisfied)),
        "weight_delta": weight - _first_weight(session, rating.callback),
    }


def _first_weight(session: Session, callback: Callback) -> Fraction:
    first = _first_rating(session, callback)
    return Fraction(0) if first is None else SCALES[first.scale].weight(first.value)


def _resolution(session: Session, callback: Callback, resolved: bool) -> dict[str, Fraction]:
    """解决率 is of ratings, and the last word is final: asked again after rework, the newer one replaces."""
    before = _answer_before(session, callback)
    if before is None:
        return {"resolved_answered": Fraction(1), "resolved": Fraction(int(resolved))}
    return {"resolved": Fraction(int(resolved) - int(before))}


def _answer_before(session: Session, callback: Callback) -> bool | None:
    """The latest answer to "solved?" of an earlier round of the same closing."""
    if callback.round == 1:
        return None
    query = (
        select(Rating.resolved)
        .join(Callback, Callback.id == Rating.callback_id)
        .where(Callback.case_id == callback.case_id, Callback.closing_no == callback.closing_no)
        .where(Callback.round < callback.round, Rating.counted, Rating.resolved.is_not(None))
        .order_by(Callback.round.desc())
        .limit(1)
    )
    return session.scalar(query)


def _is_first_removed(session: Session, callback: Callback) -> bool:
    """What came after it, in whichever round, changes or mends what was never there."""
    of_closing = (Callback.case_id == callback.case_id, Callback.closing_no == callback.closing_no)
    first = select(Callback.id).where(*of_closing, Callback.round == 1).scalar_subquery()
    removed = exists().where(ScoreEntry.callback_id == first, ScoreEntry.kind == "removed")
    return bool(session.scalar(select(removed)))


def _first_rating(session: Session, callback: Callback) -> Rating | None:
    """The first round's counted rating of the same closing."""
    query = (
        select(Rating)
        .join(Callback, Callback.id == Rating.callback_id)
        .where(Callback.case_id == callback.case_id, Callback.closing_no == callback.closing_no)
        .where(Callback.round == 1, Rating.counted)
    )
    return session.scalar(query)


def _difference(new: dict[str, Fraction], old: dict[str, Fraction]) -> dict[str, Fraction]:
    return {name: value - old[name] for name, value in new.items()}


def _provenance(rating: Rating) -> dict[str, Any]:
    """Where a point comes from, so that it can be explained."""
    return {
        "attempt": rating.attempt_id,
        "reply": rating.reply_id,
        "channel": rating.channel.value,
        "raw": rating.raw,
        "prompt_id": rating.prompt_id,
        "ms_since_prompt_end": rating.ms_since_prompt_end,
        "scale": rating.scale,
        "value": rating.value,
    }
