"""`huifang ledger`: the coverage as it stands, as it stood at a day's end, and the proofs that are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import click
from sqlalchemy.orm import Session

from callbacks.commands import App
from callbacks.database import make_read_sessions
from callbacks.days import day_of, read_day
from callbacks.ledger import COLUMNS, read_ledger
from callbacks.ledger_proofs import AsOf, ProofRow, list_proofs, read_as_of
from callbacks.service.core import Context

T = TypeVar("T")
_MOST = 400  # days of history


class _Day(click.ParamType[date]):
    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return read_day(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DAY = _Day()


def command() -> click.Command:
    """The command, with status 1 when the proof doesn't hold."""

    @click.command("ledger")
    @click.option(
        "--as-of", "day", type=DAY, metavar="DAY", help="At the end of a local day, like 2026-11-23."
    )
    @click.option("--history", is_flag=True, help="The nightly proofs that are kept.")
    @click.option("--json", "as_json", is_flag=True)
    @click.pass_context
    def ledger_command(ctx: click.Context, day: date | None, history: bool, as_json: bool) -> None:
        """Prove closed = done + open + excluded + cancelled for each unit; status 1 when it doesn't hold.

        With --as-of it's read for a day that is over, and status 1 also when the proof of that night, where
        one is kept, says something else.
        """
        if history and day is not None:
            raise click.UsageError("--history and --as-of are two questions; ask one")
        app: App = ctx.obj
        if history:
            rows = app.with_context(
                lambda context: _read(context, lambda session: list_proofs(session, _MOST))
            )
            _print(as_json, [_as_json(row) for row in rows], _history(rows))
            return
        if day is not None:
            told = _as_of(app, day)
            _print(as_json, told.as_json(), told.lines())
            ctx.exit(0 if told.holds else 1)
        found = app.with_context(lambda context: _read(context, read_ledger))
        _print(as_json, found.as_json(), found.lines())
        ctx.exit(0 if found.balanced else 1)

    return ledger_command


def _list(session: Session) -> tuple[ProofRow, ...]:
    return list_proofs(session, _MOST)


def _as_of(app: App, day: date) -> AsOf:
    def work(context: Context) -> AsOf:
        timezone = context.policy.windows.timezone
        if day >= day_of(datetime.now(UTC), timezone):
            raise click.ClickException(f"{day} isn't over; without --as-of the ledger is told as it stands")
        return _read(context, lambda session: read_as_of(session, day, timezone))

    return app.with_context(work)


def _read(context: Context, read: Callable[[Session], T]) -> T:
    """In a session that holds up no writer."""
    with make_read_sessions(context.sessions.kw["bind"])() as session:
        return read(session)


def _print(as_json: bool, data: Any, lines: list[str]) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=1) if as_json else "\n".join(lines))


def _history(rows: tuple[ProofRow, ...]) -> list[str]:
    head = " ".join(["day       ", *(f"{name.replace('_', ' '):>{_width(name)}}" for name in COLUMNS)])
    lines = [
        " ".join([row.day, *(f"{row.sums[name]:{_width(name)}}" for name in COLUMNS), f" {_verdict(row)}"])
        for row in rows
    ]
    return [head, *lines] if rows else ["no proof is kept yet: the clock role takes one a night"]


def _width(name: str) -> int:
    return max(7, len(name))


def _verdict(row: ProofRow) -> str:
    return "balanced" if row.balanced else f"NOT BALANCED: {row.breaches} cases"


def _as_json(row: ProofRow) -> dict[str, Any]:
    taken = {"day": row.day, "taken_at": row.taken_at.isoformat()}
    return {**taken, "balanced": row.balanced, "breaches": row.breaches, **row.sums}
