"""A later file that names other numbers for a closed case: they aren't taken over, but it's kept that it did.

Who is asked was settled when the case was closed; a number that changes afterwards may be somebody who is to
answer in the citizen's stead (domain.md §3.9).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from callbacks.intake_columns import Store
from callbacks.intake_rows import CaseRow
from callbacks.models import Audit, Case, CasePhone
from callbacks.service.core import audit

PHONES_DIFFER = "phones_differ"
_A_QUERY = 500


def note_other_phones(store: Store, cases: Mapping[str, Case], rows: Sequence[CaseRow]) -> None:
    """One audit line a case and set of numbers, with no number in it. `cases` as before the rows."""
    told: dict[int, frozenset[str]] = {}
    for row in rows:
        case = cases.get(row.number)
        if case is not None and case.closed_at is not None and "citizen_phone" in row.given:
            told[case.id] = frozenset(map(store.ctx.privacy.index, row.citizen_phones))
    ids = sorted(told)
    for start in range(0, len(ids), _A_QUERY):
        _note(store, {id_: told[id_] for id_ in ids[start : start + _A_QUERY]})


def _note(store: Store, told: Mapping[int, frozenset[str]]) -> None:
    known: dict[int, set[str]] = {id_: set() for id_ in told}
    query = select(CasePhone.case_id, CasePhone.number_index).where(CasePhone.case_id.in_(told))
    for case_id, index in store.session.execute(query):
        known[case_id].add(index)
    other = {id_: numbers for id_, numbers in told.items() if numbers != known[id_]}
    noted = _noted(store, other)
    for id_, numbers in other.items():
        digest = _digest(numbers)
        if (f"case:{id_}", digest) not in noted:
            counts = {"added": len(numbers - known[id_]), "removed": len(known[id_] - numbers)}
            audit(store.session, store.now, "intake", PHONES_DIFFER, f"case:{id_}", digest=digest, **counts)


def _noted(store: Store, other: Mapping[int, frozenset[str]]) -> set[tuple[str, str]]:
    """What an earlier import of the same file has kept."""
    if not other:
        return set()
    query = select(Audit.subject, Audit.detail).where(
        Audit.subject.in_([f"case:{id_}" for id_ in other]), Audit.action == PHONES_DIFFER
    )
    return {(subject, detail["digest"]) for subject, detail in store.session.execute(query)}


def _digest(numbers: frozenset[str]) -> str:
    """Of keyed indices: it tells sets apart, and no number."""
    return hashlib.sha256(" ".join(sorted(numbers)).encode()).hexdigest()[:16]
