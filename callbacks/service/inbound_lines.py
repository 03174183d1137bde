"""Lines that callbacks share with who calls us, and who gives way to whom (domain.md §1).

While somebody waits for a person on 110, no callback is begun; those that still ring are given up.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.orm import Session

from callbacks.database import dbnow
from callbacks.models import Line
from callbacks.models_inbound import InboundPressure
from callbacks.service.core import Context

HELD_SECONDS = 5.0  # without a word from its process a line is free again, and nobody waits there


def for_callbacks() -> ColumnElement[bool]:
    """The lines that carry nothing and aren't kept for who calls us."""
    carries_nothing = Line.attempt_id.is_(None) & Line.agent_call_id.is_(None)
    return carries_nothing & Line.reserved.is_(False) & _not_held()


def _not_held() -> ColumnElement[bool]:
    return or_(Line.inbound_until.is_(None), Line.inbound_until < dbnow())


def somebody_waits(session: Session) -> bool:
    """Whether a caller of 110 waits for a person somewhere."""
    waits = exists().where(InboundPressure.waiting > 0, InboundPressure.until >= dbnow())
    return bool(session.scalar(select(waits)))


def do_callbacks_wait(ctx: Context) -> bool:
    return ctx.run(somebody_waits)


def hold_lines(ctx: Context, owner: str, callers: Mapping[str, int], waiting: int) -> None:
    """Tells how many calls `owner` carries on each trunk, and how many callers wait for a person.

    Their lines are taken from the callbacks' table for the next seconds, the reserved ones first. A call that
    is up is up: where no line is free, it has one all the same.
    """

    def work(session: Session) -> None:
        until = dbnow(HELD_SECONDS)
        held = session.scalars(select(Line).where(Line.inbound_owner == owner).with_for_update()).all()
        mine: dict[str, list[Line]] = {}
        for line in held:
            mine.setdefault(line.trunk, []).append(line)
        for trunk in {*mine, *callers}:
            wanted, have = callers.get(trunk, 0), mine.get(trunk, [])
            have = [*have, *_free(session, trunk, wanted - len(have))]
            for line in have[:wanted]:
                line.inbound_owner, line.inbound_until = owner, until
            for line in have[wanted:]:
                line.inbound_owner = line.inbound_until = None
        _tell(session, owner, waiting)

    ctx.run(work)


def _free(session: Session, trunk: str, number: int) -> list[Line]:
    if number <= 0:
        return []
    query = (
        select(Line)
        .where(Line.trunk == trunk, Line.attempt_id.is_(None), Line.agent_call_id.is_(None), _not_held())
        .order_by(Line.reserved.desc(), Line.no)
        .limit(number)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def _tell(session: Session, owner: str, waiting: int) -> None:
    if waiting == 0:
        session.execute(delete(InboundPressure).where(InboundPressure.owner == owner))
        return
    row = session.get(InboundPressure, owner)
    if row is None:
        session.add(InboundPressure(owner=owner, waiting=waiting, until=dbnow(HELD_SECONDS)))
    else:
        row.waiting, row.until = waiting, dbnow(HELD_SECONDS)
