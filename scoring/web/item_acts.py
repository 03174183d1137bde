"""What somebody does with an item: each form names the step that it was made from; who is slower is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from scoring.appeals import AppealMoved, Word, appeal, decide_appeal
from scoring.hard_cases import Meeting, close_hard_case, meet
from scoring.item_rules import Escalation, Fault, Grounds, Party
from scoring.item_states import ItemTrigger
from scoring.items import Act, BadAct, ItemConflict, act
from scoring.queries_decisions_list import find_appeal
from scoring.web import item_words
from scoring.web.context import deps, scope
from scoring.web.items import item_page, must_see
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.uploads import sent_files, takes_files

pages = Blueprint("item_acts", __name__)

_LARGEST = 2**31
_T = ItemTrigger


@pages.post("/dissatisfaction/<int:item_id>/work")
@needs(Permission.WORK_ITEMS)
@takes_files
def work(item_id: int) -> Response | tuple[str, int]:
    """The office's acts."""
    return _do(item_id, Party.OFFICE)


@pages.post("/dissatisfaction/<int:item_id>/handle")
@needs(Permission.HANDLE_ITEMS)
@takes_files
def handle(item_id: int) -> Response | tuple[str, int]:
    """The unit's: sign, submit, appeal, ask for time."""
    return _do(item_id, Party.UNIT)


@pages.post("/appeals/<int:appeal_id>")
@needs(Permission.DECIDE)
def decide(appeal_id: int) -> Response | tuple[str, int]:
    """One decider's word on an appeal."""
    with deps().read_sessions() as session:
        row = find_appeal(session, scope(session), appeal_id) if appeal_id < _LARGEST else None
    if row is None:
        abort(404)
    form = request.form
    reason = form.get("reason", "")
    word = Word(_yes("uphold"), _yes("claim_reasonable"), _yes("conduct_proper"), reason, _seen())
    writer, rules, by, now = deps().writer, deps().item_rules, current_user.login, deps().now()
    try:
        came_to = decide_appeal(writer, rules, appeal_id, word, by, current_user.unit_id, now)
    except BadAct as error:
        status = 409 if error.fault in (Fault.STATE, Fault.TWICE) else 400
        return item_page(row.item, fault=str(item_words.FAULTS[error.fault])), status
    except AppealMoved:
        return item_page(row.item, fault=str(item_words.APPEAL_MOVED)), 409
    if came_to is None:
        flash(_("已登记您的决定，等另一人决定。"))
    else:
        flash(_("已登记您的决定：申诉成立。") if came_to else _("已登记您的决定：申诉不成立。"))
    return redirect(url_for("items.show", item_id=row.item), 303)


def _do(item_id: int, party: Party) -> Response | tuple[str, int]:
    must_see(item_id)
    trigger = _trigger()
    try:
        _act_of(trigger, party)(item_id, trigger, party)
    except BadAct as error:
        status = 409 if error.fault is Fault.STATE else 400
        return item_page(item_id, fault=str(item_words.FAULTS[error.fault])), status
    except ItemConflict:
        return item_page(item_id, fault=str(item_words.CONFLICT), seen=_seen()), 409
    flash(_("已登记：%(what)s", what=item_words.trigger(trigger)))
    return redirect(url_for("items.show", item_id=item_id), 303)


def _act_of(trigger: ItemTrigger, party: Party) -> Callable[[int, ItemTrigger, Party], object]:
    """What stores it. A meeting is the office's to keep, an appeal the unit's to make."""
    office = {_T.MEET: _meet, _T.FIX: _close, _T.PERSIST: _close}
    if trigger in office:
        return office[trigger] if party is Party.OFFICE else _refuse
    if trigger is _T.APPEAL:
        return _appeal if party is Party.UNIT else _refuse
    return _plain


def _refuse(item_id: int, trigger: ItemTrigger, party: Party) -> None:
    raise BadAct(Fault.PARTY)


def _plain(item_id: int, trigger: ItemTrigger, party: Party) -> None:
    form = request.form
    method = form.get("method", "")
    wanted = Act(
        trigger,
        current_user.login,
        party,
        _seen(),
        form.get("reason", ""),
        sent_files(),
        unit=form.get("unit", "")[:32],
        confirmed=_yes("confirmed"),
        method=Escalation(method) if method in set(Escalation) else None,
    )
    act(deps().writer, deps().item_rules, item_id, wanted, deps().now())


def _appeal(item_id: int, trigger: ItemTrigger, party: Party) -> None:
    try:
        grounds = Grounds(request.form.get("grounds", ""))
    except ValueError:
        abort(400)
    reason, by = request.form.get("reason", ""), current_user.login
    writer, rules = deps().writer, deps().item_rules
    appeal(writer, rules, item_id, grounds, reason, sent_files(), by, _seen(), deps().now())


def _meet(item_id: int, trigger: ItemTrigger, party: Party) -> None:
    held_on, form = _day("held_on"), request.form
    if held_on is None:
        raise BadAct(Fault.MEETING)
    meeting = Meeting(held_on, form.get("leader", "")[:80], form.get("reason", ""), _day("next_review"))
    meet(deps().writer, deps().item_rules, item_id, meeting, current_user.login, _seen(), deps().now())


def _close(item_id: int, trigger: ItemTrigger, party: Party) -> None:
    reason, by, fixed = request.form.get("reason", ""), current_user.login, trigger is _T.FIX
    close_hard_case(deps().writer, deps().item_rules, item_id, fixed, reason, by, _seen(), deps().now())


def _trigger() -> ItemTrigger:
    try:
        return ItemTrigger(request.form.get("trigger", ""))
    except ValueError:
        abort(400)


def _seen() -> int:
    return request.form.get("seen", -1, int)


def _yes(name: str) -> bool:
    return request.form.get(name) == "yes"


def _day(name: str) -> date | None:
    given = request.form.get(name, "")
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        raise BadAct(Fault.MEETING) from None
