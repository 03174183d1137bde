"""`huifang flow`: checks flows, shows them as text and as a picture, and holds one at the terminal."""

from __future__ import annotations

import os
import select
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ivr.flow_data import Flow
from ivr.flow_load import FLOWS, FlowError, load_flow
from ivr.flow_svg import svg_of
from ivr.flow_text import text_of
from prompts.catalogue import load_catalogue

__all__ = ["command"]


def command() -> click.Group:
    """The group, for the command line that it is added to."""

    @click.group()
    def flow() -> None:
        """The dialogues on the telephone: check, show, run."""

    for each in (check, show, run):
        flow.add_command(each)
    return flow


def _named(name: str) -> Flow:
    """A shipped flow by its name, or one of a file by its path."""
    path = Path(name) if name.endswith(".toml") else FLOWS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in FLOWS.glob("*.toml")))
        raise click.ClickException(f"no flow is named {name!r}; there is {known}, or give a file.toml")
    try:
        return load_flow(path, load_catalogue())
    except FlowError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check flows' FILES: each fault as file:line: node: what. Status 1 where there is one."""
    faulty = False
    for path in files:
        try:
            loaded = load_flow(path, load_catalogue())
        except FlowError as error:
            faulty = True
            click.echo("\n".join(error.faults), err=True)
        else:
            click.echo(f"{path}: {loaded.name}, version {loaded.version}, {len(loaded.nodes)} nodes")
    if faulty:
        raise SystemExit(1)


@click.command()
@click.argument("name")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write the picture to this file."
)
def show(name: str, svg: Path | None) -> None:
    """Show the flow NAME (or FILE.toml): who hears what, and which keys lead where."""
    flow = _named(name)
    click.echo(text_of(flow, load_catalogue()), nl=False)
    if svg is not None:
        try:
            svg.write_text(svg_of(flow, load_catalogue(), alone=True), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{svg}: {error.strerror}") from None


@click.command()
@click.argument("name")
@click.option("--cases", type=click.IntRange(0, 3), default=1, show_default=True, help="Cases of the call.")
@click.option("--round", "turn", type=click.IntRange(1, 3), default=1, show_default=True)
@click.option(
    "--category", default="water", show_default=True, help="Of the cases; '' speaks the date alone."
)
@click.option("--in-hours", is_flag=True, help="A person is there.")
@click.option("--may-record", is_flag=True, help="Messages may be left.")
@click.option(
    "--wall", is_flag=True, help="By the wall clock: prompts take their time, silence is waited for."
)
@click.option("--lang", type=click.Choice(["zh-CN", "en"]), default="zh-CN", show_default=True)
def run(
    name: str, cases: int, turn: int, category: str, in_hours: bool, may_record: bool, wall: bool, lang: str
) -> None:
    """Hold the flow NAME (or FILE.toml) here: the terminal is the keypad. No telephone is needed."""
    from ivr.flow_run import HELP, run_flow  # brings the audio's libraries: no other command needs them

    flow, today = _named(name), datetime.now().astimezone()
    case = {"month": today.month, "day": today.day, "category": category or None, "round": turn}
    variables: dict[str, Any] = {"cases": [case] * cases, "in_hours": in_hours, "may_record": may_record}
    click.echo(HELP)
    run_flow(flow, variables, load_catalogue(), lang, _Typed().line, click.echo, wall=wall)


class _Typed:
    """Lines of the terminal."""

    def __init__(self) -> None:
        self._waiting = b""

    def line(self, seconds: float | None) -> str | None:
        """The next one, within `seconds`: "" where none came, None at the end of the input."""
        if seconds is None:
            click.echo("> ", nl=False)
            line = sys.stdin.readline()
            return line.strip() if line else None
        if b"\n" not in self._waiting and select.select([sys.stdin], [], [], seconds)[0]:
            octets = os.read(sys.stdin.fileno(), 4096)
            if not octets and not self._waiting:
                return None
            self._waiting += octets or b"\n"
        if b"\n" not in self._waiting:
            return ""
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.decode(errors="replace").strip()
