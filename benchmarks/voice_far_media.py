"""The far end's media: what comes goes back with its header patched, and keys are pressed in its place.

A few sockets are shared by all calls, who are told apart by the port that they send from. All packets of a
millisecond are taken, patched and sent back as arrays (`voice_batch`).
"""

from __future__ import annotations

import contextlib
import heapq
import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.bridge_far_ends import HOST
from benchmarks.voice_arrivals import Arrivals
from benchmarks.voice_batch import Batch, drops, timed_socket
from benchmarks.voice_plan import Plan
from ivr.media.dtmf import send_key
from ivr.media.ports import PortPool
from ivr.media.rtcp import write_report
from ivr.media.rtp import Sender
from ivr.sip.sdp import Media

__all__ = ["SOCKETS", "FarCall", "FarMedia"]

SOCKETS = 4
_MOST = 4096  # packets a turn
_REPORT_EVERY = 5.0
_KEY_SECONDS = 0.1
_STRANGER = "127.0.0.2"
_STRANGE = (  # to SIP, RTP and RTCP
    b"INVITE sip:110@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n\r\n",
    b"\x80\x08" + bytes(170),
    b"\x80\xc9\x00\x01" + bytes(4),
)


@dataclass(slots=True)
class FarCall:
    """One that is up: `media` is where its packets come from, `presses` the rest of the key that is held."""

    number: int
    media: Media
    up_at: float
    sender: Sender
    down_at: float = math.inf
    presses: Iterator[bytes] | None = None


@dataclass
class FarMedia:
    """`begin` a call when its far end is known, `end` it, and `turn` each millisecond."""

    plan: Plan
    pool: PortPool
    start_at: float = math.inf
    stranger_aim: tuple[str, int] = (HOST, 9)
    arrivals: Arrivals = field(default_factory=Arrivals)
    calls: dict[int, FarCall] = field(default_factory=dict)
    not_sent: int = 0
    reports: int = 0
    strange: int = 0
    echo_lost: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = [self.pool.take() for _ in range(SOCKETS)]
        self.ports = [port for port, _, _ in taken]
        self._rtp = [timed_socket(rtp) for _, rtp, _ in taken]
        self._rtcp = [rtcp for _, _, rtcp in taken]
        self._descriptors = [rtp.fileno() for rtp in self._rtp]
        self._batch = Batch(_MOST)
        self._pressing = np.zeros(1 << 16, bool)
        self._by_port: dict[int, FarCall] = {}
        self._due: list[tuple[float, int, str]] = []  # keys, and reports, which have no key
        self._stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stranger.bind((_STRANGER, 0))
        self._stranger.setblocking(False)

    def port_of(self, number: int) -> int:
        return self.ports[number % SOCKETS]

    @property
    def dropped(self) -> int:
        """Packets that came and found no room: what is lost here isn't the fault of who is measured."""
        return sum(drops(rtp) for rtp in self._rtp)

    def begin(self, number: int, media: Media) -> None:
        now = time.monotonic()
        call = self.calls[number] = FarCall(number, media, now, Sender(0, 0, 0))
        self._by_port[media.port] = call
        for at, key in self.plan.keys(number):
            heapq.heappush(self._due, (self.start_at + at, number, key))
        first_report = now + _REPORT_EVERY * (number * 0.618 % 1)
        heapq.heappush(self._due, (first_report, number, ""))

    def end(self, number: int) -> None:
        call = self.calls.get(number)
        if call is not None:
            call.down_at = min(call.down_at, time.monotonic())
            self._pressing[call.media.port] = False

    def turn(self, now: float) -> None:
        self._echo()
        while self._due and self._due[0][0] <= now:
            _, number, key = heapq.heappop(self._due)
            call = self.calls[number]
            if call.down_at > now:
                self._do(call, key, now)
        begin, end = (self.start_at + at for at in self.plan.window)
        if self.plan.strangers and begin <= now < end:
            self._be_strange(round((now - begin) * self.plan.strangers))

    def _echo(self) -> None:
        batch = self._batch
        batch.clear()
        for descriptor in self._descriptors:
            batch.receive(descriptor)
        if not (count := batch.filled):
            return
        packets, ports = batch.packets[:count], batch.ports[:count]
        self.arrivals.add(batch.arrived(), ports, packets)
        packets["ssrc"] ^= 0x55555555
        for row in np.flatnonzero(self._pressing[ports]):
            self._press(batch, int(row))
        self.not_sent += batch.send_back()

    def _press(self, batch: Batch, row: int) -> None:
        """This packet's place is taken by the next of a key."""
        call, packet = self._by_port[int(batch.ports[row])], batch.packets[row]
        sender = call.sender
        sender.ssrc, sender.sequence = int(packet["ssrc"]), int(packet["sequence"])
        sender.timestamp = int(packet["timestamp"])
        octets = next(call.presses, None) if call.presses is not None else None
        if octets is None:
            self._pressing[call.media.port] = False
            return
        batch.octets[row, : len(octets)] = np.frombuffer(octets, "u1")
        batch.lengths[row] = len(octets)

    def _do(self, call: FarCall, key: str, now: float) -> None:
        if key and call.media.dtmf_payload is not None:
            call.presses = send_key(call.sender, key, _KEY_SECONDS, call.media.dtmf_payload)
            self._pressing[call.media.port] = True
        elif not key:
            heapq.heappush(self._due, (now + _REPORT_EVERY, call.number, ""))
            name = f"call-{call.number}@{HOST}"
            report = write_report(Sender(call.number, 1, 1, 1, 160), None, name, time.time())
            self._rtcp[call.number % SOCKETS].sendto(report, (call.media.host, call.media.rtcp_port))

    def read_reports(self) -> None:
        """Their RTCP: how many of our packets each says it has lost."""
        for rtcp in self._rtcp:
            while True:
                try:
                    data = rtcp.recv(2048)
                except OSError:
                    break
                self.reports += 1
                at = {200: 28, 201: 8}.get(data[1])
                if at is not None and data[0] & 0x1F and len(data) >= at + 24:
                    lost = int.from_bytes(data[at + 5 : at + 8], "big", signed=True)
                    self.echo_lost[int.from_bytes(data[4:8], "big")] = lost

    def _be_strange(self, due: int) -> None:
        live = [call for call in self.calls.values() if call.down_at == math.inf]
        while self.strange < due and live:
            call = live[self.strange // 3 % len(live)]
            kind = self.strange % 3
            aims = (self.stranger_aim, (HOST, call.media.port), (HOST, call.media.rtcp_port))
            with contextlib.suppress(OSError):  # refused by what came before
                self._stranger.sendto(_STRANGE[kind], aims[kind])
            self.strange += 1

    def close(self) -> None:
        for each in (*self._rtp, *self._rtcp, self._stranger):
            each.close()
