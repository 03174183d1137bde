"""What templates may call: words, local times, rights and links."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, request, url_for
from markupsafe import Markup

from prompts.catalogue import CatalogueError, load_catalogue
from scoring.web import present, words
from scoring.web.alarms import open_alarms
from scoring.web.context import DeskDeps, may
from scoring.web.language import current, gettext
from scoring.web.permissions import Permission
from scoring.web.remarks import remarks_on

_SHAPES = {
    "minute": "%Y-%m-%d %H:%M",
    "second": "%m-%d %H:%M:%S",
    "day": "%Y-%m-%d",
    "clock": "%H:%M:%S",
    "time": "%H:%M",
}


def set_up(app: Flask, deps: DeskDeps) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        office=deps.office,
        demo=deps.demo,
        has_flows=deps.flows is not None,
        zone=deps.policy.windows.timezone,
        language=current,
        may=may,
        P=Permission,
        w=words,
        link=_link,
        open_alarms=open_alarms,
        remarks_on=remarks_on,
    )
    app.jinja_env.filters.update(
        word=words.word,
        local=partial(local, deps.zone),
        age=age,
        span=span,
        decimals=present.decimals,
        amount=present.amount,
        percent=present.percent,
        masked=present.mask_text,
        unit_name=unit_name,
        category=category,
        spoken=spoken,
    )


def local(zone: ZoneInfo, at: datetime | None, shape: str = "minute") -> str | Markup:
    """A moment as a `time` element in the office's time zone."""
    if at is None:
        return present.NONE
    text = at.astimezone(zone).strftime(_SHAPES[shape])
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), text)


def age(length: timedelta) -> str:
    """The two greatest parts of a length of time."""
    days, hours, minutes = present.split_age(length)
    if days:
        return gettext("%(days)s天%(hours)s小时", days=days, hours=hours)
    if hours:
        return gettext("%(hours)s小时%(minutes)s分", hours=hours, minutes=minutes)
    return gettext("%(minutes)s分钟", minutes=minutes)


def span(length: timedelta) -> str:
    """Seconds with one decimal: how long a call rang or was talked."""
    return gettext("%(seconds)s秒", seconds=f"{length.total_seconds():.1f}")


def unit_name(row: Any) -> str:
    """The unit's name in the reader's language, of a UnitRow or of a row that has unit and unit_en."""
    name = row.unit if hasattr(row, "unit_en") else row.name
    english = row.unit_en if hasattr(row, "unit_en") else row.name_en
    return str(english or name) if current() == "en" else str(name)


def category(name: str) -> str:
    """A category in the reader's language; one that the city added as it is."""
    known = load_catalogue().categories.get(name)
    return name if known is None else known["en" if current() == "en" else "zh-CN"]


def spoken(prompt: str) -> str:
    """What the citizen heard; empty for a prompt that the catalogue no longer has."""
    try:
        return load_catalogue().speech(prompt, "zh-CN")
    except CatalogueError:
        return ""


def _link(**changes: object) -> str:
    """This page with its query string changed; None takes a part out."""
    values: dict[str, Any] = {**request.args.to_dict(), **(request.view_args or {}), **changes}
    values.pop("lang", None)
    return url_for(request.endpoint or "overview.show", **{k: v for k, v in values.items() if v is not None})
