"""For tests: media sessions of one loop in virtual time, and far ends that a test hears and speaks for.

The loop's clock is the test's own; the sockets are real.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from ivr.counters import Counters
from ivr.media.ports import PortPool, udp_socket
from ivr.media.remote import MediaEvent, Remote
from ivr.media.rtp import RtpPacket, Sender, parse
from ivr.media.session import MediaSession
from ivr.media.srtp import Srtp
from ivr.rtp_loop import RtpLoop
from tests.loopback_city import HOST, media_ports


def waiting(at: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield at.recv(2048)


class FarEnd:
    """One that says 0, 1, 2 …, a number 20 ms long, in packets of `says` ms, and wants ours of `wants`."""

    def __init__(self, loop: RtpLoop, host: str, port: int, wants: int, says: int = 20) -> None:
        self.host = host
        self.session: MediaSession = loop.open(f"call-{port}")
        self.socket: socket.socket = udp_socket(host, port)
        self.control: socket.socket = udp_socket(host, port + 1)
        self.remote = Remote((host, port), port + 1, "pcma", 8, 101, frozenset({host}), ptime=wants)
        loop.negotiate(self.session, self.remote)
        self.sender, self.says = Sender(port, 0, 0, step=says * 8), says
        self._said = 0
        self.heard: list[tuple[int, RtpPacket]] = []
        self.srtp: Srtp | None = None
        self.wire: list[bytes] = []  # all that came, as it came
        self.reports: list[tuple[int, bytes]] = []  # what came by RTCP

    def say(self) -> None:
        octets = bytes(at // 160 % 128 for at in range(self._said, self._said + self.says * 8))
        self._said += len(octets)
        self.send(self.sender.frame(8, octets))

    def send(self, octets: bytes) -> None:
        octets = self.srtp.protect(octets) if self.srtp else octets
        self.socket.sendto(octets, (self.host, self.session.port))

    def hear(self, ms: int) -> None:
        for datagram in waiting(self.socket):
            self.wire.append(datagram)
            self.heard.append((ms, parse(self.srtp.unprotect(datagram) if self.srtp else datagram)))
        for datagram in waiting(self.control):
            self.wire.append(datagram)
            self.reports.append((ms, self.srtp.unprotect_rtcp(datagram) if self.srtp else datagram))

    def tell(self, report: bytes) -> None:
        report = self.srtp.protect_rtcp(report) if self.srtp else report
        self.control.sendto(report, (self.host, self.session.port + 1))

    @property
    def voice(self) -> bytes:
        return b"".join(packet.payload for _, packet in self.heard if packet.payload_type == 8)

    @property
    def gaps(self) -> set[int]:
        """ms between two packets."""
        return {later - earlier for (earlier, _), (later, _) in itertools.pairwise(self.heard)}


class Office:
    """A loop, and how much time passes; everything that comes is there within the millisecond."""

    def __init__(self, clock: SimpleNamespace, lost_after: float, host: str) -> None:
        self.host = host
        self.clock, self.ms = clock, 0
        self.first, _ = media_ports(12)
        self.counters = Counters()
        self.loop = RtpLoop(PortPool(host, self.first, self.first + 11), 2, lost_after, self.counters)
        self.far_ends: list[FarEnd] = []
        self.events: list[MediaEvent] = []

    def far_end(self, wants: int, says: int = 20) -> FarEnd:
        made = FarEnd(self.loop, self.host, self.first + 12 + 2 * len(self.far_ends), wants, says)
        self.far_ends.append(made)
        self.loop.start(made.session, self.clock.now)
        return made

    def run(self, ms: int, *talking: FarEnd) -> None:
        for _ in range(ms):
            self.ms += 1
            self.clock.now = 1000.0002 + self.ms / 1000
            for each in talking:
                if self.ms % each.says == 7:
                    each.say()
            self.events += self.loop.turn(0.0)
            for each in self.far_ends:
                each.hear(self.ms)


@contextmanager
def rtp_office(
    monkeypatch: pytest.MonkeyPatch, lost_after: float = 60.0, host: str = HOST
) -> Iterator[Office]:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("ivr.rtp_loop.time", SimpleNamespace(monotonic=lambda: clock.now, sleep=lambda _: 0))
    made = Office(clock, lost_after, host)
    try:
        yield made
    finally:
        made.loop.close()
        for each in made.far_ends:
            each.socket.close()
            each.control.close()
