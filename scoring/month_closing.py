"""A month's life: open → draft with days for objections → published, immutable (domain.md §4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import Text, cast, exists, func, select, text
from sqlalchemy.orm import Session

from callbacks.service.audit_links import link_all
from callbacks.service.core import Context, audit
from scoring.assessment import (
    month_bounds,
    month_counts,
    open_cases,
    open_changes,
    overdue_callbacks,
    store_records,
    units_as_json,
    units_from,
    units_of,
)
from scoring.models import MonthState, ScoreEntry, ScoreMonth
from scoring.models_decisions import Adjustment, Decision, Objection
from scoring.models_items import Appeal, DissatisfactionItem
from scoring.month_inputs import InputLine, InputsWriter
from scoring.months import Counted, forget_closed, month_after
from scoring.posting import entry_of_callback, post_missing
from scoring.settings import ScoringSettings
from scoring.tree import assess_units

_BATCH = 5000
_ONE = Fraction(1)


class Refusal(StrEnum):
    """Why a month can't be closed or published now."""

    NOT_OVER = "not_over"
    EARLIER_OPEN = "earlier_open"
    CLOSED = "closed"
    NO_DRAFT = "no_draft"
    EARLIER_DRAFT = "earlier_draft"
    OBJECTION_DAYS = "objection_days"
    UNDECIDED = "undecided"  # objections, adjustments or appeals that nobody has decided yet
    CHANGED = "changed"  # something was decided while it was being computed: again


class MonthRefused(ValueError):
    """The month stays as it is; `reason` is a stable word, the message says it in English."""

    def __init__(self, reason: Refusal, said: str) -> None:
        super().__init__(said)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Published:
    """A published month: how many lines its inputs have, and their SHA-256."""

    month: str
    entries: int
    inputs_hash: str
    audit_head: str


def freeze_month(
    ctx: Context, month: str, by: str, now: datetime, settings: ScoringSettings, objections_until: datetime
) -> None:
    """Makes a month that is over a draft: what comes from now on counts later, but for what is decided on it.

    What is open at its end, and what was due and hadn't ended, becomes entries. Months are closed in order.
    """
    timezone = ctx.policy.windows.timezone
    start, end = month_bounds(month, timezone)
    if now < end:
        raise MonthRefused(Refusal.NOT_OVER, f"{month} isn't over")
    post_missing(ctx.sessions, settings, timezone, now)

    def work(session: Session) -> None:
        _wait_for_writers(session)
        _check_order(session, month)
        _enter_open(session, month, end, settings, now)
        for callback in overdue_callbacks(session, start, end):
            session.add(entry_of_callback(callback, Counted(month, None), "due", {"due": _ONE}, now))
        session.flush()
        units = units_of(session)
        session.add(
            ScoreMonth(
                month=month,
                state=MonthState.DRAFT,
                frozen_at=now,
                frozen_by=by,
                objections_until=objections_until,
                settings_version=settings.version,
                settings=settings.model_dump(mode="json"),
                units=units_as_json(units),
            )
        )
        session.flush()
        forget_closed(session)
        counts = month_counts(session, month, settings, timezone, now)
        store_records(session, month, assess_units(counts, units, settings), settings, now)
        audit(session, now, by, "close_month", f"month:{month}", version=settings.version)

    ctx.run(work)


def publish_month(
    ctx: Context, month: str, by: str, now: datetime, *, leave_undecided: bool = False
) -> Published:
    """Publishes a draft whose days for objections are over. Nothing of it changes any more.

    `leave_undecided`: what is upheld later corrects the next month. The lines are read without holding up
    anybody; if one was added meanwhile, MonthRefused says so, and it's done again.
    """
    with ctx.sessions() as session:
        _check_publishable(session, month, now, leave_undecided)
        writer = inputs_writer(session, month)
        last = _last(session, month)
        for _ in inputs_text(session, month, writer):
            pass

    def work(session: Session) -> Published:
        _wait_for_writers(session)
        row = _check_publishable(session, month, now, leave_undecided)
        if _last(session, month) != last:
            raise MonthRefused(Refusal.CHANGED, f"something was decided on {month} meanwhile; publish again")
        settings = ScoringSettings.model_validate(row.settings)
        store_records(
            session, month, assess_units(writer.sums, units_from(row.units), settings), settings, now
        )
        hashes = {"inputs": writer.digest, "entries": writer.entries, "settings": settings.digest}
        audit(session, now, by, "publish_month", f"month:{month}", **hashes)
        session.flush()
        head = link_all(session, now)
        row.state, row.published_at, row.published_by = MonthState.PUBLISHED, now, by
        row.entries, row.inputs_hash, row.audit_head = writer.entries, writer.digest, head
        return Published(month, writer.entries, writer.digest, head)

    return ctx.run(work)


def inputs_writer(session: Session, month: str) -> InputsWriter:
    """For the month's lines: the units as they were when it was closed, of an open one as they are."""
    row = session.get(ScoreMonth, month)
    return InputsWriter(units_of(session) if row is None else units_from(row.units))


def inputs_text(session: Session, month: str, writer: InputsWriter) -> Iterator[str]:
    """The month's inputs as `scoring.month_inputs` has them, piece by piece, in their order."""
    yield writer.heading
    query = (
        select(
            ScoreEntry.id,
            ScoreEntry.unit_id,
            ScoreEntry.kind,
            ScoreEntry.source,
            ScoreEntry.at,
            cast(ScoreEntry.changes, Text),
        )
        .where(ScoreEntry.month == month)
        .order_by(ScoreEntry.id)
        .execution_options(yield_per=_BATCH)
    )
    for rows in session.execute(query).partitions():
        yield writer.lines(
            InputLine(id_, unit, kind, source, at.astimezone(UTC).isoformat(), changes)
            for id_, unit, kind, source, at, changes in rows
        )


def _wait_for_writers(session: Session) -> None:
    """Whoever chose this month before commits first; whoever comes now sees that it's closed."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE score_entry IN SHARE ROW EXCLUSIVE MODE"))


def _check_order(session: Session, month: str) -> None:
    if session.get(ScoreMonth, month) is not None:
        raise MonthRefused(Refusal.CLOSED, f"{month} is closed already")
    earlier = session.scalar(select(func.min(ScoreEntry.month))) or month
    closed = set(session.scalars(select(ScoreMonth.month)))
    while earlier < month:  # month by month: the database needn't read all that was ever entered
        if earlier not in closed and session.scalar(select(exists().where(ScoreEntry.month == earlier))):
            raise MonthRefused(Refusal.EARLIER_OPEN, f"{earlier} is still open; close it first")
        earlier = month_after(earlier)


def _check_publishable(session: Session, month: str, now: datetime, leave_undecided: bool) -> ScoreMonth:
    row = session.get(ScoreMonth, month, with_for_update=True, populate_existing=True)
    if row is None:
        raise MonthRefused(Refusal.NO_DRAFT, f"{month} is open; close it first")
    if row.state is MonthState.PUBLISHED:
        raise MonthRefused(Refusal.CLOSED, f"{month} is published already")
    if now < row.objections_until:
        raise MonthRefused(
            Refusal.OBJECTION_DAYS, f"{month}: objections may come until {row.objections_until}"
        )
    earlier = select(ScoreMonth.month).where(ScoreMonth.month < month, ScoreMonth.state == MonthState.DRAFT)
    if (found := session.scalar(earlier.order_by(ScoreMonth.month).limit(1))) is not None:
        raise MonthRefused(Refusal.EARLIER_DRAFT, f"{found} is still a draft; publish it first")
    left = undecided(session, month, row.frozen_at)
    if left.any and not leave_undecided:
        raise MonthRefused(
            Refusal.UNDECIDED,
            f"{month}: not decided are {left.objections} objections, {left.adjustments} adjustments and "
            f"{left.appeals} appeals",
        )
    return row


@dataclass(frozen=True, slots=True)
class Undecided:
    """What waits for a decision: objections to a month, adjustments proposed before it was closed, appeals
    against ratings that count in it.
    """

    objections: int
    adjustments: int
    appeals: int

    @property
    def any(self) -> bool:
        return bool(self.objections or self.adjustments or self.appeals)


def undecided(session: Session, month: str, proposed_by: datetime) -> Undecided:
    """What would be left undecided; `proposed_by` is when the month was closed, or would be."""
    objections = select(func.count(Objection.id)).where(
        Objection.month == month, Objection.state == Decision.PROPOSED
    )
    adjustments = select(func.count(Adjustment.id)).where(
        Adjustment.state == Decision.PROPOSED, Adjustment.proposed_at <= proposed_by
    )
    rated = (
        exists()
        .where(ScoreEntry.callback_id == DissatisfactionItem.callback_id)
        .where(ScoreEntry.kind == "rated", ScoreEntry.month == month)
    )
    appeals = (
        select(func.count(Appeal.id))
        .join(DissatisfactionItem, DissatisfactionItem.id == Appeal.item_id)
        .where(Appeal.upheld.is_(None), rated)
    )
    return Undecided(*(session.scalar(query) or 0 for query in (objections, adjustments, appeals)))


def _last(session: Session, month: str) -> tuple[int, int]:
    """How many lines the month has, and the newest."""
    query = select(func.count(), func.coalesce(func.max(ScoreEntry.id), 0)).where(ScoreEntry.month == month)
    number, newest = session.execute(query).one()
    return number, newest


def _enter_open(
    session: Session, month: str, end: datetime, settings: ScoringSettings, now: datetime
) -> None:
    for case in open_cases(session, end):
        session.add(
            ScoreEntry(
                unit_id=case.unit_id,
                month=month,
                kind="open",
                source=f"open:{month}:{case.id}",
                changes=open_changes(case, end, settings),
                provenance={"case": case.id},
                at=now,
            )
        )
