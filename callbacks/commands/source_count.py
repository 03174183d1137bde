"""`huifang source-count`: what a source says that it sent on a day."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime

import click

from callbacks.commands import App
from callbacks.commands.ledger import DAY
from callbacks.service.source_counts import BadCount, tell_count


def command() -> click.Command:
    """The command; the clock compares within its time."""

    @click.command("source-count")
    @click.argument("source")
    @click.argument("day", type=DAY)
    @click.argument("number", type=int)
    @click.pass_obj
    def source_count(app: App, source: str, day: date, number: int) -> None:
        """Tell how many cases SOURCE says that it sent on DAY; the clock holds it against what came."""
        settings, actor = app.intake(), f"cli:{getpass.getuser()}"[:80]
        try:
            told = app.with_context(
                lambda ctx: tell_count(ctx, settings, source, day, number, actor, datetime.now(UTC))
            )
        except BadCount as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"{source} {day}: {number} cases, {told}")

    return source_count
