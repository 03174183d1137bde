"""The dissatisfaction list: one filter for the page, its counts and its export."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, render_template, stream_with_context
from flask_login import current_user

from callbacks.models import Audit
from scoring.queries import units
from scoring.queries_dissatisfaction import ItemRow, count_items, each_item, read_items
from scoring.queries_filter import Filter
from scoring.web import words
from scoring.web.context import chosen, deps, scope
from scoring.web.csv_export import BOM, line
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.present import NONE, mask_text
from scoring.web.templating import age, category, unit_name

pages = Blueprint("dissatisfaction", __name__)


@pages.get("/dissatisfaction")
@needs(Permission.SEE_DISSATISFACTION)
def show() -> str:
    wanted, now = chosen(), deps().now()
    with deps().read_sessions() as session:
        bounds = scope(session)
        counts = count_items(session, bounds, wanted, now)
        page = read_items(session, bounds, wanted, now, counts.of(wanted.age))
        choices = units(session, bounds, wanted.group)
    return render_template(
        "dissatisfaction.html", page=page, counts=counts, chosen=wanted, units=choices, at=now
    )


@pages.get("/dissatisfaction.csv")
@needs(Permission.EXPORT_DISSATISFACTION)
def export() -> Response:
    """Exactly the filter's items in its order; streamed, so that a year's list needs no memory."""
    wanted, now = chosen(), deps().now()
    with deps().sessions.begin() as session:
        detail = {"filter": wanted.query(page=None)}
        session.add(
            Audit(at=now, actor=current_user.login, action="export", subject="dissatisfaction", detail=detail)
        )
    name = f"dissatisfaction-{now.astimezone(deps().zone):%Y%m%d-%H%M}.csv"
    return Response(
        stream_with_context(_lines(wanted)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(wanted: Filter) -> Iterator[str]:
    now, zone = deps().now(), deps().zone
    with deps().read_sessions() as session:
        bounds = scope(session)
        yield BOM + line(_heads(bounds.numbers))
        for row in each_item(session, bounds, wanted, now):
            values = [
                row.case,
                unit_name(row),
                words.word(row.group),
                category(row.category),
                *([row.number or NONE] if bounds.numbers else []),
                words.word(row.channel),
                _reason(row),
                mask_text(row.comment),
                f"{row.rated_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
                age(now - row.opened_at),
                words.among(words.ITEM_STATES, row.state),
            ]
            yield line(values)


def _heads(numbers: bool) -> list[str]:
    zone = deps().policy.windows.timezone
    return [
        _("案件编号"),
        _("承办单位"),
        _("组别"),
        _("类别"),
        *([_("电话号码")] if numbers else []),
        _("评价渠道"),
        _("不满意原因"),
        _("群众原话"),
        _("评价时间") + f" ({zone})",
        _("已列时长"),
        _("状态"),
    ]


def _reason(row: ItemRow) -> str:
    return words.among(words.REASONS, row.reason) if row.reason else NONE
