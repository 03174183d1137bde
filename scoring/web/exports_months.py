"""What the list of months, a month's corrections and its bulletin give as files."""

from __future__ import annotations

from flask import Blueprint, abort
from sqlalchemy.orm import Session

from scoring.queries_filter import Filter
from scoring.queries_months import Correction, MonthRow, read_corrections, read_months
from scoring.queries_ranking import RankingRow
from scoring.web import words, words_scores
from scoring.web.context import scope
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.exports_scores import facts, score_columns, why_apart
from scoring.web.language import gettext as _
from scoring.web.months import bulletin_or_403, month_or_404
from scoring.web.permissions import Permission

pages = Blueprint("month_exports", __name__)


@listed(pages, "/months", Permission.SEE_MONTHS, "months")
def months(session: Session, chosen: Filter) -> Listing[MonthRow]:
    columns: list[Column[MonthRow]] = [
        Column(_("月份"), lambda row: row.month),
        Column(_("状态"), _state),
        Column(_("冻结"), lambda row: row.closed.frozen_at if row.closed else None),
        Column(_("异议截止"), lambda row: row.closed.objections_until if row.closed else None),
        Column(_("公布时间"), lambda row: row.closed.published_at if row.closed else None),
        Column(_("有记录的单位"), lambda row: row.units),
        Column(_("参加排名"), lambda row: row.ranked),
        Column(_("规则版本"), lambda row: row.closed.settings_version if row.closed else None),
    ]
    return Listing("months", _("月度通报"), columns, read_months(session), Filter())


def _state(row: MonthRow) -> str:
    return words.among(words_scores.MONTH_STATES, row.closed.state.value if row.closed else "open")


@listed(pages, "/months/<month>/corrections", Permission.SEE_MONTHS, "corrections")
def corrections(session: Session, chosen: Filter, month: str) -> Listing[Correction]:
    """The numbers of cases are the city's: a unit has its own on its page."""
    month_or_404(month)
    whole = scope(session).units is None
    columns: list[Column[Correction]] = [
        Column(_("时间"), lambda row: row.at),
        Column(_("事项"), lambda row: words.among(words.ENTRIES, row.kind)),
        Column(_("原来的月份"), lambda row: row.of_month),
        Column(_("案件编号"), lambda row: row.case if whole else None),
    ]
    narrowed = Filter(month=month)
    rows = every(lambda at: read_corrections(session, month, at.page), narrowed)
    return Listing(f"corrections-{month}", _("对以前月份的更正"), columns, rows, narrowed, month)


@listed(pages, "/months/<month>/bulletin", Permission.SEE_MONTHS, "bulletin")
def bulletin(session: Session, chosen: Filter, month: str) -> Listing[RankingRow]:
    """Each group's table in its own order, and who is on which list. No citizen's number or name is in it."""
    period, found = bulletin_or_403(session, month)
    if not found.rows:
        abort(404)
    named = {row.unit.id: _("红榜") for rows in found.red.values() for row in rows}
    named |= {row.unit.id: _("黑榜（倒数第%(n)s）", n=place) for place, row in found.black}
    columns = [Column(_("红黑榜"), lambda row: named.get(row.unit.id)), *score_columns(), why_apart()]
    rows = (row for _group, of_group in found.groups for row in of_group)
    title = _("%(month)s 排名通报", month=month)
    return Listing(f"bulletin-{month}", title, columns, rows, Filter(month=month), month, facts(period))
