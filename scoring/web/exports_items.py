"""What the dissatisfaction list gives as a file."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy.orm import Session

from scoring.queries_dissatisfaction import ItemRow, read_items, supervisors
from scoring.queries_filter import Filter
from scoring.web import item_words, words
from scoring.web.context import deps, may, scope
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.export_columns import enterprise, matter, number, unit
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.present import mask_text
from scoring.web.templating import age

pages = Blueprint("item_exports", __name__)


@listed(pages, "/dissatisfaction", Permission.EXPORT_DISSATISFACTION, "dissatisfaction")
def dissatisfaction(session: Session, chosen: Filter) -> Listing[ItemRow]:
    bounds, now = scope(session), deps().now()
    names = {person.login: person.name for person in supervisors(session)}
    columns: list[Column[ItemRow]] = [
        Column(_("案件编号"), lambda row: row.case),
        enterprise(),
        unit(),
        matter(),
        *number(bounds.numbers),
        Column(_("不满意原因"), _reason),
        Column(_("群众原话"), lambda row: mask_text(row.comment) or None),
        Column(_("评价时间"), lambda row: row.rated_at),
        Column(_("评价渠道"), lambda row: words.word(row.channel)),
        Column(_("已列时长"), lambda row: _("已列%(age)s", age=age(now - row.opened_at))),
        Column(_("状态"), lambda row: words.among(words.ITEM_STATES, row.state)),
        Column(_("整改"), lambda row: _("整改%(n)s次", n=row.reworks) if row.reworks else None),
        Column(_("时限"), lambda row: row.due_at),
        Column(_("超期"), lambda row: item_words.clock(row.due_at, now) or None),
        *(
            [Column(_("经办人"), lambda row: names.get(row.supervisor or "", row.supervisor))]
            if may(Permission.WORK_ITEMS)
            else []
        ),
    ]
    rows = every(lambda at: read_items(session, bounds, at, now, 0), chosen)
    return Listing("dissatisfaction", _("不满意清单"), columns, rows, chosen)


def _reason(row: ItemRow) -> str | None:
    if row.reason:
        return words.among(words.REASONS, row.reason)
    return None if row.comment else _("未说明")
