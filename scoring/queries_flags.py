"""The gaming flags of a month with the cases behind each (domain.md §3.9), by its own settings.

Every list ends at MOST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from callbacks.intake_phones import PHONES_DIFFER
from callbacks.models import Audit, Callback, Case, CasePhone, Closing, Rating, Unit
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.flags import Excluded, all_at_once, quick_before, stands_out
from scoring.settings import FlagSettings

MOST = 100
_SHOWN = 20  # cases behind one flag

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class SamePhone:
    number: str  # masked
    index: str
    cases: int


@dataclass(frozen=True, slots=True)
class CaseFlag:
    """A case and what is odd about it; `number` a masked telephone number, a count or milliseconds."""

    case: str
    unit: str
    unit_en: str
    unit_code: str
    at: datetime
    number: str


@dataclass(frozen=True, slots=True)
class UnitFlag:
    unit: str
    unit_en: str
    unit_code: str
    closed: int
    excluded: int
    mean: Fraction

    @property
    def share(self) -> Fraction:
        return Fraction(self.excluded, self.closed)


@dataclass(frozen=True, slots=True)
class Together:
    unit: str
    unit_en: str
    unit_code: str
    first: datetime
    last: datetime
    ratings: int
    cases: tuple[str, ...]


def same_phones(session: Session, span: Span, by: FlagSettings) -> Sequence[SamePhone]:
    """Numbers with more closed cases in the month than the settings say."""
    cases = func.count(CasePhone.case_id.distinct())
    query = (
        select(func.min(CasePhone.number_masked), CasePhone.number_index, cases)
        .join(Closing, Closing.case_id == CasePhone.case_id)
        .where(*_within(span))
        .group_by(CasePhone.number_index)
        .having(cases > by.same_phone_cases)
        .order_by(cases.desc(), CasePhone.number_index)
        .limit(MOST)
    )
    return [SamePhone(number, index, n) for number, index, n in session.execute(query)]


def unit_phones(session: Session, span: Span) -> Sequence[CaseFlag]:
    """Cases whose citizen has the number of a handler of the very unit that closed them."""
    other = aliased(Case)
    handlers = select(other.handler_phone_index).where(other.handler_phone_index.is_not(None))
    own = (
        select(other.id)
        .where(other.handler_phone_index == CasePhone.number_index, other.lead_unit_id == Closing.unit_id)
        .exists()
    )
    query = (
        _cases(Closing.closed_at, CasePhone.number_masked)
        .join(Closing, Closing.case_id == Case.id)
        .join(CasePhone, CasePhone.case_id == Case.id)
        .join(Unit, Unit.id == Closing.unit_id)
        .where(CasePhone.number_index.in_(handlers), *_within(span), own)
        .order_by(Closing.closed_at, Case.id)
        .limit(MOST)
    )
    return [CaseFlag(*row) for row in session.execute(query)]


def changed_phones(session: Session, span: Span) -> Sequence[CaseFlag]:
    """Closed cases for which a file named other numbers afterwards; they weren't taken over."""
    query = (
        select(Audit.subject, Audit.at, Audit.detail)
        .where(Audit.action == PHONES_DIFFER, Audit.at >= span[0], Audit.at < span[1])
        .order_by(Audit.at, Audit.id)
        .limit(MOST)
    )
    lines = [(int(subject.partition(":")[2]), at, detail) for subject, at, detail in session.execute(query)]
    named = _named(session, [case_id for case_id, _, _ in lines])
    return [
        CaseFlag(*named[case_id], at, f"+{detail.get('added', 0)} −{detail.get('removed', 0)}")
        for case_id, at, detail in lines
        if case_id in named
    ]


def exclusions(session: Session, span: Span, by: FlagSettings) -> Sequence[UnitFlag]:
    """Units that have far more of their closings left out than their group."""
    of_units = select(Closing.unit_id, func.count()).where(*_within(span)).group_by(Closing.unit_id)
    closed = _numbers(session, of_units)
    left_out = (
        select(Callback.unit_id, func.count())
        .where(Callback.state == State.EXCLUDED, Callback.round == 1)
        .where(Callback.closed_at >= span[0], Callback.closed_at < span[1])
        .group_by(Callback.unit_id)
    )
    excluded = _numbers(session, left_out)
    units = {unit.id: unit for unit in session.scalars(select(Unit).where(Unit.id.in_(closed)))}
    found = stands_out(
        [Excluded(id_, unit.group, closed[id_], excluded.get(id_, 0)) for id_, unit in units.items()], by
    )
    return [
        UnitFlag(unit.name, unit.name_en, unit.code, each.closed, each.excluded, mean)
        for each, mean in found[:MOST]
        for unit in (units[each.unit_id],)
    ]


def quick_keys(
    session: Session, span: Span, by: FlagSettings, seconds: Mapping[str, float]
) -> Sequence[CaseFlag]:
    """Ratings by a key that came before anybody can have heard a choice. `seconds` of each prompt."""
    quick = [
        and_(Rating.prompt_id == prompt, Rating.ms_since_prompt_end < quick_before(length, by))
        for prompt, length in seconds.items()
    ]
    if not quick:
        return []
    query = (
        _cases(Rating.at, Rating.prompt_id, Rating.ms_since_prompt_end)
        .join(Callback, Callback.case_id == Case.id)
        .join(Rating, Rating.callback_id == Callback.id)
        .join(Unit, Unit.id == Callback.unit_id)
        .where(Rating.at >= span[0], Rating.at < span[1], Rating.channel == Channel.VOICE)
        .where(Rating.ms_since_prompt_end < 0, or_(*quick))
        .order_by(Rating.at, Rating.id)
        .limit(MOST)
    )
    return [
        CaseFlag(row[0], row[1], row[2], row[3], row[4], str(round(seconds[row[5]] * 1000) + row[6]))
        for row in session.execute(query)
    ]


def together(session: Session, span: Span, by: FlagSettings) -> Sequence[Together]:
    """Units whose ratings of a day all came within a minute or so. `span` begins at midnight."""
    found = []
    for day in _days(span):
        query = (
            select(Callback.unit_id, func.count(), func.min(Rating.at), func.max(Rating.at))
            .join(Callback, Callback.id == Rating.callback_id)
            .where(Rating.at >= day[0], Rating.at < day[1], Rating.counted)
            .group_by(Callback.unit_id)
            .having(func.count() >= by.together_ratings)
        )
        rows = session.execute(query).all()
        found += [row for row in rows if all_at_once(row[1], row[2], row[3], by)]
    return [_together(session, *row) for row in found[:MOST]]


def loops(session: Session, span: Span, by: FlagSettings) -> Sequence[CaseFlag]:
    """Cases that were closed for the third time, or whichever is set, or later in the month."""
    query = (
        _cases(func.max(Closing.closed_at), func.max(Closing.closing_no))
        .join(Closing, Closing.case_id == Case.id)
        .join(Unit, Unit.id == Case.lead_unit_id)
        .where(*_within(span), Closing.closing_no >= by.loop_closings)
        .group_by(Case.id, Unit.id)
        .order_by(func.max(Closing.closed_at), Case.id)
        .limit(MOST)
    )
    return [CaseFlag(row[0], row[1], row[2], row[3], row[4], str(row[5])) for row in session.execute(query)]


def _together(session: Session, unit_id: int, number: int, first: datetime, last: datetime) -> Together:
    unit = session.get_one(Unit, unit_id)
    cases = (
        select(Case.number)
        .join(Callback, Callback.case_id == Case.id)
        .join(Rating, Rating.callback_id == Callback.id)
        .where(Rating.at >= first, Rating.at <= last, Rating.counted, Callback.unit_id == unit_id)
        .order_by(Rating.at)
        .limit(_SHOWN)
    )
    return Together(unit.name, unit.name_en, unit.code, first, last, number, tuple(session.scalars(cases)))


def _numbers(session: Session, query: Any) -> dict[int, int]:
    return {unit_id: number for unit_id, number in session.execute(query)}  # noqa: C416 (a row is no pair)


def _within(span: Span) -> list[ColumnElement[bool]]:
    return [Closing.closed_at >= span[0], Closing.closed_at < span[1]]


def _cases(*more: Any) -> Any:
    return select(Case.number, Unit.name, Unit.name_en, Unit.code, *more).select_from(Case)


def _named(session: Session, case_ids: Sequence[int]) -> dict[int, tuple[str, str, str, str]]:
    query = (
        select(Case.id, Case.number, Unit.name, Unit.name_en, Unit.code)
        .join(Unit, Unit.id == Case.lead_unit_id)
        .where(Case.id.in_(set(case_ids)))
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in session.execute(query)}


def _days(span: Span) -> Sequence[Span]:
    """The span's days, each from midnight to midnight by its own zone."""
    days, start = [], span[0]
    while start < span[1]:
        days.append((start, start + timedelta(days=1)))
        start += timedelta(days=1)
    return days
