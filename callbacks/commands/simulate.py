"""`huifang simulate`: what a policy would come to, on a virtual city."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from callbacks.commands import App
from callbacks.service.core import Subscriber
from callbacks.simulation.closings import Plan
from callbacks.simulation.report import report_lines
from callbacks.simulation.shards import City, simulate
from callbacks.simulation.texts import Parsed

_WHOLE = click.IntRange(min=1)


def command(
    read: Callable[[str], Parsed], scores: Callable[[str], Callable[[], Subscriber]]
) -> click.Command:
    """`read` reads replies; `scores(timezone)` makes what makes a score ledger. Both must be picklable."""

    @click.command("simulate")
    @click.option("--cases", type=_WHOLE, default=1000, show_default=True)
    @click.option("--days", type=_WHOLE, default=7, show_default=True, help="Days on which cases are closed.")
    @click.option("--seed", type=int, default=1, show_default=True)
    @click.option("--start", type=click.DateTime(["%Y-%m-%d"]), default="2026-11-02", show_default=True)
    @click.option("--lines", type=_WHOLE, default=30, show_default=True, help="Lines for callbacks.")
    @click.option("--texts", type=click.FloatRange(0.1), default=20.0, show_default=True, help="A second.")
    @click.option("--shards", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
    @click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="Write the ledger there.")
    @click.option("--json", "as_json", is_flag=True)
    @click.pass_obj
    def simulate_command(
        app: App,
        cases: int,
        days: int,
        seed: int,
        start: datetime,
        lines: int,
        texts: float,
        shards: int,
        ledger: Path | None,
        as_json: bool,
    ) -> None:
        """Run a virtual city through the real service and policy, to the end of every callback.

        The same options give the same report and ledger. Shards divide citizens, cases and lines among them;
        another number of shards is another city.
        """
        policy = app.policy()
        timezone = policy.windows.timezone
        midnight = start.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
        plan = Plan(cases, days, seed, midnight, lines=lines, texts_per_second=texts)
        outcome = simulate(City(plan, policy, app.office(), read, scores(timezone)), shards)
        if ledger is not None:
            ledger.write_text("".join(f"{line}\n" for line in outcome.ledger), encoding="utf-8")
        if as_json:
            click.echo(json.dumps(outcome.figures.as_json(), ensure_ascii=False, indent=1, sort_keys=True))
        else:
            click.echo("\n".join(report_lines(outcome.figures, timezone, lines)))
        if not outcome.figures.balanced:
            raise click.ClickException("the ledger doesn't balance")

    return simulate_command
