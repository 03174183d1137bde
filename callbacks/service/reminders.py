"""Texts to the handlers of cases: made when their time has come, looked at again when they leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from callbacks.gates import Facts, Hold, PauseRule, may_begin
from callbacks.models import Case, CaseNode, TextMessage, TextState
from callbacks.models_office import Reminder, ReminderStage
from callbacks.numbers import NumberKind, kind_of
from callbacks.reminder_settings import ReminderSettings
from callbacks.reminders import (
    Clock,
    Due,
    Stage,
    handler_windows,
    next_handler_day,
    next_handler_time,
    reminder_due,
    sign_by,
    still_stands,
)
from callbacks.service.core import Context
from callbacks.service.reminder_clocks import (
    KINDS,
    SLICE,
    cases_due,
    clocks_of,
    made_stages,
    texts_today,
)
from callbacks.service.templates import current
from callbacks.vocabulary import Channel, NodeKind
from callbacks.wording import handler_body

DEFAULTS = ReminderSettings()
_NODES = {Stage.URGE: NodeKind.URGE, Stage.SUPERVISE: NodeKind.SUPERVISE}


@dataclass
class Walk:
    """How far the clock has come on its way over the cases; it begins anew with the role."""

    after: int = 0


def remind_due(
    ctx: Context,
    now: datetime,
    limit: int = 50,
    settings: ReminderSettings = DEFAULTS,
    walk: Walk | None = None,
) -> int:
    """Makes the reminders whose time has come, at most `limit`; only while a handler's window is open.

    With a `walk` it looks at the next 2,000 ids of cases and returns; the walk begins again after the last.
    Without one it looks at all of them. What is over the day's cap for a number waits for a later walk.
    """
    if not settings.enabled or next_handler_time(now, ctx.policy.windows, settings) > now:
        return 0
    if walk is not None:
        return _one_slice(ctx, now, limit, settings, walk)
    walk = Walk()
    made = _one_slice(ctx, now, limit, settings, walk)
    while walk.after and made < limit:
        made += _one_slice(ctx, now, limit - made, settings, walk)
    return made


def _one_slice(ctx: Context, now: datetime, limit: int, settings: ReminderSettings, walk: Walk) -> int:
    last, found = cases_due(ctx, walk.after, now, settings)
    made = _make_all(ctx, found, limit, now, settings) if found else 0
    if made < limit:
        walk.after = walk.after + SLICE if walk.after + SLICE < last else 0
    return made


def _make_all(
    ctx: Context, case_ids: Sequence[int], limit: int, now: datetime, settings: ReminderSettings
) -> int:
    def work(session: Session) -> int:
        made, full = 0, set[str]()
        for case_id in case_ids:
            if made == limit:
                break
            case = _locked(session, case_id)
            due = reminder_due(clocks_of(session, case_id), made_stages(session, case_id), now, settings)
            if due is None or case.handler_phone_index in full:
                continue
            number = case.handler_phone_index
            if number is not None and texts_today(ctx, session, number, now) >= settings.per_day:
                full.add(number)
                continue
            _make(ctx, session, case, due, now, settings)
            made += 1
        return made

    return ctx.run(work)


def _locked(session: Session, case_id: int) -> Case:
    return session.get_one(Case, case_id, with_for_update=True, populate_existing=True)


def remind(
    ctx: Context,
    session: Session,
    case_id: int,
    stage: Stage,
    due_at: datetime | None,
    now: datetime,
    settings: ReminderSettings = DEFAULTS,
    occasion: int = 0,
) -> Reminder | None:
    """Reminds a case's handler of its rework: 整改 催办 督办 (domain.md §6), in the caller's transaction.

    `occasion` is the step of the item, so that a second rework is reminded of too. None where this stage was
    reminded of on this occasion since the case was last closed, or reminders are switched off. The
    text leaves in the handler's next window, within the number's cap; until then `cancel_reminders` takes it
    back.
    """
    if not settings.enabled:
        return None
    case = _locked(session, case_id)
    if stage in made_stages(session, case_id, occasion):
        return None
    return _make(ctx, session, case, Due(stage, now, due_at, Clock.REWORK), now, settings, occasion)


def _make(
    ctx: Context,
    session: Session,
    case: Case,
    due: Due,
    now: datetime,
    settings: ReminderSettings,
    occasion: int = 0,
) -> Reminder:
    """The reminder, its node and, where the handler has a mobile number, its text. The case is locked.

    One whose text was cancelled before it left takes its row again: it was never made.
    """
    stage, period = ReminderStage(due.stage.value), case.closing_no + 1
    text = _text(ctx, session, case, due, now, settings)
    session.flush()
    same = select(Reminder).where(Reminder.case_id == case.id, Reminder.period == period)
    reminder = session.scalar(same.where(Reminder.stage == stage, Reminder.occasion == occasion))
    if reminder is None:
        reminder = Reminder(case_id=case.id, period=period, stage=stage, occasion=occasion)
        session.add(reminder)
    reminder.due_at, reminder.made_at = due.deadline, now
    reminder.text_id = text.id if text is not None else None
    if node := _NODES.get(due.stage):
        _add_node(ctx, session, case, node, now)
    session.flush()
    return reminder


def _add_node(ctx: Context, session: Session, case: Case, kind: NodeKind, now: datetime) -> None:
    """Once an instant: of two in the same one (by the clock and by a person) the case's story tells one."""
    same = CaseNode.case_id == case.id, CaseNode.kind == kind, CaseNode.at == now
    if session.scalar(select(CaseNode.id).where(*same)) is None:
        session.add(CaseNode(case_id=case.id, kind=kind, at=now, by=ctx.office.name))


def _text(
    ctx: Context, session: Session, case: Case, due: Due, now: datetime, settings: ReminderSettings
) -> TextMessage | None:
    if case.handler_phone_encrypted is None or case.handler_phone_index is None:
        return None
    number = ctx.privacy.decrypt(case.handler_phone_encrypted)
    if kind_of(number) is not NumberKind.MOBILE or number in ctx.office.own_numbers:
        return None
    kind, windows = KINDS[due.stage], ctx.policy.windows
    clocks = clocks_of(session, case.id)
    text = TextMessage(
        kind=kind,
        number_encrypted=case.handler_phone_encrypted,
        number_index=case.handler_phone_index,
        number_masked=case.handler_phone_masked or "",
        sender_code=ctx.office.sender_code,
        body=handler_body(
            kind,
            ctx.office,
            windows.timezone,
            case,
            due,
            sign_by(clocks, settings),
            now,
            current(session, kind),
        ),
        state=TextState.QUEUED,
        not_before=next_handler_time(now, windows, settings),
        created_at=now,
    )
    session.add(text)
    return text


def may_reminder_leave(
    ctx: Context,
    session: Session,
    text: TextMessage,
    now: datetime,
    pauses: Sequence[PauseRule],
    settings: ReminderSettings = DEFAULTS,
) -> bool:
    """Asked when a handler's text is about to leave: does its case still need it, and is it the time?

    False leaves it cancelled, or queued for the next window, pause's end or day.
    """
    row = session.execute(_OF_TEXT, {"text": text.id, "number": text.number_index}).one_or_none()
    if row is not None and not _stands(session, row.Reminder, row.Case, now, settings):
        _cancel(session, row.Reminder, text, now)
        return False
    policy = ctx.policy.model_copy(update={"windows": handler_windows(ctx.policy.windows, settings)})
    facts = Facts(number_index=text.number_index, pauses=pauses)
    if row is not None:
        facts = replace(facts, unit_id=row.Case.lead_unit_id, category=row.Case.category)
    gate = may_begin(Channel.SMS, facts, now, policy)
    if isinstance(gate, Hold):
        text.not_before = gate.until
        return False
    if texts_today(ctx, session, text.number_index, now, but=text.id, queued=False) >= settings.per_day:
        text.not_before = next_handler_day(now, ctx.policy.windows, settings)
        return False
    return True


_OF_TEXT = (  # by the number's cases, as reminder.text_id has no index
    select(Reminder, Case)
    .join(Case, Case.id == Reminder.case_id)
    .where(Case.handler_phone_index == bindparam("number"), Reminder.text_id == bindparam("text"))
    .execution_options(populate_existing=True)
)


def _stands(
    session: Session, reminder: Reminder, case: Case, now: datetime, settings: ReminderSettings
) -> bool:
    """A closing ends what was about it. Of a closed case only its rework, which `remind` made, is left."""
    if reminder.period <= case.closing_no:
        return False
    if case.closed_at is not None:
        return True
    return still_stands(clocks_of(session, case.id), Stage(reminder.stage.value), now, settings)


def cancel_reminders(
    session: Session, case_id: int, now: datetime, stages: Collection[Stage] = tuple(Stage)
) -> int:
    """Takes back the case's texts to its handler that haven't left: its rework was handed in, say."""
    wanted = [ReminderStage(stage.value) for stage in stages]
    query = (
        select(Reminder, TextMessage)
        .join(TextMessage, TextMessage.id == Reminder.text_id)
        .where(Reminder.case_id == case_id, Reminder.stage.in_(wanted))
        .where(TextMessage.state == TextState.QUEUED)
        .with_for_update(of=TextMessage)
    )
    rows = session.execute(query).all()
    for reminder, text in rows:
        _cancel(session, reminder, text, now)
    return len(rows)


def _cancel(session: Session, reminder: Reminder, text: TextMessage, now: datetime) -> None:
    """It never left, so nobody was urged: its node goes too."""
    text.state, text.ended_at, text.error = TextState.CANCELLED, now, "no longer due"
    if node := _NODES.get(Stage(reminder.stage.value)):
        same = CaseNode.case_id == reminder.case_id, CaseNode.kind == node, CaseNode.at == reminder.made_at
        session.execute(delete(CaseNode).where(*same))
