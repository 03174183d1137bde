"""The watched folder: case files that stand still are imported, reported on and moved, each by one process.

Every step may be repeated: a process that dies before a file is moved leaves it to be imported again, which
changes nothing. A file that can't be read, or has rows that can't, raises an alarm; it blocks no other. While
the database is away files stay where they are.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import DBAPIError

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.database import is_away
from callbacks.folder_files import DONE, FAILED, FolderFiles
from callbacks.folder_settings import FolderSettings
from callbacks.intake import Report, import_cases, read_border
from callbacks.intake_files import UnreadableFile
from callbacks.service.core import Context
from callbacks.stopping import Stop

log = structlog.get_logger(__name__)

_LONGEST_SUBJECT = 80
_REST = timedelta(minutes=1)  # after the folder itself failed
_PATIENCE = 10.0


class _Stopped(Exception):
    """The role ends amidst a file: it stays ours, and whoever comes next adopts it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a file. `fault` says why it couldn't be read to its end."""

    name: str
    report: Report | None
    fault: str | None = None

    @property
    def bad_rows(self) -> int:
        return 0 if self.report is None else len({fault.line for fault in self.report.faults})

    def lines(self) -> Iterator[str]:
        """The report beside the file."""
        if self.fault is not None:
            yield f"{self.name}: NOT IMPORTED TO ITS END: {self.fault}"
            yield "Rows before the fault may have been stored. Mend the file and put it in again: what is"
            yield "stored already isn't changed by it."
        if self.report is not None:
            yield f"{self.name}: {self.report.rows} rows, {self.bad_rows} bad"
            yield from (f"{number} {word}" for word, number in sorted(self.report.done.items()))
            yield from (str(fault) for fault in self.report.faults)


class WatchedFolder:
    """One process's watch over a folder."""

    def __init__(
        self, ctx: Context, folder: Path, owner: str, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.files = FolderFiles(folder, owner)
        self._ctx, self._stopping = ctx, stopping
        self._not_before: datetime | None = None

    def look(self, now: datetime) -> list[Verdict]:
        """Imports what stands still, in order of name. An absent database leaves all as it is."""
        if self._not_before is not None and now < self._not_before:
            return []
        try:
            return self._look(now)
        except (DBAPIError, _Stopped) as error:
            if isinstance(error, DBAPIError) and not is_away(error):
                raise
            return []
        except OSError as error:  # no such folder, no space, no right
            self._not_before = now + _REST
            self._alarm(self.files.folder.name or "folder", now, fault=_words(error))
            return []

    def _look(self, now: datetime) -> list[Verdict]:
        self.files.open()
        still, ours = self.files.standing_still(), self.files.ours()
        if still or ours:
            read_border(self._ctx)  # away? then nothing is claimed
        verdicts = [self._take(path, now) for path in ours]
        for name in still:
            path = self.files.claim(name)
            if path is not None:
                verdicts.append(self._take(path, now))
        return [verdict for verdict in verdicts if verdict is not None]

    def _take(self, path: Path, now: datetime) -> Verdict | None:
        """Imported, reported, an alarm where there is something wrong, and only then moved."""
        before = self.files.look(path)
        verdict = self.import_file(path, now)
        if not self.files.unchanged(path, before):
            self.files.put_back(path)  # somebody still writes to it: it's imported again when it stands still
            return None
        if verdict.fault is not None or verdict.bad_rows:
            self._alarm(path.name, now, bad_rows=verdict.bad_rows, fault=verdict.fault or "")
        day = f"{now.astimezone(ZoneInfo(self._ctx.policy.windows.timezone)):%Y-%m-%d}"
        end = DONE if verdict.fault is None else FAILED
        moved = self.files.settle(path, end, day, "\n".join([*verdict.lines(), ""]))
        done = dict(verdict.report.done) if verdict.report else {}
        log.info("case_file", file=moved.name, end=end, bad_rows=verdict.bad_rows, **done)
        return verdict

    def import_file(self, path: Path, now: datetime) -> Verdict:
        """The import alone; DBAPIError goes up while the database is away."""
        try:
            return Verdict(path.name, import_cases(self._ctx, path, now, progress=self._go_on))
        except UnreadableFile as error:
            return Verdict(path.name, None, str(error).replace(str(path), path.name))
        except OSError as error:  # this file's alone: it mustn't block the others
            return Verdict(path.name, None, f"it can't be read: {_words(error)}")
        except _Stopped:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and is_away(error):
                raise
            log.exception("case_file_failed", file=path.name)
            return Verdict(path.name, None, f"a fault of ours, which is logged ({type(error).__name__})")

    def _go_on(self, _rows: int) -> None:
        if self._stopping():
            raise _Stopped

    def _alarm(self, subject: str, now: datetime, **detail: object) -> None:
        kind, subject = AlarmKind.INTAKE_FILE, subject[:_LONGEST_SUBJECT]
        self._ctx.run(lambda session: raise_alarm(session, kind, subject, now, **detail))


@contextmanager
def watching_folder(ctx: Context, settings: FolderSettings, stop: Stop) -> Iterator[None]:
    """Looks while the block runs, in a thread of its own: a long file holds up none of the clock's jobs."""
    if settings.folder is None:
        yield
        return
    owner = f"{os.uname().nodename[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
    watched = WatchedFolder(ctx, settings.folder, owner, stop.is_set)
    thread = threading.Thread(
        target=_run, args=(watched, settings.folder_seconds, stop), name="intake folder", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_PATIENCE)


def _run(watched: WatchedFolder, every: float, stop: Stop) -> None:
    try:
        while not stop.is_set():
            try:
                watched.look(datetime.now(UTC))
            except Exception:
                log.exception("intake_folder_failed")
            stop.wait(every)
    finally:
        watched.files.close()


def _words(error: OSError) -> str:
    """What the system says, without the path, which may be anybody's."""
    return error.strerror or type(error).__name__
