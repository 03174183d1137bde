"""Rows that change a case that is there: one by one, under its lock."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select

from callbacks.intake_columns import Store, closing_columns, node_columns
from callbacks.intake_rows import CaseRow
from callbacks.models import Case, CaseNode, Closing
from callbacks.service.closing import close_case, reopen_case

# What a later file may still change of a case that it names again, where it has the column.
_MUTABLE = ("signed_at", "due_at", "reply", "summary", "complex", "sensitive", "enterprise", "exclusion")


class Result(StrEnum):
    """What a row did to its case."""

    CREATED = "created"
    CLOSED = "closed"
    REOPENED = "reopened"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def change_case(store: Store, case: Case, row: CaseRow) -> Result:
    if row.closed_at is None:
        return _open_again(store, case, row)
    if row.closing_no <= case.closing_no:  # known, or the file still tells of an earlier closing
        return Result.UNCHANGED
    if case.closed_at is not None:
        reopen_case(store.ctx, store.session, case, store.now)
    _update(store, case, row)
    _close(store, case, row)
    return Result.CLOSED


def _open_again(store: Store, case: Case, row: CaseRow) -> Result:
    if case.closed_at is None or not row.tells_state:
        return Result.UPDATED if _update(store, case, row) else Result.UNCHANGED
    reopen_case(store.ctx, store.session, case, store.now)
    case.closed_at = None
    _update(store, case, row)
    return Result.REOPENED


def _update(store: Store, case: Case, row: CaseRow) -> bool:
    changed = False
    for name in _MUTABLE:
        if name in row.given and getattr(case, name) != getattr(row, name):
            setattr(case, name, getattr(row, name))
            changed = True
    return _add_nodes(store, case, row) or changed


def _add_nodes(store: Store, case: Case, row: CaseRow) -> bool:
    """Adds the nodes that are new."""
    query = select(CaseNode.kind, CaseNode.at).where(CaseNode.case_id == case.id)
    known = {(kind, at) for kind, at in store.session.execute(query)}
    told = node_columns(store, case.id, row)
    new = [CaseNode(**node) for node in told if (node["kind"], node["at"]) not in known]
    store.session.add_all(new)
    return bool(new)


def _close(store: Store, case: Case, row: CaseRow) -> None:
    assert row.closed_at is not None
    case.closed_at, case.closing_no = row.closed_at, row.closing_no
    case.lead_unit_id = store.unit(row.lead_unit).id
    store.session.flush()
    # The case's own: a file of closings may be narrower than the one of cases.
    theirs = {name: getattr(case, name) for name in ("signed_at", "due_at", "reply", "exclusion")}
    closing = Closing(**closing_columns(store, case.id, row) | theirs)
    close_case(store.ctx, store.session, case, closing, store.now)
