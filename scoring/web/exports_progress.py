"""What the callbacks' progress gives as a file: its tables one after the other, in the page's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import Blueprint
from sqlalchemy.orm import Session

from callbacks.days import day_of
from scoring.queries_filter import Filter
from scoring.queries_progress import Progress, Sums, read_progress
from scoring.queries_traffic import TrunkDay, read_trunk_days
from scoring.web import words
from scoring.web.context import deps, may, scope
from scoring.web.export import Listing, listed
from scoring.web.export_cells import Column
from scoring.web.export_columns import rate
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.templating import unit_name

pages = Blueprint("progress_exports", __name__)

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of one of the page's tables: a number, a unit's sums, or a trunk's day."""

    part: str
    name: str
    number: int | None = None
    sums: Sums | None = None
    trunk: TrunkDay | None = None


@listed(pages, "/progress", Permission.SEE_PROGRESS, "progress")
def progress(session: Session, chosen: Filter) -> Listing[Line]:
    timezone = deps().policy.windows.timezone
    today = day_of(deps().now(), timezone)
    trunks = read_trunk_days(session, today, timezone) if may(Permission.SEE_WATCH) else ()
    columns: list[Column[Line]] = [
        Column(_("项目"), lambda line: line.part),
        Column(_("名称"), lambda line: line.name),
        Column(_("件数"), lambda line: line.number),
        *(_sum(head, name) for head, name in _heads()),
        Column(_("平账"), _balanced),
        *rate(_("应答率 ASR"), lambda line: line.trunk.asr if line.trunk else None),
        Column(_("平均通话 ACD"), _talk),
    ]
    lines = _lines(read_progress(session, scope(session), chosen), trunks)
    narrowed = Filter(group=chosen.group, unit=chosen.unit)
    return Listing("progress", _("回访进度"), columns, lines, narrowed, _("当前"))


def _heads() -> tuple[tuple[str, str], ...]:
    return (
        (_("办结"), "closed"),
        (_("已回访"), "done"),
        (_("其中评价"), "rated"),
        (_("回访中"), "open"),
        (_("不纳入"), "excluded"),
        (_("已取消"), "cancelled"),
        (_("无号码"), "without_number"),
    )


def _sum(head: str, name: str) -> Column[Line]:
    return Column(head, lambda line: None if line.sums is None else getattr(line.sums, name))


def _balanced(line: Line) -> str | None:
    return None if line.sums is None else _("平") if line.sums.balanced else _("不平")


def _talk(line: Line) -> str | None:
    talk = None if line.trunk is None else line.trunk.of.traffic
    if talk is None or talk.acd is None:
        return None
    return f"{_('%(seconds)s秒', seconds=round(talk.acd))} n={talk.talks}"


def _lines(found: Progress, trunks: tuple[TrunkDay, ...]) -> Iterator[Line]:
    yield from (Line(_("回访状态"), words.word(state), n) for state, n in found.states.items() if n)
    for value, n in _most_first(found.attempts):
        yield Line(_("电话结果"), words.word(value) if value is not None else _("正在进行"), n)
    if found.by_person:
        yield Line(_("电话结果"), _("人工拨打"), found.by_person)
    yield from (Line(_("评价短信"), words.word(value), n) for value, n in _most_first(found.texts))
    yield from (Line(_("评价渠道"), words.word(value), n) for value, n in _most_first(found.ratings))
    yield from (Line(_("各单位"), unit_name(unit), sums=sums) for unit, sums in found.units)
    for trunk in trunks:
        way = _("呼出") if trunk.of.direction == "out" else _("呼入")
        yield Line(_("今日中继"), f"{trunk.of.trunk or ''} {way}", trunk.of.traffic.seizures, trunk=trunk)


def _most_first(counts: Mapping[Key, int]) -> list[tuple[Key, int]]:
    """In the page's order."""
    return sorted(counts.items(), key=lambda each: each[1], reverse=True)
