"""The nightly proofs that are kept, and how they compare with the ledger of their day as it reads now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.days import day_ends
from callbacks.ledger import COLUMNS, Breach, Ledger, UnitRow, read_ledger_at
from callbacks.ledger_standing import Marks, WrittenLater, read_written_later
from callbacks.models import Unit
from callbacks.models_office import LedgerDay, LedgerProof


@dataclass(frozen=True, slots=True)
class Proof:
    """A day's ledger as it was kept, when, and what the tables held then."""

    day: str
    taken_at: datetime
    ledger: Ledger
    marks: Marks


@dataclass(frozen=True, slots=True)
class ProofRow:
    """A kept proof's sums, for lists of them."""

    day: str
    taken_at: datetime
    balanced: bool
    breaches: int
    sums: dict[str, int]  # by the names of `callbacks.ledger.COLUMNS`


@dataclass(frozen=True, slots=True)
class AsOf:
    """A day's ledger as it reads now. Without a kept proof there is nothing that it could differ from."""

    day: str
    ledger: Ledger
    proof: Proof | None
    differences: tuple[str, ...]
    later: WrittenLater

    @property
    def holds(self) -> bool:
        return self.ledger.balanced and not self.differences

    def lines(self) -> list[str]:
        """What `huifang ledger --as-of DAY` prints."""
        lines = [f"as of the end of {self.day}", *self.ledger.lines()]
        if self.proof is None:
            return [*lines, "no proof of this day is kept"]
        if self.later.closings or self.later.moves:
            told = f"{self.later.closings} closings and {self.later.moves} moves"
            lines.append(f"written after the proof, and not in it: {told} of this day or before")
        if self.differences:
            return [*lines, "DIFFERS FROM THE KEPT PROOF:", *self.differences]
        return [*lines, f"as the proof that was taken at {self.proof.taken_at:%Y-%m-%d %H:%M:%S}Z"]

    def as_json(self) -> dict[str, Any]:
        """What `huifang ledger --as-of DAY --json` prints."""
        taken = None if self.proof is None else self.proof.taken_at.isoformat()
        told = {"as_of": self.day, "proof_taken_at": taken, "differences": list(self.differences)}
        return {**told, "written_later": asdict(self.later), **self.ledger.as_json()}


def detail_of(ledger: Ledger, marks: Marks) -> dict[str, Any]:
    """What a proof keeps beside the units' rows."""
    return {
        "breaches": [asdict(breach) for breach in ledger.breaches],
        "outcomes": ledger.outcomes,
        "without_number": ledger.total("without_number"),
        "marks": asdict(marks),
    }


def read_proof(session: Session, day: str) -> Proof | None:
    """The proof of a day, None where none is kept."""
    kept = session.get(LedgerProof, day)
    if kept is None:
        return None
    query = select(LedgerDay, Unit).join(Unit).where(LedgerDay.day == day).order_by(Unit.code)
    rows = tuple(
        UnitRow(unit.code, unit.name, **{name: getattr(row, name) for name in COLUMNS})
        for row, unit in session.execute(query)
    )
    breaches = tuple(Breach(**told) for told in kept.detail["breaches"])
    ledger = Ledger(rows, breaches, dict(kept.detail["outcomes"]))
    return Proof(day, kept.taken_at, ledger, Marks(**kept.detail["marks"]))


def read_as_of(session: Session, day: date, timezone: str) -> AsOf:
    """The ledger at the day's end, from the tables as they are now, beside its proof."""
    until, proof = day_ends(day, timezone), read_proof(session, day.isoformat())
    if proof is None:
        ledger = read_ledger_at(session, until)
        return AsOf(day.isoformat(), ledger, None, (), WrittenLater(0, 0))
    ledger = read_ledger_at(session, until, proof.marks)
    later = read_written_later(session, until, proof.marks)
    return AsOf(day.isoformat(), ledger, proof, differences(proof.ledger, ledger), later)


def differences(kept: Ledger, found: Ledger) -> tuple[str, ...]:
    """What the ledger says now that its proof didn't, and the other way round, a line each."""
    before, after = _by_unit(kept.units), _by_unit(found.units)
    lines = []
    for unit in sorted(before | after):
        for column in COLUMNS:
            was, is_now = before.get(unit, {}).get(column, 0), after.get(unit, {}).get(column, 0)
            if was != is_now:
                lines.append(f"{unit}: {column} was {was}, now {is_now}")
    for state in sorted(kept.outcomes | found.outcomes):
        was, is_now = kept.outcomes.get(state, 0), found.outcomes.get(state, 0)
        if was != is_now:
            lines.append(f"{state}: was {was}, now {is_now}")
    lines += [f"no breach any more: {_told(each)}" for each in kept.breaches if each not in found.breaches]
    lines += [f"a breach now: {_told(each)}" for each in found.breaches if each not in kept.breaches]
    return tuple(lines)


def _by_unit(rows: Sequence[UnitRow]) -> dict[str, dict[str, int]]:
    return {row.unit: {column: getattr(row, column) for column in COLUMNS} for row in rows}


def _told(breach: Breach) -> str:
    return f"{breach.case} closing {breach.closing_no}: {breach.fault}"


def list_proofs(session: Session, most: int = 31) -> tuple[ProofRow, ...]:
    """The kept proofs' sums, the newest first."""
    sums = [func.coalesce(func.sum(getattr(LedgerDay, name)), 0).label(name) for name in COLUMNS]
    summed = select(LedgerDay.day, *sums).group_by(LedgerDay.day).subquery()
    query = select(LedgerProof, summed).outerjoin(summed, summed.c.day == LedgerProof.day)
    found = session.execute(query.order_by(LedgerProof.day.desc()).limit(most))
    return tuple(
        ProofRow(
            day=row.LedgerProof.day,
            taken_at=row.LedgerProof.taken_at,
            balanced=row.LedgerProof.balanced,
            breaches=len(row.LedgerProof.detail["breaches"]),
            sums={name: int(getattr(row, name) or 0) for name in COLUMNS},
        )
        for row in found
    )
