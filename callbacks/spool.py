"""What citizens did while the database was away: appended, fsynced, played in later, in order, once.

One process holds a file (flock); the files of dead processes are taken over at the next start. A record is
a JSON object, encrypted on the disk: it holds numbers and words of citizens. Whoever plays it in must take
a record twice without harm: a kill between its storing and the mark that it's done brings it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from callbacks.database import is_away
from callbacks.privacy import KeyFileError, Privacy

log = structlog.get_logger(__name__)

Record = dict[str, Any]
MOST_BYTES = 64 * 2**20


class SpoolRefused(Exception):
    """Nothing can be kept: the disk is full or read-only, or the spool has its most bytes."""


class SpoolBusy(Exception):
    """Another living process holds the file."""


class Spool:
    """One file of records. Any thread may use it."""

    def __init__(self, path: Path, privacy: Privacy, most_bytes: int = MOST_BYTES) -> None:
        self.path, self._privacy, self._most = path, privacy, most_bytes
        self._mark = path.with_suffix(".played")
        self._lock = threading.RLock()
        self._file: int | None = None
        self._size = self._played = 0
        if path.exists():
            self._open()

    @property
    def waiting(self) -> bool:
        """Whether something is yet to be played in: what comes now belongs behind it."""
        return self._played < self._size

    def append(self, record: Record) -> None:
        """On the disk when it returns; SpoolRefused when it can't be."""
        line = self._privacy.encrypt(json.dumps(record, ensure_ascii=False)).encode() + b"\n"
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                raise SpoolRefused(f"{self.path}: {error.strerror or error}") from error

    def play(self, store: Callable[[Record], None]) -> int:
        """Hands the records to `store` in their order and returns how many went through.

        What `store` raises ends it; the record stays the first. A record that can't be read is kept aside.
        """
        with self._lock:
            number = 0
            for line in self._lines():
                record = self._read(line)
                if record is not None:
                    store(record)
                    number += 1
                self._advance(len(line))
            if self._played:
                self._clear()
            return number

    def done(self) -> None:
        """The first record was stored by other means."""
        with self._lock:
            for line in self._lines():
                self._advance(len(line))
                break
            if not self.waiting:
                self._clear()

    def set_aside(self, record: Record) -> None:
        """Keeps a record that the database refused for a reason of its own, for a person to look at."""
        self._keep_aside(self._privacy.encrypt(json.dumps(record, ensure_ascii=False)).encode() + b"\n")

    def close(self) -> None:
        """Lets go of the file; an empty one is removed."""
        with self._lock:
            if self._file is None:
                return
            if not self.waiting:
                with contextlib.suppress(OSError):
                    self.path.unlink()
                    self._mark.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    # -- the file

    def _open(self) -> int:
        if self._file is not None:
            return self._file
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise SpoolBusy(str(self.path)) from error
        self._file, self._size = file, os.fstat(file).st_size
        _sync_folder(self.path.parent)
        self._cut_torn_line(file)
        self._played = self._read_mark()
        return file

    def _cut_torn_line(self, file: int) -> None:
        """A line without its end was never promised to anybody."""
        whole = os.pread(file, self._size, 0).rfind(b"\n") + 1
        if whole < self._size:
            os.ftruncate(file, whole)
            self._size = whole

    def _read_mark(self) -> int:
        try:
            played = int(self._mark.read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return played if played <= self._size else 0  # the file was cleared, its mark not yet

    def _write(self, line: bytes) -> None:
        file = self._open()
        if self._size + len(line) > self._most:
            raise OSError(f"holds its most, {self._most} bytes")
        try:
            if os.pwrite(file, line, self._size) < len(line):
                raise OSError("no space left")
            os.fsync(file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._size)
            raise
        self._size += len(line)

    def _lines(self) -> Iterator[bytes]:
        if self.waiting and self._file is not None:
            rest = os.pread(self._file, self._size - self._played, self._played)
            yield from rest.splitlines(keepends=True)

    def _read(self, line: bytes) -> Record | None:
        try:
            record = json.loads(self._privacy.decrypt(line.decode().strip()))
        except (KeyFileError, ValueError):
            log.exception("spool_unreadable", file=str(self.path))
            self._keep_aside(line)
            return None
        return record if isinstance(record, dict) else None

    def _advance(self, number: int) -> None:
        """Not fsynced: an older mark after a crash brings records again, which does no harm."""
        self._played += number
        with contextlib.suppress(OSError):  # a disk that is full: likewise
            self._mark.write_text(str(self._played))

    def _clear(self) -> None:
        if self._file is None or self.waiting:
            return
        os.ftruncate(self._file, 0)
        self._size = self._played = 0
        with contextlib.suppress(OSError):
            self._mark.unlink(missing_ok=True)

    def _keep_aside(self, line: bytes) -> None:
        with self.path.with_suffix(".aside").open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def own_spool(folder: Path, role: str, privacy: Privacy, most_bytes: int = MOST_BYTES) -> Spool:
    """This process's spool of `role`; its file is made when something has to be kept."""
    return Spool(folder / f"{role}-{os.getpid()}.spool", privacy, most_bytes)


def play_in(spool: Spool, store: Callable[[Record], object]) -> int:
    """Plays the spool in; DBAPIError when the database is away. What `store` refuses is set aside."""

    def store_or_set_aside(record: Record) -> None:
        try:
            store(record)
        except Exception as error:
            if isinstance(error, DBAPIError) and is_away(error):
                raise
            log.exception("spool_record_refused", file=str(spool.path))
            spool.set_aside(record)

    return spool.play(store_or_set_aside)


def play_orphans(folder: Path, role: str, privacy: Privacy, store: Callable[[Record], object]) -> int:
    """Plays in what `role`'s dead processes left, the oldest first."""
    number = 0
    for path in sorted(folder.glob(f"{role}-*.spool"), key=lambda path: path.stat().st_mtime):
        try:
            spool = Spool(path, privacy)
        except SpoolBusy:
            continue
        try:
            number += play_in(spool, store)
        finally:
            spool.close()
    return number


def waiting_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Bytes and records by role that are yet to be played in, of living and dead processes.

    Read beside their owners, without a lock: a figure may be of a moment ago.
    """
    found: dict[str, tuple[int, int]] = {}
    for path in sorted(folder.glob("*-*.spool")):
        role = path.stem.rpartition("-")[0]
        with contextlib.suppress(OSError):
            rest = _rest_of(path)
            size, records = found.get(role, (0, 0))
            found[role] = (size + len(rest), records + rest.count(b"\n"))
    return found


def _rest_of(path: Path) -> bytes:
    try:
        played = int(path.with_suffix(".played").read_text())
    except (FileNotFoundError, ValueError):
        played = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(played if played <= size else 0)
        return file.read()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
