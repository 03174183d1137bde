"""The far end of the voice benchmark, in a process of its own: `voice_far_media` and `voice_far_sip`."""

from __future__ import annotations

import gc
import os
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import structlog

from benchmarks.bridge_far_ends import HOST
from benchmarks.voice_far_media import FarMedia
from benchmarks.voice_far_sip import FarSip
from benchmarks.voice_plan import Plan
from ivr.media.ports import PortPool
from ivr.sip.hop import Hop

__all__ = ["FarOrder", "run_far_end"]

_GRACE = 8.0  # seconds after the plan's end that calls have to come to theirs
_TICK = 0.001


@dataclass(frozen=True)
class FarOrder:
    """`ports` are the first and the last of the media sockets."""

    plan: Plan
    ports: tuple[int, int]
    core: int


def run_far_end(pipe: Connection, order: FarOrder) -> None:
    """Tells its SIP port; is told (port of who is measured, monotonic start); tells what it found."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    os.sched_setaffinity(0, {order.core})
    plan = order.plan
    media = FarMedia(plan, PortPool(HOST, *order.ports))
    sip = FarSip(plan, media)
    pipe.send(sip.port)
    while not pipe.poll():  # who is measured may want to register
        sip.turn(time.monotonic())
        time.sleep(_TICK)
    if (told := pipe.recv()) is None:
        return
    port, start_at = told
    media.start_at = sip.start_at = start_at
    media.stranger_aim, sip.to = (HOST, port), Hop(HOST, port)
    gc.freeze()
    gc.disable()
    between = [start_at + at for at in plan.window]
    offset = time.time_ns() - time.monotonic_ns()
    busy: list[float] = []
    over = start_at + plan.over + _GRACE
    now = time.monotonic()
    while now < over and not (now > start_at + plan.over and sip.idle):
        now = time.monotonic()
        media.turn(now)
        sip.turn(now)
        if len(busy) < 2 and now >= between[len(busy)]:
            busy.append(_cpu())
        if int(now * 1000) % 64 == 0:
            media.read_reports()
        time.sleep(max(0.0, now + _TICK - time.monotonic()))
    media.read_reports()
    first, last = (int(at * 1e9) + offset for at in between)
    pipe.send(
        {
            **media.arrivals.found(first, last),
            "call_seconds": sum(_overlap(call.up_at, call.down_at, between) for call in media.calls.values()),
            "came_up": len(media.calls),
            "failed": sip.failed,
            "set_up_ms": sip.set_up_ms,
            "rtcp_received": media.reports,
            "echo_lost": sum(max(0, lost) for lost in media.echo_lost.values()),
            "strangers": media.strange,
            "far_end_dropped": media.dropped,
            "far_end_not_sent": media.not_sent,
            "far_end_core_percent": round(100 * (busy[1] - busy[0]) / (between[1] - between[0])),
        }
    )
    media.close()
    sip.close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _overlap(up_at: float, down_at: float, between: list[float]) -> float:
    return max(0.0, min(down_at, between[1]) - max(up_at, between[0]))
