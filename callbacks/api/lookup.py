"""The closing that a platform speaks of. Another platform's case is as unknown as none."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from callbacks.api.deps import Call
from callbacks.api.problems import not_found
from callbacks.models import Callback, Case


@dataclass(frozen=True, slots=True)
class Found:
    """A closing's callback of the latest round."""

    callback_id: int
    closing_no: int


def find_callback(call: Call, number: str, closing_no: int | None) -> Found:
    """Of the closing, or of the last one; a 404 problem when there's none that the caller may see."""
    query = select(Callback.id, Callback.closing_no).join(Case).where(Case.number == number)
    if call.caller.platform is not None:
        query = query.where(Case.platform == call.caller.platform)
    if closing_no is not None:
        query = query.where(Callback.closing_no == closing_no)
    query = query.order_by(Callback.closing_no.desc(), Callback.round.desc()).limit(1)
    with call.deps.read_sessions() as session:
        row = session.execute(query).first()
    if row is None:
        raise not_found("no closed case of this number, or of this closing, is yours")
    return Found(row.id, row.closing_no)
