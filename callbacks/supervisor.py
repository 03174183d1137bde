"""Starts and watches one child process per role; a child that dies is started again, its leases settled."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from callbacks.stopping import PARENT_FD, Stop

log = structlog.get_logger(__name__)

_POLL = 0.1
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY = 30.0  # a child that lived this long starts again at once
# numpy's linear algebra wakes a thread for each core even for a product of a millisecond, and waits for it.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


@dataclass
class _Child:
    role: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    start_at: float = field(default=0.0)


class Supervisor:
    """Runs `commands` (role → argv). `on_death(role, pid)` is told of each child that ended unasked.

    The children hold the read end of a pipe whose write end is ours: when we die, however, they see its end
    and stop (`callbacks.stopping`).
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        on_death: Callable[[str, int], None],
        *,
        drain_seconds: float = 20.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._children = [_Child(role, command) for role, command in commands.items()]
        self._on_death = on_death
        self._drain = drain_seconds
        self._environment = dict(os.environ if environment is None else environment)
        self._read_end, self._write_end = os.pipe()

    def run(self, stop: Stop) -> None:
        """Until `stop` is set; then SIGTERM to all, and SIGKILL to whoever is left after the drain."""
        try:
            while not stop.is_set():
                for child in self._children:
                    self._look_after(child)
                stop.wait(_POLL)
        finally:
            self._end_all()
            os.close(self._read_end)
            os.close(self._write_end)

    def pids(self) -> dict[str, int]:
        """The living children's process ids."""
        return {c.role: c.process.pid for c in self._children if c.process and c.process.poll() is None}

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child, now)
            return
        status = child.process.poll()
        if status is None:
            return
        pid, child.process = child.process.pid, None
        if now - child.started >= _STEADY:
            child.pause = _FIRST_PAUSE
        child.start_at = now + child.pause
        log.error("role_died", role=child.role, pid=pid, status=status, again_in=child.pause)
        child.pause = min(2 * child.pause, _LONGEST_PAUSE)
        self._on_death(child.role, pid)

    def _start(self, child: _Child, now: float) -> None:
        environment = {**_ONE_THREAD, **self._environment, PARENT_FD: str(self._read_end)}
        # A session of its own: Ctrl-C reaches us alone, and we tell the children in order.
        child.process = subprocess.Popen(
            child.command, env=environment, pass_fds=[self._read_end], start_new_session=True
        )
        child.started = now
        log.info("role_started", role=child.role, pid=child.process.pid)

    def _end_all(self) -> None:
        processes = [child.process for child in self._children if child.process is not None]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._drain
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("role_killed", pid=process.pid, after=self._drain)
                process.kill()
                process.wait()
