"""One database thread behind a queue: the telephone loop never waits for SQL, nothing is out of order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from callbacks.database import is_away

log = structlog.get_logger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

Job = Callable[[], Any]
Done = Callable[[Any], None]


class Writer:
    """Runs jobs one after another; their results are handed back in the thread that calls `deliver`.

    A job that meets an absent database is tried again until it's through, for as long as the writer lives.
    A job that fails otherwise is logged and dropped: it is a fault of ours.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._jobs: SimpleQueue[tuple[Job, Done | None] | None] = SimpleQueue()
        self._done: deque[tuple[Done, Any]] = deque()
        self._wake = wake
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Jobs that wait; a worker claims nothing more while this is long."""
        return self._jobs.qsize()

    def submit(self, job: Job, done: Done | None = None) -> None:
        """Queues `job`; `done` gets its result, in the loop's thread."""
        self._jobs.put((job, done))

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
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                result = self._attempt(job)
            except Exception:
                log.exception("write_failed")
                continue
            if done is not None:
                self._done.append((done, result))
                self._wake()

    def _attempt(self, job: Job) -> Any:
        pause = _FIRST_PAUSE
        while True:
            try:
                return job()
            except DBAPIError as error:
                if self._closing.is_set() or not is_away(error):
                    raise
                log.error("database_away", again_in=pause, error=type(error.orig).__name__)
            self._closing.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
