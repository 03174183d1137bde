"""What each row of a request does: told from how its case stands before it, as `callbacks.intake` rules.

`store_rows` counts what it did without saying which row did it; the tests hold both against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.schemas import RowResult
from callbacks.intake_rows import CaseRow
from callbacks.models import Case, CaseNode
from callbacks.vocabulary import NodeKind

# What a row may still change of a case that is there.
_FIELDS = ("signed_at", "due_at", "reply", "summary", "complex", "sensitive", "enterprise", "exclusion")
_NODES = (
    (NodeKind.ASSIGN, "assigned_at"),
    (NodeKind.SIGN, "signed_at"),
    (NodeKind.REPLY, "replied_at"),
    (NodeKind.CLOSE, "closed_at"),
)

Node = tuple[NodeKind, datetime]


@dataclass(frozen=True, slots=True)
class Known:
    """A case as it stands; `closing_no` is its last closing's, 0 before the first."""

    platform: str | None
    closing_no: int
    closed: bool
    fields: tuple[Any, ...]
    nodes: frozenset[Node]


def known_cases(sessions: sessionmaker[Session], numbers: Iterable[str]) -> dict[str, Known]:
    """The cases of these numbers that are there."""
    wanted = list(numbers)
    cases = select(Case.number, Case.id, Case.platform, Case.closing_no, Case.closed_at)
    cases = cases.add_columns(*(getattr(Case, name) for name in _FIELDS)).where(Case.number.in_(wanted))
    nodes = select(CaseNode.case_id, CaseNode.kind, CaseNode.at).join(Case, Case.id == CaseNode.case_id)
    found: dict[int, set[Node]] = {}
    with sessions() as session:
        for case_id, kind, at in session.execute(nodes.where(Case.number.in_(wanted))):
            found.setdefault(case_id, set()).add((kind, at))
        rows = session.execute(cases).all()
    return {
        row.number: Known(
            platform=row.platform,
            closing_no=row.closing_no,
            closed=row.closed_at is not None,
            fields=tuple(getattr(row, name) for name in _FIELDS),
            nodes=frozenset(found.get(row.id, ())),
        )
        for row in rows
    }


def results_of(rows: Mapping[int, CaseRow], known: Mapping[str, Known]) -> dict[int, RowResult]:
    """What each row does, in their order; two rows of a case are two steps."""
    stands = dict(known)
    results = {}
    for line, row in rows.items():
        results[line], stands[row.number] = _step(row, stands.get(row.number))
    return results


def _step(row: CaseRow, stood: Known | None) -> tuple[RowResult, Known]:
    """The row's result, and how the case stands after it."""
    closes = row.closed_at is not None
    if stood is None:
        number = row.closing_no if closes else 0
        return RowResult.CREATED, Known(row.platform, number, closes, _fields(row), _nodes(row))
    after = replace(stood, closed=closes, fields=_fields(row), nodes=stood.nodes | _nodes(row))
    if closes:
        if row.closing_no <= stood.closing_no:
            return RowResult.UNCHANGED, stood
        return RowResult.CLOSED, replace(after, closing_no=row.closing_no)
    if stood.closed:
        return RowResult.REOPENED, after
    return (RowResult.UNCHANGED if after == stood else RowResult.UPDATED), after


def _fields(row: CaseRow) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _FIELDS)


def _nodes(row: CaseRow) -> frozenset[Node]:
    told = ((kind, getattr(row, name)) for kind, name in _NODES)
    return frozenset((kind, at) for kind, at in told if at is not None)
