"""Stores case files: idempotent by case number and closing; a bad row is named, the good ones go in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.intake_files import read_rows
from callbacks.intake_rows import Border, CaseRow, Fault, parse_row
from callbacks.models import Case, CaseNode, CasePhone, CaseUnit, Closing, Unit
from callbacks.numbers import kind_of, mask
from callbacks.service.closing import close_case, reopen_case
from callbacks.service.core import Context
from callbacks.vocabulary import NodeKind

_BATCH = 500
_NODES = (
    (NodeKind.ASSIGN, "assigned_at", "联动办"),
    (NodeKind.SIGN, "signed_at", ""),
    (NodeKind.REPLY, "replied_at", ""),
    (NodeKind.CLOSE, "closed_at", ""),
)
# What a later file may still change of a case that it names again, where it has the column.
_MUTABLE = ("signed_at", "due_at", "reply", "summary", "complex", "sensitive", "enterprise", "exclusion")


@dataclass
class Report:
    """What an import did: `created`, `closed`, `reopened`, `updated`, `unchanged`, and the faults."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    rows: int = 0


class _Dry(Exception):
    """Ends a dry run's transaction without writing."""


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
        report.done += _store_batch(ctx, batch, now, dry_run)
        progress(report.rows)
    progress(report.rows)
    return report


def read_border(ctx: Context) -> Border:
    """What rows are checked against now: the office and its units."""
    return ctx.run(lambda session: _border(ctx, session))


def store_rows(ctx: Context, rows: Iterable[CaseRow], now: datetime) -> Counter[str]:
    """Stores checked rows in one transaction and says how many were created, closed, reopened, updated."""
    return _store_batch(ctx, rows, now, False)


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


def _store_batch(ctx: Context, rows: Iterable[CaseRow], now: datetime, dry_run: bool) -> Counter[str]:
    done: Counter[str] = Counter()

    def work(session: Session) -> None:
        done.clear()  # the transaction may run again
        units = dict(session.execute(select(Unit.code, Unit.id)).all())
        for row in rows:
            done[_store(ctx, session, row, units, now)] += 1
        if dry_run:
            raise _Dry

    with suppress(_Dry):
        ctx.run(work)
    return done


def _store(ctx: Context, session: Session, row: CaseRow, units: dict[str, int], now: datetime) -> str:
    case = session.scalar(select(Case).where(Case.number == row.number).with_for_update())
    if case is None:
        case = _create(ctx, session, row, units)
        if row.closed_at is not None:
            _close(ctx, session, case, row, units, now)
        return "created"
    if row.closed_at is None:
        return _open_again(ctx, session, case, row, now)
    if row.closing_no <= case.closing_no:  # known, or the file still tells of an earlier closing
        return "unchanged"
    if case.closed_at is not None:
        reopen_case(ctx, session, case, now)
    _update(session, case, row)
    _close(ctx, session, case, row, units, now)
    return "closed"


def _open_again(ctx: Context, session: Session, case: Case, row: CaseRow, now: datetime) -> str:
    if case.closed_at is None or not row.tells_state:
        return "updated" if _update(session, case, row) else "unchanged"
    reopen_case(ctx, session, case, now)
    case.closed_at = None
    _update(session, case, row)
    return "reopened"


def _create(ctx: Context, session: Session, row: CaseRow, units: dict[str, int]) -> Case:
    case = Case(
        number=row.number,
        source_channel=row.source_channel,
        platform=row.platform,
        category=row.category,
        enterprise=row.enterprise,
        sensitive=row.sensitive,
        complex=row.complex,
        lead_unit_id=units[row.lead_unit],
        summary=row.summary,
        reply=row.reply,
        accepted_at=row.accepted_at,
        signed_at=row.signed_at,
        due_at=row.due_at,
        exclusion=row.exclusion,
    )
    if row.handler_phone:
        case.handler_phone_encrypted = ctx.privacy.encrypt(row.handler_phone)
        case.handler_phone_index = ctx.privacy.index(row.handler_phone)
        case.handler_phone_masked = mask(row.handler_phone)
    session.add(case)
    session.flush()
    session.add_all(_phone(ctx, case.id, place, number) for place, number in enumerate(row.citizen_phones))
    session.add_all(CaseUnit(case_id=case.id, unit_id=units[code]) for code in row.assisting_units)
    _add_nodes(session, case, row)
    session.flush()
    return case


def _phone(ctx: Context, case_id: int, position: int, number: str) -> CasePhone:
    return CasePhone(
        case_id=case_id,
        position=position,
        kind=kind_of(number),
        number_encrypted=ctx.privacy.encrypt(number),
        number_index=ctx.privacy.index(number),
        number_masked=mask(number),
    )


def _update(session: Session, case: Case, row: CaseRow) -> bool:
    changed = False
    for name in _MUTABLE:
        if name in row.given and getattr(case, name) != getattr(row, name):
            setattr(case, name, getattr(row, name))
            changed = True
    return _add_nodes(session, case, row) or changed


def _add_nodes(session: Session, case: Case, row: CaseRow) -> bool:
    """Adds the nodes that are new; who did it is the unit where the file doesn't say."""
    known = set(session.execute(select(CaseNode.kind, CaseNode.at).where(CaseNode.case_id == case.id)).all())
    added = False
    for kind, name, by in _NODES:
        at: datetime | None = getattr(row, name)
        if at is not None and (kind, at) not in known:
            session.add(CaseNode(case_id=case.id, kind=kind, at=at, by=by or case.lead_unit.name))
            added = True
    return added


def _close(
    ctx: Context, session: Session, case: Case, row: CaseRow, units: dict[str, int], now: datetime
) -> None:
    assert row.closed_at is not None
    case.closed_at, case.closing_no = row.closed_at, row.closing_no
    case.lead_unit_id = units[row.lead_unit]
    session.flush()
    closing = Closing(
        case_id=case.id,
        closing_no=row.closing_no,
        unit_id=units[row.lead_unit],
        accepted_at=row.accepted_at,
        signed_at=case.signed_at,  # the case's own: a file of closings may be narrower than the one of cases
        due_at=case.due_at,
        closed_at=row.closed_at,
        reply=case.reply,
        exclusion=case.exclusion,
    )
    close_case(ctx, session, case, closing, now)
