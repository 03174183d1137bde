"""A filter in words, as an export's first sheet says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum

from scoring.queries_filter import Cursor, Filter, Part
from scoring.web import words, words_scores
from scoring.web.language import lazy_gettext as _l
from scoring.web.templating import category
from scoring.web.words_audit import action as deed

# Every field of the filter but the place in the list, which an export doesn't have.
HEADS: Mapping[str, object] = {
    "group": _l("组别"),
    "unit": _l("承办单位"),
    "category": _l("类别"),
    "age": _l("已列时长"),
    "state": _l("回访状态"),
    "round": _l("轮次"),
    "only": _l("范围"),
    "item": _l("状态"),
    "month": _l("月份"),
    "year": _l("年度"),
    "part": _l("项目"),
    "q": _l("查找"),
    "phone": _l("电话号码"),
    "late": _l("超期"),
    "standing": _l("决定"),
    "deed": _l("事由"),
    "tab": _l("人工队列的各部分"),
    "stage": _l("清单的各部分"),
    "overdue": _l("超期"),
    "supervisor": _l("经办人"),
    "actor": _l("操作人"),
    "action": _l("操作"),
    "subject": _l("对象"),
    "day": _l("日期"),
    "role": _l("角色"),
    "sort": _l("排序"),
}


def in_words(chosen: Filter, unit_name: Callable[[str], str]) -> tuple[tuple[str, str], ...]:
    """Head and value of each field that narrows or orders. A unit is named; a number's index isn't told."""
    found = []
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if value not in (None, "", False) and not isinstance(value, Cursor):
            said = unit_name(value) if field.name == "unit" else _said(field.name, value)
            found.append((str(HEADS[field.name]), said))
    return tuple(found)


def _said(name: str, value: object) -> str:
    match name, value:
        case "part", Part():
            return str(words_scores.PARTS[value])
        case _, StrEnum():
            return words.word(value)
        case "item", str():
            return words.among(words.ITEM_STATES, value)
        case "category", str():
            return category(value)
        case "action", str():
            return deed(value)
        case "phone", _:
            return str(_l("按一个号码"))
        case _, True:
            return str(_l("是"))
    return str(value)
