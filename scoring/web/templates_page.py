"""The texts' templates: what holds; a change is looked at, with the text as it leaves, before it holds."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from callbacks.models import TextKind
from callbacks.service.templates import (
    Template,
    TemplateChanged,
    TemplateRefused,
    back_to_stock,
    find_template,
    list_templates,
    save,
    template_history,
)
from callbacks.template_faults import TemplateFault
from callbacks.templates import (
    KINDS,
    MOST_PARTS,
    OF_SEVERAL,
    ONE_PART,
    VARIABLES,
    Measure,
    find_faults,
    longest_preview,
    measure,
    most_parts,
    preview,
    units,
)
from callbacks.wording import office_values
from scoring.web.context import deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("templates", __name__)

_LONGEST = 1000  # characters: what is longer needs more parts than any text may
_LIMITS = {"one_part": ONE_PART, "of_several": OF_SEVERAL, "most_parts": MOST_PARTS}


@dataclass(frozen=True, slots=True)
class Draft:
    """The words that somebody would like to hold instead of version `instead_of`."""

    body: str
    several_parts: bool
    instead_of: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a draft; `fault` is the number of the fault that lies in it, 0 for none."""

    text: str
    fault: int


@pages.get("/templates")
@needs(Permission.SEE_TEMPLATES)
def show() -> str:
    with deps().read_sessions() as session:
        found = list_templates(session)
    rows = [
        (template, _measure(template.body), _faults(template.kind, _draft_of(template))) for template in found
    ]
    return render_template("templates.html", rows=rows, **_LIMITS)


@pages.get("/templates/<kind>")
@needs(Permission.SEE_TEMPLATES)
def edit(kind: str) -> str:
    return _form(_kind_or_404(kind), None)


@pages.post("/templates/<kind>/check")
@needs(Permission.CHANGE_TEMPLATES)
def check(kind: str) -> str | tuple[str, int]:
    """Faults by their places, or the text as it would leave and the question whether it shall hold."""
    found, draft = _kind_or_404(kind), _draft()
    if _faults(found, draft):
        return _form(found, draft), 400
    sights = _sights(found, draft)
    return render_template(
        "template_check.html", kind=found, draft=draft, longest=_measure(draft.body), **sights
    )


@pages.post("/templates/<kind>")
@needs(Permission.CHANGE_TEMPLATES)
def keep(kind: str) -> str | Response | tuple[str, int]:
    found, draft = _kind_or_404(kind), _draft()
    try:
        save(
            deps().writer,
            found,
            draft.body,
            draft.several_parts,
            current_user.login,
            deps().now(),
            draft.instead_of,
        )
    except TemplateRefused:
        return _form(found, draft), 400
    except TemplateChanged as error:
        return _form(found, draft, error.newest), 409
    flash(_("已保存。之后生成的短信用新的文字；已排队的短信不变。"))
    return redirect(url_for("templates.edit", kind=found.value), 303)


@pages.post("/templates/<kind>/stock")
@needs(Permission.CHANGE_TEMPLATES)
def stock(kind: str) -> str | Response | tuple[str, int]:
    """Back to the words that came with the program."""
    found, draft = _kind_or_404(kind), _draft()
    try:
        back_to_stock(deps().writer, found, current_user.login, deps().now(), draft.instead_of)
    except TemplateChanged as error:
        return _form(found, None, error.newest), 409
    flash(_("已恢复系统自带的文字。"))
    return redirect(url_for("templates.edit", kind=found.value), 303)


def _form(kind: TextKind, draft: Draft | None, newest: Template | None = None) -> str:
    """The page of a kind. `newest` holds meanwhile, saved by somebody else: the next try takes its place."""
    with deps().read_sessions() as session:
        holds = newest or find_template(session, kind)
        history = template_history(session, kind)
    shown = draft or _draft_of(holds)
    faults = _faults(kind, shown)
    return render_template(
        "template.html",
        kind=kind,
        holds=holds,
        history=history,
        draft=shown,
        instead_of=shown.instead_of if newest is None else newest.version,
        faults=faults,
        pieces=_pieces(shown.body, faults) if faults else [],
        longest=_measure(shown.body),
        variables={name: VARIABLES[name] for name in VARIABLES if name in KINDS[kind.value].known},
        own=_own_values(),
        changed=newest is not None,
        most_characters=_LONGEST,
        **_LIMITS,
        **({} if faults else _sights(kind, shown)),
    )


def _sights(kind: TextKind, draft: Draft) -> dict[str, object]:
    """The text as a citizen sees it: with an example, and as long as it can get."""
    signature = deps().office.signature
    example = preview(draft.body, kind.value, signature, _own_values())
    return {
        "example": example,
        "example_length": Measure(units(example), most_parts(units(example), astral=False)),
        "longest_text": longest_preview(draft.body, kind.value, signature),
    }


def _own_values() -> dict[str, str]:
    return office_values(deps().office)


def _draft() -> Draft:
    """As the form sends it; a browser's line ends are one character."""
    form = request.form
    instead_of = form.get("instead_of", "")
    body = form.get("body", "").replace("\r\n", "\n")
    if not (instead_of.isascii() and instead_of.isdigit() and len(instead_of) < 10) or len(body) > _LONGEST:
        abort(400)
    return Draft(body, form.get("several_parts") == "yes", int(instead_of))


def _draft_of(template: Template) -> Draft:
    return Draft(template.body, template.several_parts, template.version)


def _faults(kind: TextKind, draft: Draft) -> list[TemplateFault]:
    return find_faults(draft.body, kind.value, deps().office.signature, draft.several_parts)


def _measure(body: str) -> Measure:
    return measure(body, deps().office.signature)


def _pieces(body: str, faults: list[TemplateFault]) -> list[Piece]:
    """The draft cut where faults begin and end, so that each can be marked; those that overlap are one."""
    pieces, last = [], 0
    placed = [(fault.at - 1, number, fault.width) for number, fault in enumerate(faults, 1) if fault.at]
    for start, number, width in sorted(placed):
        if start < last:
            continue
        pieces += [Piece(body[last:start], 0), Piece(body[start : start + width], number)]
        last = start + width
    return [piece for piece in [*pieces, Piece(body[last:], 0)] if piece.text]


def _kind_or_404(kind: str) -> TextKind:
    if kind not in KINDS:
        abort(404)
    return TextKind(kind)
