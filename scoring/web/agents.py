"""The agents' queue: take one, see what to say, store what came of it."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from callbacks.models_office import ContactOutcome
from callbacks.service.agents import (
    LONGEST_NOTE,
    BadContact,
    Contact,
    ContactFault,
    Result,
    Told,
    claim,
    contact,
    release,
    reveal_number,
)
from callbacks.target_settings import telephones_of
from scoring.queries import Scope, units
from scoring.queries_agent_calls import last_telephone, read_call
from scoring.queries_agents import ItemRow, count_tabs, next_free, open_categories, read_item, read_queue
from scoring.queries_filter import Tab
from scoring.queries_story import read_story
from scoring.web import words
from scoring.web.agent_script import Script, script_of
from scoring.web.call_words import said_of
from scoring.web.cases import by_day
from scoring.web.context import chosen, deps, scope
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("agents", __name__)

_LOCAL = "%Y-%m-%dT%H:%M"
_ENDINGS = (ContactOutcome.NO_CONTACT, ContactOutcome.REFUSED, ContactOutcome.WRONG_PERSON)


@pages.get("/agents")
@needs(Permission.WORK_AGENT_QUEUE)
def show() -> str:
    wanted, now, login = chosen(), deps().now(), current_user.login
    with deps().read_sessions() as session:
        bounds = scope(session)
        return render_template(
            "agents.html",
            page=read_queue(session, bounds, wanted, login, now),
            counts=count_tabs(session, bounds, wanted, login, now),
            chosen=wanted,
            units=units(session, Scope(), wanted.group),
            categories=open_categories(session),
            tabs=(None, *Tab),
            at=now,
        )


@pages.post("/agents/next")
@needs(Permission.WORK_AGENT_QUEUE)
def take_next() -> Response:
    """The most urgent that nobody has; where another was quicker, the one after it."""
    with deps().read_sessions() as session:
        candidates = next_free(session, scope(session), deps().now())
    for callback_id in candidates:
        if claim(deps().writer, callback_id, current_user.login, deps().now()).told is Told.DONE:
            return redirect(url_for("agents.item", callback_id=callback_id), 303)
    flash(_("现在没有空闲的待办件。"))
    return redirect(url_for("agents.show"), 303)


@pages.get("/agents/<int:callback_id>")
@needs(Permission.WORK_AGENT_QUEUE)
def item(callback_id: int) -> str:
    return _item(callback_id)


@pages.post("/agents/<int:callback_id>/take")
@needs(Permission.WORK_AGENT_QUEUE)
def take(callback_id: int) -> Response:
    _item_or_404(callback_id)
    result = claim(deps().writer, callback_id, current_user.login, deps().now())
    if result.told is not Told.DONE:
        flash(said_of_refusal(result))
    return redirect(url_for("agents.item", callback_id=callback_id), 303)


@pages.post("/agents/<int:callback_id>/give-back")
@needs(Permission.WORK_AGENT_QUEUE)
def give_back(callback_id: int) -> Response:
    _item_or_404(callback_id)
    release(deps().writer, callback_id, current_user.login)
    return redirect(url_for("agents.show"), 303)


@pages.post("/agents/<int:callback_id>/number/<int:phone_id>")
@needs(Permission.REVEAL_NUMBER)
def number(callback_id: int, phone_id: int) -> str | tuple[str, int]:
    """The page again, with one whole number on it this once: no address leads to it, no cache keeps it."""
    _item_or_404(callback_id)
    result, whole = reveal_number(deps().writer, callback_id, phone_id, current_user.login, deps().now())
    if not whole:
        return _item(callback_id, fault=said_of_refusal(result)), 409
    return _item(callback_id, whole={phone_id: whole})


@pages.post("/agents/<int:callback_id>/contact")
@needs(Permission.WORK_AGENT_QUEUE)
def store(callback_id: int) -> Response | tuple[str, int]:
    _item_or_404(callback_id)
    try:
        given = _given()
        seen = request.form.get("seen", 0, int)
        result = contact(deps().writer, callback_id, current_user.login, given, deps().now(), seen=seen)
    except BadContact as error:
        return _item(callback_id, fault=str(words.CONTACT_FAULTS[error.fault])), 400
    if result.told is not Told.DONE:
        return _item(callback_id, fault=said_of_refusal(result)), 409
    flash(_("已登记：%(outcome)s", outcome=words.word(given.outcome)))
    if given.outcome is ContactOutcome.NOTE:
        return redirect(url_for("agents.item", callback_id=callback_id), 303)
    return redirect(url_for("agents.show"), 303)


def _item(callback_id: int, *, fault: str = "", whole: dict[int, str] | None = None) -> str:
    now, found = deps().now(), _item_or_404(callback_id)
    with deps().read_sessions() as session:
        story = read_story(session, scope(session), found.row.case)
        call = read_call(session, callback_id, current_user.login)
        last = last_telephone(session, current_user.login)
    if story is None:
        abort(404)
    holder = found.row.holder
    mine = holder is not None and holder.login == current_user.login
    return render_template(
        "agent_item.html",
        item=found,
        story=story,
        days=by_day(story),
        call=call,
        call_said=said_of(call) if call else "",
        live=call is not None and call.is_live and request.method == "GET",
        telephones=telephones_of(deps().targets, current_user.login),
        last_telephone=last,
        mine=mine and (holder.works(now) or bool(fault)) if holder else False,
        held=holder if holder is not None and not mine and holder.works(now) else None,
        script=_script(found),
        endings=_ENDINGS,
        scale=deps().policy.rating_scale,
        fault=fault,
        whole=whole or {},
        given=request.form if fault else {},
        soonest=now.astimezone(deps().zone).strftime(_LOCAL),
        latest=found.row.deadline.astimezone(deps().zone).strftime(_LOCAL),
        longest=LONGEST_NOTE,
        at=now,
    )


def _script(found: ItemRow) -> Script:
    policy = deps().writer.policy  # the one that holds now: a category may have become sensitive since
    hidden = found.sensitive or found.row.category in policy.sensitive_categories
    category = None if hidden else found.row.category
    office = deps().office.name
    return script_of(office, found.accepted_at, deps().zone, category, found.row.round, policy.rating_scale)


def _item_or_404(callback_id: int) -> ItemRow:
    with deps().read_sessions() as session:
        found = read_item(session, scope(session), callback_id) if callback_id < 2**31 else None
    if found is None:
        abort(404)
    return found


def _given() -> Contact:
    form = request.form
    try:
        outcome = ContactOutcome(form.get("outcome", ""))
    except ValueError:
        abort(400)
    reason = form.get("reason", "")
    return Contact(
        outcome=outcome,
        note=form.get("note", ""),
        value=form.get("value", None, int),
        resolved={"yes": True, "no": False}.get(form.get("resolved", "")),
        reason=reason if reason in words.REASONS else "",
        comment=form.get("comment", ""),
        when=_when(form.get("when", "")),
    )


def _when(given: str) -> datetime | None:
    if not given:
        return None
    try:
        return datetime.strptime(given, _LOCAL).replace(tzinfo=deps().zone)
    except ValueError:
        raise BadContact(ContactFault.WHEN) from None


def said_of_refusal(result: Result) -> str:
    """Why nothing was stored, and what is next."""
    match result.told:
        case Told.HELD:
            until = result.until.astimezone(deps().zone) if result.until else deps().now()
            return _(
                "%(who)s 正在处理此件（至 %(until)s），您的内容没有保存。",
                who=result.login,
                until=f"{until:%H:%M}",
            )
        case Told.CHANGED:
            return _("此件在您打开之后有了新的登记，您的内容没有保存。请看下面的经过，再决定是否登记。")
        case Told.NOT_CLAIMED:
            return _("请先接手此件，再登记或查看号码。")
        case _:
            state = words.word(result.state) if result.state is not None else ""
            return _("此件已不在人工队列（%(state)s），您的内容没有保存。", state=state)
