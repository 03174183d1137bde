"""Databases for tests: a migrated SQLite file to copy, and a PostgreSQL cluster of the run's own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from callbacks.database import make_engine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_IN_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30  # octets, for the files of a whole run: it keeps what belongs to tests that failed


def folder_in_memory() -> Path | None:
    """Where files don't wait for a disk, if there is room: a run makes and drops thousands of databases."""
    if not os.access(_IN_MEMORY, os.W_OK):
        return None
    return _IN_MEMORY if shutil.disk_usage(_IN_MEMORY).free >= _ROOM else None


def postgresql_programs() -> Path | None:
    """The folder with initdb and postgres, where Debian or the PATH has one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


def _as_server_user() -> dict[str, object]:
    """PostgreSQL refuses to run as root; there its own user runs it."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def postgresql_cluster(programs: Path, *, fsync: bool = False, port: int = 0) -> Iterator[str]:
    """A cluster on a free loopback port or the one told, as an URL without a database; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="huifang-pg-"))
    who = _as_server_user()
    if who:
        os.chown(folder, int(str(who["user"])), int(str(who["group"])))
    data, port = folder / "data", port or free_port()
    run = partial(subprocess.run, check=True, cwd=folder, stdout=subprocess.DEVNULL, **who)
    run([programs / "initdb", "-D", data, "-U", "huifang", "-A", "trust", "-E", "UTF8", "--no-sync"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c max_connections=60"
    options += "" if fsync else " -c fsync=off"
    log = folder / "log"
    run([programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://huifang@127.0.0.1:{port}"
    finally:
        run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster_commands(url: str) -> Iterator[Callable[[str], None]]:
    """Tells a cluster what belongs to no database, such as to make one; over one connection."""
    engine = make_engine(f"{url}/postgres")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:

        def tell(statement: str) -> None:
            connection.exec_driver_sql(statement)

        yield tell
    engine.dispose()
