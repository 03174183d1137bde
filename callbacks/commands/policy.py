"""`huifang policy`: what holds, what would, and why a case is asked as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from callbacks.case_explained import CaseExplained, case_lines, explain_case
from callbacks.commands import App
from callbacks.explain_json import explanation_json
from callbacks.explain_terms import Language
from callbacks.open_callbacks import snapshot
from callbacks.policy_toml import PolicyRefused, policy_schema, write_policy
from callbacks.preflight import Comparison
from callbacks.preflight_report import comparison_json, comparison_lines
from callbacks.preflight_run import compare
from callbacks.service.core import Context
from callbacks.service.policy_versions import (
    NewPolicy,
    PolicyChanged,
    Version,
    checked,
    list_versions,
    newest_number,
    save_policy,
)
from callbacks.settings import PolicySettings

T = TypeVar("T")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def command() -> click.Group:
    """The group with its commands."""

    @click.group("policy")
    def policy() -> None:
        """Who is asked when, how often, and why."""

    for each in (_explain, _show, _schema, _check, _preflight, _save):
        policy.add_command(each)
    return policy


@click.command("explain")
@click.argument("case")
@click.option("--at", "at", metavar="TIME", help="As it would be then, local time: 2026-11-23T10:00.")
@click.option("--lang", type=click.Choice(["zh-CN", "en"]), default="en", show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def _explain(app: App, case: str, at: str | None, lang: Language, as_json: bool) -> None:
    """Why CASE is asked as it is: each decision with its reason, and what was decided before."""

    def work(ctx: Context) -> tuple[CaseExplained | None, str]:
        zone = ctx.policy.windows.timezone
        with ctx.sessions() as session:
            return explain_case(ctx, session, case, _moment(at, zone)), zone

    found, zone = app.with_context(work)
    if found is None:
        raise click.ClickException(f"no case has the number {case!r}")
    click.echo(_as_json(_case_json(found)) if as_json else "\n".join(case_lines(found, lang, zone)).rstrip())


def _moment(at: str | None, timezone: str) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        given = datetime.fromisoformat(at)
    except ValueError:
        raise click.BadParameter(f"{at!r} is no time; e.g. 2026-11-23T10:00", param_hint="--at") from None
    return (given if given.tzinfo else given.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


def _case_json(found: CaseExplained) -> dict[str, Any]:
    return {
        "case": found.number,
        "callbacks": [
            {
                "closing_no": each.closing_no,
                "round": each.round,
                "state": each.state.value,
                "since": each.state_since.isoformat(timespec="seconds"),
                "now": None if each.now is None else explanation_json(each.now, found.masked),
                "together": each.together,
                "past": [
                    {
                        "at": past.at.isoformat(timespec="seconds"),
                        "trigger": past.trigger.value,
                        "from": past.before.value,
                        "to": past.after.value,
                        "detail": past.detail,
                    }
                    for past in each.past
                ],
            }
            for each in found.callbacks
        ],
    }


@click.command("show")
@click.pass_obj
def _show(app: App) -> None:
    """Print the policy that holds, as TOML, with who saved it when and why."""

    def work(ctx: Context) -> tuple[PolicySettings, Version | None]:
        with ctx.sessions() as session:
            return ctx.policy, next(iter(list_versions(session, 1)), None)

    policy, version = app.with_context(work)
    if version is None:
        click.echo("# version 0: the settings' own")
    else:
        click.echo(
            f"# version {version.number}, {version.at:%Y-%m-%d %H:%M}Z, {version.by}: {version.reason}"
        )
    click.echo(write_policy(policy), nl=False)


@click.command("schema")
def _schema() -> None:
    """Print the JSON Schema of the [policy] section."""
    click.echo(json.dumps(policy_schema(), ensure_ascii=False, indent=1))


@click.command("check")
@click.argument("file", type=_FILE)
@click.pass_obj
def _check(app: App, file: Path) -> None:
    """Check the [policy] section of FILE; each fault with its key and what would be right."""
    _checked(app, file, app.policy())
    click.echo("the policy is right")


@click.command("preflight")
@click.argument("file", type=_FILE)
@click.option("--lines", type=click.IntRange(1), help="Lines for callbacks; else those of the database.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def _preflight(app: App, file: Path, lines: int | None, as_json: bool) -> None:
    """What FILE's policy would come to for the open callbacks, hour by hour, beside the one that holds."""

    def work(ctx: Context) -> Comparison:
        wanted = _checked(app, file, ctx.policy)
        with ctx.sessions() as session:
            seen = snapshot(ctx, session, datetime.now(UTC), lines)
        return compare(seen, ctx.policy, wanted)

    found = app.with_context(work)
    click.echo(_as_json(comparison_json(found)) if as_json else "\n".join(comparison_lines(found)))


@click.command("save")
@click.argument("file", type=_FILE)
@click.option("--reason", required=True, help="Why; kept with the version.")
@click.option("--by", required=True, help="Who decided it.")
@click.option("--instead-of", type=click.IntRange(0), help="The version it is meant to replace.")
@click.pass_obj
def _save(app: App, file: Path, reason: str, by: str, instead_of: int | None) -> None:
    """Make the [policy] section of FILE the policy of every role, at once and without a restart."""
    text, scale = _text(file), app.survey_scale()

    def work(ctx: Context) -> Version:
        with ctx.sessions() as session:
            number = newest_number(session) if instead_of is None else instead_of
        return save_policy(ctx, NewPolicy(text, reason, by, number), scale, datetime.now(UTC))

    version = _named(file, lambda: app.with_context(work))
    click.echo(f"version {version.number} holds")


def _checked(app: App, file: Path, held: PolicySettings) -> PolicySettings:
    text = _text(file)
    return _named(file, lambda: checked(text, held, app.survey_scale(), datetime.now(UTC)))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise click.ClickException(f"{file}: not UTF-8") from None


def _named(file: Path, work: Callable[[], T]) -> T:
    """What is wrong is told by the file's name, a line a fault."""
    try:
        return work()
    except PolicyRefused as error:
        raise click.ClickException("\n".join(f"{file}: {fault}" for fault in error.faults)) from None
    except PolicyChanged as error:
        raise click.ClickException(str(error)) from None


def _as_json(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1)
