"""What the commands of `huifang cdr` share: a time of local days, and the audit of whole numbers."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime
from typing import Any

import click

from callbacks.days import day_begins, day_ends
from callbacks.service.core import Context, audit


def span(ctx: Context, first: date, last: date) -> tuple[datetime, datetime]:
    """From the first instant of a local day until the end of another."""
    if last < first:
        raise click.UsageError(f"--to {last} is before --from {first}")
    timezone = ctx.policy.windows.timezone
    return day_begins(first, timezone), day_ends(last, timezone)


def tell_audit(ctx: Context, action: str, **detail: Any) -> None:
    """Who looked at whole numbers, before they are shown."""
    now, actor = datetime.now(UTC), f"cli:{getpass.getuser()}"[:80]
    ctx.run(lambda session: audit(session, now, actor, action, "cdr", **detail))
