"""A process that is measured: started beside this one on a core of its own, its CPU read from outside."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["beside", "open_files", "resident", "scheduling", "stolen", "used"]


@contextmanager
def beside(target: object, *arguments: object, wait: float = 20) -> Iterator[tuple[int, Connection]]:
    """`target(pipe, *arguments)` in a new process: its id and our end of the pipe.

    At the end it's told None, and has `wait` seconds to end by itself.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments))  # type: ignore[arg-type]
    process.start()
    theirs.close()
    try:
        yield process.pid or 0, ours
    finally:
        with contextlib.suppress(BrokenPipeError):
            ours.send(None)
        process.join(wait)
        if process.is_alive():
            process.terminate()
        process.join()


def used(pid: int) -> tuple[float, float, float]:
    """CPU seconds of a process, user and system (what getrusage tells), and how often it was preempted."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    switches = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        told = dict(line.split(":\t", 1) for line in status.read_text(encoding="ascii").splitlines())
        switches += int(told["nonvoluntary_ctxt_switches"])
    return int(fields[11]) / tick, int(fields[12]) / tick, switches


def resident(pid: int) -> int:
    """Its memory in octets."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def stolen() -> float:
    """CPU seconds that the machine's host gave to others, of all cores, since it started (proc(5))."""
    fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def scheduling() -> str:
    """How this run was favoured over whatever else the machine did, and how much that was."""
    policy = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_FIFO: "SCHED_FIFO"}.get(
        os.sched_getscheduler(0), "other"
    )
    group = Path("/proc/self/autogroup")
    favoured = group.read_text(encoding="ascii").split()[-1] if group.exists() else "0"
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{policy}, nice {os.nice(0)}, nice of its group {favoured}; load averages {busy}"
