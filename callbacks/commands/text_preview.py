"""`huifang sms preview`: a kind of text as it leaves, its length, and what is wrong with it."""

from __future__ import annotations

import click

from callbacks.commands import App
from callbacks.models import TextKind
from callbacks.service.core import Context
from callbacks.service.templates import find_template
from callbacks.templates import KINDS, check, longest_preview, measure, preview
from callbacks.wording import office_values


def command() -> click.Command:
    """The command; status 1 when the words may not be used."""

    @click.command("preview")
    @click.argument("kind", type=click.Choice(sorted(KINDS)))
    @click.option("--words", help="Look at these instead of those that hold; nothing is saved.")
    @click.option("--several-parts", is_flag=True, help="With --words: allow more than one part.")
    @click.pass_obj
    def text_preview(app: App, kind: str, words: str | None, several_parts: bool) -> None:
        """Show the texts of KIND: with an example, and with the longest variables."""
        lines, faults = app.with_context(lambda ctx: _look(ctx, kind, words, several_parts))
        for line in lines:
            click.echo(line)
        for fault in faults:
            click.echo(f"{kind}: {fault}", err=True)
        if faults:
            click.get_current_context().exit(1)

    return text_preview


def _look(ctx: Context, kind: str, words: str | None, several_parts: bool) -> tuple[list[str], list[str]]:
    """What is printed, and the faults."""
    body = words
    if body is None:
        with ctx.sessions() as session:
            template = find_template(session, TextKind(kind))
        body, several_parts = template.body, template.several_parts
    signature = ctx.office.signature
    faults = check(body, kind, signature, several_parts)
    length = measure(body, signature)
    told = f"at most {length.units} UTF-16 units with the signature, parts: {length.parts}"
    lengthy = any("UTF-16 units" in fault for fault in faults)
    if len(faults) > lengthy:  # more is wrong than its length: it can't be filled
        return [told], faults
    example = preview(body, kind, signature, office_values(ctx.office))
    return [example, longest_preview(body, kind, signature), told], faults
