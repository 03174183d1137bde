"""The telephones at both ends of the bridges, in one process: callers who ring in, operators who are rung.

Each says a stamped frame every 20 ms and notes when; what another hears is looked up there, so that a delay
is one process's clock against itself. A telephone is as cheap as it may be: twenty share a socket and are
told apart by who writes to them.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import structlog

from benchmarks.bridge_stamps import read, stamped
from ivr.events import Codec
from ivr.media import g711
from ivr.media.dtmf import KEYS, KeyReceiver, send_key
from ivr.media.ports import PortPool, need_descriptors
from ivr.media.rtcp import write_report
from ivr.media.rtp import RtpPacket, Sender, parse
from ivr.sip.events import AckReceived, InviteAccepted, InviteFailed, InviteReceived
from ivr.sip.hop import Hop
from ivr.sip.sdp import LocalMedia
from ivr.sip.transaction import Timers
from ivr.sip_endpoint import SipEndpoint

__all__ = ["HOST", "PHASES", "Order", "run_far_ends"]

HOST = "127.0.0.1"
PHASES = 20  # of 1 ms; one socket each
_EVENTS = 101  # RFC 4733's payload type, as our descriptions name it
_CALLS_A_SECOND = 20
_REPORT_EVERY = 5.0
_KEY_EVERY = 50  # frames
_KEY_SECONDS = 0.1
_STRAGGLERS = 1.0  # seconds that the last frames may take


@dataclass(frozen=True)
class Order:
    """`laws` are the callers' and the operators'; `ports` the first of 2 * PHASES and the last."""

    bridges: int
    laws: tuple[Codec, Codec]
    presses: bool
    ports: tuple[int, int]
    core: int


@dataclass(slots=True)
class Telephone:
    """`sent` is when each frame left, by its number; `heard` what came of the partner: (number, when)."""

    index: int
    law: Codec
    port: int
    rtp: socket.socket
    rtcp: socket.socket
    sender: Sender
    to: tuple[str, int] | None = None
    rtcp_to: tuple[str, int] | None = None
    report_at: float = 0.0
    talks: bool = False
    sent: list[float] = field(default_factory=list)
    heard: list[tuple[int, float]] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    spoilt: int = 0
    pressed: str = ""
    presses: Iterator[bytes] | None = None
    keys: KeyReceiver = field(default_factory=KeyReceiver)
    received_keys: str = ""

    def packet(self, keys: bool) -> bytes:
        """The next 20 ms."""
        if keys and (held := self._key()) is not None:
            return held
        frame = stamped(self.index, len(self.sent), self.law)
        packet = self.sender.frame(g711.PAYLOAD_TYPES[self.law], frame)
        self.sent.append(time.monotonic())
        return packet

    def _key(self) -> bytes | None:
        if self.presses is None and len(self.sent) % _KEY_EVERY == self.index % _KEY_EVERY and self.sent:
            key = KEYS[(self.index + len(self.pressed)) % len(KEYS)]
            self.presses = send_key(self.sender, key, _KEY_SECONDS, _EVENTS)
            self.pressed += key
        packet = next(self.presses, None) if self.presses is not None else None
        if packet is None and self.presses is not None:
            self.presses = None
            return self.packet(keys=False)
        return packet

    def hear(self, datagram: bytes, now: float) -> None:
        kind = datagram[1] & 0x7F
        if kind == _EVENTS:
            packet: RtpPacket = parse(datagram)
            if (key := self.keys.receive(packet, now)) is not None:
                self.received_keys += key.key
            return
        found = read(datagram, 12, self.law) if kind == g711.PAYLOAD_TYPES[self.law] else None
        if found is not None and found[0] == self.index ^ 1:
            self.heard.append((found[1], now))
        elif datagram[12:] == g711.SILENT_FRAMES[self.law]:
            self.silent.append(now)
        else:
            self.spoilt += 1


class FarEnds:
    """Telephone 2 n is a caller, 2 n + 1 the operator whom they reach."""

    def __init__(self, order: Order) -> None:
        need_descriptors(PHASES)
        pool = PortPool(HOST, *order.ports)
        groups = [pool.take() for _ in range(PHASES)]
        phases = [at % PHASES for at in range(2 * order.bridges)]
        random.Random(1).shuffle(phases)
        self.telephones = [
            Telephone(index, order.laws[index % 2], *groups[phase], Sender(index + 1, 0, 160 * index))
            for index, phase in enumerate(phases)
        ]
        self._phases: list[list[Telephone]] = [[] for _ in range(PHASES)]
        for telephone, phase in zip(self.telephones, phases, strict=True):
            self._phases[phase].append(telephone)
        self._epoll = select.epoll()
        self._sockets = {rtp.fileno(): rtp for _, rtp, _ in groups}
        self._rtcp = {rtcp.fileno(): rtcp for _, _, rtcp in groups}
        for descriptor in (*self._sockets, *self._rtcp):
            self._epoll.register(descriptor, select.EPOLLIN)
        self._by_source: dict[int, Telephone] = {}
        self._began, self._done_ms = time.monotonic(), 0
        self.pressing = order.presses
        self.reports = self.strangers = 0

    def start(self, telephone: Telephone, to: tuple[str, int], rtcp_port: int | None) -> None:
        telephone.to, telephone.talks = to, True
        telephone.rtcp_to = None if rtcp_port is None else (to[0], rtcp_port)
        telephone.report_at = time.monotonic() + random.uniform(0, _REPORT_EVERY)
        self._by_source[to[1]] = telephone

    def turn(self) -> None:
        """Until the next millisecond is done."""
        now = time.monotonic()
        wait = self._began + (self._done_ms + 1) / 1000 - now
        for descriptor, _ in self._epoll.poll(max(0.0, wait)):
            if descriptor in self._rtcp:
                self._rtcp[descriptor].recv(2048)
                self.reports += 1
            else:
                self._read(self._sockets[descriptor])
        current = int((time.monotonic() - self._began) * 1000)
        for at in range(self._done_ms + 1, current + 1):
            for telephone in self._phases[at % PHASES]:
                if telephone.talks:
                    self._say(telephone, now)
        self._done_ms = current

    @property
    def phase(self) -> int:
        return self._done_ms % PHASES

    def _read(self, rtp: socket.socket) -> None:
        while True:
            try:
                datagram, source = rtp.recvfrom(512)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there any more: the other side has hung up
                continue
            telephone = self._by_source.get(source[1])
            if telephone is None:
                self.strangers += 1
            else:
                telephone.hear(datagram, time.monotonic())

    def _say(self, telephone: Telephone, now: float) -> None:
        assert telephone.to is not None
        with contextlib.suppress(OSError):  # it counts as lost
            telephone.rtp.sendto(telephone.packet(self.pressing), telephone.to)
        if telephone.rtcp_to is not None and now > telephone.report_at:
            telephone.report_at += _REPORT_EVERY
            name = f"telephone-{telephone.index}@{HOST}"
            report = write_report(telephone.sender, None, name, time.time())
            telephone.rtcp.sendto(report, telephone.rtcp_to)


class Calls:
    """The telephones' SIP: caller n rings 110 from a number that ends in n, operator n is 8n."""

    def __init__(self, ends: FarEnds, bridges: int, sip_ports: PortPool) -> None:
        self._ends, self._bridges = ends, bridges
        self.endpoint = SipEndpoint(HOST, 0, frozenset({HOST}), Timers(), sip_ports, 1, 1e9)
        self._to: Hop | None = None
        self._waiting: deque[int] = deque()
        self._next = 0.0
        self._operators: dict[str, InviteReceived] = {}
        self.failed: list[str] = []

    def begin(self, to: tuple[str, int]) -> None:
        self._to, self._waiting = Hop(*to), deque(range(self._bridges))

    def turn(self) -> None:
        now = time.monotonic()
        if self._waiting and self._to is not None and now >= self._next:
            self._next = now + 1 / _CALLS_A_SECOND
            number = self._waiting.popleft()
            uri = f"sip:110@{self._to[0]}:{self._to[1]}"
            local = self._local(self._ends.telephones[2 * number])
            self.endpoint.invite(f"caller-{number}", uri, self._to, local, f"sip:13800{number:06}@{HOST}")
        for event in self.endpoint.turn(0.0):
            self._take(event)
        self.endpoint.flush()

    def _local(self, telephone: Telephone) -> LocalMedia:
        return LocalMedia(HOST, telephone.port, (telephone.law,))

    def _take(self, event: object) -> None:
        match event:
            case InviteAccepted():
                telephone = self._ends.telephones[2 * int(event.call.removeprefix("caller-"))]
                self._ends.start(telephone, (event.media.host, event.media.port), event.media.rtcp_port)
            case InviteReceived():
                self._operators[event.call] = event
                local = self._local(self._operator(event))
                self.endpoint.agent.provisional(event.call, 180, time.monotonic())
                self.endpoint.agent.answer(event.call, local, time.monotonic())
            case AckReceived() if event.call in self._operators:
                telephone = self._operator(self._operators[event.call])
                media = event.media
                self._ends.start(telephone, (media.host, media.port), media.rtcp_port)
            case InviteFailed():
                self.failed.append(f"{event.call}: {event.status} {event.cause_text}")

    def _operator(self, invite: InviteReceived) -> Telephone:
        return self._ends.telephones[2 * int(invite.user.removeprefix("8")) + 1]


def run_far_ends(pipe: Connection, order: Order) -> None:
    """Orders by the pipe: ("call", (host, port)), ("relay", ports), ("measure", seconds), None."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    os.sched_setaffinity(0, {order.core})
    ends = FarEnds(order)
    calls = Calls(ends, order.bridges, PortPool(HOST, *order.ports))
    pipe.send((calls.endpoint.port, [telephone.port for telephone in ends.telephones]))
    gc.freeze()
    gc.disable()
    until, began, cpu = 0.0, 0.0, 0.0
    while True:
        ends.turn()
        if until and time.monotonic() >= until:
            busy = (_cpu() - cpu) / (time.monotonic() - began)
            last, until, ends.pressing = until, 0.0, False
            _run_on(ends, calls, last + _STRAGGLERS)
            pipe.send(measured(ends, began, last, busy))
        if ends.phase:
            continue
        calls.turn()
        if calls.failed:
            pipe.send({"failed": calls.failed[:3]})
            return
        if pipe.poll():
            match pipe.recv():
                case ("call", to):
                    calls.begin(to)
                case ("relay", ports):
                    for telephone, port in zip(ends.telephones, ports, strict=True):
                        ends.start(telephone, (HOST, port), None)
                case ("measure", seconds):
                    began, cpu = time.monotonic(), _cpu()
                    until = began + seconds
                case _:
                    calls.endpoint.close()
                    return


def _run_on(ends: FarEnds, calls: Calls, until: float) -> None:
    while time.monotonic() < until:
        ends.turn()
        if not ends.phase:
            calls.turn()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(ends: FarEnds, began: float, until: float, busy: float) -> dict[str, Any]:
    """What came of the frames that were said between `began` and `until`; delays in seconds."""
    delays: list[float] = []
    said = lost = swapped = 0
    for telephone in ends.telephones:
        partner = ends.telephones[telephone.index ^ 1]
        first = sum(1 for at in partner.sent if at < began)
        end = sum(1 for at in partner.sent if at < until)
        numbers = [(number, at) for number, at in telephone.heard if first <= number < end]
        said += end - first
        lost += end - first - len({number for number, _ in numbers})
        swapped += sum(1 for one, two in pairwise(numbers) if two[0] <= one[0])
        delays += [at - partner.sent[number] for number, at in numbers]
    return {
        "delays": delays,
        "frames": said,
        "lost": lost,
        "out_of_order": swapped,
        "gaps": sum(1 for each in ends.telephones for at in each.silent if began <= at < until),
        "spoilt": sum(telephone.spoilt for telephone in ends.telephones),
        "strangers": ends.strangers,
        "rtcp_received": ends.reports,
        "keys_pressed": [telephone.pressed for telephone in ends.telephones],
        "keys_received": [ends.telephones[each.index ^ 1].received_keys for each in ends.telephones],
        "far_ends_cpu": busy,
    }
