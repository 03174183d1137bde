"""One database thread behind a queue: the telephone loop never waits for SQL, nothing is out of order."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from callbacks.database import is_away
from callbacks.spool import Record, Spool, SpoolRefused

log = structlog.get_logger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LOOK = 0.5

Job = Callable[[], Any]
Done = Callable[[Any], None]
Tell = Callable[[int, bool], None]


@dataclass
class _Item:
    """A job, whom to tell, and what must survive us if it can't be written now."""

    job: Job
    done: Done | None
    record: Record | None
    spooled: bool = False


class Writer:
    """Runs jobs one after another; their results are handed back in the thread that calls `deliver`.

    A job that meets an absent database is tried again until it's through, for as long as the writer lives;
    while it waits, the records of all jobs that wait are in the spool, so that a kill loses none of them.
    A job that fails otherwise is logged and dropped: it is a fault of ours; its record is set aside.
    When what waited is written, `tell` hears how many records did, and whether the spool refused any.
    """

    def __init__(
        self, wake: Callable[[], None], spool: Spool | None = None, tell: Tell | None = None
    ) -> None:
        self._jobs: SimpleQueue[_Item | None] = SimpleQueue()
        self._waiting: deque[_Item | None] = deque()
        self._done: deque[tuple[Done, Any]] = deque()
        self._wake, self._spool, self._tell = wake, spool, tell
        self._waited, self._refused = 0, False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Jobs that wait; a worker claims nothing more while this is long."""
        return self._jobs.qsize() + len(self._waiting)

    def submit(self, job: Job, done: Done | None = None, record: Record | None = None) -> None:
        """Queues `job`; `done` gets its result, in the loop's thread. `record` says what the job writes."""
        self._jobs.put(_Item(job, done, record))

    def deliver(self) -> None:
        """Calls what waits for the results that are there."""
        while self._done:
            done, result = self._done.popleft()
            done(result)

    def close(self, seconds: float) -> bool:
        """Writes what is queued, for at most `seconds`; False when something was left unwritten."""
        self._jobs.put(None)
        self._thread.join(seconds)
        self._closing.set()
        if self._thread.is_alive():
            return False
        if self._spool is not None:
            self._spool.close()
        return True

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                result = self._attempt(item)
            except Exception as error:
                if self._closing.is_set():
                    log.error("unwritten", error=type(error).__name__, kept=item.record is not None)
                else:
                    log.exception("write_failed")
                self._end(item, failed=True)
                continue
            self._end(item, failed=False)
            self._tell_what_waited()
            if item.done is not None:
                self._done.append((item.done, result))
                self._wake()

    def _next(self) -> _Item | None:
        return self._waiting.popleft() if self._waiting else self._jobs.get()

    def _attempt(self, item: _Item) -> Any:
        pause = _FIRST_PAUSE
        while True:
            try:
                return item.job()
            except DBAPIError as error:
                if self._closing.is_set() or not is_away(error):
                    raise
                log.error("database_away", again_in=pause, error=type(error.orig).__name__)
            self._keep(item)
            self._wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _wait(self, seconds: float) -> None:
        """Sleeps; what is queued meanwhile is kept too."""
        for waiting in self._waiting:
            self._keep(waiting)
        end = time.monotonic() + seconds
        while not self._closing.is_set() and (left := end - time.monotonic()) > 0:
            with contextlib.suppress(Empty):
                item = self._jobs.get(timeout=min(left, _LOOK))
                self._waiting.append(item)
                self._keep(item)

    def _keep(self, item: _Item | None) -> None:
        if item is None or item.record is None or item.spooled or self._spool is None:
            return
        try:
            self._spool.append(item.record)
        except SpoolRefused as error:
            self._refused = True
            log.critical("spool_refused", reason=str(error))
        else:
            item.spooled = True
            self._waited += 1

    def _tell_what_waited(self) -> None:
        """Once, when the last of it is through."""
        if self._tell is None or not (self._waited or self._refused):
            return
        if self._spool is not None and self._spool.waiting:
            return
        try:
            self._tell(self._waited, self._refused)
        except DBAPIError as error:  # away again: told with what comes next
            log.error("database_away", error=type(error.orig).__name__)
        except Exception:  # this thread must live
            log.exception("tell_failed")
        else:
            self._waited, self._refused = 0, False

    def _end(self, item: _Item, *, failed: bool) -> None:
        if self._spool is None or item.record is None:
            return
        if failed and self._closing.is_set():
            self._keep(item)  # the next process plays it in
            return
        if failed:
            self._spool.set_aside(item.record)
        if item.spooled:
            self._spool.done()
