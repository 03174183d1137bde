"""`huifang cdr`: the call detail records, ASR and ACD, and a carrier's file held against ours."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import date, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from callbacks.cdr import MONEY, Record, Traffic
from callbacks.cdr_store import Wanted, read_cdr
from callbacks.cdr_traffic import TrafficRow, by_day, by_hour
from callbacks.commands import App
from callbacks.commands.cdr_days import span, tell_audit
from callbacks.commands.cdr_reconcile import reconcile_command
from callbacks.commands.ledger import DAY
from callbacks.database import make_read_sessions
from callbacks.service.core import Context

_COLUMNS = tuple(field.name for field in fields(Record))


def command() -> click.Group:
    """The group with its commands."""

    @click.group("cdr")
    def cdr() -> None:
        """Call detail records: what each trunk carried."""

    for each in (_export, _stats, reconcile_command):
        cdr.add_command(each)
    return cdr


_FROM = click.option("--from", "first", type=DAY, required=True, metavar="DAY", help="Like 2026-11-23.")
_TO = click.option("--to", "last", type=DAY, required=True, metavar="DAY", help="This day is in it.")


@click.command("export")
@_FROM
@_TO
@click.option("--trunk", help="This one alone.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--full-numbers", is_flag=True, help="Whole numbers; the audit keeps who asked for them.")
@click.pass_obj
def _export(app: App, first: date, last: date, trunk: str | None, form: str, full_numbers: bool) -> None:
    """Write one record a call leg: when it began, rang, was answered and ended, its codes and seconds."""

    def work(ctx: Context) -> None:
        start, end = span(ctx, first, last)
        if full_numbers:
            tell_audit(ctx, "export_cdr", first=str(first), last=str(last), trunk=trunk or "")
        whole = ctx.privacy.decrypt if full_numbers else None
        wanted = Wanted(start, end, trunk, whole=whole, increment=ctx.toll.billing_increment)
        with make_read_sessions(ctx.sessions.kw["bind"])() as session:
            (_write_csv if form == "csv" else _write_json)(read_cdr(session, wanted))

    app.with_context(work)


def _write_csv(records: Iterator[Record]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for record in records:
        told = record_json(record)
        writer.writerow([_cell(told[name]) for name in _COLUMNS])


def _cell(value: Any) -> Any:
    """A Call-ID is chosen by others: a spreadsheet is to show it, and not to run it."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@")):
        return f"'{value}"
    return "" if value is None else value


def _write_json(records: Iterator[Record]) -> None:
    for record in records:
        click.echo(json.dumps(record_json(record), ensure_ascii=False))


def record_json(record: Record) -> dict[str, Any]:
    """Stable words, times in UTC, the cost in money."""
    told: dict[str, Any] = {}
    for name in _COLUMNS:
        value = getattr(record, name)
        told[name] = value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
    told["cost"] = None if record.cost is None else record.cost / MONEY
    return told


@click.command("stats")
@_FROM
@_TO
@click.option("--by", "part", type=click.Choice(["day", "hour"]), default="day", show_default=True)
@click.option("--trunk", help="This one alone.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def _stats(app: App, first: date, last: date, part: str, trunk: str | None, as_json: bool) -> None:
    """Tell ASR (answered of all seizures) and ACD (mean talk) of each trunk, by local day or hour."""

    def work(ctx: Context) -> list[TrafficRow]:
        span(ctx, first, last)
        with make_read_sessions(ctx.sessions.kw["bind"])() as session:
            return list(_rows(session, ctx, first, last, part))

    rows = [row for row in app.with_context(work) if trunk in (None, row.trunk)]
    if as_json:
        click.echo(json.dumps([_row_json(row) for row in rows], ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(_lines(rows)))


def _rows(session: Session, ctx: Context, first: date, last: date, part: str) -> Iterator[TrafficRow]:
    read = by_day if part == "day" else by_hour
    return read(session, first, last, ctx.policy.windows.timezone)


def _lines(rows: list[TrafficRow]) -> Iterator[str]:
    wide = max((len(row.trunk) for row in rows), default=5)
    head = f"{'seizures':>8} {'answered':>8} {'ASR':>6} {'ACD s':>6} {'minutes':>8}"
    yield f"{'from':16} {'trunk':{wide}} way {head}"
    for row in rows:
        of = row.traffic
        yield (
            f"{row.begins:16} {row.trunk:{wide}} {row.direction.value:3} {of.seizures:8} {of.answered:8} "
            f"{_percent(of):>6} {_seconds(of):>6} {of.seconds / 60:8.1f}"
        )


def _percent(of: Traffic) -> str:
    return "—" if of.asr is None else f"{of.asr:.1%}"


def _seconds(of: Traffic) -> str:
    return "—" if of.acd is None else f"{of.acd:.1f}"


def _row_json(row: TrafficRow) -> dict[str, Any]:
    of = row.traffic
    return {
        "from": row.begins,
        "trunk": row.trunk,
        "direction": row.direction.value,
        "seizures": of.seizures,
        "answered": of.answered,
        "asr": of.asr,
        "acd_seconds": of.acd,
        "seconds": of.seconds,
    }
