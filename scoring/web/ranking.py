"""The ranking by group, a unit's month, and the rule by which both were computed."""

from __future__ import annotations

from flask import Blueprint, render_template

from callbacks.vocabulary import UnitGroup
from scoring.queries import months, units
from scoring.queries_cases import read_callbacks
from scoring.queries_filter import Filter
from scoring.queries_ledger import without_number
from scoring.queries_ranking import Rate, read_months_of, read_ranking
from scoring.web.context import chosen, deps, scope, times, unit_or_404
from scoring.web.permissions import Permission, needs

pages = Blueprint("ranking", __name__)


@pages.get("/ranking")
@needs(Permission.SEE_RANKING)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        assessed = months(session)
        month = wanted.month or (assessed[0] if assessed else _this_month())
        mine = [] if bounds.units is None else units(session, bounds)
        group = wanted.group or (mine[0].group if mine else UnitGroup.COUNTY)
        found = read_ranking(session, bounds, group, month)
        without = without_number(session, month, deps().policy.windows.timezone)
    return render_template(
        "ranking.html", found=found, group=group, month=month, months=assessed, without_number=without
    )


@pages.get("/ranking/rule")
@needs(Permission.SEE_RANKING)
def rule() -> str:
    return render_template("rule.html", rules=deps().scoring, scale=deps().policy.rating_scale)


@pages.get("/units/<code>")
@needs(Permission.SEE_RANKING)
def unit(code: str) -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        row = unit_or_404(session, code)
        of_unit = read_months_of(session, row.id)
        month = wanted.month or (of_unit[0].month if of_unit else _this_month())
        narrowed = Filter(unit=code, month=month, page=wanted.page)
        page = read_callbacks(session, bounds, narrowed, times(month))
        without = without_number(session, month, deps().policy.windows.timezone).get(row.id, Rate(0, 0))
    record = next((found for found in of_unit if found.month == month), None)
    return render_template(
        "unit.html",
        unit=row,
        record=record,
        month=month,
        months=of_unit,
        page=page,
        chosen=narrowed,
        without_number=without,
    )


def _this_month() -> str:
    return f"{deps().now().astimezone(deps().zone):%Y-%m}"
