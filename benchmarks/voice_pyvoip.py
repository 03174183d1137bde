"""pyVoIP as its documentation says, nothing of it changed: a thread a call answers, plays and asks for keys.

It is only called: its ACK to a 200 invents a To tag, so that what it dials never comes up here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.bridge_far_ends import HOST
from benchmarks.measuring import beside
from benchmarks.voice_line import PROMPT, Measured, told
from benchmarks.voice_plan import Plan
from tests.loopback_city import media_ports, sip_port

__all__ = ["pyvoip"]

_LINEAR = (PROMPT // 256 + 128).astype(np.uint8).tobytes()  # unsigned 8 bit, as its write_audio takes it
_LOOKS_EVERY = 0.1  # as its documentation's menus do
_PROMPT_SECONDS = len(_LINEAR) / 8000


@contextmanager
def pyvoip(plan: Plan, up: int, far_sip_port: int, core: int) -> Iterator[Measured]:
    port = sip_port()
    with beside(run_pyvoip, plan, port, far_sip_port, media_ports(2 * up + 20), core, wait=2) as (pid, pipe):
        told(pipe, 60)
        yield Measured((pid,), port, pipe)


def run_pyvoip(
    pipe: Connection, plan: Plan, port: int, far_sip_port: int, ports: tuple[int, int], core: int
) -> None:
    os.sched_setaffinity(0, {core})
    for stream in (1, 2):  # its debugging, and what its threads die of
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    calls = _Calls(plan)
    calls.open(port, far_sip_port, ports)
    pipe.send("registered")
    calls.start_at = pipe.recv() or 0.0
    if calls.start_at:
        time.sleep(max(0.0, calls.start_at + plan.over + 5.0 - time.monotonic()))
        pipe.send({"all_keys": plan.pressed(calls.keys)})
        pipe.recv()
    os._exit(0)  # its threads don't end


class _Calls:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.start_at = 0.0
        self.keys: dict[int, str] = {}

    def open(self, port: int, far_sip_port: int, ports: tuple[int, int]) -> None:
        from pyVoIP.VoIP import VoIPPhone

        self._phone = VoIPPhone(
            HOST,
            far_sip_port,
            "huifang",
            "",
            myIP=HOST,
            callCallback=self._called,
            sipPort=port,
            rtpPortLow=ports[0],
            rtpPortHigh=ports[1],
        )
        self._phone.start()
        time.sleep(1.5)  # it listens after a second

    def _called(self, call: Any) -> None:
        number = int(call.request.headers["From"]["number"].removeprefix("7"))
        call.answer()
        self.keys[number] = ""
        says_at = time.monotonic()
        while call.state.value == "ANSWERED":
            now = time.monotonic()
            if now >= says_at:
                says_at += _PROMPT_SECONDS
                call.write_audio(_LINEAR)
            self.keys[number] += call.get_dtmf()
            time.sleep(_LOOKS_EVERY)
