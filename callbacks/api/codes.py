"""POST /codes: the code by which a citizen rates on the web, for the platform to show."""

from __future__ import annotations

from typing import Any

from callbacks.api.deps import Call, Operation
from callbacks.api.lookup import find_callback
from callbacks.api.problems import Problem
from callbacks.api.schemas import CodeAnswer, CodeWish
from callbacks.models_systems import ApiScope
from callbacks.service.web_codes import code_for


def tell_code(call: Call) -> dict[str, Any]:
    """The code of the case's open question, the same at every request."""
    wish: CodeWish = call.body
    found = find_callback(call, wish.case, None)
    told = code_for(call.deps.ctx, found.callback_id, call.now)
    if told is None:
        raise Problem(409, "no_open_question", "nothing is asked of this case now")
    return {
        "case": wish.case,
        "closing_no": found.closing_no,
        "code": told.code,
        "url": f"{call.deps.public_url.rstrip('/')}/r/{told.code}",
        "expires_at": told.expires_at.isoformat(),
    }


TELL_CODE = Operation(
    id="tell_code",
    method="POST",
    path="/codes",
    scope=ApiScope.RATINGS_WRITE,
    summary="Get the code of a case's question",
    description="Whoever has the code answers the question, so it's shown to the citizen of the case alone.",
    body=CodeWish,
    answer=CodeAnswer,
    handle=tell_code,
    statuses=(404, 409),
)
