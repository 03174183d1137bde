"""The commands of months: `huifang close-month` and `huifang assess`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from callbacks.days import MONTH
from callbacks.service.core import Context
from scoring.month_closing import MonthRefused, freeze_month, publish_month
from scoring.month_inputs import BadInputs, read_inputs
from scoring.recompute import as_json, as_lines, recompute
from scoring.settings import ScoringSettings
from scoring.settings_toml import BadSettings, read_scoring

Office = Callable[[click.Context, Callable[[Context, ScoringSettings], Any]], Any]


def _month(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not MONTH.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no month; write it like 2026-11")
    return value


def close_month_command(with_office: Office) -> click.Command:
    """`with_office` opens the office of a command's settings and hands over its context and [scoring]."""

    @click.command("close-month")
    @click.argument("month", callback=_month)
    @click.option("--publish", is_flag=True, help="The draft whose days for objections are over.")
    @click.option("--objection-days", type=click.IntRange(0, 60), default=5, show_default=True)
    @click.option(
        "--leave-undecided", is_flag=True, help="Publish; what is upheld later corrects the next month."
    )
    @click.option("--by", default="close-month", show_default=True, help="Who does it, for the audit.")
    @click.pass_context
    def command(
        ctx: click.Context, month: str, publish: bool, objection_days: int, leave_undecided: bool, by: str
    ) -> None:
        """Close MONTH: first a draft that objections are heard on, then --publish, which nothing changes."""

        def work(context: Context, settings: ScoringSettings) -> None:
            now = datetime.now(UTC)
            if publish:
                done = publish_month(context, month, by, now, leave_undecided=leave_undecided)
                click.echo(f"{done.month} published: {done.entries} entries, inputs {done.inputs_hash}")
                click.echo(f"audit head {done.audit_head}")
                return
            until = now + timedelta(days=objection_days)
            freeze_month(context, month, by, now, settings, until)
            click.echo(
                f"{month} is a draft of settings {settings.version}; objections until {until:%F %R} UTC"
            )

        try:
            with_office(ctx, work)
        except MonthRefused as error:
            raise click.ClickException(str(error)) from None

    return command


@click.command("assess")
@click.option(
    "--inputs", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="CSV"
)
@click.option(
    "--settings", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="TOML"
)
@click.option("--json", "json_", is_flag=True, help="Exact fractions, for programs.")
def assess_command(inputs: Path, settings: Path, json_: bool) -> None:
    """Compute a month's table again from its exported inputs and settings. Needs no database."""
    try:
        of = recompute(read_inputs(inputs.read_bytes()), read_scoring(settings.read_text(encoding="utf-8")))
    except (BadInputs, BadSettings) as error:
        raise click.ClickException(
            f"{inputs if isinstance(error, BadInputs) else settings}: {error}"
        ) from None
    if json_:
        json.dump(as_json(of), sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        click.echo("\n".join(as_lines(of)))
