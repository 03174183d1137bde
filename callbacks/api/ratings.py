"""POST /ratings: a rating that a source platform has taken of one of its cases."""

from __future__ import annotations

from typing import Any

from callbacks.api.deps import Call, Operation
from callbacks.api.idempotency import once
from callbacks.api.lookup import find_callback
from callbacks.api.problems import Problem
from callbacks.api.schemas import RatingAnswer, SourceRating
from callbacks.models_systems import ApiScope
from callbacks.service.answers import Answer
from callbacks.service.web_answers import web_rated
from callbacks.vocabulary import Channel


def send_rating(call: Call) -> dict[str, Any]:
    """Stores the rating of a closing as the web's; the platform's own id is its key."""
    sent: SourceRating = call.body
    scale = call.deps.ctx.policy.rating_scale
    if sent.rating not in scale:
        fault = {"field": "rating", "fault": f"one of {', '.join(map(str, scale.labels))}"}
        raise Problem(422, "invalid", "the office's scale has no such rating", errors=[fault])
    found = find_callback(call, sent.case, sent.closing_no)

    def work() -> dict[str, Any]:
        answer = Answer(sent.rating, Channel.WEB, str(sent.rating), comment=sent.comment)
        result = web_rated(call.deps.ctx, found.callback_id, answer, call.now, sent.resolved)
        return {"case": sent.case, "closing_no": found.closing_no, "result": result}

    return once(call, f"rating:{sent.id}", sent.model_dump_json().encode(), work)


SEND_RATING = Operation(
    id="send_rating",
    method="POST",
    path="/ratings",
    scope=ApiScope.RATINGS_WRITE,
    summary="Send a citizen's rating",
    description="The rating of one of the platform's cases. The first answer by whichever channel counts; it "
    "may be changed once within the office's minutes, with a new id.",
    body=SourceRating,
    answer=RatingAnswer,
    handle=send_rating,
    statuses=(404, 409),
)
