"""What the gaming flags give as a file: all of a month's, one a line, in the page's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint
from sqlalchemy.orm import Session

from scoring import queries_flags as flags
from scoring.prompt_lengths import prompt_seconds
from scoring.queries_filter import Filter
from scoring.queries_flags import CaseFlag, Span, Together, UnitFlag
from scoring.queries_ranking import read_period
from scoring.settings import FlagSettings
from scoring.web.context import deps, this_month
from scoring.web.export import Listing, listed
from scoring.web.export_cells import Cell, Column, share
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.present import month_span
from scoring.web.templating import unit_name

pages = Blueprint("flag_exports", __name__)


@dataclass(frozen=True, slots=True)
class FlagLine:
    """A flag of any kind: what it is, of which cases and unit, from when to when, and what was found."""

    title: str
    cases: str | None = None
    of: CaseFlag | UnitFlag | Together | None = None
    first: datetime | None = None
    last: datetime | None = None
    found: str = ""


@listed(pages, "/flags", Permission.SEE_FLAGS, "flags")
def listed_flags(session: Session, chosen: Filter) -> Listing[FlagLine]:
    month = chosen.month or this_month()
    columns: list[Column[FlagLine]] = [
        Column(_("提示"), lambda line: line.title),
        Column(_("案件编号"), lambda line: line.cases),
        Column(_("承办单位"), lambda line: unit_name(line.of) if line.of is not None else None),
        Column(_("时间"), lambda line: line.first),
        Column(_("止"), _until),
        Column(_("情况"), lambda line: line.found),
        Column(_("比例"), _share),
        Column(_("同组平均"), lambda line: share(line.of.mean) if isinstance(line.of, UnitFlag) else None),
    ]
    by = read_period(session, month, deps().scoring).settings.flags
    rows = _lines(session, month_span(month, deps().zone), by)
    return Listing("flags", _("异常提示"), columns, rows, Filter(month=month), month)


def _until(line: FlagLine) -> str | None:
    """The time alone: it's of the same day."""
    return None if line.last is None else f"{line.last.astimezone(deps().zone):%H:%M}"


def _share(line: FlagLine) -> Cell:
    return share(line.of.share) if isinstance(line.of, UnitFlag) else None


def _lines(session: Session, span: Span, by: FlagSettings) -> Iterator[FlagLine]:
    for phone in flags.same_phones(session, span, by):
        yield FlagLine(_("同一号码的案件过多"), found=f"{phone.number} {_('%(n)s件', n=phone.cases)}")
    yield from _cases(_("群众号码是承办单位的号码"), flags.unit_phones(session, span))
    yield from _cases(_("办结之后改过号码"), flags.changed_phones(session, span))
    for unit in flags.exclusions(session, span, by):
        yield FlagLine(_("剔除比例过高"), of=unit, found=f"{unit.excluded}/{unit.closed}")
    seconds = prompt_seconds(deps().prompts)
    yield from _cases(_("按键过快"), flags.quick_keys(session, span, by, seconds))
    for each in flags.together(session, span, by):
        title, number = _("一天的评价集中在片刻之内"), _("%(n)s件", n=each.ratings)
        yield FlagLine(title, " ".join(each.cases), each, each.first, each.last, number)
    yield from _cases(_("反复办结又重办"), flags.loops(session, span, by))


def _cases(title: str, rows: Sequence[CaseFlag]) -> Iterator[FlagLine]:
    return (FlagLine(title, row.case, row, row.at, found=row.number) for row in rows)
