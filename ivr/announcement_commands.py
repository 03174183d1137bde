"""`huifang announcements list | check | match`: what carriers say before a call fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import click

from ivr.announcement_folder import AnnouncementFolder, read_announcements, read_sound
from ivr.media.announcements import LEAST_SECONDS
from ivr.media.early import KEPT
from prompts.recording_faults import BadRecording
from prompts.sound import RATE

__all__ = ["command"]


class App(Protocol):
    """What the command line gives: `click.pass_obj` hands it over."""

    def announcement_folder(self) -> Path | None:
        """The configured city's folder; None without a configuration."""


_folder = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The announcements; else those of the configured city.",
)


def command() -> click.Group:
    """The group."""

    @click.group("announcements")
    def announcements() -> None:
        """What carriers say before a call fails, and what it means."""

    for each in (_list, _check, _match):
        announcements.add_command(each)
    return announcements


@click.command("list")
@_folder
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def _list(app: App, folder: Path | None, as_json: bool) -> None:
    """Each announcement: its meaning, seconds, seconds of sound, and the one most like it."""
    found = _read(app, folder)
    rows = [
        {
            "name": each.announcement.name,
            "meaning": each.announcement.meaning.value,
            "seconds": round(each.seconds, 1),
            "sounds": round(each.sounds, 1),
            "most_like": each.nearest.announcement.name if each.nearest else None,
            "alike": round(each.nearest.seconds, 1) if each.nearest else 0.0,
        }
        for each in found.recordings
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        like = f"  {row['alike']} s as in {row['most_like']}" if row["most_like"] else ""
        click.echo(f"{row['meaning']:14}{row['seconds']:>7} s{row['sounds']:>7} s  {row['name']}{like}")


@click.command("check")
@_folder
@click.pass_obj
def _check(app: App, folder: Path | None) -> None:
    """Name each file that is wrong, and each that is hardly told from another; exit 1 where one is wrong."""
    found = _read(app, folder)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    for fault in found.faults:
        click.echo(fault, err=True)
    click.echo(f"{len(found.recordings)} announcements, {len(found.faults)} faults")
    if found.faults:
        raise SystemExit(1)


@click.command("match")
@_folder
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def _match(app: App, folder: Path | None, file: Path) -> None:
    """Say which announcement is heard in the last 8 s of FILE, as a call would that failed after it."""
    known = _read(app, folder).announcements
    try:
        heard = read_sound(file)[-round(KEPT * RATE) :]
    except (BadRecording, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    match = known.match(heard)
    click.echo(f"{match.announcement.meaning}: {match.announcement.name}" if match else "none is certain")
    for each in known.heard(heard):
        click.echo(f"{each.seconds:5.1f} s, {each.differs:.0%} differs  {each.announcement.name}")
    if match is None:
        click.echo(f"{LEAST_SECONDS} s of one are needed, and clearly less of any that means something else")
        raise SystemExit(1)


def _read(app: App, folder: Path | None) -> AnnouncementFolder:
    folder = folder or app.announcement_folder()
    if folder is None:
        raise click.ClickException("which folder? Name it by --folder, or the settings by --config FILE")
    return read_announcements(folder)
