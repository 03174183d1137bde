"""GET /outcomes: what came of the cases, in the order in which it was committed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from callbacks.api.deps import Call, Operation
from callbacks.api.schemas import OutcomePage, OutcomeQuery
from callbacks.models import Case
from callbacks.models_systems import ApiScope, Outcome


def read_outcomes(call: Call) -> dict[str, Any]:
    """What is numbered after `after`; a platform's token sees its cases alone.

    `next` jumps over what isn't the caller's, so that it isn't read again. The last number is asked first:
    what is numbered meanwhile is left for the next request.
    """
    asked: OutcomeQuery = call.body
    with call.deps.read_sessions() as session:
        last = session.scalar(select(func.max(Outcome.seq))) or 0
        query = (
            select(Outcome.seq, Case.number, Outcome.kind, Outcome.at, Outcome.payload)
            .join(Case)
            .where(Outcome.seq > asked.after, Outcome.seq <= last)
            .order_by(Outcome.seq)
            .limit(asked.limit)
        )
        if call.caller.platform is not None:
            query = query.where(Case.platform == call.caller.platform)
        rows = session.execute(query).all()
    full = len(rows) == asked.limit
    return {
        "outcomes": [
            {"seq": seq, "case": number, "kind": kind, "at": at.isoformat(), "payload": payload}
            for seq, number, kind, at, payload in rows
        ],
        "next": rows[-1].seq if full else max(last, asked.after),
    }


READ_OUTCOMES = Operation(
    id="read_outcomes",
    method="GET",
    path="/outcomes",
    scope=ApiScope.OUTCOMES_READ,
    summary="Read what came of the cases",
    description="In order, without gaps for whoever goes on with `next`.",
    query=OutcomeQuery,
    answer=OutcomePage,
    handle=read_outcomes,
)
