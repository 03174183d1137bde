"""The ledger's page: a day's proof or how it stands, the proofs that are kept, and the gaps at intake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.ledger import Breach, Ledger, read_ledger
from callbacks.ledger import UnitRow as Counted
from callbacks.ledger_proofs import ProofRow, list_proofs, read_as_of
from callbacks.models_office import IntakeGap
from scoring.queries import Scope, UnitRow, units
from scoring.queries_ranking import Rate

_CLOSED = 10  # gaps that are closed, for the eye


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A unit's sums, or the city's where `unit` is None; the share without a number beside the rate."""

    unit: UnitRow | None
    closed: int
    done: int
    open: int
    excluded: int
    cancelled: int
    callback: Rate
    without_number: Rate

    @property
    def balanced(self) -> bool:
        return self.closed == self.done + self.open + self.excluded + self.cancelled


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """`day` is None for the ledger as it stands; `taken_at` is None where no proof of the day is kept."""

    day: date | None
    taken_at: datetime | None
    balanced: bool
    total: LedgerRow
    units: tuple[LedgerRow, ...]
    breaches: tuple[Breach, ...]
    named: Mapping[str, UnitRow]  # units by their codes
    differences: tuple[str, ...]
    proofs: tuple[ProofRow, ...]
    open_gaps: tuple[IntakeGap, ...]
    closed_gaps: tuple[IntakeGap, ...]


def read_ledger_page(session: Session, day: date | None, timezone: str) -> LedgerPage:
    """Of a day that has no proof: the ledger as it was at its end, from the tables."""
    as_of = None if day is None else read_as_of(session, day, timezone)
    proof = None if as_of is None else as_of.proof
    now = read_ledger(session) if as_of is None else as_of.ledger
    ledger = now if proof is None else proof.ledger
    named = {unit.code: unit for unit in units(session, Scope())}
    return LedgerPage(
        day=day,
        taken_at=None if proof is None else proof.taken_at,
        balanced=ledger.balanced,
        total=_total(ledger),
        units=tuple(_row(row, named.get(row.unit)) for row in ledger.units),
        breaches=ledger.breaches,
        named=named,
        differences=() if as_of is None else as_of.differences,
        proofs=list_proofs(session),
        open_gaps=read_gaps(session, is_open=True),
        closed_gaps=read_gaps(session, is_open=False),
    )


def _row(row: Counted, unit: UnitRow | None) -> LedgerRow:
    return LedgerRow(
        unit=unit,
        closed=row.closed,
        done=row.done,
        open=row.open,
        excluded=row.excluded,
        cancelled=row.cancelled,
        callback=Rate(row.done, row.done + row.open),
        without_number=Rate(row.without_number, row.closed),
    )


def _total(ledger: Ledger) -> LedgerRow:
    names = ("closed", "done", "open", "excluded", "cancelled", "without_number")
    sums = {name: ledger.total(name) for name in names}
    return _row(Counted("", "", **sums), None)


def read_gaps(session: Session, *, is_open: bool) -> tuple[IntakeGap, ...]:
    """The open ones by their source; or those that were closed last."""
    if is_open:
        query = select(IntakeGap).where(IntakeGap.closed_at.is_(None))
        query = query.order_by(IntakeGap.source, IntakeGap.first, IntakeGap.id).limit(200)
    else:
        query = select(IntakeGap).where(IntakeGap.closed_at.is_not(None))
        query = query.order_by(IntakeGap.closed_at.desc(), IntakeGap.id).limit(_CLOSED)
    return tuple(session.scalars(query))
