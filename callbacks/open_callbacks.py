"""The open callbacks with all that a preflight must know of them, in a few questions for all."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from callbacks.models import (
    ASKING,
    Attempt,
    AttemptCallback,
    Callback,
    Case,
    CasePhone,
    Line,
    Suppression,
    TextMessage,
    TextState,
)
from callbacks.policy import PastCall, Phone, View
from callbacks.preflight import Snapshot, Waiting
from callbacks.service.core import BY_TELEPHONE, Context, pause_rules
from callbacks.states import OPEN, State
from callbacks.vocabulary import Channel

T = TypeVar("T")
MOST = 10_000  # more than these aren't played through, but a sample of them
LINES = 30  # where no voice role has made its lines yet
_BATCH = 500  # ids in one question
_PLAYED = OPEN - {State.AGENT_QUEUE}


def snapshot(
    ctx: Context, session: Session, now: datetime, lines: int | None = None, most: int = MOST
) -> Snapshot:
    """What is open at `now`. Beyond `most` a sample, by number, so that a citizen's cases stay together."""
    chosen, in_all = _chosen(session, most)
    rows = [row for ids in _batches(chosen) for row in session.execute(_callbacks(ids))]
    suppressed = frozenset(session.scalars(_SUPPRESSED))
    phones = _phones(session, [row.case_id for row in rows], suppressed)
    calls, queued = _calls(session, chosen), _queued(session)
    numbers = sorted({phone.index for each in phones.values() for phone in each})
    return Snapshot(
        at=now,
        waiting=[_waiting(row, phones[row.case_id], calls[row.id], queued.get(row.id)) for row in rows],
        history=_history(session, numbers, now),
        asking=_asking(session),
        pauses=pause_rules(session, now),
        suppressed=suppressed,
        toll=ctx.toll,
        lines=lines or session.scalar(select(func.count()).select_from(Line)) or LINES,
        sender_codes=len(ctx.office.sender_codes),
        open_in_all=in_all,
        with_person=session.scalar(_WITH_PERSON) or 0,
    )


_WITH_PERSON = select(func.count()).select_from(Callback).where(Callback.state == State.AGENT_QUEUE)
_SUPPRESSED = select(Suppression.number_index).where(Suppression.channel == Channel.SMS)


def _batches(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    for place in range(0, len(ids), _BATCH):
        yield ids[place : place + _BATCH]


def _chosen(session: Session, most: int) -> tuple[list[int], int]:
    """The ids to play, and how many are open in all."""
    first = select(func.min(CasePhone.number_index)).where(CasePhone.case_id == Callback.case_id)
    query = select(Callback.id, first.scalar_subquery()).where(Callback.state.in_(_PLAYED))
    found = session.execute(query.order_by(Callback.id)).all()
    every = -(-len(found) // most) or 1
    chosen = [id_ for id_, number in found if zlib.crc32((number or str(id_)).encode()) % every == 0]
    return chosen, len(found)


def _callbacks(ids: Sequence[int]) -> Any:
    return (
        select(
            Callback.id,
            Callback.case_id,
            Callback.state,
            Callback.state_since,
            Callback.closed_at,
            Callback.deadline,
            Callback.next_at,
            Callback.exclusion,
            Callback.unit_id,
            Callback.priority,
            Case.category,
            Case.sensitive,
            Case.platform,
        )
        .join(Callback.case)
        .where(Callback.id.in_(ids))
    )


def _waiting(
    row: Row[Any], phones: Sequence[Phone], calls: Sequence[PastCall], queued: tuple[str, datetime] | None
) -> Waiting:
    view = View(
        state=row.state,
        state_since=row.state_since,
        closed_at=row.closed_at,
        deadline=row.deadline,
        next_at=row.next_at,
        exclusion=row.exclusion,
        has_platform=row.platform is not None,
        phones=phones,
        calls=calls,
    )
    number, text_at = queued or ("", None)
    return Waiting(row.id, view, row.unit_id, row.category, row.sensitive, row.priority, text_at, number)


def _phones(
    session: Session, case_ids: Sequence[int], suppressed: frozenset[str]
) -> defaultdict[int, list[Phone]]:
    found: defaultdict[int, list[Phone]] = defaultdict(list)
    for ids in _batches(sorted(set(case_ids))):
        query = select(CasePhone.case_id, CasePhone.number_index, CasePhone.kind, CasePhone.barred_at)
        query = query.where(CasePhone.case_id.in_(ids)).order_by(CasePhone.case_id, CasePhone.position)
        for case_id, index, kind, barred_at in session.execute(query):
            found[case_id].append(Phone(index, kind, barred_at is not None, index in suppressed))
    return found


_PAST = select(Attempt.invited_at, Attempt.disposition, Attempt.rang_at, Attempt.number_index)


def _past_call(row: Any) -> PastCall:
    return PastCall(row.invited_at, row.disposition, row.rang_at is not None, row.number_index)


def _calls(session: Session, chosen: Sequence[int]) -> defaultdict[int, list[PastCall]]:
    """The rounds' calls, oldest first; a person's aren't among them."""
    found: defaultdict[int, list[PastCall]] = defaultdict(list)
    for ids in _batches(chosen):
        query = (
            _PAST.add_columns(AttemptCallback.callback_id)
            .join(AttemptCallback, AttemptCallback.attempt_id == Attempt.id)
            .where(AttemptCallback.callback_id.in_(ids))
            .where(Attempt.channel == Channel.VOICE, Attempt.invited_at.is_not(None))
            .order_by(Attempt.invited_at)
        )
        for row in session.execute(query):
            found[row.callback_id].append(_past_call(row))
    return found


def _history(session: Session, numbers: Sequence[str], now: datetime) -> dict[str, list[PastCall]]:
    """Each number's calls of 30 days, over all cases and a person's too."""
    found: defaultdict[str, list[PastCall]] = defaultdict(list)
    for some in _batches(numbers):
        query = _PAST.where(
            Attempt.channel.in_(BY_TELEPHONE),
            Attempt.number_index.in_(some),
            Attempt.invited_at > now - timedelta(days=30),
        )
        for row in session.execute(query):
            found[row.number_index].append(_past_call(row))
    return dict(found)


def _queued(session: Session) -> dict[int, tuple[str, datetime]]:
    """The questions that wait to leave, by callback: number and when."""
    query = select(TextMessage.callback_id, TextMessage.number_index, TextMessage.not_before).where(
        TextMessage.kind.in_(ASKING), TextMessage.state == TextState.QUEUED
    )
    return {callback_id: (number, at) for callback_id, number, at in session.execute(query) if callback_id}


def _asking(session: Session) -> dict[str, dict[int, datetime]]:
    """The open questions by number: callback and how long an answer is taken."""
    found: defaultdict[str, dict[int, datetime]] = defaultdict(dict)
    query = select(TextMessage.number_index, TextMessage.callback_id, TextMessage.answerable_until)
    for number, callback_id, until in session.execute(query.where(TextMessage.open)):
        if callback_id is not None and until is not None:
            found[number][callback_id] = until
    return dict(found)
