"""`huifang cdr reconcile`: a carrier's file held against our records; status 1 where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from callbacks.carrier_file import CarrierFormat, Fault, Reading, read_carrier, read_format
from callbacks.cdr import MONEY, Direction, Record
from callbacks.cdr_reconcile import Pair, Reconciliation, Rules, Sums, Theirs, reconcile
from callbacks.cdr_store import Wanted, read_cdr
from callbacks.commands import App
from callbacks.commands.cdr_days import span, tell_audit
from callbacks.commands.ledger import DAY
from callbacks.database import make_read_sessions
from callbacks.days import day_of
from callbacks.intake_files import UnreadableFile
from callbacks.numbers import mask, normalise
from callbacks.service.core import Context

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_AROUND = timedelta(hours=1)  # a call that began before midnight may be theirs of after it


@dataclass(frozen=True, slots=True)
class _Told:
    """What is printed. `whole`: numbers aren't masked."""

    found: Reconciliation
    faults: Sequence[Fault]
    zone: ZoneInfo
    whole: bool

    @property
    def is_same(self) -> bool:
        return self.found.is_same and not self.faults

    def number(self, number: str) -> str:
        return number if self.whole else mask(number)

    def time(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"


@click.command("reconcile")
@click.argument("file", type=_FILE)
@click.option("--trunk", required=True, help="Whose file it is.")
@click.option("--columns", "columns", type=_FILE, help="How the carrier writes, TOML: docs/cdr.md.")
@click.option(
    "--direction", type=click.Choice([d.value for d in Direction]), default="out", show_default=True
)
@click.option("--from", "first", type=DAY, metavar="DAY", help="Else the first day in the file.")
@click.option("--to", "last", type=DAY, metavar="DAY", help="Else the last day in the file.")
@click.option(
    "--tolerance-seconds", "tolerance", type=click.FloatRange(0, 3600), default=2.0, show_default=True
)
@click.option("--full-numbers", is_flag=True, help="Whole numbers; the audit keeps who asked for them.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def reconcile_command(
    click_ctx: click.Context,
    file: Path,
    trunk: str,
    columns: Path | None,
    direction: str,
    first: date | None,
    last: date | None,
    tolerance: float,
    full_numbers: bool,
    as_json: bool,
) -> None:
    """Hold a carrier's FILE of calls against ours: what both have, what one has alone, what differs.

    Status 1 where a record stands alone, a length differs beyond the tolerance, or a line can't be read.
    """
    app: App = click_ctx.obj

    def work(ctx: Context) -> _Told:
        timezone = ctx.policy.windows.timezone
        form = read_format(columns) if columns else CarrierFormat()
        reading = Reading(form, Direction(direction), ctx.office.area_code, timezone)
        read = list(read_carrier(file, reading))
        theirs = [each for each in read if isinstance(each, Theirs)]
        days = [day_of(each.started, timezone) for each in theirs]
        if not days and None in (first, last):
            why = next((f"; {each}" for each in read if isinstance(each, Fault)), "")
            raise UnreadableFile(f"{file}: no call in it that can be read{why}; give --from and --to")
        since, until = span(ctx, first or min(days), last or max(days))
        rules = _rules(ctx, form, since, until, tolerance)
        if full_numbers:
            tell_audit(ctx, "reconcile_cdr", trunk=trunk, first=str(first or min(days)), calls=len(theirs))
        found = reconcile(_ours(ctx, trunk, reading, rules), theirs, rules)
        faults = [each for each in read if isinstance(each, Fault)]
        return _Told(found, faults, ZoneInfo(timezone), full_numbers)

    try:
        told = app.with_context(work)
    except UnreadableFile as error:
        raise click.ClickException(str(error)) from None
    for fault in told.faults:
        click.echo(f"{file}: {fault}", err=True)
    if as_json:
        click.echo(json.dumps(_as_json(told), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(_lines(told)))
    click_ctx.exit(0 if told.is_same else 1)


def _rules(ctx: Context, form: CarrierFormat, since: datetime, until: datetime, tolerance: float) -> Rules:
    increment = form.increment or ctx.toll.billing_increment
    rounded_to = form.rounded_to(increment)
    return Rules(since, until, tolerance, form.starts_at, form.answered_only, increment, rounded_to)


def _ours(ctx: Context, trunk: str, reading: Reading, rules: Rules) -> list[Record]:
    """Ours, a little beyond both ends; with whole numbers in the form that theirs are brought to."""
    start, end = rules.since - _AROUND, rules.until + _AROUND
    wanted = Wanted(start, end, trunk, reading.direction, ctx.privacy.decrypt, rules.increment)
    with make_read_sessions(ctx.sessions.kw["bind"])() as session:
        records = list(read_cdr(session, wanted))
    return [replace(each, number=normalise(each.number, reading.area_code)) for each in records]


# -- as text


def _lines(told: _Told) -> Iterator[str]:
    found = told.found
    yield (
        f"{len(found.matched)} matched ({sum(p.by == 'call_id' for p in found.matched)} by Call-ID), "
        f"{len(found.differing)} of them differ; ours only {len(found.ours_only)}, "
        f"theirs only {len(found.theirs_only)}; {len(told.faults)} lines not read; "
        f"{len(found.not_expected)} of ours aren't expected in the file"
    )
    if found.clock_ahead is not None:
        yield f"their starts are {found.clock_ahead:+.1f} s from ours, in the middle"
    yield f"{'':10} {'calls':>7} {'seconds':>9} {f'billed by {found.rules.increment} s':>15} {'cost':>10}"
    ours, theirs = found.ours, found.theirs
    for name, sums in (("theirs", theirs), ("ours", ours), ("difference", _less(theirs, ours))):
        yield f"{name:10} {sums.calls:7} {sums.seconds:9} {sums.billed:15} {sums.cost / MONEY:10.2f}"
    for pair in found.differing:
        yield f"differs     {_pair_words(told, pair)}"
    for record in found.ours_only:
        yield f"ours only   {told.time(record.started)} {_ours_words(told, record)}"
    for theirs_one in found.theirs_only:
        yield f"theirs only {told.time(theirs_one.started)} {_theirs_words(told, theirs_one)}"


def _less(one: Sums, other: Sums) -> Sums:
    return Sums(
        one.calls - other.calls,
        one.seconds - other.seconds,
        one.billed - other.billed,
        one.cost - other.cost,
    )


def _ours_words(told: _Told, record: Record) -> str:
    seconds = "—" if record.seconds is None else record.seconds
    return f"{told.number(record.number)} {seconds} s {record.id} {record.sip_call_id or '—'}"


def _theirs_words(told: _Told, theirs: Theirs) -> str:
    return f"{told.number(theirs.number)} {theirs.seconds} s line {theirs.line} {theirs.sip_call_id or '—'}"


def _pair_words(told: _Told, pair: Pair) -> str:
    more = "our end isn't known" if pair.seconds_more is None else f"{pair.seconds_more:+} s"
    money = "" if not pair.cost_more else f", cost {pair.cost_more / MONEY:+.4f}"
    ours, theirs = pair.ours, pair.theirs
    known = "—" if ours.seconds is None else ours.seconds
    return (
        f"{told.time(ours.started)} {told.number(ours.number)} theirs {theirs.seconds} s "
        f"(line {theirs.line}), ours {known} s ({ours.id}): {more}{money}"
    )


# -- as JSON


def _as_json(told: _Told) -> dict[str, Any]:
    found = told.found
    return {
        "same": told.is_same,
        "matched": len(found.matched),
        "matched_by_call_id": sum(pair.by == "call_id" for pair in found.matched),
        "differing": [
            {
                "ours": _ours_json(told, pair.ours),
                "theirs": _theirs_json(told, pair.theirs),
                "seconds_more": pair.seconds_more,
                "cost_more": None if pair.cost_more is None else pair.cost_more / MONEY,
            }
            for pair in found.differing
        ],
        "ours_only": [_ours_json(told, each) for each in found.ours_only],
        "theirs_only": [_theirs_json(told, each) for each in found.theirs_only],
        "not_expected": [each.id for each in found.not_expected],
        "not_read": [{"line": f.line, "column": f.column, "fault": f.text} for f in told.faults],
        "clock_ahead_seconds": found.clock_ahead,
        "increment_seconds": found.rules.increment,
        "sums": {"ours": _sums(found.ours), "theirs": _sums(found.theirs)},
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "calls": sums.calls,
        "seconds": sums.seconds,
        "billed_seconds": sums.billed,
        "cost": sums.cost / MONEY,
    }


def _ours_json(told: _Told, record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "number": told.number(record.number),
        "started": record.started.isoformat(timespec="milliseconds"),
        "seconds": record.seconds,
        "sip_call_id": record.sip_call_id,
    }


def _theirs_json(told: _Told, theirs: Theirs) -> dict[str, Any]:
    return {
        "line": theirs.line,
        "number": told.number(theirs.number),
        "started": theirs.started.isoformat(timespec="milliseconds"),
        "seconds": theirs.seconds,
        "sip_call_id": theirs.sip_call_id,
        "cost": None if theirs.cost is None else theirs.cost / MONEY,
    }
