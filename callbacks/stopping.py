"""How a role learns that it should end: SIGTERM, SIGINT, or the death of its supervisor."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

PARENT_FD = "HUIFANG_PARENT_FD"


class Stop:
    """An order to end, given once; whoever waits elsewhere registers how it is woken."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._wakers: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """Gives the order; again changes nothing."""
        if not self._event.is_set():
            self._event.set()
            for wake in self._wakers:
                wake()

    def on_set(self, wake: Callable[[], None]) -> None:
        """`wake` is called in whichever thread gives the order."""
        self._wakers.append(wake)
        if self.is_set():
            wake()

    def wait(self, seconds: float) -> bool:
        """Waits at most `seconds`; True when the order was given."""
        return self._event.wait(seconds)


def stop_on_signals() -> Stop:
    """A Stop set by SIGTERM, SIGINT and, in a supervised role, by the supervisor's death."""
    stop = Stop()

    def order(_signal: int, _frame: FrameType | None) -> None:
        # Event.set takes a lock that the interrupted main thread may hold while it waits.
        threading.Thread(target=stop.set, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, order)
    if PARENT_FD in os.environ:
        _watch_parent(int(os.environ.pop(PARENT_FD)), stop)
    return stop


def _watch_parent(fd: int, stop: Stop) -> None:
    """The supervisor holds the other end of a pipe; however it dies, the pipe ends."""

    def watch() -> None:
        os.read(fd, 1)
        os.close(fd)
        stop.set()

    threading.Thread(target=watch, name="parent", daemon=True).start()
