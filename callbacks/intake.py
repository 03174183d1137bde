"""Stores case files: idempotent by case number and closing; a bad row is named, the good ones go in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.intake_changes import Result
from callbacks.intake_files import read_rows
from callbacks.intake_rows import Border, CaseRow, Fault, parse_row
from callbacks.intake_store import store_each
from callbacks.models import Unit
from callbacks.service.core import Context

_BATCH = 500


@dataclass
class Report:
    """What an import did: `created`, `closed`, `reopened`, `updated`, `unchanged`, and the faults."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    rows: int = 0


class RefusedRows(Exception):
    """The database refused some rows of a batch; the others are stored."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


def import_cases(
    ctx: Context,
    path: Path,
    now: datetime,
    *,
    strict: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Report:
    """Imports `path`. `strict` refuses all for one fault, `dry_run` writes nothing; both name the faults."""
    report = Report()
    border = read_border(ctx)
    if strict:
        for _ in _good_rows(path, border, report):
            pass
        if report.faults:
            return report
        report = Report()
    rows = _good_rows(path, border, report)
    while batch := list(islice(rows, _BATCH)):
        _count(report, store_each(ctx, batch, now, dry_run=dry_run))
        progress(report.rows)
    progress(report.rows)
    return report


def read_border(ctx: Context) -> Border:
    """What rows are checked against now: the office and its units."""
    return ctx.run(lambda session: _border(ctx, session))


def store_rows(
    ctx: Context, rows: Iterable[CaseRow], now: datetime, faults: list[Fault] | None = None
) -> Counter[str]:
    """Stores checked rows in one transaction and says how many were created, closed, reopened, updated.

    A row that the database refuses is added to `faults`, and the others go in; RefusedRows without `faults`.
    """
    report = Report()
    _count(report, store_each(ctx, list(rows), now))
    if faults is not None:
        faults += report.faults
    elif report.faults:
        raise RefusedRows(report.faults)
    return report.done


def _count(report: Report, results: Iterable[Result | Fault]) -> None:
    for result in results:
        if isinstance(result, Fault):
            report.faults.append(result)
        else:
            report.done[result.value] += 1


def _border(ctx: Context, session: Session) -> Border:
    units = session.execute(select(Unit.code, Unit.name).where(Unit.valid_to.is_(None))).all()
    names = {unit.name: unit.code for unit in units} | {unit.code: unit.code for unit in units}
    return Border(ctx.office.area_code, ctx.policy.windows.timezone, names, ctx.office.own_numbers)


def _good_rows(path: Path, border: Border, report: Report) -> Iterator[CaseRow]:
    """Each good row once; a repeated one is left out, and named where it says something else."""
    seen: dict[tuple[str, int], CaseRow] = {}
    for raw in read_rows(path):
        report.rows += 1
        row = parse_row(raw, border)
        if isinstance(row, list):
            report.faults += row
            continue
        first = seen.setdefault((row.number, row.closing_no), row)
        if first is row:
            yield row
        elif not _same(first, row):
            fault = f"{row.number} closing {row.closing_no} stands in line {first.line} with other contents"
            report.faults.append(Fault(row.line, "number", fault))
        else:
            report.done["unchanged"] += 1


def _same(one: CaseRow, other: CaseRow) -> bool:
    names = (name for name in CaseRow.__slots__ if name != "line")
    return all(getattr(one, name) == getattr(other, name) for name in names)
