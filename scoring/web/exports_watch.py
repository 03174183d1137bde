"""What the ledger, the gaps at intake, the alarms and the calls to 110 give as files."""

from __future__ import annotations

from itertools import chain

from flask import Blueprint
from sqlalchemy.orm import Session

from callbacks.days import day_of
from callbacks.models_inbound import InboundCall
from callbacks.models_office import IntakeGap
from scoring.queries_alarms import AlarmRow, read_open, read_seen
from scoring.queries_filter import Filter
from scoring.queries_inbound import read_calls, read_inbound, waited
from scoring.queries_ledger import LedgerRow, read_gaps, read_ledger_page
from scoring.web import words
from scoring.web.context import deps, scope
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.export_columns import rate
from scoring.web.language import gettext as _
from scoring.web.ledger import chosen_day
from scoring.web.permissions import Permission
from scoring.web.present import day_start, mask_text
from scoring.web.templating import unit_name

pages = Blueprint("watch_exports", __name__)


@listed(pages, "/ledger", Permission.SEE_WATCH, "ledger")
def ledger(session: Session, chosen: Filter) -> Listing[LedgerRow]:
    """The units' sums and the city's, of the day that the page shows."""
    timezone = deps().policy.windows.timezone
    found = read_ledger_page(session, chosen_day(day_of(deps().now(), timezone)), timezone)
    columns: list[Column[LedgerRow]] = [
        Column(_("承办单位"), lambda row: unit_name(row.unit) if row.unit else _("合计")),
        Column(_("办结"), lambda row: row.closed),
        Column(_("已回访"), lambda row: row.done),
        Column(_("回访中"), lambda row: row.open),
        Column(_("不纳入"), lambda row: row.excluded),
        Column(_("已取消"), lambda row: row.cancelled),
        *rate(_("回访率"), lambda row: row.callback),
        *rate(_("无号码"), lambda row: row.without_number),
        Column(_("平账"), lambda row: _("平") if row.balanced else _("不平")),
    ]
    period = _("截至%(day)s日终", day=found.day) if found.day else _("当前")
    return Listing("ledger", _("台账"), columns, (*found.units, found.total), chosen, period)


@listed(pages, "/ledger/gaps", Permission.SEE_WATCH, "gaps")
def gaps(session: Session, chosen: Filter) -> Listing[IntakeGap]:
    """Those that are open, then those that were closed last, as on the ledger's page."""
    columns: list[Column[IntakeGap]] = [
        Column(_("来源"), lambda row: row.source),
        Column(_("缺什么"), lambda row: words.word(row.kind)),
        Column(_("起"), lambda row: row.first),
        Column(_("止"), lambda row: row.last if row.last != row.first else None),
        Column(_("应有"), lambda row: row.expected),
        Column(_("已到"), lambda row: row.found),
        Column(_("发现"), lambda row: row.noticed_at),
        Column(_("补齐"), lambda row: row.closed_at),
    ]
    rows = (*read_gaps(session, is_open=True), *read_gaps(session, is_open=False))
    return Listing("gaps", _("接收缺口"), columns, rows, Filter())


@listed(pages, "/alarms", Permission.SEE_WATCH, "alarms")
def alarms(session: Session, chosen: Filter) -> Listing[AlarmRow]:
    """Those that wait, then those that were seen last."""
    bounds = scope(session)
    columns: list[Column[AlarmRow]] = [
        Column(_("告警"), lambda row: words.among(words.ALARMS, row.kind)),
        Column(_("内容"), _subject),
        Column(_("首次"), lambda row: row.raised_at),
        Column(_("最近"), lambda row: row.last_at),
        Column(_("发生次数"), lambda row: row.times),
        Column(_("确认人"), lambda row: row.acknowledged_by),
        Column(_("确认时间"), lambda row: row.acknowledged_at),
    ]
    waiting = read_open(session, bounds, most=None)
    rows = chain(waiting, every(lambda at: read_seen(session, bounds, at), chosen))
    return Listing("alarms", _("告警"), columns, rows, chosen)


def _subject(row: AlarmRow) -> str:
    """As the page says it, in one line."""
    return " ".join(part for part in (*_parts(row), *row.cases) if part)


def _parts(row: AlarmRow) -> tuple[str, ...]:
    detail = row.detail
    match row.kind:
        case "emergency_reply":
            return row.number, mask_text(row.words)
        case "ledger_broken":
            return row.day, _("涉及%(n)s件", n=detail.get("number"))
        case "audit_broken":
            line = detail.get("line")
            return _("审计"), _("编号%(n)s", n=line) if line else ""
        case "intake_gap":
            missing = detail.get("missing")
            came = _("曾缺%(n)s件，现已补齐", n=missing) if row.came else _("缺%(n)s件", n=missing)
            return row.name, came
        case "intake_file":
            bad = detail.get("bad_rows")
            return row.name, _("%(n)s行没有导入", n=bad) if bad else "", str(detail.get("fault") or "")
        case "recording_failed":
            return _("110来电"), str(detail.get("reason") or "")
        case "trunk_aside":
            return row.name, words.trunk_fault(detail)
        case "attempt_unknown":
            return ()
        case "spool":
            refused = _("有未能保存的") if detail.get("refused") else ""
            return row.name, _("补录%(n)s条", n=detail.get("played")), refused
    return row.name, str(detail.get("reason") or "")


@listed(pages, "/inbound", Permission.SEE_INBOUND, "inbound")
def inbound(session: Session, chosen: Filter) -> Listing[tuple[bool, InboundCall]]:
    """Those who gave up and aren't rung back, the first first; then all calls, the last first."""
    now = deps().now()
    page = read_inbound(session, day_start(now, deps().zone), most=None)
    left = page.left_messages
    columns: list[Column[tuple[bool, InboundCall]]] = [
        Column(_("待办"), lambda row: _("放弃待回拨") if row[0] else None),
        Column(_("来电时间"), lambda row: row[1].came_at),
        Column(_("来电号码"), lambda row: row[1].number_masked or _("号码未知")),
        Column(_("要求隐藏号码"), lambda row: _("要求隐藏号码") if row[1].private else None),
        Column(_("有留言"), lambda row: _("有留言") if row[0] and row[1].token in left else None),
        Column(_("等候"), lambda row: _("%(n)s秒", n=int(waited(row[1], now).total_seconds()))),
        Column(_("接入位置"), lambda row: row[1].access_network if row[0] else None),
        Column(_("所拨号码"), lambda row: None if row[0] else row[1].called),
        Column(_("接听"), lambda row: None if row[0] else _answered(row[1])),
        Column(_("结束"), lambda row: None if row[0] else _ended(row[1])),
    ]
    calls = every(lambda at: read_calls(session, at), Filter())
    rows = chain(((True, call) for call in page.given_up), ((False, call) for call in calls))
    return Listing("inbound", _("110来电"), columns, rows, Filter())


def _answered(call: InboundCall) -> str:
    if call.redirected_at:
        return _("转至接警台")
    if call.target:
        return call.target
    if not call.ended_at:
        return _("等候接听")
    rung_back = _("%(who)s已回拨", who=call.rung_back_by) if call.rung_back_by else ""
    return f"{_('未接通')} {rung_back}".strip()


def _ended(call: InboundCall) -> str | None:
    return None if call.ended_at is None else f"{call.ended_at.astimezone(deps().zone):%H:%M:%S}"
