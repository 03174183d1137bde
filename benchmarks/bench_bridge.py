"""Bridged calls by our line beside a bare relay of their packets, and by Asterisk where it's given.

`make bench-bridge`: 200 callers ring in by SIP, an operator is rung for each, `line.bridge` joins them. One
process on the first core carries all 400 legs with RTCP, one on the last core is all the telephones. For
SECONDS while all are up:

- CPU of the carrying process, user and system, per bridged call and second;
- the delay between two telephones, frame by frame, both ways. Goal: p99 under 25 ms;
- frames lost, gaps filled with silence, and every key.

`HUIFANG_ASTERISK` names the root folder of a Debian with the package asterisk (entered by chroot, as root).
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.asterisk import asterisk_folder, version  # noqa: E402
from benchmarks.bridge_asterisk import asterisk  # noqa: E402
from benchmarks.bridge_engines import Carrier, NotUp, bare_relay, our_line  # noqa: E402
from benchmarks.bridge_far_ends import PHASES, Order, run_far_ends  # noqa: E402
from benchmarks.measuring import beside, scheduling, used  # noqa: E402
from ivr.events import Codec  # noqa: E402
from tests.loopback_city import media_ports  # noqa: E402

BRIDGES = int(os.environ.get("HUIFANG_BENCH_BRIDGES", "200"))
SECONDS = float(os.environ.get("HUIFANG_BENCH_SECONDS", "20"))
SETTLE = 5.0
CORES = sorted(os.sched_getaffinity(0))
GOALS = {"delay_p99_ms": "under 25 on our line", "keys": "each is received, once and in order"}
LAWS: dict[str, tuple[Codec, Codec]] = {"A-law": ("pcma", "pcma"), "A-law to mu-law": ("pcma", "pcmu")}
QUANTILES = {
    "delay_p50_ms": 50,
    "delay_p95_ms": 95,
    "delay_p99_ms": 99,
    "delay_p999_ms": 99.9,
    "delay_max_ms": 100,
}
KINDS = (("A-law", False), ("A-law to mu-law", False), ("A-law", True))  # with keys pressed, or without
COUNTED = ("frames", "lost", "out_of_order", "gaps", "spoilt", "rtcp_received")
SHOWN = ("cpu_ms_per_call_second", "to_relay", *QUANTILES, "lost", "gaps", "keys")


@contextmanager
def far_ends(laws: tuple[Codec, Codec], presses: bool) -> Iterator[tuple[Any, int, list[int]]]:
    """The pipe to the telephones, their SIP port and each one's media port."""
    order = Order(BRIDGES, laws, presses, media_ports(PHASES + 4), CORES[-1])
    with beside(run_far_ends, order) as (_, pipe):
        yield pipe, *pipe.recv()


def run(engine: str, laws: str, presses: bool) -> dict[str, Any]:
    """One row: bridges up, SECONDS of them measured."""
    with (
        far_ends(LAWS[laws], presses) as (pipe, sip_port, ports),
        carrier_of(engine, sip_port, ports) as carrier,
    ):
        pipe.send(carrier.orders)
        carrier.up(60)
        time.sleep(SETTLE)
        began = used(carrier.pid)
        pipe.send(("measure", SECONDS))
        time.sleep(SECONDS)
        ended = used(carrier.pid)
        found = pipe.recv()
    if "failed" in found:
        raise NotUp(f"calls failed: {found['failed']}")
    return row(found, *(after - before for after, before in zip(ended, began, strict=True)))


def carrier_of(engine: str, sip_port: int, ports: list[int]) -> AbstractContextManager[Carrier]:
    if engine == "bare relay":
        return bare_relay(ports, CORES[0])
    if engine == "asterisk" and (folder := asterisk_folder()) is not None:
        return asterisk(folder, BRIDGES, sip_port, CORES[0])
    return our_line(BRIDGES, sip_port, CORES[0])


def row(found: dict[str, Any], user: float, system: float, preempted: float) -> dict[str, Any]:
    calls = BRIDGES * SECONDS
    delays = 1000 * np.array(found["delays"])
    pressed, received = found["keys_pressed"], found["keys_received"]
    right = sum(len(one) for one, other in zip(pressed, received, strict=True) if one == other)
    return {
        "cpu_ms_per_call_second": round(1000 * (user + system) / calls, 2),
        "of_it_system": round(1000 * system / calls, 2),
        **{name: round(float(np.percentile(delays, share)), 1) for name, share in QUANTILES.items()},
        **{
            name: found[name]
            for name in ("frames", "lost", "out_of_order", "gaps", "spoilt", "rtcp_received")
        },
        "keys": f"{right} of {sum(map(len, pressed))}",
        "preempted_a_second": round(preempted / SECONDS, 1),
        "far_ends_core_percent": round(100 * found["far_ends_cpu"]),
    }


def main() -> None:
    folder = asterisk_folder()
    rows = {"bare relay": run("bare relay", "A-law", presses=False)}
    show("", {name: name.removesuffix("_ms") for name in SHOWN})
    show("bare relay", rows["bare relay"])
    kinds = [("ours", *kind) for kind in KINDS]
    if folder:
        kinds += [("asterisk", *kind) for kind in KINDS if kind[0] == "A-law"]
    for engine, laws, presses in kinds:
        name = f"{engine}, {laws}" + (", keys" if presses else "")
        try:
            rows[name] = run(engine, laws, presses)
        except NotUp as error:
            rows[name] = {"failed": str(error)}
            print(f"{name}: {error}", flush=True)
            continue
        cpu, least = (rows[each]["cpu_ms_per_call_second"] for each in (name, "bare relay"))
        rows[name]["to_relay"] = round(cpu / least, 2)
        show(name, rows[name])
    print("Asterisk:", version(folder) if folder else "not given", "| goals:", json.dumps(GOALS))
    report = {
        "command": "make bench-bridge",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "scheduling": scheduling(),
        "bridges": BRIDGES,
        "seconds": SECONDS,
        "goals": GOALS,
        "asterisk": version(folder) if folder else "not given",
        "rows": rows,
    }
    target = ROOT / "benchmarks/results/bridge.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def show(name: str, cells: dict[str, Any]) -> None:
    shown = (str(cells.get(each, "")).replace("cpu_ms_per_call_second", "CPU ms") for each in SHOWN)
    print(f"{name:26}", *(f"{cell:>12}" for cell in shown), flush=True)


if __name__ == "__main__":
    main()
