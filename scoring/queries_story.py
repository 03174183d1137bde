"""The case story: a case's head, and all that happened to it in one thread, from closing to score entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import (
    Attempt,
    AttemptCallback,
    Callback,
    CallbackMove,
    Case,
    CaseNode,
    Closing,
    Rating,
    Reply,
    TextKind,
    TextMessage,
    TextState,
    Unit,
)
from callbacks.models_office import AgentCall, AgentContact, ContactOutcome
from callbacks.states import State, Trigger
from callbacks.vocabulary import Channel, Disposition, Exclusion, MachineSign, NodeKind
from scoring.models import ScoreEntry
from scoring.models_items import DissatisfactionItem
from scoring.queries import Scope, UnitRow, unit_row
from scoring.queries_cases import handled_in
from scoring.queries_messages import MessageRow, read_messages


@dataclass(frozen=True, slots=True)
class NodeDone:
    """交办, 签收, 催办, 督办, 回复 or 办结; accepting a case is `node` None."""

    kind: ClassVar[str] = "node"
    at: datetime
    node: NodeKind | None
    by: str
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A callback's change of state."""

    kind: ClassVar[str] = "moved"
    at: datetime
    round: int
    trigger: Trigger
    from_state: State
    to_state: State
    detail: str


@dataclass(frozen=True, slots=True)
class Called:
    """A telephone attempt; `number` is masked or None, times None where the network gave none.

    `by` is the agent of a person's call, for readers who see numbers. `machine` is what was heard of a
    machine that took it, None where nothing was, or a key disproved it.
    """

    kind: ClassVar[str] = "called"
    at: datetime
    ordinal: int
    number: str | None
    trunk: str
    invited_at: datetime | None
    rang_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    disposition: Disposition | None
    counts: bool
    sip_status: int | None
    q850: int | None
    cause_raw: str
    flow: str | None
    cases: int
    by_person: bool = False
    by: str | None = None
    machine: MachineSign | None = None


@dataclass(frozen=True, slots=True)
class Texted:
    """A text that we sent, or will."""

    kind: ClassVar[str] = "texted"
    at: datetime
    text: TextKind
    number: str | None
    body: str
    state: TextState
    submitted_at: datetime | None
    ended_at: datetime | None
    answerable_until: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class Replied:
    """A text from the citizen and how it was read."""

    kind: ClassVar[str] = "replied"
    at: datetime
    number: str | None
    body: str
    rating: int | None
    opt_out: bool
    emergency: bool
    unclear: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating; `counted` is the one of its callback that goes into the score."""

    kind: ClassVar[str] = "rated"
    at: datetime
    round: int
    channel: Channel
    scale: str
    value: int
    raw: str
    prompt_id: str | None
    ms_since_prompt_end: int | None
    counted: bool
    is_change: bool
    late: bool
    resolved: bool | None
    reason: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A score entry: what it changes in the unit's counts, and where it comes from."""

    kind: ClassVar[str] = "scored"
    at: datetime
    id: int
    unit: str
    month: str
    entry: str
    changes: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contacted:
    """A person's try to reach the citizen; `by` only for readers who see numbers."""

    kind: ClassVar[str] = "contacted"
    at: datetime
    outcome: ContactOutcome
    by: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The rating came onto the dissatisfaction list."""

    kind: ClassVar[str] = "listed"
    at: datetime
    state: str


Event = NodeDone | Moved | Called | Texted | Replied | Contacted | Rated | Scored | Listed

# Things of one instant in the order in which one causes the next.
_ORDER = ("node", "texted", "called", "replied", "contacted", "rated", "moved", "scored", "listed")


@dataclass(frozen=True, slots=True)
class CallbackHead:
    """A callback of the case as it stands."""

    closing_no: int
    round: int
    state: State
    state_since: datetime
    deadline: datetime
    exclusion: Exclusion | None
    late: bool


@dataclass(frozen=True, slots=True)
class Story:
    """All of a case that the reader may see. `reply` is the unit's, `ratings` the citizen's."""

    case: Case
    unit: UnitRow
    numbers: tuple[str, ...]
    reply: str
    callbacks: tuple[CallbackHead, ...]
    item_state: str | None
    messages: tuple[MessageRow, ...]
    events: tuple[Event, ...]

    @property
    def ratings(self) -> tuple[Rated, ...]:
        return tuple(event for event in self.events if isinstance(event, Rated))

    @property
    def replies(self) -> tuple[Replied, ...]:
        return tuple(event for event in self.events if isinstance(event, Replied))

    @property
    def notes(self) -> tuple[Contacted, ...]:
        """What agents wrote down of what the citizen said; a unit's story has none."""
        return tuple(event for event in self.events if isinstance(event, Contacted) and event.note)


def read_story(session: Session, scope: Scope, number: str) -> Story | None:
    """None where there is no such case, or not for this reader."""
    case = session.scalar(select(Case).where(Case.number == number, *handled_in(scope)))
    if case is None:
        return None
    closings = list(
        session.scalars(
            select(Closing)
            .where(Closing.case_id == case.id, *scope.limit(Closing.unit_id))
            .order_by(Closing.closing_no)
        )
    )
    callbacks = list(
        session.scalars(
            select(Callback)
            .where(Callback.case_id == case.id, *scope.limit(Callback.unit_id))
            .order_by(Callback.id)
        )
    )
    rounds = {callback.id: callback.round for callback in callbacks}
    events = [
        *_nodes(session, case, closings),
        *_moves(session, rounds),
        *_calls(session, rounds, scope),
        *_texts(session, rounds, scope),
        *_replies(session, rounds, scope),
        *_contacts(session, rounds, scope),
        *_ratings(session, rounds),
        *_entries(session, rounds, scope),
    ]
    items = list(_items(session, rounds))
    events += items
    events.sort(key=lambda event: (event.at, _ORDER.index(event.kind)))
    return Story(
        case=case,
        unit=unit_row(case.lead_unit),
        numbers=tuple(phone.number_masked for phone in case.phones) if scope.numbers else (),
        reply=_reply(case, closings, scope),
        callbacks=tuple(_head(callback) for callback in callbacks),
        item_state=items[-1].state if items else None,
        messages=read_messages(session, scope, rounds),
        events=tuple(events),
    )


def _reply(case: Case, closings: list[Closing], scope: Scope) -> str:
    """The unit's reply as it was at the newest closing; the case's own while it's open."""
    if closings and closings[-1].reply:
        return closings[-1].reply
    return case.reply if scope.covers(case.lead_unit_id) else ""


def _head(callback: Callback) -> CallbackHead:
    return CallbackHead(
        closing_no=callback.closing_no,
        round=callback.round,
        state=callback.state,
        state_since=callback.state_since,
        deadline=callback.deadline,
        exclusion=callback.exclusion,
        late=callback.late,
    )


def _nodes(session: Session, case: Case, closings: list[Closing]) -> Iterator[Event]:
    """The case's nodes; accepted, signed and closed also where the source system sent no node of them."""
    found = list(session.scalars(select(CaseNode).where(CaseNode.case_id == case.id).order_by(CaseNode.at)))
    known = {(node.kind, node.at) for node in found}
    dues = {closing.closed_at: closing.due_at for closing in closings}
    yield NodeDone(case.accepted_at, None, "")
    for node in found:
        due = dues.get(node.at, case.due_at)
        late = node.kind is NodeKind.CLOSE and due is not None and node.at > due
        yield NodeDone(node.at, node.kind, node.by, late)
    if case.signed_at is not None and not any(kind is NodeKind.SIGN for kind, _ in known):
        yield NodeDone(case.signed_at, NodeKind.SIGN, "")
    for closing in closings:
        if (NodeKind.CLOSE, closing.closed_at) not in known:
            late = closing.due_at is not None and closing.closed_at > closing.due_at
            yield NodeDone(closing.closed_at, NodeKind.CLOSE, "", late)


def _moves(session: Session, rounds: dict[int, int]) -> Iterator[Event]:
    query = select(CallbackMove).where(CallbackMove.callback_id.in_(rounds)).order_by(CallbackMove.id)
    for row in session.scalars(query):
        yield Moved(row.at, rounds[row.callback_id], row.trigger, row.from_state, row.to_state, row.detail)


def _calls(session: Session, rounds: dict[int, int], scope: Scope) -> Iterator[Event]:
    linked = select(AttemptCallback.attempt_id).where(AttemptCallback.callback_id.in_(rounds))
    query = select(Attempt).where(Attempt.id.in_(linked), Attempt.channel != Channel.SMS)
    query = query.outerjoin(AgentCall, AgentCall.attempt_id == Attempt.id).order_by(Attempt.id)
    rows = session.execute(query.add_columns(AgentCall.login)).all()
    for ordinal, (row, login) in enumerate(rows, start=1):
        yield Called(
            at=row.invited_at or row.claimed_at,
            ordinal=ordinal,
            number=row.number_masked if scope.numbers else None,
            trunk=row.trunk,
            invited_at=row.invited_at,
            rang_at=row.rang_at,
            answered_at=row.answered_at,
            ended_at=row.ended_at,
            disposition=row.disposition,
            counts=row.counts,
            sip_status=row.sip_status,
            q850=row.q850,
            cause_raw=row.cause_raw,
            flow=row.flow,
            cases=len(row.links),
            by_person=row.channel is Channel.AGENT,
            by=login if scope.numbers else None,
            machine=row.machine_sign if row.machine else None,
        )


def _texts(session: Session, rounds: dict[int, int], scope: Scope) -> Iterator[Event]:
    query = select(TextMessage).where(TextMessage.callback_id.in_(rounds)).order_by(TextMessage.id)
    for row in session.scalars(query):
        yield Texted(
            at=row.submitted_at or row.created_at,
            text=row.kind,
            number=row.number_masked if scope.numbers else None,
            body=row.body,
            state=row.state,
            submitted_at=row.submitted_at,
            ended_at=row.ended_at,
            answerable_until=row.answerable_until,
            error=row.error,
        )


def _replies(session: Session, rounds: dict[int, int], scope: Scope) -> Iterator[Event]:
    for row in session.scalars(select(Reply).where(Reply.callback_id.in_(rounds)).order_by(Reply.id)):
        yield Replied(
            at=row.received_at,
            number=row.number_masked if scope.numbers else None,
            body=row.body,
            rating=row.rating,
            opt_out=row.opt_out,
            emergency=row.emergency,
            unclear=row.unclear,
            comment=row.comment,
        )


def _contacts(session: Session, rounds: dict[int, int], scope: Scope) -> Iterator[Event]:
    """A unit reads what came of them, not what the agent noted about the citizen."""
    query = select(AgentContact).where(AgentContact.callback_id.in_(rounds)).order_by(AgentContact.id)
    for row in session.scalars(query):
        if scope.numbers:
            yield Contacted(row.at, row.outcome, row.login, row.note)
        elif row.outcome is not ContactOutcome.NOTE:
            yield Contacted(row.at, row.outcome, None, "")


def _ratings(session: Session, rounds: dict[int, int]) -> Iterator[Event]:
    for row in session.scalars(select(Rating).where(Rating.callback_id.in_(rounds)).order_by(Rating.id)):
        yield Rated(
            at=row.at,
            round=rounds[row.callback_id],
            channel=row.channel,
            scale=row.scale,
            value=row.value,
            raw=row.raw,
            prompt_id=row.prompt_id,
            ms_since_prompt_end=row.ms_since_prompt_end,
            counted=row.counted,
            is_change=row.is_change,
            late=row.late,
            resolved=row.resolved,
            reason=row.reason,
            comment=row.comment,
        )


def _entries(session: Session, rounds: dict[int, int], scope: Scope) -> Iterator[Event]:
    query = (
        select(ScoreEntry, Unit.name)
        .join(Unit, Unit.id == ScoreEntry.unit_id)
        .where(ScoreEntry.callback_id.in_(rounds), *scope.limit(ScoreEntry.unit_id))
        .order_by(ScoreEntry.id)
    )
    for row, unit in session.execute(query):
        yield Scored(row.at, row.id, unit, row.month, row.kind, row.changes, row.provenance)


def _items(session: Session, rounds: dict[int, int]) -> Iterator[Listed]:
    query = select(DissatisfactionItem).where(DissatisfactionItem.callback_id.in_(rounds))
    for row in session.scalars(query.order_by(DissatisfactionItem.id)):
        yield Listed(row.opened_at, row.state)
