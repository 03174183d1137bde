"""What the lists of cases, callbacks and the agents' queue, and the node monitor, give as files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint
from flask_login import current_user
from sqlalchemy.orm import Session

from callbacks.vocabulary import NodeKind
from scoring.queries_agents import QueueRow, read_queue
from scoring.queries_cases import CallbackRow, CaseRow, read_callbacks, read_cases
from scoring.queries_filter import Filter
from scoring.queries_nodes import NodeRow, Reminded, Step, read_nodes
from scoring.web import words
from scoring.web.context import deps, scope, times
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.export_columns import enterprise, matter, number, number_of_round, rated, unit
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.templating import age

pages = Blueprint("case_exports", __name__)


@listed(pages, "/cases", Permission.SEE_CASES, "cases")
def cases(session: Session, chosen: Filter) -> Listing[CaseRow]:
    bounds = scope(session)
    columns: list[Column[CaseRow]] = [
        Column(_("案件编号"), lambda row: row.number),
        enterprise(),
        unit(),
        matter(),
        Column(_("受理"), lambda row: row.accepted_at),
        Column(_("办结"), lambda row: row.closed_at or _("办理中")),
        Column(_("超期"), lambda row: _("超期") if _closed_late(row) else None),
        Column(_("回访"), lambda row: words.word(row.state) if row.state else None),
    ]
    rows = every(lambda at: read_cases(session, bounds, at), chosen)
    return Listing("cases", _("案件"), columns, rows, chosen)


def _closed_late(row: CaseRow) -> bool:
    return row.closed_at is not None and row.due_at is not None and row.closed_at > row.due_at


def callback_columns() -> list[Column[CallbackRow]]:
    """Of the list of callbacks and of a unit's page."""
    return [
        Column(_("案件编号"), lambda row: row.case),
        number_of_round(),
        unit(),
        matter(),
        Column(_("办结"), lambda row: row.closed_at),
        Column(_("回访状态"), lambda row: words.word(row.state)),
        Column(_("不纳入的原因"), lambda row: words.word(row.exclusion) if row.exclusion else None),
        rated(),
        Column(_("评价渠道"), lambda row: words.word(row.channel) if row.channel else None),
        Column(_("期限"), lambda row: row.deadline),
    ]


@listed(pages, "/callbacks", Permission.SEE_CASES, "callbacks")
def callbacks(session: Session, chosen: Filter) -> Listing[CallbackRow]:
    bounds, moments = scope(session), times(chosen.month)
    rows = every(lambda at: read_callbacks(session, bounds, at, moments), chosen)
    return Listing("callbacks", _("回访记录"), callback_columns(), rows, chosen, chosen.month)


@listed(pages, "/agents", Permission.WORK_AGENT_QUEUE, "agents")
def agents(session: Session, chosen: Filter) -> Listing[QueueRow]:
    bounds, now, login = scope(session), deps().now(), current_user.login
    columns: list[Column[QueueRow]] = [
        Column(_("案件编号"), lambda row: row.case),
        enterprise(),
        number_of_round(),
        Column(_("转人工的原因"), lambda row: words.among(words.WHY, row.why) or None),
        Column(
            _("人工联系"),
            lambda row: _("人工已联系%(n)s次", n=row.contacts) if row.contacts else None,
        ),
        unit(),
        matter(),
        *number(bounds.numbers),
        Column(_("等待时长"), lambda row: age(now - row.since)),
        Column(_("期限"), lambda row: row.deadline),
        Column(_("到期"), lambda row: _("到期") if row.deadline <= now else None),
        Column(_("约定"), lambda row: _agreed(row, now)),
        Column(_("处理"), lambda row: _holder(row, now)),
    ]
    rows = every(lambda at: read_queue(session, bounds, at, login, now), chosen)
    return Listing("agents", _("人工回访"), columns, rows, chosen)


def _agreed(row: QueueRow, now: datetime) -> str | datetime | None:
    if row.agreed is not None and row.agreed <= now:
        return _("约定时间已到")
    return None if row.holder is not None and row.holder.works(now) else row.agreed


def _holder(row: QueueRow, now: datetime) -> str | None:
    if row.holder is None:
        return None
    if row.holder.works(now):
        until = row.holder.until.astimezone(deps().zone)
        return f"{row.holder.name} {_('正在处理，至')} {until:%H:%M}"
    return row.holder.name if row.agreed is not None and row.agreed > now else None


@listed(pages, "/nodes", Permission.SEE_NODES, "nodes")
def nodes(session: Session, chosen: Filter) -> Listing[NodeRow]:
    bounds, now, sign_within = scope(session), deps().now(), deps().scoring.sign_within
    columns: list[Column[NodeRow]] = [
        Column(_("案件编号"), lambda row: row.number),
        enterprise(),
        unit(),
        matter(),
        Column(_("状态"), lambda row: _("已办结") if row.closed else _("办理中")),
        *(column for kind in NodeKind for column in _step_columns(kind, now)),
        Column(_("提醒"), lambda row: "; ".join(_reminder(each) for each in row.reminders) or None),
    ]
    rows = every(lambda at: read_nodes(session, bounds, at, sign_within, now), chosen)
    return Listing("nodes", _("节点监控"), columns, rows, chosen)


def _step_columns(kind: NodeKind, now: datetime) -> list[Column[Any]]:
    """When, how often where more than once; of a node with a clock also by when and how late."""

    def step(row: NodeRow) -> Step:
        return next(each for each in row.steps if each.kind is kind)

    def times_done(row: NodeRow) -> str | None:
        return _("%(n)s次", n=step(row).times) if step(row).times > 1 else None

    def due(row: NodeRow) -> datetime | None:
        return step(row).due if step(row).at is None else None

    head = words.word(kind)
    found: list[Column[Any]] = [
        Column(head, lambda row: step(row).at),
        Column(f"{head}·{_('次数')}", times_done),
    ]
    if kind in (NodeKind.SIGN, NodeKind.CLOSE):
        found.append(Column(f"{head}·{_('限')}", due))
        found.append(Column(f"{head}·{_('超期')}", lambda row: _clock(step(row), now)))
    return found


def _clock(step: Step, now: datetime) -> str | None:
    late = step.late(now)
    if late is not None:
        return _("晚了%(age)s", age=age(late)) if step.at else _("超期%(age)s", age=age(late))
    return _("还剩%(age)s", age=age(step.due - now)) if step.due and not step.at else None


def _reminder(reminded: Reminded) -> str:
    zone = deps().zone
    said = [words.word(reminded.stage), f"{reminded.at.astimezone(zone):%Y-%m-%d %H:%M}"]
    if reminded.state is None:
        return " ".join([*said, _("没有经办人手机号，未发短信")])
    said += [reminded.number or "", words.word(reminded.state)]
    if reminded.state.value == "delivered" and reminded.ended_at is not None:
        said.append(f"{reminded.ended_at.astimezone(zone):%m-%d %H:%M:%S}")
    return " ".join(part for part in (*said, reminded.error) if part)
