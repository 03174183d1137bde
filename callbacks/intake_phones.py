"""A later file that names other numbers for a closed case: they aren't taken over, but it's kept that it did.

Who is asked was settled when the case was closed; a number that changes afterwards may be somebody who is to
answer in the citizen's stead (domain.md §3.9).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set

from sqlalchemy import select

from callbacks.intake_columns import Store
from callbacks.intake_rows import CaseRow
from callbacks.models import Audit, CasePhone
from callbacks.service.core import audit

PHONES_DIFFER = "phones_differ"
_A_QUERY = 500


def note_other_phones(store: Store, told: Sequence[tuple[int, CaseRow]]) -> None:
    """One audit line a case and set of numbers, with no number in it.

    `told` are the ids of cases that were closed when their row came, and that row.
    """
    index = store.ctx.privacy.index
    numbers = [
        (case_id, frozenset(map(index, row.citizen_phones)))
        for case_id, row in told
        if "citizen_phone" in row.given
    ]
    for start in range(0, len(numbers), _A_QUERY):
        _note(store, numbers[start : start + _A_QUERY])


def _note(store: Store, told: Sequence[tuple[int, frozenset[str]]]) -> None:
    known: dict[int, set[str]] = {case_id: set() for case_id, _ in told}
    query = select(CasePhone.case_id, CasePhone.number_index).where(CasePhone.case_id.in_(known))
    for case_id, index in store.session.execute(query):
        known[case_id].add(index)
    other = [(case_id, numbers) for case_id, numbers in told if numbers != known[case_id]]
    noted = _noted(store, {case_id for case_id, _ in other})
    for case_id, numbers in other:
        line = f"case:{case_id}", _digest(numbers)
        if line not in noted:
            noted.add(line)
            counts = {"added": len(numbers - known[case_id]), "removed": len(known[case_id] - numbers)}
            audit(store.session, store.now, "intake", PHONES_DIFFER, line[0], digest=line[1], **counts)


def _noted(store: Store, other: Set[int]) -> set[tuple[str, str]]:
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
