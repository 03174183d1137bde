"""Lines for the telephones of people whom a citizen is put through to amidst a callback.

They're held like those of who calls us, for a few seconds at a time; but none that is kept for 110.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.database import dbnow
from callbacks.models import Line
from callbacks.service.claims import free_lines
from callbacks.service.core import Context
from callbacks.service.inbound_lines import HELD_SECONDS


def take_lines(ctx: Context, owner: str, trunks: Collection[str]) -> frozenset[str]:
    """One more line of each of the trunks; those that had one."""

    def work(session: Session) -> frozenset[str]:
        found = {trunk: free_lines(session, trunk, 1) for trunk in sorted(trunks)}
        for line in (line for lines in found.values() for line in lines):
            line.inbound_owner, line.inbound_until = owner, dbnow(HELD_SECONDS)
        return frozenset(trunk for trunk, lines in found.items() if lines)

    return ctx.run(work)


def keep_lines(ctx: Context, owner: str, wanted: Mapping[str, int]) -> None:
    """So many of each trunk are held on; the others are free."""

    def work(session: Session) -> None:
        query = select(Line).where(Line.inbound_owner == owner).order_by(Line.trunk, Line.no)
        seen: Counter[str] = Counter()
        for line in session.scalars(query.with_for_update()):
            seen[line.trunk] += 1
            if seen[line.trunk] <= wanted.get(line.trunk, 0):
                line.inbound_until = dbnow(HELD_SECONDS)
            else:
                line.inbound_owner = line.inbound_until = None

    ctx.run(work)
