"""What the ranking and a unit's month give as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from callbacks.vocabulary import UnitGroup
from scoring.queries import months
from scoring.queries_entries import EntryRow, read_entries
from scoring.queries_filter import Filter
from scoring.queries_ranking import Period, RankingRow, read_months_of, read_period, read_table
from scoring.rules import Component
from scoring.web import words, words_scores
from scoring.web.context import deps, scope, this_month, unit_or_404
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Cell, Column, points, share
from scoring.web.export_columns import rate, rated
from scoring.web.export_columns import unit as unit_column
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.present import amount, mask_text
from scoring.web.templating import unit_name

pages = Blueprint("score_exports", __name__)


@listed(pages, "/ranking", Permission.SEE_RANKING, "ranking")
def ranking(session: Session, chosen: Filter) -> Listing[RankingRow]:
    """One group where the filter names one, else both, each in its own order: they're never one ranking."""
    bounds = scope(session)
    month = chosen.year or chosen.month or next(iter(months(session)), this_month())
    period = read_period(session, month, deps().scoring)

    def rows() -> Iterator[RankingRow]:
        for group in UnitGroup if chosen.group is None else (chosen.group,):
            found = read_table(session, bounds, group, period)
            yield from (*found.ranked, *found.apart)

    columns: list[Column[RankingRow]] = [
        *score_columns(),
        *rate(_("无号码"), lambda row: row.without_number),
        Column(_("办结"), lambda row: row.closed),
        why_apart(),
    ]
    return Listing("ranking", _("排名"), columns, rows(), chosen, month, facts(period))


def facts(period: Period) -> list[tuple[str, str]]:
    """Without which no figure is worth anything: how the month stands, by what rules, from what inputs."""
    row = period.closed
    said = [
        (_("状态"), _state(period)),
        (_("规则版本"), period.settings.version),
        (_("联系不上的"), words.among(words_scores.UNREACHED, period.settings.unreached_policy)),
    ]
    if row is None or not period.is_published:
        return said
    return [
        *said,
        (_("规则的哈希（SHA-256）"), period.settings.digest),
        (_("依据的条数"), str(row.entries)),
        (_("依据的哈希（SHA-256）"), row.inputs_hash or ""),
        (_("审计链的末端"), row.audit_head or ""),
    ]


def _state(period: Period) -> str:
    row = period.closed
    if period.is_year:
        return _("全年合计：各月数目相加，一次计算（%(n)s个月）", n=len(period.months))
    if row is None:
        return f"{_('暂定')} {_('本月未冻结，数字还会变')}"
    if row.published_at is None:
        return f"{_('草稿')} {_('异议截止')} {_at(row.objections_until)}"
    return f"{_('已公布')} {_at(row.published_at)}"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(deps().zone):%Y-%m-%d %H:%M}"


def why_apart() -> Column[RankingRow]:
    return Column(
        _("不参与排名的原因"),
        lambda row: words.among(words.APART, row.listed_apart) if row.listed_apart else None,
    )


def score_columns() -> list[Column[RankingRow]]:
    """Of the ranking and of the bulletin."""
    return [
        Column(_("组别"), lambda row: words.word(row.unit.group)),
        Column(_("名次"), lambda row: row.rank),
        Column(_("承办单位"), lambda row: unit_name(row.unit)),
        Column(_("得分（满分200）"), lambda row: points(row.score)),
        Column(_("折算分"), lambda row: points(row.item_points)),
        Column(_("等次"), lambda row: words.among(words.BANDS, row.band) if row.rank and row.band else None),
        *(column for place, name in enumerate(words.COMPONENTS) for column in _component(place, name)),
        *rate(_("满意率"), lambda row: row.satisfaction),
        Column(_("满意率置信区间·下限"), lambda row: _of(row.interval, 0)),
        Column(_("满意率置信区间·上限"), lambda row: _of(row.interval, 1)),
        Column(_("满意率上下限·下限"), lambda row: _of(row.bounds, 0)),
        Column(_("满意率上下限·上限"), lambda row: _of(row.bounds, 1)),
        *rate(_("参评率"), lambda row: row.response),
        *rate(_("回访率"), lambda row: row.callback),
        *rate(_("接通率"), lambda row: row.contact),
    ]


def _component(place: int, name: str) -> list[Column[RankingRow]]:
    """A part of the score: its rate, and what it stands on, as the page has them."""
    head = f"{name} {words.among(words.COMPONENTS, name)}"

    def whole(row: RankingRow) -> Cell:
        part = row.components[place]
        return share(part.rate) if part.denominator > 0 or part.rate is None else _("按1计")

    def over(row: RankingRow, of: Callable[[Component], Fraction]) -> Cell:
        part = row.components[place]
        return _amount(of(part)) if part.denominator > 0 else None

    return [
        Column(head, whole),
        Column(_("%(rate)s·分子", rate=head), partial(over, of=lambda part: part.numerator)),
        Column(_("%(rate)s·分母", rate=head), partial(over, of=lambda part: part.denominator)),
    ]


def _amount(value: Fraction) -> int | Decimal:
    """A count, or a sum of weights to the hundredth."""
    return int(value) if value.denominator == 1 else Decimal(amount(value))


def _of(interval: tuple[Fraction, Fraction] | None, at: int) -> Any:
    return None if interval is None else share(interval[at], 1)


@listed(pages, "/ranking/<code>", Permission.SEE_RANKING, "unit")
def unit(session: Session, chosen: Filter, code: str) -> Listing[EntryRow]:
    """The lines behind a unit's month: each change of its counts."""
    bounds, row = scope(session), unit_or_404(session, code)
    of_unit = read_months_of(session, row.id)
    month = chosen.month or (of_unit[0].month if of_unit else this_month())
    narrowed = Filter(unit=code, month=month, part=chosen.part)
    columns: list[Column[EntryRow]] = [
        Column(_("时间"), lambda row: row.at),
        Column(_("项目"), lambda row: words.among(words.ENTRIES, row.kind)),
        Column(_("案件编号"), lambda row: row.case),
        unit_column(),
        rated(),
        Column(_("原因"), _why),
        *(Column(words.among(words.COUNTS, name), partial(_change, name)) for name in words.COUNTS),
    ]
    rows = every(lambda at: read_entries(session, bounds, row.id, month, narrowed.part, at.page), narrowed)
    return Listing(f"unit-{row.code}", unit_name(row), columns, rows, narrowed, month)


def _why(row: EntryRow) -> str | None:
    said = words.among(words_scores.KINDS, row.kind_of) if row.kind_of else ""
    return " ".join(part for part in (said, mask_text(words_scores.why(row.kind, row.why))) if part) or None


def _change(name: str, row: EntryRow) -> Decimal | None:
    """What the line adds to a count, to the hundredth."""
    found = dict(row.changes).get(name)
    return None if found is None else points(found)
