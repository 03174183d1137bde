"""The office's templates: saved when they pass the check, the newest of a kind holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from callbacks.models import TextKind
from callbacks.models_office import TextTemplate
from callbacks.service.core import Context, audit
from callbacks.templates import KINDS, TemplateError, check
from callbacks.wording import stock_template


class TemplateRefused(TemplateError):
    """A template that mustn't be used; `faults` has all that is wrong with it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Template:
    """A kind's words as they hold. `by` and `at` are None for the catalogue's own."""

    kind: TextKind
    body: str
    several_parts: bool = False
    by: str | None = None
    at: datetime | None = None


def save(ctx: Context, kind: TextKind, body: str, several_parts: bool, by: str, now: datetime) -> Template:
    """Keeps new words, which hold for texts made from now on; TemplateRefused names all that is wrong."""
    faults = check(body, kind.value, ctx.office.signature, several_parts)
    if faults:
        raise TemplateRefused(faults)

    def work(session: Session) -> Template:
        row = TextTemplate(kind=kind.value, body=body, several_parts=several_parts, by=by, at=now)
        session.add(row)
        session.flush()
        audit(session, now, by, "save_template", f"template:{kind.value}", version=row.id)
        return _template(row)

    return ctx.run(work)


def current(session: Session, kind: TextKind) -> str:
    """The words that hold; asked once a transaction, which may make many texts."""
    known: dict[TextKind, str] = session.info.setdefault("templates", {})
    if kind not in known:
        with session.no_autoflush:  # what its caller is amidst has nothing to do with it
            known[kind] = session.scalar(_NEWEST_BODY, {"kind": kind.value}) or stock_template(kind)
    return known[kind]


_NEWEST = (
    select(TextTemplate)
    .where(TextTemplate.kind == bindparam("kind"))
    .order_by(TextTemplate.id.desc())
    .limit(1)
)
_NEWEST_BODY = _NEWEST.with_only_columns(TextTemplate.body)


def find_template(session: Session, kind: TextKind) -> Template:
    """The words that hold, and who saved them."""
    row = session.scalar(_NEWEST, {"kind": kind.value})
    return Template(kind, stock_template(kind)) if row is None else _template(row)


def list_templates(session: Session) -> list[Template]:
    """Every kind's words as they hold."""
    return [find_template(session, TextKind(kind)) for kind in KINDS]


def template_faults(ctx: Context, session: Session) -> dict[TextKind, list[str]]:
    """Templates that hold and wouldn't pass now: the office's signature may have grown since."""
    found = {}
    for template in list_templates(session):
        faults = check(template.body, template.kind.value, ctx.office.signature, template.several_parts)
        if faults:
            found[template.kind] = faults
    return found


def _template(row: TextTemplate) -> Template:
    return Template(TextKind(row.kind), row.body, row.several_parts, row.by, row.at)
