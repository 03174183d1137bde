"""A rating that moves to the unit which handled the case, when the office confirms it (domain.md §6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from callbacks.models import Rating
from scoring.models import ScoreEntry
from scoring.months import counted
from scoring.removal import as_texts, entries_of, is_removed, sums


def unit_of_rating(session: Session, rating: Rating) -> int:
    """The unit in whose scores the rating counts."""
    entries = entries_of(session, rating)
    return entries[-1].unit_id if entries else rating.callback.unit_id


def move_rating(session: Session, rating: Rating, unit_id: int, by: str, at: datetime) -> None:
    """Takes what the rating brought from the unit that has it, and gives it to `unit_id`.

    Both entries count in the rating's month, a draft too, or in the first open one after it. The case itself,
    its times and its callback, stay where they were: who handled it is asked of the rating alone.
    """
    if is_removed(session, rating.id):
        return
    entries = entries_of(session, rating)
    if not entries or entries[-1].unit_id == unit_id:
        return
    brought = sums(entries)
    month = counted(session, max(entry.month for entry in entries), decided=True)
    moves = sum(entry.kind == "moved_in" for entry in entries) + 1
    for kind, to, sign in (("moved_away", entries[-1].unit_id, -1), ("moved_in", unit_id, 1)):
        session.add(
            ScoreEntry(
                unit_id=to,
                month=month.month,
                of_month=month.late_of,
                kind=kind,
                source=f"rating:{rating.id}:{moves}",
                callback_id=rating.callback_id,
                rating_id=rating.id,
                changes=as_texts({name: sign * value for name, value in brought.items()}),
                provenance={"by": by, "from_unit": entries[-1].unit_id, "to_unit": unit_id},
                at=at,
            )
        )
        session.flush()
