"""One way for every list to be taken along: what is on the screen, all its pages, as xlsx or CSV.

A list's module declares with `listed` the route beside its page: the same filter, order, columns and words,
read in great pages through one transaction. Who took what by which filter is in the audit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import wraps
from typing import Any, Generic, TypeVar

from flask import Blueprint, Response
from flask_login import current_user
from sqlalchemy.orm import Session

from callbacks.service.core import audit
from scoring.queries import PAGE_SIZE_KEY, Page, unit_by_code
from scoring.queries_filter import Filter
from scoring.web.context import chosen, deps, may, scope
from scoring.web.downloads import send_written
from scoring.web.export_cells import Column, Row
from scoring.web.export_files import Facts, write_csv, write_xlsx
from scoring.web.filter_words import in_words
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.templating import unit_name

KINDS = {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv"}
_PAGE = 1000

Read = TypeVar("Read")


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """A list as it's on the screen. `name` goes into the file's name and the audit, `title` is the page's.

    `rows` is read once, while the session that the listing was made with is open. `period` names the month or
    days that the rows are of; empty for all times. `facts` is what such a list must say besides.
    """

    name: str
    title: str
    columns: Sequence[Column[Row]]
    rows: Iterable[Row]
    chosen: Filter
    period: str = ""
    facts: Sequence[tuple[str, str]] = ()


def listed(
    pages: Blueprint, page: str, permission: Permission, endpoint: str
) -> Callable[[Callable[..., Listing[Any]]], Callable[..., Response]]:
    """Declares `<page>.xlsx` and `<page>.csv` for a function (session, filter, **route) → Listing."""

    def declare(make: Callable[..., Listing[Any]]) -> Callable[..., Response]:
        @wraps(make)
        def view(kind: str, **route: str) -> Response:
            with deps().read_sessions(info={PAGE_SIZE_KEY: _PAGE}) as session:
                _stand_still(session)
                return _send(session, make(session, chosen(), **route), kind)

        names = ",".join(KINDS)
        pages.add_url_rule(f"{page}.<any({names}):kind>", endpoint, needs(permission)(view))
        return view

    return declare


def every(read: Callable[[Filter], Page[Row]], chosen: Filter) -> Iterator[Row]:
    """All rows of a list from its first page on."""
    at: Filter | None = replace(chosen, page=None)
    while at is not None:
        page = read(at)
        yield from page.rows
        at = replace(at, page=page.after) if page.after is not None else None


def _stand_still(session: Session) -> None:
    """All pages of one export see the same moment. SQLite's readers do anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _send(session: Session, listing: Listing[Any], kind: str) -> Response:
    """Written to the end before the first byte leaves: no reader gets half a list that looks whole."""
    now, zone = deps().now(), deps().zone
    narrowed = in_words(listing.chosen, lambda code: _unit(session, code))

    def about(rows: int) -> Facts:
        return _about(listing, narrowed, now, rows)

    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    try:
        if kind == "csv":
            rows = write_csv(file, listing.columns, listing.rows, about, zone)
        else:
            names = (_("说明"), _("数据"))
            rows = write_xlsx(file, listing.columns, listing.rows, about, zone, names)
        detail = {"filter": listing.chosen.query(page=None), "kind": kind, "rows": rows}
        with deps().sessions.begin() as writing:
            audit(writing, now, current_user.login, "export", listing.name, **detail)
    except BaseException:
        file.close()
        raise
    return send_written(file, f"{listing.name}-{now.astimezone(zone):%Y%m%d-%H%M}.{kind}", KINDS[kind])


def _about(
    listing: Listing[Any], narrowed: Sequence[tuple[str, str]], now: datetime, rows: int
) -> list[tuple[str, str]]:
    zone = deps().zone
    numbers = _("电话号码均已脱敏") if may(Permission.SEE_NUMBERS) else _("不含电话号码")
    demo = [(_("演示 DEMO"), _("模拟城市：案件、号码和答复均为虚构，不连接真实线路。"))]
    return [
        *(demo if deps().demo else []),
        (_("联动办"), deps().office.name),
        (_("页面"), listing.title),
        (_("查询条件"), "; ".join(f"{head}: {value}" for head, value in narrowed) or _("全部")),
        (_("期间"), listing.period or _("全部")),
        *listing.facts,
        (_("时区"), str(zone)),
        (_("导出时间"), f"{now.astimezone(zone):%Y-%m-%d %H:%M:%S}"),
        (_("导出人"), f"{current_user.name} ({current_user.login})"),
        (_("行数"), str(rows)),
        (_("脱敏"), numbers),
        (_("公式"), _("以 = + - @ 开头的文字前加了'号，表格软件不会当公式运行。")),
    ]


def _unit(session: Session, code: str) -> str:
    found = unit_by_code(session, code, scope(session))
    return code if found is None else unit_name(found)
