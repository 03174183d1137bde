"""Calls with a prompt one way, RTP echoed the other and three keys each: our line, pyVoIP and Asterisk.

`make bench-voice`. One process, on the first core, carries the calls, half of them dialled and half taken,
with RTCP and without recording; the far end is another process on the last core, which takes the kernel's
time of every packet's arrival. CPU is the measured process's own, user and system, set-ups included.
A row is marked broken where a call failed, a packet or a key was lost, or packets are late: |gap - 20 ms|
of 5 ms or more in the 99th percentile. What the machine's host gave to others meanwhile is told, in percent
of a core: while it does, nobody keeps time.

`HUIFANG_ASTERISK` names the root folder of a Debian with the package asterisk (entered by chroot, as root);
`HUIFANG_BENCH_ROWS` chooses rows by their names, `*` in them for anything, separated by semicolons; the
others' results stay as they were.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.asterisk import asterisk_folder, version  # noqa: E402
from benchmarks.measuring import beside, open_files, resident, scheduling, stolen, used  # noqa: E402
from benchmarks.voice_asterisk import asterisk  # noqa: E402
from benchmarks.voice_far_end import FarOrder, run_far_end  # noqa: E402
from benchmarks.voice_far_media import SOCKETS  # noqa: E402
from benchmarks.voice_goals import judged  # noqa: E402
from benchmarks.voice_line import Measured, NotUp, our_line, told  # noqa: E402
from benchmarks.voice_plan import Plan, ramped, steady  # noqa: E402
from benchmarks.voice_pyvoip import pyvoip  # noqa: E402
from tests.loopback_city import media_ports  # noqa: E402

SECONDS = float(os.environ.get("HUIFANG_BENCH_SECONDS", "20"))
LONG = 2 * SECONDS  # of the calls that all stay up
CHOSEN = [name for name in os.environ.get("HUIFANG_BENCH_ROWS", "").split(";") if name]
CORES = sorted(os.sched_getaffinity(0))
LATE_MS = 5.0
Engine = Callable[[Plan, int, int, int], AbstractContextManager[Measured]]


@dataclass(frozen=True)
class Row:
    """`up` calls at once by `plan`; `after` are the numbers of begun calls after which memory is read."""

    engine: Engine
    up: int
    plan: Plan
    after: tuple[int, ...] = ()


def rows(folder: Path | None) -> dict[str, Row]:
    """No machine is listened for but in the row that says so: `[voice] machine = "off"`."""
    listening = partial(our_line, machine=True)
    found = {
        "ours, 50": Row(our_line, 50, steady(50, 10.0, SECONDS)),
        "ours, 200": Row(our_line, 200, steady(200, 10.0, SECONDS)),
        "ours, 800": Row(our_line, 800, ramped(800, 40.0, LONG)),
        "ours, 1600": Row(our_line, 1600, ramped(1600, 40.0, LONG)),
        "ours, 200, listens for machines": Row(
            listening, 200, steady(200, 10.0, SECONDS, ways="out", keys_from=0.85)
        ),
        "ours, 100 set-ups/s": Row(our_line, 400, steady(400, 4.0, 3 * SECONDS)),
        "ours, 200, strangers": Row(our_line, 200, steady(200, 10.0, SECONDS / 2, strangers=5000)),
        "ours, 20000 calls": Row(our_line, 200, steady(200, 2.0, 10 * SECONDS - 4), (6000, 20000)),
        "pyVoIP, 50": Row(pyvoip, 50, steady(50, 10.0, SECONDS, ways="in")),
        "pyVoIP, 200": Row(pyvoip, 200, steady(200, 10.0, SECONDS, ways="in")),
    }
    if folder:
        found["Asterisk, 200"] = Row(partial(asterisk, folder), 200, steady(200, 10.0, SECONDS))
    return found


def run(row: Row) -> dict[str, Any]:
    order = FarOrder(row.plan, media_ports(SOCKETS), CORES[-1])
    with beside(run_far_end, order) as (_, far):
        far_sip_port = far.recv()
        with row.engine(row.plan, row.up, far_sip_port, CORES[0]) as who:
            files = sum(map(open_files, who.pids))
            start_at = time.monotonic() + 1.0
            far.send((who.port, start_at))
            who.pipe.send(start_at)
            cpu = measure(row, start_at, who.pids)
            found = told(far, row.plan.over + 60)
            heard = told(who.pipe, 60)
            files = sum(map(open_files, who.pids)) - files
    return row_of(row, cpu, found, heard) | {"files_left": files}


def measure(row: Row, start_at: float, pids: tuple[int, ...]) -> dict[str, float]:
    """CPU within the window, and memory after so many calls."""
    moments: list[tuple[float, str]] = [(at, "cpu") for at in row.plan.window]
    moments += [(row.plan.begin(number), "memory") for number in row.after]
    spent, memory, gone = [], [], []
    for at, what in sorted(moments):
        time.sleep(max(0.0, start_at + at - time.monotonic()))
        if what == "cpu":
            spent.append(np.sum([used(pid) for pid in pids], axis=0))
            gone.append(stolen())
        else:
            memory.append(sum(map(resident, pids)))
    user, system, _ = (float(each) for each in spent[1] - spent[0])
    first, last = row.plan.window
    told = {"user": user, "system": system}
    told["stolen_percent"] = round(100 * (gone[1] - gone[0]) / (last - first), 1)
    if memory:
        told["resident_mb"] = round(memory[0] / 1e6, 1)
        told["resident_growth_percent"] = round(100 * (memory[-1] / memory[0] - 1), 1)
    return told


def row_of(row: Row, cpu: dict[str, float], found: dict[str, Any], heard: dict[str, Any]) -> dict[str, Any]:
    plan, seconds = row.plan, max(found.pop("call_seconds"), 1.0)
    set_ups = list(found.pop("set_up_ms").values())
    user, system = cpu.pop("user"), cpu.pop("system")
    window = plan.window[1] - plan.window[0]
    all_keys = heard.pop("all_keys")
    failed = found.pop("failed") + heard.pop("faults", [])
    return {
        "cpu_ms_per_call_second": round(1000 * (user + system) / seconds, 3),
        "of_it_system": round(1000 * system / seconds, 3),
        "core_percent": round(100 * (user + system) / window),
        "up": round(seconds / window),
        "calls": plan.calls,
        "all_keys": all_keys,
        **({"set_up_p99_ms": round(float(np.percentile(set_ups, 99)), 2)} if set_ups else {}),
        **found,
        **cpu,
        **heard,
        "failed": len(failed),
        "faults": failed[:3],
        "broken": bool(
            all_keys < plan.calls
            or failed
            or found["lost"] + found["skipped"]
            or found.get("gap_p99_ms", LATE_MS) >= LATE_MS
        ),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def main() -> None:
    folder = asterisk_folder()
    show({**{name: name for name in SHOWN.values()}, "name": ""})
    target = ROOT / "benchmarks/results/voice.json"
    done = json.loads(target.read_text(encoding="utf-8"))["rows"] if CHOSEN and target.exists() else {}
    for name, row in rows(folder).items():
        if not CHOSEN or any(fnmatch(name, each) for each in CHOSEN):
            try:
                done[name] = run(row)
            except (NotUp, EOFError) as error:
                print(f"{name}: {error or 'a process died'}", flush=True)
                continue
            show({"name": name, **done[name]})
    goals = judged(done)
    for goal in goals:
        reached = {True: "reached", False: "NOT REACHED", None: "-"}[goal["reached"]]
        print(f"{reached:12} {goal['goal']}: {goal['figure']}")
    report = {
        "command": "make bench-voice",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "scheduling": scheduling(),
        "asterisk": version(folder) if folder else "not given",
        "seconds": SECONDS,
        "goals": goals,
        "rows": done,
    }
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


SHOWN = {
    "cpu_ms_per_call_second": "CPU ms",
    "core_percent": "core %",
    "up": "up",
    "frames": "frames",
    "lost": "lost",
    "skipped": "skipped",
    "gap_p99_ms": "p99 ms",
    "gap_p999_ms": "p99.9 ms",
    "calls": "calls",
    "all_keys": "all keys",
    "set_up_p99_ms": "set-up ms",
    "far_end_core_percent": "far core %",
    "stolen_percent": "stolen %",
    "broken": "broken",
}


def show(cells: dict[str, Any]) -> None:
    """A line of the table; CPU is of a call-second."""
    shown = (f"{cells.get(each, cells.get(head, ''))!s:>10}" for each, head in SHOWN.items())
    print(f"{cells['name']:32}", *shown, flush=True)


if __name__ == "__main__":
    main()
