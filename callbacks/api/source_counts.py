"""POST /source-counts: how many cases a source sent on a day, so that what got lost on the way shows."""

from __future__ import annotations

from typing import Any

from callbacks.api.deps import Call, Operation
from callbacks.api.problems import Problem, not_found
from callbacks.api.schemas import SourceCountAnswer, SourceCountBody
from callbacks.days import read_day
from callbacks.models_systems import ApiScope
from callbacks.service.source_counts import BadCount, tell_count


def send_count(call: Call) -> dict[str, Any]:
    """Keeps the count; the clock role holds it against the cases that came."""
    sent: SourceCountBody = call.body
    source = call.deps.intake.source(sent.source)
    mine = call.caller.platform
    if source is None or (mine is not None and source.platform != mine):
        raise not_found("no source of this name is yours")
    try:
        day = read_day(sent.day)
        told = tell_count(
            call.deps.ctx,
            call.deps.intake,
            source.name,
            day,
            sent.number,
            f"api:{call.caller.name}"[:80],
            call.now,
        )
    except (BadCount, ValueError) as error:
        fault = {"field": "day", "fault": str(error)}
        raise Problem(422, "invalid", "no day that is over or under way", errors=[fault]) from None
    return {"source": source.name, "day": sent.day, "number": sent.number, "result": told.value}


SEND_COUNT = Operation(
    id="send_count",
    method="POST",
    path="/source-counts",
    scope=ApiScope.CASES_WRITE,
    summary="Tell how many cases were sent on a day",
    description="The source's own count of a local day. The office compares it with the cases that came and "
    "sees what is missing. Told again, it takes the earlier count's place.",
    body=SourceCountBody,
    answer=SourceCountAnswer,
    handle=send_count,
    statuses=(404,),
)
