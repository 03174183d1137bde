"""Columns that several lists have: a case, its unit, a rate with what it stands on."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from scoring.queries_ranking import Rate
from scoring.web import words
from scoring.web.export_cells import Column, share
from scoring.web.language import gettext as _
from scoring.web.templating import category, unit_name


def enterprise() -> Column[Any]:
    return Column(_("企业"), lambda row: _("企业") if row.enterprise else None)


def unit() -> Column[Any]:
    return Column(_("承办单位"), unit_name)


def matter() -> Column[Any]:
    return Column(_("类别"), lambda row: category(row.category))


def number_of_round() -> Column[Any]:
    return Column(_("轮次"), lambda row: _("第%(n)s轮", n=row.round) if row.round > 1 else None)


def rated() -> Column[Any]:
    """The rating in words, where there is one."""

    def said(row: Any) -> str | None:
        return words.rating(row.scale, row.value) if row.scale and row.value else None

    return Column(_("评价"), said)


def number(shown: bool) -> list[Column[Any]]:
    """The masked number, for a reader who may see who rated; else no such column."""
    return [Column(_("电话号码"), lambda row: row.number)] if shown else []


def rate(head: str, of: Callable[[Any], Rate | None]) -> list[Column[Any]]:
    """The share, and beside it what it stands on: each a number that can be reckoned with."""

    def part(row: Any, name: str) -> int | None:
        found = of(row)
        return getattr(found, name) if found is not None and found.n else None

    def whole(row: Any) -> Fraction | None:
        found = of(row)
        return None if found is None else found.value

    return [
        Column(head, lambda row: share(whole(row))),
        Column(_("%(rate)s·分子", rate=head), lambda row: part(row, "hits")),
        Column(_("%(rate)s·分母", rate=head), lambda row: part(row, "n")),
    ]
