"""The ranking by group, a unit's month with the lines behind it, and the rule by which both were computed."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, abort, render_template
from sqlalchemy.orm import Session

from callbacks.vocabulary import UnitGroup
from scoring.queries import Scope, months, units
from scoring.queries_entries import EntryRow, read_entries
from scoring.queries_filter import Filter
from scoring.queries_ranking import (
    Period,
    last_twelve,
    read_below,
    read_months_of,
    read_period,
    read_table,
    years,
)
from scoring.web import score_charts, words_scores
from scoring.web.context import chosen, deps, may, scope, this_month, unit_or_404
from scoring.web.permissions import Permission, needs
from scoring.worked import work_out

pages = Blueprint("ranking", __name__)


@pages.get("/ranking")
@needs(Permission.SEE_RANKING)
def show() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        assessed = months(session)
        name = wanted.year or wanted.month or (assessed[0] if assessed else this_month())
        period = read_period(session, name, deps().scoring)
        group = _group(session, bounds, wanted)
        return render_template(
            "ranking.html",
            found=read_table(session, bounds, group, period),
            group=group,
            period=period,
            months=assessed,
            years=years(session),
            bar=score_charts.bounds_bar,
            s=words_scores,
            at=deps().now(),
        )


def _group(session: Session, bounds: Scope, wanted: Filter) -> UnitGroup:
    """The filter's; of a unit user its own."""
    mine = [] if bounds.units is None else units(session, bounds)
    return wanted.group or (mine[0].group if mine else UnitGroup.COUNTY)


@pages.get("/scoring-rules")
@needs(Permission.SEE_RANKING)
def rule() -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        period = read_period(session, wanted.year or wanted.month or this_month(), deps().scoring)
        return render_template(
            "rule.html",
            rules=period.settings,
            period=period,
            scale=deps().policy.rating_scale,
            s=words_scores,
        )


@pages.get("/ranking/<code>")
@needs(Permission.SEE_RANKING)
def unit(code: str) -> str:
    wanted = chosen()
    with deps().read_sessions() as session:
        bounds = scope(session)
        row = unit_or_404(session, code)
        of_unit = read_months_of(session, row.id)
        month = wanted.month or (of_unit[0].month if of_unit else this_month())
        if month < "1970":
            abort(404)
        period = read_period(session, month, deps().scoring)
        record = next((found for found in of_unit if found.month == month), None)
        weight = period.settings.item_points[row.group]
        twelve = last_twelve(of_unit, max([month, *(each.month for each in of_unit)]))
        return render_template(
            "unit.html",
            unit=row,
            record=record,
            period=period,
            month=month,
            months=of_unit,
            steps=[]
            if record is None
            else work_out(record.counts, record.components, period.settings, weight),
            twelve=twelve,
            trend=score_charts.trend([(name, None if each is None else each.score) for name, each in twelve]),
            chart=score_charts,
            below=read_below(session, bounds, row.id, period),
            page=read_entries(session, bounds, row.id, month, wanted.part, wanted.page),
            chosen=Filter(month=month, part=wanted.part, page=wanted.page),
            objections=_objections(period),
            bar=score_charts.bounds_bar,
            s=words_scores,
            at=deps().now(),
        )


def _objections(period: Period) -> object:
    """Where a unit may object to a line: from when its month is a draft on."""
    row = period.closed
    if row is None or not may(Permission.OBJECT):
        return None

    def links(entry: EntryRow) -> list[tuple[str, str]]:
        return [
            (
                str(words_scores.OBJECT_TO[kind]),
                "/objections/new?"
                + urlencode({"month": period.name, "kind": kind.value, "subject": entry.source}),
            )
            for kind in entry.objections
        ]

    return links
