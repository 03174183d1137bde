"""Closings and ended callbacks as score entries: with them a month's counts are sums of entries alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Select, Text, cast, exists, insert, literal, select, tuple_
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import in_transaction
from callbacks.events import ClosedCase
from callbacks.models import Attempt, AttemptCallback, Callback, CasePhone, Closing, table_of
from callbacks.states import DONE, State
from scoring.models import ScoreEntry
from scoring.months import Counted, counted, month_of
from scoring.removal import as_texts
from scoring.settings import ScoringSettings

_SLICE = 2000

# Who rated, refused or said that it's the wrong person was reached.
_REACHED = frozenset({State.RATED, State.REFUSED, State.WRONG_PERSON})
_NOT_REACHED = frozenset({State.UNREACHED, State.INVALID_NUMBER})


def closing_source(case_id: int, closing_no: int) -> str:
    return f"closing:{case_id}:{closing_no}"


def enter_closings(
    session: Session, closings: Iterable[ClosedCase], settings: ScoringSettings, timezone: str, at: datetime
) -> None:
    """T and A of closings, in the month of the closing (domain.md §4.1)."""
    closings = tuple(closings)
    numbered = _with_number(session, {closing.case_id for closing in closings})
    months: dict[str, Counted] = {}
    rows = []
    for closing in closings:
        own = month_of(closing.closed_at, timezone)
        if own not in months:
            months[own] = counted(session, own)
        rows.append(_closing_row(closing, closing.case_id in numbered, months[own], settings, at))
    if rows:
        session.execute(_ENTRIES, rows)


_ENTRIES = insert(table_of(ScoreEntry))


def _with_number(session: Session, cases: Collection[int]) -> set[int]:
    """Those that have a citizen's number; what is told later doesn't change who was asked."""
    return set(session.scalars(select(CasePhone.case_id).where(CasePhone.case_id.in_(cases))))


def _closing_row(
    closing: ClosedCase, has_number: bool, month: Counted, settings: ScoringSettings, at: datetime
) -> dict[str, object]:
    on_time = closing.due_at is None or closing.closed_at <= closing.due_at
    signed = is_signed_on_time(closing.accepted_at, closing.signed_at, settings)
    changes = {"closed": "1"}
    if on_time:
        changes["closed_on_time"] = "1"
    if signed:
        changes["signed_on_time"] = "1"
    if not has_number:
        changes["without_number"] = "1"
    return {
        "unit_id": closing.unit_id,
        "month": month.month,
        "of_month": month.late_of,
        "kind": "closed",
        "source": closing_source(closing.case_id, closing.closing_no),
        "callback_id": None,
        "rating_id": None,
        "changes": changes,
        "provenance": {"sign_within": int(settings.sign_within.total_seconds())},
        "at": at,
    }


def is_signed_on_time(accepted_at: datetime, signed_at: datetime | None, settings: ScoringSettings) -> bool:
    return signed_at is not None and signed_at <= accepted_at + settings.sign_within


def enter_ended(session: Session, callback: Callback, timezone: str, at: datetime) -> None:
    """A first round that ended: due and ended, in the month in which it did.

    Where its deadline passed in a month that was closed before, it's due there, and only ends here: also if
    the answer is of before the deadline, and waited in a spool until the month was closed.
    """
    assert callback.ended_at is not None
    kind, changes = "due", {"due": Fraction(1), "ended": Fraction(1)}
    month = counted(session, month_of(callback.ended_at, timezone))
    may_be_due = callback.ended_at >= callback.deadline or month.late_of is not None
    if may_be_due and _is_due_already(session, callback.id):
        kind, changes = "ended", {"ended": Fraction(1)}
        month = replace(month, late_of=month_of(callback.deadline, timezone))
    if callback.state in _REACHED or _was_answered(session, callback.id):
        changes["contacted"] = Fraction(1)
    elif callback.state in _NOT_REACHED:
        changes["unreached"] = Fraction(1)
    session.add(entry_of_callback(callback, month, kind, changes, at))


def entry_of_callback(
    callback: Callback, month: Counted, kind: str, changes: Mapping[str, Fraction], at: datetime
) -> ScoreEntry:
    return ScoreEntry(
        unit_id=callback.unit_id,
        month=month.month,
        of_month=month.late_of,
        kind=kind,
        source=f"callback:{callback.id}",
        callback_id=callback.id,
        changes=as_texts(changes),
        provenance={"state": callback.state.value},
        at=at,
    )


def reached_late(session: Session, callback: Callback, month: str) -> dict[str, Fraction]:
    """What a late answer changes beside its rating: somebody was reached after all.

    In the month of its end it wasn't unreached then; a month that's over keeps what it was.
    """
    query = select(ScoreEntry).where(
        ScoreEntry.source == f"callback:{callback.id}", ScoreEntry.kind.in_(("due", "ended"))
    )
    entries = session.scalars(query).all()
    if any("contacted" in entry.changes for entry in entries):
        return {}
    changes = {"contacted": Fraction(1)}
    if any("unreached" in entry.changes and entry.month == month for entry in entries):
        changes["unreached"] = Fraction(-1)
    return changes


def _is_due_already(session: Session, callback_id: int) -> bool:
    found = select(exists().where(ScoreEntry.source == f"callback:{callback_id}", ScoreEntry.kind == "due"))
    return bool(session.scalar(found))


def _was_answered(session: Session, callback_id: int) -> bool:
    answered = (
        exists()
        .where(AttemptCallback.callback_id == callback_id)
        .where(AttemptCallback.attempt_id == Attempt.id, Attempt.answered_at.is_not(None))
    )
    return bool(session.scalar(select(answered)))


# -- what has no entry yet


def post_missing(
    sessions: sessionmaker[Session], settings: ScoringSettings, timezone: str, now: datetime
) -> int:
    """Enters the closings and ended callbacks that have no entry: those of earlier versions.

    Returns how many. Slice by slice, each its own transaction; run again, it finds nothing.
    """

    def closings(session: Session, rows: Sequence[Any]) -> None:
        enter_closings(session, [ClosedCase(*row) for row in rows], settings, timezone, now)

    def ended(session: Session, rows: Sequence[Any]) -> None:
        for (callback,) in rows:
            enter_ended(session, callback, timezone, now)

    return _walk(sessions, _closings_after, closings) + _walk(sessions, _ended_after, ended)


def _walk(
    sessions: sessionmaker[Session],
    after: Callable[[Any], Select[Any]],
    post: Callable[[Session, Sequence[Any]], None],
) -> int:
    """Slices of what `after` the last row has no entry, so that no slice looks again at those before it."""
    posted, last = 0, None
    while True:

        def work(session: Session, last: Any = last) -> Sequence[Any]:
            rows = session.execute(after(last).limit(_SLICE)).all()
            post(session, rows)
            return rows

        rows = in_transaction(sessions, work)
        if not rows:
            return posted
        posted, last = posted + len(rows), rows[-1]


def _closings_after(last: Any) -> Select[Any]:
    source = literal("closing:") + cast(Closing.case_id, Text) + ":" + cast(Closing.closing_no, Text)
    entry = exists().where(ScoreEntry.source == source, ScoreEntry.kind == "closed")
    query = select(*_OF_CLOSED_CASE).where(~entry).order_by(Closing.case_id, Closing.closing_no)
    if last is None:
        return query
    return query.where(tuple_(Closing.case_id, Closing.closing_no) > (last.case_id, last.closing_no))


_OF_CLOSED_CASE: tuple[Any, ...] = tuple(getattr(Closing, field.name) for field in fields(ClosedCase))


def _ended_after(last: Any) -> Select[Any]:
    """An entry of a month's close says that it was due, not that it ended."""
    entry = exists().where(
        ScoreEntry.source == literal("callback:") + cast(Callback.id, Text),
        ScoreEntry.kind.in_(("due", "ended")),
        cast(ScoreEntry.changes, Text).contains('"ended"', autoescape=True),
    )
    query = (
        select(Callback).where(Callback.round == 1, Callback.state.in_(DONE), ~entry).order_by(Callback.id)
    )
    return query if last is None else query.where(Callback.id > last.Callback.id)
