"""The same act on many items: looked at with its count before it's done, and what failed is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from flask import Blueprint, abort, render_template, request
from flask_login import current_user

from scoring.item_rules import Party
from scoring.item_states import ENDED, ItemTrigger
from scoring.items import Act, act_on_many, assign_supervisor
from scoring.queries_dissatisfaction import (
    COUNTED_TO,
    ItemRow,
    Person,
    chosen_items,
    supervisors,
    these_items,
)
from scoring.queries_filter import parse
from scoring.web import item_words
from scoring.web.context import deps, scope
from scoring.web.permissions import Permission, needs

pages = Blueprint("item_bulk", __name__)

_ITEM = re.compile(r"(\d{1,9}):(\d{1,9})(?::([a-z0-9._-]{0,40}))?")


class Bulk(StrEnum):
    """What may be done with many at once."""

    UPHOLD = "uphold"
    NOTE = "note"
    ASSIGN = "assign"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The form: which act, on which items (id → the step that was seen), for whom and why.

    `had` says of each who was seen to be in charge of it; empty before the page that asks.
    """

    bulk: Bulk
    items: dict[int, int]
    had: dict[int, str]
    login: str
    reason: str


@pages.post("/dissatisfaction/check")
@needs(Permission.WORK_ITEMS)
def check() -> str | tuple[str, int]:
    """What it would do, before it does: how many, which, and the question why."""
    if request.form.get("which") == "all":
        wanted = _wanted(_of_filter(), {})
    else:
        wanted = _wanted(*_written(request.form.getlist("item")))
    with deps().read_sessions() as session:
        rows = these_items(session, scope(session), tuple(wanted.items))
        people = supervisors(session)
    fault = "" if rows else item_words.NONE_CHOSEN
    return _checked(wanted, rows, people, str(fault)), 200 if rows else 400


@pages.post("/dissatisfaction/bulk")
@needs(Permission.WORK_ITEMS)
def do() -> str | tuple[str, int]:
    """Does it, each item in a transaction of its own, and tells what failed and why."""
    wanted = _wanted(*_written(request.form.get("items", "").split()))
    with deps().read_sessions() as session:
        rows = these_items(session, scope(session), tuple(wanted.items))
        people = supervisors(session)
    lacks = _lacking(wanted, people)
    if lacks:
        return _checked(wanted, rows, people, lacks), 400
    seen = {row.id: wanted.items[row.id] for row in rows}
    done, failed = _carry_out(wanted, seen)
    return render_template(
        "item_bulk_done.html",
        wanted=wanted,
        done=done,
        failed=[(row, failed[row.id]) for row in rows if row.id in failed],
        missing=len(wanted.items) - len(rows),
        words=item_words,
    )


def _carry_out(wanted: Wanted, seen: Mapping[int, int]) -> tuple[int, dict[int, str]]:
    """How many were done; id → why of those that weren't."""
    now, by = deps().now(), current_user.login
    if wanted.bulk is Bulk.ASSIGN:
        had = {key: wanted.had.get(key) or None for key in seen}
        done = assign_supervisor(deps().writer, had, wanted.login, by, now)
        with deps().read_sessions() as session:
            rows = these_items(session, scope(session), tuple(seen))
        return len(done), {row.id: _not_given(row) for row in rows if row.id not in done}
    act = Act(ItemTrigger(wanted.bulk.value), by, Party.OFFICE, None, wanted.reason)
    failed = act_on_many(deps().writer, deps().item_rules, seen, act, now)
    said = {each.item_id: item_words.failed(each.fault) for each in failed}
    return len(seen) - len(failed), said


def _not_given(row: ItemRow) -> str:
    if row.state in ENDED:
        return str(item_words.ENDED_ALREADY)
    return item_words.given_already(row.supervisor)


def _lacking(wanted: Wanted, people: tuple[Person, ...]) -> str:
    if wanted.bulk is Bulk.ASSIGN:
        return "" if wanted.login in {person.login for person in people} else str(item_words.NO_PERSON)
    return "" if wanted.reason.strip() else str(item_words.NO_REASON)


def _checked(wanted: Wanted, rows: tuple[ItemRow, ...], people: tuple[Person, ...], fault: str) -> str:
    had = {row.id: wanted.had.get(row.id, row.supervisor or "") for row in rows}
    kept = " ".join(f"{row.id}:{wanted.items[row.id]}:{had[row.id]}" for row in rows)
    return render_template(
        "item_bulk.html",
        wanted=wanted,
        rows=rows,
        kept=kept,
        given=sum(bool(each) for each in had.values()),
        people=people,
        fault=fault,
        words=item_words,
    )


def _wanted(items: dict[int, int], had: dict[int, str]) -> Wanted:
    form = request.form
    try:
        bulk = Bulk(form.get("act", ""))
    except ValueError:
        abort(400)
    return Wanted(bulk, items, had, form.get("login", "")[:40], form.get("reason", "")[:4000])


def _of_filter() -> dict[int, int]:
    """All that the list's filter leaves, as the list's own page says it, up to COUNTED_TO."""
    wanted = parse(dict(parse_qsl(request.form.get("filter", "")[:2000])))
    with deps().read_sessions() as session:
        return dict(chosen_items(session, scope(session), wanted, deps().now(), COUNTED_TO))


def _written(texts: list[str]) -> tuple[dict[int, int], dict[int, str]]:
    """The steps that were seen, and who was seen in charge where the form says it."""
    found = [_ITEM.fullmatch(text) for text in texts[:COUNTED_TO]]
    if any(match is None for match in found):
        abort(400)
    seen = {int(match[1]): int(match[2]) for match in found if match}
    return seen, {int(match[1]): match[3] for match in found if match and match[3] is not None}
