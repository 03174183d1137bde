"""One item of the dissatisfaction list with all that its page tells: words, steps, evidence, meetings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, Closing, Rating, Reply
from callbacks.models_office import AgentContact
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.item_states import ItemState, ItemTrigger
from scoring.models import ScoreEntry
from scoring.models_items import (
    Appeal,
    AppealDecision,
    DissatisfactionItem,
    Evidence,
    HardCaseMeeting,
    ItemStep,
)
from scoring.queries import Scope
from scoring.queries_dissatisfaction import ItemRow, these_items
from scoring.queries_messages import MessageRow, read_messages


@dataclass(frozen=True, slots=True)
class Said:
    """A rating about the item's closing; `resolved` None: not asked or not answered."""

    round: int
    at: datetime
    channel: Channel
    scale: str
    value: int
    counted: bool
    resolved: bool | None
    reason: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What an agent noted of a contact with the citizen; only for readers who see numbers."""

    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A file of the item, without its content. `by` is a login."""

    id: int
    sha256: str
    name: str
    media_type: str
    size: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of the item; `evidence` are the files that came with it."""

    seq: int
    at: datetime
    by: str
    trigger: ItemTrigger
    from_state: ItemState
    to_state: ItemState
    reason: str
    detail: dict[str, Any]
    evidence: tuple[EvidenceRow, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """A callback about the item, the first or a later one."""

    round: int
    state: State
    deadline: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ItemStory:
    """All of an item that the reader may see. `unit_id` is who works on it now."""

    row: ItemRow
    item: DissatisfactionItem
    unit_id: int
    case: Case
    closing_no: int
    summary: str
    reply: str
    said: tuple[Said, ...]
    texts: tuple[str, ...]
    notes: tuple[Noted, ...]
    messages: tuple[MessageRow, ...]
    steps: tuple[StepRow, ...]
    evidence: tuple[EvidenceRow, ...]
    rounds: tuple[Round, ...]
    appeal: Appeal | None
    decisions: tuple[AppealDecision, ...]
    meetings: tuple[HardCaseMeeting, ...]
    entries: tuple[ScoreEntry, ...]

    @property
    def asks_time(self) -> bool:
        """The unit asked for more time and the office hasn't answered yet."""
        asked = (ItemTrigger.ASK_TIME, ItemTrigger.EXTEND, ItemTrigger.REFUSE_TIME)
        last = next((step.trigger for step in reversed(self.steps) if step.trigger in asked), None)
        return last is ItemTrigger.ASK_TIME

    def since(self, seq: int) -> tuple[StepRow, ...]:
        """The steps after the one that a form was made from."""
        return tuple(step for step in self.steps if step.seq > seq)


def read_item_story(session: Session, scope: Scope, item_id: int) -> ItemStory | None:
    """None where there is no such item, or not for this reader."""
    rows = these_items(session, scope, (item_id,))
    item = session.get(DissatisfactionItem, item_id) if rows else None
    if item is None:
        return None
    callback = item.callback
    case = session.get_one(Case, callback.case_id)
    callbacks = _callbacks(session, callback)
    closing = session.scalar(
        select(Closing).where(Closing.case_id == case.id, Closing.closing_no == callback.closing_no)
    )
    ids = [row.id for row in callbacks]
    files = read_evidence(session, f"item:{item_id}")
    appeal = session.scalar(select(Appeal).where(Appeal.item_id == item_id))
    return ItemStory(
        row=rows[0],
        item=item,
        unit_id=item.unit_id,
        case=case,
        closing_no=callback.closing_no,
        summary=case.summary,
        reply=(closing.reply if closing else "") or case.reply,
        said=_said(session, callbacks),
        texts=_texts(session, ids),
        notes=_notes(session, ids) if scope.numbers else (),
        messages=read_messages(session, scope, ids),
        steps=_steps(session, item_id, files),
        evidence=files,
        rounds=tuple(Round(row.round, row.state, row.deadline, row.ended_at) for row in callbacks),
        appeal=appeal,
        decisions=() if appeal is None else decisions_on(session, (appeal.id,))[appeal.id],
        meetings=tuple(
            session.scalars(
                select(HardCaseMeeting)
                .where(HardCaseMeeting.item_id == item_id)
                .order_by(HardCaseMeeting.held_on, HardCaseMeeting.id)
            )
        ),
        entries=_entries(session, ids, scope),
    )


def read_evidence(session: Session, subject: str) -> tuple[EvidenceRow, ...]:
    """The files of a subject, the first first."""
    columns = (Evidence.id, Evidence.sha256, Evidence.name, Evidence.media_type, Evidence.size)
    query = select(*columns, Evidence.by, Evidence.at).where(Evidence.subject == subject)
    return tuple(EvidenceRow(*row) for row in session.execute(query.order_by(Evidence.id)))


def decisions_on(session: Session, appeals: Iterable[int]) -> dict[int, tuple[AppealDecision, ...]]:
    """Appeal → what its deciders said so far, the first first."""
    found: dict[int, list[AppealDecision]] = {appeal: [] for appeal in appeals}
    query = select(AppealDecision).where(AppealDecision.appeal_id.in_(found)).order_by(AppealDecision.at)
    for decision in session.scalars(query):
        found[decision.appeal_id].append(decision)
    return {appeal: tuple(said) for appeal, said in found.items()}


def _callbacks(session: Session, first: Callback) -> list[Callback]:
    """The item's own callback and the later rounds of the same closing."""
    query = select(Callback).where(
        Callback.case_id == first.case_id,
        Callback.closing_no == first.closing_no,
        Callback.round >= first.round,
    )
    return list(session.scalars(query.order_by(Callback.round)))


def _said(session: Session, callbacks: list[Callback]) -> tuple[Said, ...]:
    rounds = {callback.id: callback.round for callback in callbacks}
    query = select(Rating).where(Rating.callback_id.in_(rounds)).order_by(Rating.id)
    return tuple(
        Said(
            round=rounds[row.callback_id],
            at=row.at,
            channel=row.channel,
            scale=row.scale,
            value=row.value,
            counted=row.counted,
            resolved=row.resolved,
            reason=row.reason,
            comment=row.comment,
        )
        for row in session.scalars(query)
    )


def _texts(session: Session, ids: list[int]) -> tuple[str, ...]:
    """The citizen's texts that weren't only a rating: a rating's own words are its comment."""
    query = select(Reply.body).where(Reply.callback_id.in_(ids), Reply.rating.is_(None), Reply.body != "")
    return tuple(session.scalars(query.order_by(Reply.id)))


def _notes(session: Session, ids: list[int]) -> tuple[Noted, ...]:
    query = select(AgentContact).where(AgentContact.callback_id.in_(ids), AgentContact.note != "")
    return tuple(
        Noted(row.at, row.login, row.note) for row in session.scalars(query.order_by(AgentContact.id))
    )


def _steps(session: Session, item_id: int, files: tuple[EvidenceRow, ...]) -> tuple[StepRow, ...]:
    query = select(ItemStep).where(ItemStep.item_id == item_id).order_by(ItemStep.seq)
    return tuple(
        StepRow(
            seq=step.seq,
            at=step.at,
            by=step.by,
            trigger=step.trigger,
            from_state=step.from_state,
            to_state=step.to_state,
            reason=step.reason,
            detail=step.detail,
            evidence=_of_step(step, files),
        )
        for step in session.scalars(query)
    )


def _of_step(step: ItemStep, files: tuple[EvidenceRow, ...]) -> tuple[EvidenceRow, ...]:
    """The files that came with a step; the same content sent twice is told by its moment."""
    hashes = step.detail.get("evidence", ())
    found = tuple(file for file in files if file.sha256 in hashes)
    return tuple(file for file in found if file.at == step.at) or found


def _entries(session: Session, ids: list[int], scope: Scope) -> tuple[ScoreEntry, ...]:
    query = select(ScoreEntry).where(ScoreEntry.callback_id.in_(ids), *scope.limit(ScoreEntry.unit_id))
    return tuple(session.scalars(query.order_by(ScoreEntry.id)))
