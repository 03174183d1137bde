"""What the lists of people and units give as files."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint
from sqlalchemy.orm import Session

from scoring.queries_filter import Filter
from scoring.queries_people import PersonRow, read_people
from scoring.queries_units import TreeRow, read_tree
from scoring.web import words, words_settings
from scoring.web.context import deps, scope
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.templating import unit_name

pages = Blueprint("office_exports", __name__)


@listed(pages, "/people", Permission.SEE_PEOPLE, "people")
def people(session: Session, chosen: Filter) -> Listing[PersonRow]:
    columns: list[Column[PersonRow]] = [
        Column(_("用户名"), lambda row: row.login),
        Column(_("姓名"), lambda row: row.name),
        Column(_("角色"), lambda row: words.word(row.role)),
        Column(_("承办单位"), lambda row: unit_name(row) if row.unit_code else None),
        Column(_("状态"), lambda row: _("可登录") if row.active else _("已停用")),
        Column(_("新增于"), lambda row: _day(row.created_at)),
    ]
    rows = every(lambda at: read_people(session, at), chosen)
    return Listing("people", _("用户"), columns, rows, chosen)


@listed(pages, "/units", Permission.SEE_UNITS, "units")
def units(session: Session, chosen: Filter) -> Listing[TreeRow]:
    """Each unit before those below it, as the page has them."""
    now = deps().now()
    columns: list[Column[TreeRow]] = [
        Column(_("组别"), lambda row: words.word(row.group)),
        Column(_("代码"), lambda row: row.code),
        Column(_("下级"), lambda row: _("下级") if row.depth else None),
        Column(_("名称"), unit_name),
        Column(_("级别"), lambda row: str(words_settings.LEVELS[row.level])),
        Column(_("启用"), lambda row: _day(row.valid_from)),
        Column(_("最后一天"), lambda row: _day(row.valid_to - timedelta(days=1)) if row.valid_to else None),
        Column(_("已失效"), lambda row: _("已失效") if row.valid_to and row.valid_to <= now else None),
        Column(_("用户"), lambda row: row.users),
        Column(_("办理中的案件"), lambda row: row.open_cases),
    ]
    rows = read_tree(session, scope(session), chosen.group)
    return Listing("units", _("单位"), columns, rows, chosen)


def _day(at: datetime) -> str:
    return f"{at.astimezone(deps().zone):%Y-%m-%d}"
