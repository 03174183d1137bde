"""What carries the bridges: our line as the inbound role uses it, and the least that could (a bare relay)."""

from __future__ import annotations

import gc
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

import structlog

from benchmarks.bridge_far_ends import HOST
from benchmarks.measuring import beside
from ivr.events import Answered, Ended, Incoming
from ivr.line import Dial
from ivr.media.ports import need_descriptors, udp_socket
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import media_ports

__all__ = ["Carrier", "NotUp", "bare_relay", "our_line"]


class NotUp(Exception):
    """The bridges didn't come up, so there is nothing to be measured; the message says what came instead."""


@dataclass(frozen=True)
class Carrier:
    """The process to be measured; what far ends are told; `up` waits so many seconds until all is bridged."""

    pid: int
    orders: tuple[str, object]
    up: Callable[[float], None]


@contextmanager
def our_line(bridges: int, far_sip_port: int, core: int) -> Iterator[Carrier]:
    first, last = media_ports(2 * bridges + 20)
    trunk = TrunkSettings(name="city", host=HOST, port=far_sip_port, lines=2000, caller_number="037963110110")
    settings = VoiceSettings(
        sip_port=0, rtp_port_min=first, rtp_port_max=last, lines=2 * bridges, trunks=(trunk,)
    )
    with beside(run_line, settings, bridges, core) as (pid, pipe):
        yield Carrier(pid, ("call", (HOST, pipe.recv())), partial(_wait_for_up, pipe))


def run_line(pipe: Connection, settings: VoiceSettings, bridges: int, core: int) -> None:
    """An inbound role without its board: each caller's number says which operator is rung."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    os.sched_setaffinity(0, {core})
    line = SipLine(settings, takes_calls=True)
    stopped = threading.Event()
    waiter = threading.Thread(target=lambda: (pipe.recv(), stopped.set(), line.wake()), daemon=True)
    pipe.send(line.port)
    up = 0
    gc.freeze()  # as the role does
    while not stopped.is_set():
        for event in line.run_once(1.0):
            match event:
                case Incoming(call):
                    line.ring(call)
                    number = int(event.caller[-6:])
                    line.dial(Dial(f"{call}>", f"8{number}", "city", codecs=("pcma", "pcmu")))
                case Answered(call) if call.endswith(">"):
                    line.answer(call.removesuffix(">"))
                case Answered(call):
                    line.bridge(call, f"{call}>")
                    up += 1
                    if up == bridges:
                        pipe.send("up")
                        waiter.start()
                case Ended():
                    pipe.send(f"{event} after {up} were up")
    line.close()


@contextmanager
def bare_relay(far_ports: list[int], core: int) -> Iterator[Carrier]:
    """Each datagram of a telephone goes to its partner, whatever it is."""
    first, _ = media_ports(len(far_ports) // 2)
    ports = list(range(first, first + len(far_ports)))
    with beside(run_relay, ports, far_ports, core, wait=0) as (pid, pipe):
        yield Carrier(pid, ("relay", ports), partial(_wait_for_up, pipe))


def run_relay(pipe: Connection, ports: list[int], far_ports: list[int], core: int) -> None:
    os.sched_setaffinity(0, {core})
    need_descriptors(len(ports))
    sockets = [udp_socket(HOST, port) for port in ports]
    epoll = select.epoll()
    ways: dict[int, tuple[socket.socket, socket.socket]] = {}
    for index, (one, far_port) in enumerate(zip(sockets, far_ports, strict=True)):
        one.connect((HOST, far_port))
        ways[one.fileno()] = one, sockets[index ^ 1]
        epoll.register(one.fileno(), select.EPOLLIN)
    pipe.send("up")
    while True:
        for descriptor, _ in epoll.poll():
            one, other = ways[descriptor]
            other.send(one.recv(2048))


def _wait_for_up(pipe: Connection, seconds: float) -> None:
    told = pipe.recv() if pipe.poll(seconds) else f"nothing for {seconds} s"
    if told != "up":
        raise NotUp(f"the bridges didn't come up: {told}")
