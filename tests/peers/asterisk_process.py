"""Asterisk in the folder of HUIFANG_ASTERISK, a Debian with the package asterisk: entered by chroot, as root.

Who starts it gives its modules and the files that configure them; where it keeps its own is told here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asterisk", "Unusable", "asterisk_folder", "asterisk_home", "running_asterisk"]

_PROGRAM = "/usr/sbin/asterisk"
_FILES = {
    "asterisk.conf": """[directories]
astetcdir => {inside}
astmoddir => {modules}
astvarlibdir => /var/lib/asterisk
astdbdir => {inside}
astkeydir => {inside}
astdatadir => /usr/share/asterisk
astspooldir => {inside}
astrundir => {inside}
astlogdir => {inside}
[options]
nocolor = yes
maxfiles = 8192
""",
    "modules.conf": "[modules]\nautoload = no\n{loads}",
    "logger.conf": "[general]\n[logfiles]\nmessages => notice,warning,error\n",
}


class Unusable(Exception):
    """Why the folder that was given can't be used."""


@dataclass(frozen=True)
class Home:
    """Where its files are, from outside; `inside` is how itself names that folder."""

    folder: Path
    path: Path

    @property
    def inside(self) -> str:
        return f"/{self.path.relative_to(self.folder)}"

    @property
    def command(self) -> list[str]:
        return ["chroot", str(self.folder), _PROGRAM, "-C", f"{self.inside}/asterisk.conf"]


@dataclass(frozen=True)
class Asterisk:
    process: subprocess.Popen[bytes]
    home: Home

    def told(self, command: str) -> str:
        """What its console answers; CalledProcessError while it has none."""
        console = [*self.home.command, "-rx", command]
        said = subprocess.run(console, capture_output=True, check=True, text=True, timeout=20).stdout
        assert "No such command" not in said, (said, self.log)
        return said

    @property
    def log(self) -> str:
        return "\n".join(
            each.read_text(errors="replace")
            for each in (self.home.path / "output", self.home.path / "messages")
            if each.exists()
        )


def asterisk_folder() -> Path | None:
    """The folder that was given; None where none was. Unusable."""
    given = os.environ.get("HUIFANG_ASTERISK")
    if not given:
        return None
    folder = Path(given)
    if not (folder / _PROGRAM.lstrip("/")).exists():
        raise Unusable(f"HUIFANG_ASTERISK: there is no {_PROGRAM[1:]} in {folder}")
    if os.geteuid() != 0:
        raise Unusable("HUIFANG_ASTERISK: a chroot takes root")
    return folder


@contextmanager
def asterisk_home(folder: Path) -> Iterator[Home]:
    """A folder for the files of one run, which goes with it."""
    (folder / "tmp").mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="huifang-", dir=folder / "tmp"))
    path.chmod(0o755)
    try:
        yield Home(folder, path)
    finally:
        shutil.rmtree(path)


@contextmanager
def running_asterisk(
    home: Home, modules: Sequence[str], files: Mapping[str, str], before: Sequence[str] = ()
) -> Iterator[Asterisk]:
    """Started, not yet ready; `before` is a command that starts it. `files` are written into its home."""
    where = next((home.folder / "usr/lib").glob("**/asterisk/modules"))
    names = {
        "inside": home.inside,
        "modules": f"/{where.relative_to(home.folder)}",
        "loads": "".join(f"load = {name}.so\n" for name in modules),
    }
    for name, text in _FILES.items():
        (home.path / name).write_text(text.format(**names), encoding="utf-8")
    for name, text in files.items():
        (home.path / name).write_text(text, encoding="utf-8")
    with (home.path / "output").open("wb") as output:
        process = subprocess.Popen(
            [*before, *home.command, "-f"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield Asterisk(process, home)
    finally:
        process.terminate()
        process.wait(20)
