"""A request with a key is done once: the same again gets the same answer, another under its key is refused.

The key is taken before the work and the answer is kept after it, so two at once can't both work. Who died
between the two leaves a key without an answer; after `_ABANDONED` the next one takes it over, which is safe
because every keyed operation finds what it has done before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.api.deps import Call
from callbacks.api.problems import Problem, busy
from callbacks.models_systems import ApiRequest
from callbacks.service.core import Context

_UNDER_WAY = 0  # the status of a key whose answer isn't there yet
_DONE = 200
_ABANDONED = timedelta(minutes=5)
KEPT = timedelta(days=7)

Answer = dict[str, Any]


def once(call: Call, key: str, content: bytes, work: Callable[[], Answer]) -> Answer:
    """The answer of `work`, done once per token and key; a 422 problem for a key of another `content`."""
    digest = hashlib.sha256(content).hexdigest()
    kept = _take(call, key, digest)
    if kept is not None:
        return kept
    try:
        answer = work()
    except BaseException:
        _give_back(call, key)
        raise
    _keep(call, key, answer)
    return answer


def forget_requests(ctx: Context, now: datetime) -> int:
    """Drops the answers that are older than a week; returns how many."""

    def work(session: Session) -> int:
        old = session.scalars(
            delete(ApiRequest).where(ApiRequest.at < now - KEPT).returning(ApiRequest.token_id)
        )
        return len(old.all())

    return ctx.run(work)


def _take(call: Call, key: str, digest: str) -> Answer | None:
    """The answer that's kept, or None when the key is ours to answer now."""
    try:
        return call.deps.ctx.run(lambda session: _take_in(session, call, key, digest))
    except IntegrityError:  # somebody took it between our look and our insert
        raise busy("the same request is under way") from None


def _take_in(session: Session, call: Call, key: str, digest: str) -> Answer | None:
    row = session.scalar(select(ApiRequest).where(*_row(call, key)).with_for_update())
    if row is None:
        taken = ApiRequest(
            token_id=call.caller.id, key=key, digest=digest, status=_UNDER_WAY, body={}, at=call.now
        )
        session.add(taken)
        return None
    if row.digest != digest:
        raise Problem(422, "key_reused", "this key was used for another request; use a new one")
    if row.status == _DONE:
        return row.body
    if call.now < row.at + _ABANDONED:
        raise busy("the same request is under way")
    row.at = call.now
    return None


def _keep(call: Call, key: str, answer: Answer) -> None:
    done = update(ApiRequest).where(*_row(call, key)).values(status=_DONE, body=answer)
    call.deps.ctx.run(lambda session: session.execute(done))


def _give_back(call: Call, key: str) -> None:
    gone = delete(ApiRequest).where(*_row(call, key), ApiRequest.status == _UNDER_WAY)
    call.deps.ctx.run(lambda session: session.execute(gone))


def _row(call: Call, key: str) -> tuple[Any, Any]:
    return ApiRequest.token_id == call.caller.id, ApiRequest.key == key
