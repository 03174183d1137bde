"""The files of a watched folder: which stand still, which are ours, where they go. Nothing is ever deleted.

A file is claimed by a rename into `working/OWNER/`, which only one process can do; OWNER is locked (flock)
while its process lives, so that another may adopt what a dead one left. When it has been dealt with, it goes
to `done/DAY/` or `failed/DAY/`, beside its report. No name is overwritten: the report is created anew, or
another name is taken for both.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WORKING, DONE, FAILED = "working", "done", "failed"
REPORT = ".report.txt"
_UNFINISHED = frozenset({".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp", ".lock"})
_LONGEST_NAME = 230  # bytes: a number and the report's ending fit behind it


@dataclass(frozen=True, slots=True)
class Look:
    """What tells whether a file has changed since."""

    size: int
    mtime_ns: int
    inode: int


class FolderFiles:
    """The folder as one process sees it; `close` gives up the claim on `working/OWNER`."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.folder = folder
        self._mine = folder / WORKING / owner
        self._lock: int | None = None
        self._before: dict[str, Look] = {}

    def open(self) -> None:
        """Makes our place in `working/`; OSError where the folder isn't there or can't be written."""
        if self._lock is not None:
            return
        self._mine.parent.mkdir(exist_ok=True)  # the folder itself isn't made: a mount may be missing
        lock = _locked(_lock_of(self._mine))
        if lock is None:
            raise OSError(f"{self._mine} is held by another process")
        self._lock = lock
        self._mine.mkdir(exist_ok=True)

    def close(self) -> None:
        """What is still ours may be adopted from now on."""
        if self._lock is None:
            return
        _give_up(self._mine)
        os.close(self._lock)
        self._lock = None

    def standing_still(self) -> list[str]:
        """The names whose files are as they were at the look before, in order."""
        now = dict(_files(self.folder))
        still = sorted(name for name, look in now.items() if self._before.get(name) == look)
        self._before = now
        return still

    def claim(self, name: str) -> Path | None:
        """Our own path of the file; None when it's gone, no plain file, or was changed in this moment."""
        ours = self._mine / name
        if ours.exists():  # left from before: first this one
            return None
        expected = self._before.get(name)
        try:
            (self.folder / name).rename(ours)
        except FileNotFoundError:
            return None  # another process was quicker
        if _look(ours) != expected:
            self.put_back(ours)
            return None
        return ours

    def ours(self) -> list[Path]:
        """What we claimed before and haven't dealt with, and what dead processes left, in order."""
        for other in self._others():
            self._adopt(other)
        return sorted(self._mine / name for name, _ in _files(self._mine))

    def unchanged(self, path: Path, since: Look | None) -> bool:
        """Whether nobody wrote to it meanwhile: a writer may hold it open across our rename."""
        return _look(path) == since

    def look(self, path: Path) -> Look | None:
        return _look(path)

    def put_back(self, path: Path) -> None:
        """Where it came from, unless another file has that name now: then it stays ours."""
        with contextlib.suppress(OSError):  # a file system without links: it stays ours too
            os.link(path, self.folder / path.name, follow_symlinks=False)
            path.unlink()  # its other name stays

    def settle(self, path: Path, end: str, day: str, report: str) -> Path:
        """Moves the file to `end`/`day` beside its report, which is on the disk before it."""
        place = self.folder / end / day
        place.mkdir(parents=True, exist_ok=True)
        for name in _names(path.name):
            if (place / name).exists():
                continue
            try:
                _write_new(place / f"{name}{REPORT}", report, path.stat().st_mode)
            except FileExistsError:
                continue
            return path.rename(place / name)
        raise AssertionError("unreachable")

    def _others(self) -> Iterator[Path]:
        for place in sorted(self._mine.parent.iterdir()):
            if place != self._mine and place.is_dir() and not place.is_symlink():
                yield place

    def _adopt(self, other: Path) -> None:
        """Takes what a dead process left; one that lives holds its lock."""
        lock = _locked(_lock_of(other))
        if lock is None:
            return
        try:
            with contextlib.suppress(FileNotFoundError):  # it ended well in this moment
                for name in sorted(name for name, _ in _files(other)):
                    if not (self._mine / name).exists():
                        (other / name).rename(self._mine / name)
            _give_up(other)
        finally:
            os.close(lock)


def _files(folder: Path) -> Iterator[tuple[str, Look]]:
    """Plain files with a name that can be told; no links, nothing hidden, nothing half written."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_wanted(entry.name) and (look := _look(Path(entry.path))) is not None:
                yield entry.name, look


def _is_wanted(name: str) -> bool:
    if name.startswith((".", "~")) or name.endswith("~") or not name.isprintable():
        return False
    return len(os.fsencode(name)) <= _LONGEST_NAME and Path(name).suffix.lower() not in _UNFINISHED


def _look(path: Path) -> Look | None:
    """None for what is no plain file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Look(found.st_size, found.st_mtime_ns, found.st_ino)


def _lock_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.lock")


def _give_up(place: Path) -> None:
    """An empty place is taken away with its lock; one with files waits for whoever adopts it."""
    with contextlib.suppress(OSError):
        place.rmdir()
        _lock_of(place).unlink()


def _locked(path: Path) -> int | None:
    """A locked descriptor of `path`; None while a living process holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _names(name: str) -> Iterator[str]:
    """`cases.csv`, `cases.2.csv`, `cases.3.csv` …"""
    yield name
    stem, suffix = Path(name).stem, Path(name).suffix
    number = 2
    while True:
        yield f"{stem}.{number}{suffix}"
        number += 1


def _write_new(path: Path, text: str, mode: int) -> None:
    """A file that wasn't there, readable by whoever may read the one that it tells of."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, stat.S_IMODE(mode) & 0o666)
        os.fsync(descriptor)
