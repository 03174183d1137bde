"""A row of a case file as rows of the tables, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from callbacks.intake_rows import CaseRow
from callbacks.numbers import kind_of, mask
from callbacks.service.core import Context
from callbacks.vocabulary import NodeKind

_NODES = (
    (NodeKind.ASSIGN, "assigned_at", "联动办"),
    (NodeKind.SIGN, "signed_at", ""),
    (NodeKind.REPLY, "replied_at", ""),
    (NodeKind.CLOSE, "closed_at", ""),
)


@dataclass(frozen=True, slots=True)
class UnitRef:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Store:
    """One transaction of rows."""

    ctx: Context
    session: Session
    now: datetime
    units: Mapping[str, UnitRef]

    def unit(self, code: str) -> UnitRef:
        try:
            return self.units[code]
        except KeyError:
            raise ValueError(f"no unit has the code {code!r}") from None


def case_columns(store: Store, row: CaseRow) -> dict[str, Any]:
    handler = row.handler_phone
    return {
        "number": row.number,
        "source_channel": row.source_channel,
        "platform": row.platform,
        "category": row.category,
        "enterprise": row.enterprise,
        "sensitive": row.sensitive,
        "complex": row.complex,
        "lead_unit_id": store.unit(row.lead_unit).id,
        "summary": row.summary,
        "reply": row.reply,
        "handler_phone_encrypted": store.ctx.privacy.encrypt(handler) if handler else None,
        "handler_phone_index": store.ctx.privacy.index(handler) if handler else None,
        "handler_phone_masked": mask(handler) if handler else None,
        "accepted_at": row.accepted_at,
        "signed_at": row.signed_at,
        "due_at": row.due_at,
        "closed_at": row.closed_at,
        "closing_no": row.closing_no,
        "exclusion": row.exclusion,
    }


def phone_columns(store: Store, case_id: int, row: CaseRow) -> Iterator[dict[str, Any]]:
    privacy = store.ctx.privacy
    for position, number in enumerate(row.citizen_phones):
        yield {
            "case_id": case_id,
            "position": position,
            "kind": kind_of(number),
            "number_encrypted": privacy.encrypt(number),
            "number_index": privacy.index(number),
            "number_masked": mask(number),
        }


def assisting_columns(store: Store, case_id: int, row: CaseRow) -> Iterator[dict[str, Any]]:
    return ({"case_id": case_id, "unit_id": store.unit(code).id} for code in row.assisting_units)


def node_columns(store: Store, case_id: int, row: CaseRow) -> Iterator[dict[str, Any]]:
    """The nodes that the row tells of; who did it is its lead unit where the file doesn't say."""
    unit = store.unit(row.lead_unit).name
    for kind, name, by in _NODES:
        at: datetime | None = getattr(row, name)
        if at is not None:
            yield {"case_id": case_id, "kind": kind, "at": at, "by": by or unit}


def closing_columns(store: Store, case_id: int, row: CaseRow) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "closing_no": row.closing_no,
        "unit_id": store.unit(row.lead_unit).id,
        "accepted_at": row.accepted_at,
        "signed_at": row.signed_at,
        "due_at": row.due_at,
        "closed_at": row.closed_at,
        "reply": row.reply,
        "exclusion": row.exclusion,
    }
