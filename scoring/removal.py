"""剔除: a rating that is taken out of the scores, as if it had never come (domain.md §4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Rating
from scoring.models import ScoreEntry
from scoring.months import counted

# `rated_raw` stays: the citizen did answer, and the response rate says so.
_STAYS = "rated_raw"


def remove_rating(session: Session, rating: Rating, why: str, by: str, at: datetime) -> bool:
    """Takes back all that a rating, and those of the later rounds, brought. It's never turned round.

    `why` is misrated, wrong_unit, malicious, no_legal_basis or test. The entry counts in the month of what
    it takes back, a draft too, or in the first open one after it. False where it was removed before.
    """
    if is_removed(session, rating.id):
        return False
    first = rating.callback.round == 1
    _take_back(session, rating, why, by, at, {"removed": Fraction(1)} if first else {})
    for later in _later_ratings(session, rating.callback):
        if not is_removed(session, later.id):
            _take_back(session, later, why, by, at, {})
    return True


def is_removed(session: Session, rating_id: int) -> bool:
    removed = exists().where(ScoreEntry.source == f"rating:{rating_id}", ScoreEntry.kind == "removed")
    return bool(session.scalar(select(removed)))


def _take_back(
    session: Session, rating: Rating, why: str, by: str, at: datetime, more: Mapping[str, Fraction]
) -> None:
    entries = entries_of(session, rating)
    if not entries:
        return
    month = counted(session, max(entry.month for entry in entries), decided=True)
    changes = {name: -value for name, value in sums(entries).items() if name != _STAYS}
    session.add(
        ScoreEntry(
            unit_id=entries[-1].unit_id,
            month=month.month,
            of_month=month.late_of,
            kind="removed",
            source=f"rating:{rating.id}",
            callback_id=rating.callback_id,
            rating_id=rating.id,
            changes=as_texts({**changes, **more}),
            provenance={"why": why, "by": by, "takes_back": [entry.id for entry in entries]},
            at=at,
        )
    )
    session.flush()


def entries_of(session: Session, rating: Rating) -> Sequence[ScoreEntry]:
    """What the callback's ratings brought, in their order: the rating, and the one that it changed."""
    query = select(ScoreEntry).where(
        ScoreEntry.callback_id == rating.callback_id, ScoreEntry.rating_id.is_not(None)
    )
    return session.scalars(query.order_by(ScoreEntry.id)).all()


def _later_ratings(session: Session, callback: Callback) -> Sequence[Rating]:
    """The counted ratings of the second and later callbacks of the same closing."""
    query = (
        select(Rating)
        .join(Callback, Callback.id == Rating.callback_id)
        .where(Callback.case_id == callback.case_id, Callback.closing_no == callback.closing_no)
        .where(Callback.round > callback.round, Rating.counted)
        .order_by(Callback.round)
    )
    return session.scalars(query).all()


def sums(entries: Sequence[ScoreEntry]) -> dict[str, Fraction]:
    """What the entries come to, count by count."""
    found: dict[str, Fraction] = {}
    for entry in entries:
        for name, value in entry.changes.items():
            found[name] = found.get(name, Fraction(0)) + Fraction(str(value))
    return found


def as_texts(changes: Mapping[str, Fraction]) -> dict[str, Any]:
    """Exact texts of what isn't zero."""
    return {name: str(value) for name, value in changes.items() if value}
