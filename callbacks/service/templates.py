"""The office's templates: saved when they pass the check, the newest of a kind holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callbacks.models import TextKind
from callbacks.models_office import TextTemplate
from callbacks.service.core import Context, audit
from callbacks.templates import KINDS, TemplateError, check
from callbacks.wording import stock_template

_STOCK = ""  # stands for the catalogue's words, whatever they are


class TemplateRefused(TemplateError):
    """A template that mustn't be used; `faults` has all that is wrong with it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class TemplateChanged(TemplateError):
    """Somebody else changed the kind's words meanwhile: nothing is written. `newest` holds now."""

    def __init__(self, newest: Template) -> None:
        super().__init__(f"{newest.by} changed it meanwhile; nothing was written")
        self.newest = newest


@dataclass(frozen=True, slots=True)
class Template:
    """A kind's words as they hold. `by` and `at` are None while nobody has changed them.

    `version` is what a change names as what it takes the place of; 0 before the first change. `stock` says
    that the words are the catalogue's own.
    """

    kind: TextKind
    body: str
    several_parts: bool = False
    by: str | None = None
    at: datetime | None = None
    version: int = 0
    stock: bool = False


def save(
    ctx: Context,
    kind: TextKind,
    body: str,
    several_parts: bool,
    by: str,
    now: datetime,
    instead_of: int | None = None,
) -> Template:
    """Keeps new words, which hold for texts made from now on.

    TemplateRefused names all that is wrong, TemplateChanged that `instead_of` doesn't hold any more; None
    takes the place of whatever holds.
    """
    faults = check(body, kind.value, ctx.office.signature, several_parts)
    if faults:
        raise TemplateRefused(faults)
    return _keep(ctx, kind, body, several_parts, by, now, instead_of)


def back_to_stock(
    ctx: Context, kind: TextKind, by: str, now: datetime, instead_of: int | None = None
) -> Template:
    """The catalogue's own words hold again, also when a later release words them anew; TemplateChanged."""
    return _keep(ctx, kind, _STOCK, False, by, now, instead_of)


def _keep(
    ctx: Context,
    kind: TextKind,
    body: str,
    several_parts: bool,
    by: str,
    now: datetime,
    instead_of: int | None,
) -> Template:
    def work(session: Session) -> Template:
        holds = find_template(session, kind)
        if instead_of is not None and holds.version != instead_of:
            raise TemplateChanged(holds)
        row = TextTemplate(
            kind=kind.value, body=body, several_parts=several_parts, by=by, at=now, follows=holds.version
        )
        session.add(row)
        session.flush()
        action = "save_template" if body else "stock_template"
        audit(session, now, by, action, f"template:{kind.value}", version=row.id, instead_of=row.follows)
        return _template(row)

    try:
        return ctx.run(work)
    except IntegrityError:  # `uq_text_template_kind_follows`: another took the place in this instant
        with ctx.sessions() as session:
            raise TemplateChanged(find_template(session, kind)) from None


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
    return Template(kind, stock_template(kind), stock=True) if row is None else _template(row)


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


def template_history(session: Session, kind: TextKind, most: int = 10) -> list[Template]:
    """The last changes, the newest first."""
    rows = select(TextTemplate).where(TextTemplate.kind == kind.value).order_by(TextTemplate.id.desc())
    return [_template(row) for row in session.scalars(rows.limit(most))]


def _template(row: TextTemplate) -> Template:
    kind, stock = TextKind(row.kind), row.body == _STOCK
    body = stock_template(kind) if stock else row.body
    return Template(kind, body, row.several_parts, row.by, row.at, row.id, stock)
