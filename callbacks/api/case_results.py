"""What each row of a request did: told from how the cases stood before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.schemas import RowResult
from callbacks.intake_rows import CaseRow
from callbacks.models import Case, CaseNode

# What a row may change of an open case; with the count of its nodes it tells `updated` from `unchanged`.
_CHANGEABLE = (
    Case.signed_at,
    Case.due_at,
    Case.reply,
    Case.summary,
    Case.complex,
    Case.sensitive,
    Case.enterprise,
    Case.exclusion,
)


@dataclass(frozen=True, slots=True)
class Known:
    """A case as it stands."""

    platform: str | None
    closing_no: int
    closed: bool
    rest: tuple[Any, ...]


def known_cases(sessions: sessionmaker[Session], numbers: Iterable[str]) -> dict[str, Known]:
    nodes = select(func.count()).where(CaseNode.case_id == Case.id).scalar_subquery()
    query = select(Case.number, Case.platform, Case.closing_no, Case.closed_at, nodes, *_CHANGEABLE)
    query = query.where(Case.number.in_(numbers))

    with sessions() as session:
        return {
            number: Known(platform, closing_no, closed_at is not None, tuple(rest))
            for number, platform, closing_no, closed_at, *rest in session.execute(query)
        }


def results_of(
    good: Mapping[int, CaseRow], before: Mapping[str, Known], after: Mapping[str, Known]
) -> dict[int, RowResult]:
    """What each row did, in their order; two rows of a case are its two steps."""
    stands = {number: (known.closing_no, known.closed) for number, known in before.items()}
    results = {}
    for line, row in good.items():
        changed = before.get(row.number) != after.get(row.number)
        results[line], stands[row.number] = _step(row, stands.get(row.number), changed)
    return results


def _step(row: CaseRow, stood: tuple[int, bool] | None, changed: bool) -> tuple[RowResult, tuple[int, bool]]:
    """The row's result and how the case stands after it: its last closing, and whether it's closed."""
    closes = row.closed_at is not None
    if stood is None:
        return RowResult.CREATED, (row.closing_no if closes else 0, closes)
    closing_no, closed = stood
    if closes:
        if row.closing_no <= closing_no:
            return RowResult.UNCHANGED, stood
        return RowResult.CLOSED, (row.closing_no, True)
    if closed:
        return RowResult.REOPENED, (closing_no, False)
    return (RowResult.UPDATED if changed else RowResult.UNCHANGED), stood
