"""All that a SIP address sends and receives: a UDP socket, TCP and TLS where they are set, the first wall."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Literal

from ivr.counters import Counters
from ivr.media.ports import mark, udp_socket
from ivr.sip.hop import Hop
from ivr.sip.incoming import refusal_of_stranger
from ivr.sip_streams import Arrived, SipStreams, StreamEvent
from ivr.sip_wall import Wall

__all__ = ["SipWires", "StreamEvent", "WirePlan"]

_MOST_DATAGRAMS = 64  # a turn: a flood of SIP doesn't starve the voice
_RECEIVE_BUFFER = 1 << 20
_TRIES = 8  # for one number that both UDP and TCP can have

ClientTls = Callable[[Hop], tuple[ssl.SSLContext, str]]
OnMessage = Callable[[bool, bytes, Hop], None]


def _no_tls(hop: Hop) -> tuple[ssl.SSLContext, str]:
    raise ValueError("no trunk is set to TLS")


@dataclass(frozen=True)
class WirePlan:
    """Beyond UDP. `limit`: messages a second that a known host may send; `unknown`: what a stranger hears.

    `dscp` marks what leaves (RFC 2474). `client_tls` gives the context for a hop and the name to verify;
    `on_message` hears all that is sent (True) and received.
    """

    tcp: bool = False
    tls_port: int = 0
    server_tls: ssl.SSLContext | None = None
    client_tls: ClientTls = _no_tls
    limit: float = 2000.0
    unknown: Literal["drop", "403"] = "drop"
    dscp: int = 0
    on_message: OnMessage | None = None


class SipWires:
    """`send` and `receive` belong to the voice's thread. OSError where a port can't be had."""

    def __init__(
        self,
        host: str,
        port: int,
        peers: Iterable[str],
        plan: WirePlan,
        counters: Counters,
        wake: Callable[[], None],
    ) -> None:
        self._plan, self._counters = plan, counters
        self.wall = Wall(plan.limit)
        self.wall.allow(peers)
        self.streams: SipStreams | None = None
        # To read into new bytes would ask for 64 KB and keep a few hundred of them: holes for life.
        self._room = memoryview(bytearray(65535))
        self.udp = self._open(host, port, wake)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._mark(self.udp)
        self.port = int(self.udp.getsockname()[1])
        self.tls_port = self.streams.ports[1] if self.streams and plan.server_tls else 0

    def _open(self, host: str, port: int, wake: Callable[[], None]) -> socket.socket:
        """UDP and TCP on one number, whichever it is (§18.1.1: what is too large goes to the same port)."""
        for _ in range(_TRIES if port == 0 else 1):
            udp = udp_socket(host, port)
            if not self._plan.tcp:
                return udp
            try:
                self._listen(host, int(udp.getsockname()[1]), wake)
            except OSError as error:
                udp.close()
                if port:
                    raise
                last = error
            else:
                return udp
        raise last

    def _listen(self, host: str, port: int, wake: Callable[[], None]) -> None:
        plan = self._plan
        self.streams = SipStreams(
            host,
            port,
            plan.tls_port,
            server_tls=plan.server_tls,
            client_tls=plan.client_tls,
            allows=self._allows,
            wake=wake,
            mark=self._mark,
        )

    def _allows(self, host: str) -> bool:
        """Asked by the streams' thread."""
        return self.wall.is_known(host)

    def _mark(self, bound: socket.socket) -> None:
        if self._plan.dscp:
            with suppress(OSError):
                mark(bound, self._plan.dscp)

    def send(self, data: bytes, hop: Hop) -> None:
        if self._plan.on_message:
            self._plan.on_message(True, data, hop)
        if hop.transport != "udp":
            if self.streams is not None:
                self.streams.send(data, hop)
            else:
                self._counters["sip_send_failed"] += 1
            return
        try:
            self.udp.sendto(data, hop[:2])
        except OSError:  # as good as lost on the way: the transaction's timers send it again
            self._counters["sip_send_failed"] += 1

    def datagrams(self, now: float) -> Iterator[tuple[bytes, Hop]]:
        """What the UDP socket holds of those who are known, within their limits."""
        for _ in range(_MOST_DATAGRAMS):
            try:
                size, source = self.udp.recvfrom_into(self._room)
            except OSError:  # empty, or an ICMP refusal of what we sent: timers notice that
                return
            data = self._room[:size].tobytes()
            if not self.wall.is_known(source[0]):
                self._counters.oddity("sip_stranger", source[:2])
                if self._plan.unknown == "403":
                    self._refuse(data, Hop(*source[:2]), now)
            elif taken := self._within_limit(data, Hop(*source[:2]), now):
                yield taken

    def stream_events(self, now: float) -> Iterator[tuple[bytes, Hop] | StreamEvent]:
        """What came by TCP and TLS: messages, and connections that failed or ended."""
        for event in self.streams.take() if self.streams else ():
            if not isinstance(event, Arrived):
                yield event
            elif self.wall.is_known(event.hop.host) and (
                taken := self._within_limit(event.data, event.hop, now)
            ):
                yield taken

    def _within_limit(self, data: bytes, hop: Hop, now: float) -> tuple[bytes, Hop] | None:
        if not self.wall.takes(hop.host, now):
            self._counters.oddity("sip_flood", hop[:2])
            return None
        if self._plan.on_message:
            self._plan.on_message(False, data, hop)
        return data, hop

    def _refuse(self, data: bytes, hop: Hop, now: float) -> None:
        if self.wall.may_answer(now) and (answered := refusal_of_stranger(data, hop)) is not None:
            self.send(*answered)

    def close(self) -> None:
        with closing(self.udp):
            if self.streams is not None:
                self.streams.close()
