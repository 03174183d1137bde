"""What the reminders ask of the tables: a case's clocks, what was made, and what a number got today."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, bindparam, func, or_, select
from sqlalchemy.orm import Session

from callbacks.models import Case, CaseNode, Closing, TextKind, TextMessage, TextState
from callbacks.models_office import Reminder
from callbacks.reminder_settings import ReminderSettings
from callbacks.reminders import CaseClocks, Stage, reminder_due
from callbacks.service.core import Context
from callbacks.vocabulary import NodeKind
from callbacks.windows import local_day

SLICE = 2000  # ids of cases that one look takes in
KINDS = {
    Stage.TODO: TextKind.HANDLER_TODO,
    Stage.URGE: TextKind.HANDLER_URGE,
    Stage.SUPERVISE: TextKind.HANDLER_SUPERVISE,
    Stage.RECTIFY: TextKind.HANDLER_RECTIFY,
}
HANDLER_TEXTS = frozenset(KINDS.values())

# The plan. There is no index by due time, on purpose: a time that is to come depends on three columns and on
# nodes, and what is overdue stays overdue, so that a query by time would meet the same old cases each second.
# Instead the clock walks: one call reads a range of 2,000 ids by the primary key of `case`, whatever is in
# the table; for the open ones among them the last 交办 by uq_case_node_case_id_kind_at, the last closing by
# its primary key, and what was made by ix_reminder_case_id. Every five seconds that is a walk over 100,000
# cases in about four minutes, for deadlines of hours.
_ASSIGNED = (
    select(func.max(CaseNode.at))
    .where(CaseNode.case_id == Case.id, CaseNode.kind == NodeKind.ASSIGN)
    .correlate(Case)
    .scalar_subquery()
)
_LAST_CLOSED = (
    select(Closing.closed_at)
    .where(Closing.case_id == Case.id, Closing.closing_no == Case.closing_no)
    .correlate(Case)
    .scalar_subquery()
)
_CLOCKS = select(
    Case.id,
    Case.closing_no,
    Case.signed_at,
    Case.due_at,
    Case.closed_at,
    _ASSIGNED.label("assigned_at"),
    _LAST_CLOSED.label("last_closed_at"),
)
_OPEN_SLICE = _CLOCKS.where(
    Case.id > bindparam("after"), Case.id <= bindparam("upto"), Case.closed_at.is_(None)
).order_by(Case.id)
_MADE = (
    select(Reminder.case_id, Reminder.stage)
    .join(Case, Case.id == Reminder.case_id)
    .outerjoin(TextMessage, TextMessage.id == Reminder.text_id)
    .where(Reminder.period == Case.closing_no + 1)
    .where(or_(TextMessage.id.is_(None), TextMessage.state != TextState.CANCELLED))
)
_MADE_SLICE = _MADE.where(
    Reminder.case_id > bindparam("after"),
    Reminder.case_id <= bindparam("upto"),
    Reminder.occasion == 0,
    Case.closed_at.is_(None),
)


def cases_due(ctx: Context, after: int, now: datetime, settings: ReminderSettings) -> tuple[int, list[int]]:
    """The last case's id, and the next ids whose reminder is due; read without keeping writers out."""
    within = {"after": after, "upto": after + SLICE}
    with ctx.sessions() as session:
        session.connection(execution_options={"sqlite_begin": "DEFERRED"})
        last = session.scalar(select(func.max(Case.id))) or 0
        made: dict[int, set[Stage]] = {}
        for case_id, stage in session.execute(_MADE_SLICE, within):
            made.setdefault(case_id, set()).add(Stage(stage.value))
        rows = session.execute(_OPEN_SLICE, within).all()
    return last, [r.id for r in rows if reminder_due(_clocks(r), made.get(r.id, ()), now, settings)]


def _clocks(row: Row[*tuple[Any, ...]]) -> CaseClocks:
    """What came before the last closing belongs to it: a case opened again isn't overdue by its old time."""
    since: datetime | None = row.last_closed_at

    def of_now(at: datetime | None) -> datetime | None:
        return at if at is not None and (since is None or at > since) else None

    return CaseClocks(of_now(row.assigned_at), row.signed_at, of_now(row.due_at), row.closed_at)


def clocks_of(session: Session, case_id: int) -> CaseClocks:
    return _clocks(session.execute(_CLOCKS.where(Case.id == case_id)).one())


def made_stages(session: Session, case_id: int, occasion: int = 0) -> set[Stage]:
    """What was made of the case's own clock, or of a step of its dissatisfaction item."""
    rows = session.execute(_MADE.where(Reminder.case_id == case_id, Reminder.occasion == occasion))
    return {Stage(stage.value) for _case, stage in rows}


def texts_today(
    ctx: Context, session: Session, number_index: str, now: datetime, but: int = 0, queued: bool = True
) -> int:
    """The number's texts as a handler that left today, and those that are queued; text `but` left out."""
    windows = ctx.policy.windows
    midnight = datetime.combine(local_day(now, windows), time(0), ZoneInfo(windows.timezone))
    counted = TextMessage.submitted_at >= midnight
    query = select(func.count()).where(
        TextMessage.number_index == number_index,
        TextMessage.kind.in_(HANDLER_TEXTS),
        TextMessage.id != but,
        or_(counted, TextMessage.state == TextState.QUEUED) if queued else counted,
    )
    return session.scalar(query) or 0
