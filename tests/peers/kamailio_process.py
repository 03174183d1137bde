"""Kamailio in a folder of a test's own, in the foreground, with what little memory a test needs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.peers import need


@contextmanager
def running_kamailio(
    configuration: Path, module: str = "tm.so"
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process, which may not listen yet, and its log beside the configuration. It needs `module`."""
    program = shutil.which("kamailio") or "/usr/sbin/kamailio"
    modules = [*Path("/usr/lib").glob(f"*/kamailio/modules/{module}")]
    need(f"Kamailio with {module}", Path(program).exists() and bool(modules))
    folder = configuration.parent
    log = folder / "kamailio.log"
    command = [program, "-DD", "-E", "-f", str(configuration), "-Y", str(folder), "-w", str(folder)]
    command += ["-m", "64", "-M", "8"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
        try:
            yield process, log
        finally:
            process.terminate()
            process.wait(20)
