"""Real child processes: started again when they die, drained on SIGTERM, ended with their supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from callbacks.stopping import Stop
from callbacks.supervisor import Supervisor

# A role that tells its pid, and on the order to stop says goodbye.
OBEDIENT = """
import os, sys
from callbacks.stopping import stop_on_signals
stop = stop_on_signals()
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while not stop.wait(0.1): pass
open(sys.argv[1], "a").write("goodbye\\n")
"""
DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def wait_for(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def is_alive(pid: int) -> bool:
    """Whether the process runs; a dead one that nobody waited for doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Running:
    """A supervisor in a thread."""

    def __init__(self, program: str, told: Path, drain: float = 5.0) -> None:
        self.deaths: list[tuple[str, int]] = []
        self.stop = Stop()
        command = [sys.executable, "-c", program, str(told)]
        supervisor = Supervisor({"role": command}, self._died, drain_seconds=drain)
        self.thread = threading.Thread(target=supervisor.run, args=(self.stop,))
        self.thread.start()

    def _died(self, role: str, pid: int) -> None:
        self.deaths.append((role, pid))

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


def test_a_child_that_dies_is_started_again_and_its_death_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    running = Running(OBEDIENT, told)
    wait_for(lambda: len(lines(told)) == 1)
    first = int(lines(told)[0])
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(lines(told)) == 2)
    assert running.deaths == [("role", first)]
    running.end()
    assert lines(told)[-1] == "goodbye"


def test_a_deaf_child_is_killed_when_the_drain_is_over(tmp_path: Path) -> None:
    told = tmp_path / "told"
    running = Running(DEAF, told, drain=0.3)
    wait_for(lambda: len(lines(told)) == 1)
    running.end()
    assert not is_alive(int(lines(told)[0]))


def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = f"""
import sys
from callbacks.stopping import Stop
from callbacks.supervisor import Supervisor
child = {OBEDIENT!r}
Supervisor({{"role": [sys.executable, "-c", child, sys.argv[1]]}}, lambda *_: None).run(Stop())
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program, str(told)], stderr=subprocess.DEVNULL)
    wait_for(lambda: len(lines(told)) == 1)
    child = int(lines(told)[0])
    assert is_alive(child)
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: not is_alive(child))
    assert lines(told)[-1] == "goodbye"
