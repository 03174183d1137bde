"""The policy that holds, in words; a change is played through before it's saved as the next version."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import ndiff

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from callbacks.open_callbacks import snapshot
from callbacks.policy_toml import Change, Fault, PolicyRefused, changes, read_policy, write_policy
from callbacks.preflight import Comparison
from callbacks.preflight_run import compare
from callbacks.service.core import Context
from callbacks.service.policy_versions import (
    LONGEST_REASON,
    NewPolicy,
    PolicyChanged,
    PolicyUnreadable,
    Version,
    checked,
    list_versions,
    refresh_policy,
    save_policy,
)
from callbacks.settings import PolicySettings
from callbacks.vocabulary import Disposition
from scoring.web.context import deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.policy_chart import draw
from scoring.web.policy_facts import facts, retries, windows

log = structlog.get_logger(__name__)
pages = Blueprint("policy", __name__)

_LONGEST = 20_000  # characters of a policy
_SHOWN = 20  # versions
_SIGNS = {"-": "−", "+": "+"}
_PLAYED = 5000  # callbacks: more would keep a reader waiting for more than a few seconds


@dataclass(frozen=True, slots=True)
class Draft:
    """The policy that somebody would like to hold instead of version `instead_of`."""

    text: str
    instead_of: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A version and what it changed, by key; by line where this program can't read it or the one before."""

    version: Version
    changes: list[Change]
    lines: list[str] = field(default_factory=list)


@pages.get("/policy")
@needs(Permission.SEE_POLICY)
def show() -> str:
    _take_up()
    return _page(None)


@pages.post("/policy/check")
@needs(Permission.CHANGE_POLICY)
def check() -> str | tuple[str, int]:
    """Faults by their keys, or what the change would come to, and the question whether it shall hold."""
    _take_up()
    draft, held = _draft(), _ctx().policy
    try:
        wanted = checked(draft.text, held, held.scale, deps().now())
    except PolicyRefused as error:
        return _page(draft, error.faults), 400
    return _check_page(draft, wanted)


@pages.post("/policy")
@needs(Permission.CHANGE_POLICY)
def keep() -> str | Response | tuple[str, int]:
    draft, ctx = _draft(), _ctx()
    wanted = NewPolicy(draft.text, draft.reason, current_user.login, draft.instead_of)
    try:
        saved = save_policy(ctx, wanted, ctx.policy.scale, deps().now())
    except PolicyRefused as error:
        if all(fault.key == "reason" for fault in error.faults):
            return _check_page(draft, checked(draft.text, ctx.policy, ctx.policy.scale, deps().now()), True)
        return _page(draft, error.faults), 400
    except PolicyChanged:
        _take_up()
        return _page(draft, changed=True), 409
    flash(_("已保存为第%(n)s版，各进程几秒内生效。", n=saved.number))
    return redirect(url_for("policy.show"), 303)


def _ctx() -> Context:
    return deps().writer


def _take_up() -> None:
    """What was saved since; the page stands a version that it can't read, so that it's mended here."""
    try:
        refresh_policy(_ctx())
    except PolicyUnreadable as error:
        log.error("policy_unreadable", error=str(error))


def _page(draft: Draft | None, faults: list[Fault] | None = None, *, changed: bool = False) -> str:
    """The policy that holds and the form; `changed`: somebody else saved a version meanwhile."""
    ctx = _ctx()
    with deps().read_sessions() as session:
        versions = list_versions(session, _SHOWN + 1)
    newest = versions[0].number if versions else 0
    shown = draft or Draft(write_policy(ctx.policy), newest)
    if changed:
        shown = replace(shown, instead_of=newest)
    return render_template(
        "policy.html",
        policy=ctx.policy,
        version=next((each for each in versions if each.number == ctx.policy_version), None),
        newest=versions[0] if versions else None,
        unread=newest > ctx.policy_version,
        facts=facts(ctx.policy),
        windows=windows(ctx.policy),
        retries=[(Disposition(each.cause), each) for each in retries(ctx.policy)],
        history=_history(versions)[:_SHOWN],
        draft=shown,
        faults=faults or [],
        changed=changed,
        mine=_own_changes(shown.text) if changed else None,
        held_text=write_policy(ctx.policy),
        most_characters=_LONGEST,
    )


def _check_page(draft: Draft, wanted: PolicySettings, without_reason: bool = False) -> str | tuple[str, int]:
    found = _preflight(wanted)
    page = render_template(
        "policy_check.html",
        draft=draft,
        changes=changes(_ctx().policy, wanted),
        found=found,
        chart=draw(found),
        without_reason=without_reason,
        longest_reason=LONGEST_REASON,
    )
    return (page, 400) if without_reason else page


def _preflight(wanted: PolicySettings) -> Comparison:
    ctx = _ctx()
    with deps().read_sessions() as session:
        return compare(snapshot(ctx, session, deps().now(), most=_PLAYED), ctx.policy, wanted)


def _own_changes(text: str) -> list[Change] | None:
    """What a text would change of the policy that holds; None where it can't be read."""
    try:
        return changes(_ctx().policy, read_policy(text))
    except PolicyRefused:
        return None


def _history(versions: list[Version]) -> list[Past]:
    """Newest first; the first version is compared with the stock, not with what the settings said then."""
    found = []
    for version, before in zip(versions, [*versions[1:], None], strict=False):
        try:
            old = before.policy() if before is not None else PolicySettings()
            found.append(Past(version, changes(old, version.policy())))
        except PolicyUnreadable:
            found.append(Past(version, [], _lines(before.body if before else "", version.body)))
    return found


def _lines(old: str, new: str) -> list[str]:
    """The lines that went, after a −, and those that came, after a +."""
    found = ndiff(old.splitlines(), new.splitlines())
    return [f"{_SIGNS[line[0]]} {line[2:]}" for line in found if line[0] in _SIGNS and line[2:].strip()]


def _draft() -> Draft:
    """As the form sends it; a browser's line ends are one character."""
    instead_of, text = request.form.get("instead_of", ""), request.form.get("text", "").replace("\r\n", "\n")
    if not (instead_of.isascii() and instead_of.isdigit() and len(instead_of) < 10) or len(text) > _LONGEST:
        abort(400)
    return Draft(text, int(instead_of), request.form.get("reason", "").strip())
