"""A case's callbacks as the policy sees them now, and what was decided before: reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.explain import Explanation, QueuedText, explain
from callbacks.explain_terms import Language, Words
from callbacks.explain_words import explanation_lines
from callbacks.gates import Facts, PauseRule
from callbacks.models import ASKING, Callback, CallbackMove, Case, TextMessage, TextState
from callbacks.policy import Call
from callbacks.service.claims import asked_with
from callbacks.service.core import Context, facts_of, is_suppressed, pause_rules, view_of
from callbacks.service.toll import toll_of
from callbacks.states import OPEN, State, Trigger
from callbacks.toll import Toll
from callbacks.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Decided:
    """A change of state: what came of which trigger."""

    at: datetime
    trigger: Trigger
    before: State
    after: State
    detail: str


@dataclass(frozen=True, slots=True)
class CallbackExplained:
    """A callback of the case. `now` is None for one that is over; `together`: cases that go with its call."""

    closing_no: int
    round: int
    state: State
    state_since: datetime
    now: Explanation | None
    together: tuple[str, ...]
    past: tuple[Decided, ...]


@dataclass(frozen=True, slots=True)
class CaseExplained:
    """A case with its callbacks, oldest first; `masked` has its numbers by their index."""

    number: str
    masked: dict[str, str]
    callbacks: tuple[CallbackExplained, ...]


class General(NamedTuple):
    """What holds for all calls now."""

    pauses: Sequence[PauseRule]
    toll: Toll


def explain_case(ctx: Context, session: Session, number: str, now: datetime) -> CaseExplained | None:
    """Every callback of the case with this number; None where there's no such case."""
    case = session.scalar(select(Case).where(Case.number == number))
    if case is None:
        return None
    query = select(Callback).where(Callback.case_id == case.id)
    rows = session.scalars(query.order_by(Callback.closing_no, Callback.round)).all()
    general = General(pause_rules(session, now), toll_of(ctx, session, now))
    masked = {phone.number_index: phone.number_masked for phone in case.phones}
    return CaseExplained(number, masked, tuple(_explained(ctx, session, row, now, general) for row in rows))


def _explained(
    ctx: Context, session: Session, callback: Callback, now: datetime, general: General
) -> CallbackExplained:
    found = _open(ctx, session, callback, now, general) if callback.state in OPEN else None
    return CallbackExplained(
        closing_no=callback.closing_no,
        round=callback.round,
        state=callback.state,
        state_since=callback.state_since,
        now=found,
        together=_together(ctx, session, callback, found, general),
        past=_past(session, callback),
    )


def _open(ctx: Context, session: Session, callback: Callback, now: datetime, general: General) -> Explanation:
    view = view_of(ctx, session, callback)
    facts: dict[tuple[Channel, str], Facts] = {}
    for phone in callback.case.phones:
        index = phone.number_index
        facts[Channel.VOICE, index] = facts_of(
            ctx, session, callback, index, now, pauses=general.pauses, toll=general.toll
        )
        facts[Channel.SMS, index] = Facts(
            number_index=index,
            unit_id=callback.unit_id,
            category=callback.case.category,
            pauses=general.pauses,
            suppressed=is_suppressed(session, index, Channel.SMS),
            deadline=callback.deadline,
        )
    return explain(view, facts, now, ctx.policy, _queued(session, callback))


def _queued(session: Session, callback: Callback) -> QueuedText | None:
    query = select(TextMessage).where(
        TextMessage.callback_id == callback.id,
        TextMessage.kind.in_(ASKING),
        TextMessage.state == TextState.QUEUED,
    )
    text = session.scalar(query.order_by(TextMessage.id.desc()).limit(1))
    return None if text is None else QueuedText(text.number_index, text.not_before)


def _together(
    ctx: Context,
    session: Session,
    callback: Callback,
    found: Explanation | None,
    general: General,
) -> tuple[str, ...]:
    """The citizen's other cases that a call would ask for too, at the time when it may begin."""
    if found is None or found.gate is None or not isinstance(found.step, Call):
        return ()
    at = found.gate.earliest or found.gate.at
    others = asked_with(ctx, session, callback, found.gate.number_index, at, *general)
    return tuple(other.case.number for other in others)


def _past(session: Session, callback: Callback) -> tuple[Decided, ...]:
    query = select(CallbackMove).where(CallbackMove.callback_id == callback.id).order_by(CallbackMove.id)
    return tuple(
        Decided(row.at, row.trigger, row.from_state, row.to_state, row.detail)
        for row in session.scalars(query)
    )


# -- as text


def case_lines(found: CaseExplained, language: Language, timezone: str) -> list[str]:
    """The whole as a person reads it."""
    say = Words(language, ZoneInfo(timezone), found.masked)
    lines = []
    for each in found.callbacks:
        lines += [*_callback_lines(found, each, say), ""]
    if not found.callbacks:
        lines.append(
            say.of(
                f"{found.number}：还没有办结，没有回访", f"{found.number}: not closed yet, so not followed up"
            )
        )
    return lines


def _callback_lines(found: CaseExplained, each: CallbackExplained, say: Words) -> list[str]:
    since = say.time(each.state_since)
    head = say.of(
        f"{found.number} 第{each.closing_no}次办结，第{each.round}轮：{say.word(each.state)}，自{since}",
        f"{found.number} closing {each.closing_no}, round {each.round}: {say.word(each.state)} since {since}",
    )
    lines = [head]
    if each.now is not None:
        lines += [f"  {line}" for line in explanation_lines(each.now, say)]
    if each.together:
        cases = say.of("、", ", ").join(each.together)
        lines.append("  " + say.of(f"同一次电话一并询问：{cases}", f"asked in the same call: {cases}"))
    if each.past:
        lines.append("  " + say.of("以往：", "decided before:"))
    return [*lines, *(f"    {_decided_line(past, say)}" for past in each.past)]


def _decided_line(past: Decided, say: Words) -> str:
    detail = f" ({say.word(past.detail)})" if past.detail else ""
    way = f"{say.word(past.before)} → {say.word(past.after)}"
    return f"{say.time(past.at)} {say.word(past.trigger)}{detail}: {way}"
