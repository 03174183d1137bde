"""Gaps at intake: cases that a source had and we didn't get. Found, told to a seat, closed when they came.

The long reading is done in a session of readers; one short transaction a source writes what has changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.days import day_begins, day_ends, read_day
from callbacks.gaps import Numbering, Run, Span, by_width, missing, spans_of, without
from callbacks.intake_settings import IntakeSettings, SourceSettings
from callbacks.models import Case
from callbacks.models_office import GapKind, IntakeGap, SourceCount
from callbacks.service.core import Context

log = structlog.get_logger(__name__)

_MOST = 2**31 - 1  # what the columns of counts take


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap as it is now: closed where `found` has reached `expected`."""

    kind: GapKind
    first: str
    last: str
    expected: int
    found: int


def find_gaps(
    ctx: Context, read_sessions: sessionmaker[Session], settings: IntakeSettings, now: datetime
) -> int:
    """Writes down what is missing of each source, and what has come since; returns how many gaps changed."""
    changed = 0
    for source in settings.sources:
        with read_sessions() as session:
            gaps = [*_numbers(session, source, settings, now), *_counts(ctx, session, source, settings, now)]
            known = _known(session, source)
        news = [gap for gap in gaps if _is_news(gap, known.get((gap.kind, gap.first, gap.last)))]
        if news:
            changed += _write(ctx, source.name, news, now)
    return changed


# -- missing numbers


def _numbers(session: Session, source: SourceSettings, settings: IntakeSettings, now: datetime) -> list[Gap]:
    """The gaps that are open, with what came of them since, and the new ones."""
    if source.sequence is None:
        return []
    numbering = numbering_of(source)
    seen = select(Case.number, Case.accepted_at).where(Case.accepted_at >= now - settings.look_back)
    runs = numbering.runs((number, at) for number, at in session.execute(seen.where(*_of(source))))
    gaps, covered = [], dict[str, list[Span]]()
    for gap in _open(session, source.name, GapKind.MISSING_NUMBERS):
        first, last = numbering.place(gap.first), numbering.place(gap.last)
        if first is None or last is None:
            continue  # of a sequence that the settings don't have any more
        span = (first.serial, last.serial)
        run = Run(first.run, min(len(first.digits), len(last.digits)))
        covered.setdefault(first.run, []).append(span)
        came = _came(session, numbering, run, span)
        gaps.append(Gap(gap.kind, gap.first, gap.last, gap.expected, min(gap.expected, len(came))))
    for run in runs.values():
        overdue = missing(run.seen, numbering.first, now - settings.grace)
        for span in without(overdue, covered.get(run.name, ())):
            gaps += _new(session, numbering, run, span)
    return gaps


def _new(session: Session, numbering: Numbering, run: Run, span: Span) -> list[Gap]:
    """What of the span isn't in the tables: a case may have come by another source, or long ago."""
    left = without([span], spans_of(_came(session, numbering, run, span)))
    return [
        Gap(GapKind.MISSING_NUMBERS, run.number(low), run.number(high), min(high - low + 1, _MOST), 0)
        for low, high in left
    ]


def _came(session: Session, numbering: Numbering, run: Run, span: Span) -> set[int]:
    """The serials of the span whose cases are there, by the index of numbers."""
    found: set[int] = set()
    for low, high in by_width(span, run.width):
        query = select(Case.number).where(Case.number.between(run.number(low), run.number(high)))
        for number in session.scalars(query):
            place = numbering.place(number)
            if place is not None and place.run == run.name and low <= place.serial <= high:
                found.add(place.serial)
    return found


def numbering_of(source: SourceSettings) -> Numbering:
    assert source.sequence is not None
    return Numbering(re.compile(source.sequence), source.first_serial)


# -- the source's own daily count


def _counts(
    ctx: Context, session: Session, source: SourceSettings, settings: IntakeSettings, now: datetime
) -> list[Gap]:
    """The days of which the source says how many it sent, as far as they may be looked at."""
    timezone, gaps = ctx.policy.windows.timezone, []
    known = {gap.first for gap in _open(session, source.name, GapKind.DAILY_COUNT)}
    for told in session.scalars(select(SourceCount).where(SourceCount.source == source.name)):
        until = day_ends(read_day(told.day), timezone)
        is_old = until < now - settings.look_back and told.day not in known
        if is_old or now < max(until, told.received_at) + settings.grace:
            continue
        found = count_of_day(session, source, told.day, timezone)
        gaps.append(Gap(GapKind.DAILY_COUNT, told.day, told.day, told.number, min(found, told.number)))
    return gaps


def count_of_day(session: Session, source: SourceSettings, day: str, timezone: str) -> int:
    """How many cases of the source were accepted on the local day."""
    begins, ends = day_begins(read_day(day), timezone), day_ends(read_day(day), timezone)
    of_day = (Case.accepted_at >= begins, Case.accepted_at < ends, *_of(source))
    if source.platform is not None or source.source_channel is not None:
        return session.scalar(select(func.count(Case.id)).where(*of_day)) or 0
    numbering = numbering_of(source)
    numbers = session.scalars(select(Case.number).where(*of_day))
    return sum(numbering.place(number) is not None for number in numbers)


def _of(source: SourceSettings) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if source.platform is not None:
        found.append(Case.platform == source.platform)
    if source.source_channel is not None:
        found.append(Case.source_channel == source.source_channel)
    return found


# -- what is written


def _open(session: Session, source: str, kind: GapKind) -> Sequence[IntakeGap]:
    query = select(IntakeGap).where(IntakeGap.source == source, IntakeGap.closed_at.is_(None))
    return session.scalars(query.where(IntakeGap.kind == kind).order_by(IntakeGap.id)).all()


def _known(session: Session, source: SourceSettings) -> dict[tuple[GapKind, str, str], IntakeGap]:
    rows = session.scalars(select(IntakeGap).where(IntakeGap.source == source.name))
    return {(row.kind, row.first, row.last): row for row in rows}


def _is_news(gap: Gap, known: IntakeGap | None) -> bool:
    if known is None:
        return gap.found < gap.expected
    is_closed = known.closed_at is not None
    return (known.expected, known.found, is_closed) != (gap.expected, gap.found, gap.found >= gap.expected)


def _write(ctx: Context, source: str, news: Sequence[Gap], now: datetime) -> int:
    try:
        return ctx.run(lambda session: _write_in(session, source, news, now))
    except IntegrityError:  # another clock found the same in this instant
        return 0


def _write_in(session: Session, source: str, news: Sequence[Gap], now: datetime) -> int:
    opened = [gap for gap in news if _store(session, source, gap, now)]
    if opened:
        missed = sum(gap.expected - gap.found for gap in opened)
        last = opened[-1]
        told = {"gaps": len(opened), "missing": missed, "of": last.kind.value}
        raise_alarm(session, AlarmKind.INTAKE_GAP, alarm_subject(source), now, **told)
    log.warning("intake_gaps", source=source, changed=len(news), opened=len(opened))
    return len(news)


def alarm_subject(source: str) -> str:
    """What the alarm of a source's gaps is of."""
    return f"source:{source}"[:80]


def _store(session: Session, source: str, gap: Gap, now: datetime) -> bool:
    """Whether the gap is open from now on and wasn't before."""
    same = (IntakeGap.source == source, IntakeGap.kind == gap.kind)
    place = (IntakeGap.first == gap.first, IntakeGap.last == gap.last)
    row = session.scalar(select(IntakeGap).where(*same, *place).with_for_update())
    was_open = row is not None and row.closed_at is None
    if row is None:
        row = IntakeGap(source=source, kind=gap.kind, first=gap.first, last=gap.last, noticed_at=now)
        session.add(row)
    is_open = gap.found < gap.expected
    if is_open and not was_open:
        row.noticed_at = now
    row.expected, row.found = gap.expected, gap.found
    row.closed_at = None if is_open else row.closed_at or now
    session.flush()
    return is_open and not was_open
