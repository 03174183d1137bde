"""POST /cases: cases of another system, row by row as the rows of a case file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from callbacks.api.deps import Call, Operation
from callbacks.api.idempotency import once
from callbacks.api.rows import read_row
from callbacks.api.schemas import BatchAnswer, CaseBatch, RowResult
from callbacks.intake import read_border
from callbacks.intake_changes import Result
from callbacks.intake_rows import CaseRow, Fault
from callbacks.intake_store import store_each
from callbacks.models import Case
from callbacks.models_systems import ApiScope


@dataclass
class _Batch:
    """The rows of a request by their lines, sorted by what is to be done with them."""

    good: dict[int, CaseRow] = field(default_factory=dict)
    repeated: dict[int, CaseRow] = field(default_factory=dict)  # said once already, in the same words
    faults: dict[int, list[Fault]] = field(default_factory=dict)

    def refuse(self, line: int, field: str, fault: str) -> None:
        self.good.pop(line, None)
        self.repeated.pop(line, None)
        self.faults.setdefault(line, []).append(Fault(line, field, fault))


def send_cases(call: Call) -> dict[str, Any]:
    """Stores the good rows together and answers for each row."""
    items = call.body.cases
    if call.key is None:
        return _send(call, items)
    return once(call, f"cases:{call.key}", call.raw, lambda: _send(call, items))


def _send(call: Call, items: Sequence[Any]) -> dict[str, Any]:
    batch = _read(call, items)
    _refuse_anothers(call, batch)
    results: dict[int, Result] = {}
    stored = store_each(call.deps.ctx, list(batch.good.values()), call.now) if batch.good else []
    for line, result in zip(list(batch.good), stored, strict=True):
        if isinstance(result, Fault):
            batch.refuse(line, result.field, result.fault)
        else:
            results[line] = result
    return {"results": [_told(line, item, batch, results) for line, item in enumerate(items, start=1)]}


def _read(call: Call, items: Sequence[Any]) -> _Batch:
    """Each case and closing is good once; what says something else of it is refused."""
    border = read_border(call.deps.ctx)
    batch = _Batch()
    first: dict[tuple[str, int], CaseRow] = {}
    for line, item in enumerate(items, start=1):
        row = read_row(line, item, border)
        if isinstance(row, CaseRow):
            row = _own(call, row)
        if isinstance(row, list):
            batch.faults[line] = row
            continue
        known = first.setdefault((row.number, row.closing_no), row)
        if known is row:
            batch.good[line] = row
        elif replace(row, line=known.line) == known:
            batch.repeated[line] = row
        else:
            batch.refuse(line, "number", f"row {known.line} says something else of the same closing")
    return batch


def _own(call: Call, row: CaseRow) -> CaseRow | list[Fault]:
    """A platform's token sends that platform's cases alone."""
    platform = call.caller.platform
    if platform is None or row.platform == platform:
        return row
    if row.platform is None:
        return replace(row, platform=platform)
    return [Fault(row.line, "platform", f"this token sends the cases of {platform} alone")]


def _refuse_anothers(call: Call, batch: _Batch) -> None:
    """A platform's token changes that platform's cases alone."""
    if call.caller.platform is None:
        return
    told = [*batch.good.items(), *batch.repeated.items()]
    query = select(Case.number, Case.platform).where(Case.number.in_({row.number for _, row in told}))
    with call.deps.read_sessions() as session:
        platforms = {number: platform for number, platform in session.execute(query)}  # noqa: C416
    for line, row in told:
        if platforms.get(row.number, call.caller.platform) != call.caller.platform:
            batch.refuse(line, "number", "a case of another platform")


def _told(line: int, item: Any, batch: _Batch, results: dict[int, Result]) -> dict[str, Any]:
    if line in batch.faults:
        number, result = _shown_number(item), RowResult.REFUSED
    elif line in batch.repeated:
        number, result = batch.repeated[line].number, RowResult.UNCHANGED
    else:
        number, result = batch.good[line].number, RowResult(results[line].value)
    faults = [{"field": fault.field, "fault": fault.fault} for fault in batch.faults.get(line, [])]
    return {"line": line, "number": number, "result": result.value, "faults": faults}


def _shown_number(item: Any) -> str | None:
    """The number of a refused row as it was sent, where it can be one."""
    number = item.get("number") if isinstance(item, dict) else None
    return number if isinstance(number, str) and len(number) <= 64 and number.isprintable() else None


SEND_CASES = Operation(
    id="send_cases",
    method="POST",
    path="/cases",
    scope=ApiScope.CASES_WRITE,
    summary="Send cases",
    description="Creates, updates, closes and reopens cases. A row that is wrong is refused with its faults, "
    "the others are stored.",
    body=CaseBatch,
    answer=BatchAnswer,
    handle=send_cases,
    keyed=True,
    statuses=(409,),
)
