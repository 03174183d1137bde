"""`huifang audit`: whether a line of the audit was altered, taken out, put in or moved; the chain's head."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click
from sqlalchemy.orm import Session

from callbacks.audit_faults import Verdict
from callbacks.audit_verify import count_waiting, last_link, verify_audit
from callbacks.commands import App
from callbacks.database import make_read_sessions
from callbacks.service.core import Context

Heads = Callable[[Session], Mapping[str, str]]


def command(published: Heads) -> click.Group:
    """`published` reads the heads that were published with months: each must still be in the chain."""

    @click.group("audit")
    def audit() -> None:
        """The audit's chain: each line's hash is over the one before."""

    @audit.command("verify")
    @click.option("--head", "kept", multiple=True, metavar="HASH", help="A head kept elsewhere; repeatable.")
    @click.option("--json", "as_json", is_flag=True)
    @click.pass_context
    def verify(ctx: click.Context, kept: tuple[str, ...], as_json: bool) -> None:
        """Verify the whole chain; status 1 and the first altered, missing, inserted or moved line."""
        app: App = ctx.obj
        wanted = {head: _checked(head) for head in kept}
        verdict = app.with_context(
            lambda context: _read(
                context, lambda session: verify_audit(session, None, {**published(session), **wanted})
            )
        )
        click.echo(json.dumps(_as_json(verdict), indent=1) if as_json else "\n".join(_lines(verdict)))
        if verdict.fault is not None:
            ctx.exit(1)

    @audit.command("head")
    @click.pass_obj
    def head(app: App) -> None:
        """Print the chain's head, to be kept elsewhere: `audit verify --head` finds lines cut off since."""
        links, found, waiting = app.with_context(
            lambda context: _read(context, lambda session: (*last_link(session), count_waiting(session)))
        )
        click.echo(found)
        click.echo(f"{links} lines linked, {waiting} not yet", err=True)

    return audit


def _checked(head: str) -> str:
    if len(head) != 64 or set(head) - set("0123456789abcdef"):
        raise click.BadParameter(f"{head!r} is no head: 64 digits 0-9, a-f", param_hint="--head")
    return head


def _read(ctx: Context, read: Callable[[Session], Any]) -> Any:
    engine = ctx.sessions.kw["bind"]
    with make_read_sessions(engine)() as session:
        return read(session)


def _lines(verdict: Verdict) -> list[str]:
    found = "right" if verdict.fault is None else str(verdict.fault)
    return [
        f"{verdict.verified} lines verified, {verdict.waiting} not linked yet",
        f"head {verdict.head}",
        found,
    ]


def _as_json(verdict: Verdict) -> dict[str, Any]:
    fault = verdict.fault
    told = {"verified": verdict.verified, "waiting": verdict.waiting, "head": verdict.head}
    if fault is None:
        return {**told, "fault": None}
    named = {"kind": fault.kind.value, "line": fault.audit_id, "link": fault.seq, "head": fault.head}
    return {**told, "fault": named}
