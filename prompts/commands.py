"""`huifang prompts list | check | render | import`: what a city's calls say, and in whose voice."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click

from prompts.catalogue import LANGUAGES
from prompts.checking import check_prompts
from prompts.importing import Prepared, import_folder
from prompts.levelling import LEVEL_SPAN
from prompts.listing import PromptRow, list_prompts
from prompts.place import PromptPlace
from prompts.render import DEMO_OFFICE, render_tree
from prompts.sound import LEVEL_DBOV
from prompts.speech import ENGINES, open_speech
from prompts.store import PromptStore


class App(Protocol):
    """What the command line gives: `click.pass_obj` hands it over."""

    def prompt_place(self) -> PromptPlace | None:
        """Where the configured city's prompts are; None without a configuration."""


def command() -> click.Group:
    """The group."""

    @click.group("prompts")
    def prompts() -> None:
        """What calls say: speech as it's shipped, and a city's own recordings over it."""

    for each in (_list, _check, _render, _import):
        prompts.add_command(each)
    return prompts


_language = click.option(
    "--lang", "language", type=click.Choice(LANGUAGES), help="Of one language alone; else the city's, or all."
)


@click.command("list")
@_language
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def _list(app: App, language: str | None, as_json: bool) -> None:
    """Each prompt with its language, voice, seconds, level (dBov), peak (dBFS) and text."""
    rows = [(place.language, row) for place in _places(app, language) for row in list_prompts(place)]
    if as_json:
        click.echo(json.dumps([_as_json(lang, row) for lang, row in rows], ensure_ascii=False, indent=1))
        return
    for lang, row in rows:
        figures = "".join(f"{_figure(each):>8}" for each in (row.seconds, row.level, row.peak))
        stale = "stale" if row.stale else ""
        click.echo(f"{row.piece.id:20} {lang:6}{row.origin:10}{figures} {stale:6} {row.piece.text}")


@click.command("check")
@_language
@click.pass_obj
def _check(app: App, language: str | None) -> None:
    """Name every fault of the prompts as callers hear them; exit 1 where there is one."""
    number = 0
    for place in _places(app, language):
        checked = check_prompts(place)
        for note in checked.notes:
            click.echo(f"{place.language}: note: {note}", err=True)
        for fault in checked.faults:
            click.echo(f"{place.language}: {fault}", err=True)
        number += len(checked.faults)
        click.echo(f"{place.language}: {len(place.pieces())} prompts, {len(checked.faults)} faults")
    if number:
        raise SystemExit(1)


@click.command("render")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="espeak-ng", show_default=True)
@click.pass_obj
def _render(app: App, engine: str) -> None:
    """Render the speech whose text changed, and the name of the configured office."""
    speech = open_speech(engine)
    try:
        for line in render_tree(speech):
            click.echo(line)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    if (place := app.prompt_place()) is not None:
        store = PromptStore(place.language, recordings=place.recordings, made=place.made)
        store.ensure_office(place.office, speech)
        click.echo(f"{place.language}: {place.office} is there")


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--by", help="Who hands them in; else your login.")
@click.pass_obj
def _import(app: App, folder: Path, by: str | None) -> None:
    """Take the recordings in FOLDER: WAV, MP3 or M4A files named by their prompt, as `list` shows them.

    The good ones are used from the next call on; each that isn't is named with the reason, changes nothing
    and makes the exit code 1.
    """
    place = app.prompt_place()
    if place is None or place.recordings is None:
        raise click.ClickException("recordings isn't set: name a folder for them in the --config file")
    who = (by or f"cli:{getpass.getuser()}")[:80]
    try:
        outcome = import_folder(place, folder, who, datetime.now(UTC))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    for name, taken in outcome.taken.items():
        click.echo(f"{name}: {_taken(taken)}")
    for name, reason in sorted(outcome.refused.items()):
        click.echo(f"{folder / name}: refused: {reason}", err=True)
    click.echo(f"{len(outcome.taken)} taken into {place.recordings}, {len(outcome.refused)} refused")
    if outcome.refused:
        raise SystemExit(1)


def _places(app: App, language: str | None) -> Iterable[PromptPlace]:
    """The city's; what is shipped where there is no city, or another language is asked for."""
    city = app.prompt_place()
    if city is not None and language in (None, city.language):
        return [city]
    wanted = LANGUAGES if language is None else (language,)
    return [replace(PromptPlace(), language=lang, office=DEMO_OFFICE[lang]) for lang in wanted]


def _figure(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"


def _as_json(language: str, row: PromptRow) -> dict[str, object]:
    who = row.recording
    return {
        "id": row.piece.id,
        "language": language,
        "text": row.piece.text,
        "origin": row.origin.value,
        "seconds": row.seconds,
        "level": row.level,
        "peak": row.peak,
        "stale": row.stale,
        "recorded_by": who.by if who else None,
        "recorded_at": who.at if who else None,
    }


def _taken(taken: Prepared) -> str:
    found = taken.recording
    told = f"taken as {taken.piece.id}: {found.seconds} s, {found.level:.1f} dBov, peak {found.peak:.1f} dBFS"
    if not found.limited:
        return told
    return f"{told}; {LEVEL_DBOV:.0f} ± {LEVEL_SPAN:.0f} dBov can't be reached for the peak of its set"
