"""What the lists of deductions, objections, accountability, appeals and hard cases give as files."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from flask import Blueprint
from flask_login import current_user
from sqlalchemy.orm import Session

from scoring.decisions import AdjustmentKind
from scoring.models_decisions import Accountability, Adjustment, Objection
from scoring.queries import Page
from scoring.queries_decisions import case_numbers, read_adjustments, read_objections, read_records
from scoring.queries_decisions_list import AppealRow, HardCaseRow, read_appeals, read_hard_cases
from scoring.queries_filter import Filter, Stage
from scoring.web import item_words, words
from scoring.web.context import deps, may, scope
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column, points
from scoring.web.export_columns import unit
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.present import mask_text, month_span
from scoring.web.templating import unit_name

pages = Blueprint("decision_exports", __name__)


@listed(pages, "/adjustments", Permission.SEE_ADJUSTMENTS, "adjustments")
def adjustments(session: Session, chosen: Filter) -> Listing[Adjustment]:
    bounds = scope(session)
    span = month_span(chosen.month, deps().zone) if chosen.month else None
    columns: list[Column[Adjustment]] = [
        Column(_("事由"), lambda row: words.word(row.kind)),
        Column(_("承办单位"), lambda row: unit_name(row.unit)),
        Column(_("分数"), _points),
        Column(_("案件编号"), lambda row: row.case.number if row.case is not None else None),
        Column(_("提出"), lambda row: row.proposed_by),
        Column(_("提出时间"), lambda row: row.proposed_at),
        Column(_("状态"), lambda row: words.word(row.state)),
    ]
    rows = every(lambda at: read_adjustments(session, bounds, at, span), chosen)
    return Listing("adjustments", _("扣分加分"), columns, rows, chosen, chosen.month)


def _points(row: Adjustment) -> Decimal | None:
    """What is taken stands below zero."""
    found = Fraction(row.points)
    return points(found if row.kind is AdjustmentKind.COMMENDATION else -found)


@listed(pages, "/objections", Permission.SEE_APPEALS, "objections")
def objections(session: Session, chosen: Filter) -> Listing[tuple[Objection, str | None]]:
    bounds = scope(session)

    def read(at: Filter) -> Page[tuple[Objection, str | None]]:
        page = read_objections(session, bounds, at)
        numbers = case_numbers(session, [row.subject for row in page.rows])
        rows = tuple((row, numbers.get(row.subject)) for row in page.rows)
        return Page(rows, page.total, page.before, page.after)

    columns: list[Column[tuple[Objection, str | None]]] = [
        Column(_("对什么"), lambda row: words.word(row[0].kind)),
        Column(_("承办单位"), lambda row: unit_name(row[0].unit)),
        Column(_("月份"), lambda row: row[0].month),
        Column(_("案件编号"), lambda row: row[1]),
        Column(_("提出"), lambda row: row[0].by),
        Column(_("提出时间"), lambda row: row[0].at),
        Column(_("状态"), lambda row: words.word(row[0].state)),
    ]
    return Listing("objections", _("异议"), columns, every(read, chosen), chosen, chosen.month)


@listed(pages, "/accountability", Permission.SEE_ACCOUNTABILITY, "accountability")
def accountability(session: Session, chosen: Filter) -> Listing[Accountability]:
    bounds = scope(session)
    columns: list[Column[Accountability]] = [
        Column(_("方式"), lambda row: words.word(row.measure)),
        Column(_("承办单位"), lambda row: unit_name(row.unit)),
        Column(_("日期"), lambda row: str(row.on_day)),
        Column(_("理由"), lambda row: mask_text(row.reason)),
        Column(_("记录人"), lambda row: row.by),
    ]
    rows = every(lambda at: read_records(session, bounds, at), chosen)
    return Listing("accountability", _("责任追究"), columns, rows, chosen)


@listed(pages, "/appeals", Permission.SEE_APPEALS, "appeals")
def appeals(session: Session, chosen: Filter) -> Listing[AppealRow]:
    """Those that wait, or those that were decided."""
    decided, now = chosen.stage is Stage.ENDED, deps().now()
    columns: list[Column[AppealRow]] = [
        Column(_("案件编号"), lambda row: row.case),
        unit(),
        Column(_("申诉理由"), lambda row: words.among(item_words.GROUNDS, row.grounds)),
        Column(_("原因"), lambda row: mask_text(row.reason)),
        Column(_("提出时间"), lambda row: row.at),
        Column(_("决定"), _said),
        Column(_("待我决定"), lambda row: _("待我决定") if not decided and _waits_for_me(row) else None),
        Column(_("超期"), lambda row: item_words.clock(row.due_at, now) or None),
        Column(_("时限"), lambda row: row.decided_at if decided else row.due_at),
    ]
    bounds = scope(session)
    rows = every(lambda at: read_appeals(session, bounds, at), chosen)
    return Listing("appeals", _("申诉"), columns, rows, chosen)


def _waits_for_me(row: AppealRow) -> bool:
    return may(Permission.DECIDE) and not row.decided_by(current_user.login)


def _said(row: AppealRow) -> str | None:
    """Each decider's word, and what came of both."""
    said = [f"{each.by} {_verdict(each.uphold)}" for each in row.decisions]
    return "; ".join([*said, *([] if row.upheld is None else [_verdict(row.upheld)])]) or None


def _verdict(upheld: bool) -> str:
    return _("申诉成立") if upheld else _("申诉不成立")


@listed(pages, "/hard-cases", Permission.SEE_DISSATISFACTION, "hard_cases")
def hard_cases(session: Session, chosen: Filter) -> Listing[HardCaseRow]:
    today = deps().now().astimezone(deps().zone).date()
    columns: list[Column[HardCaseRow]] = [
        Column(_("案件编号"), lambda row: row.case),
        unit(),
        Column(_("列为疑难件"), lambda row: _day(row.since) if row.since else None),
        Column(_("整改次数"), lambda row: row.reworks),
        Column(_("联席会议"), lambda row: _("%(n)s次", n=row.meetings)),
        Column(_("牵头领导"), lambda row: row.leader),
        Column(_("下次复查"), lambda row: str(row.next_review) if row.next_review else _("未定")),
        Column(_("到期"), lambda row: _("到期") if row.next_review and row.next_review <= today else None),
    ]
    bounds = scope(session)
    rows = every(lambda at: read_hard_cases(session, bounds, at), chosen)
    return Listing("hard-cases", _("疑难件"), columns, rows, chosen)


def _day(at: datetime) -> str:
    return f"{at.astimezone(deps().zone):%Y-%m-%d}"
