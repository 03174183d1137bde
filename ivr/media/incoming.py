"""A call's RTP socket: who its far end is, and the packets that come of it.

The socket stays unconnected until the first valid packet from the signalled host, or from the trunk's own
where it sits behind a NAT; then it is connected, and the kernel drops strangers.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from ivr.counters import Counters
from ivr.media.arrival import Arrivals
from ivr.media.ports import mark_of, udp_socket
from ivr.media.remote import COMFORT_NOISE, Address, Remote
from ivr.media.rtp import BadPacket, Receiver, RtpPacket, parse
from ivr.media.srtp import Srtp

__all__ = ["Incoming"]

_MOST_OTHERS = 50  # packets that are read in a tick beside the first: a flood doesn't stop the clock
_MOST_QUEUED = 1 << 16  # datagrams; no socket's buffer holds as many
_MOST_STRAGGLERS = 50  # a second of voice; then it moved in name only, behind a NAT


def _nobody(packet: RtpPacket, now: float) -> bool:
    return False


class Incoming:
    """Hands what comes to `hear`, which answers whether it needs to be handed the next one, too.

    Nearly always a packet that comes is only counted: that `_only_counts`. Whatever may change that calls
    `changed`, and the next packet finds out again. `heard_at` is when the last one came that tells that the
    far end is there; `source` is where its packets come from, None before the first. Who `polls` reads when
    it's told to, not when a packet is there.
    """

    __slots__ = (
        "_arrivals",
        "_counters",
        "_drains",
        "_hear",
        "_left",
        "_only_counts",
        "_plain_type",
        "_port",
        "_remote",
        "_srtp",
        "_stragglers",
        "_turns",
        "heard_at",
        "polls",
        "receiver",
        "socket",
        "source",
    )

    def __init__(
        self, own: socket.socket, port: int, counters: Counters, hear: Callable[[RtpPacket, float], bool]
    ) -> None:
        self.socket, self._port, self._counters, self._hear = own, port, counters, hear
        self._arrivals, self.receiver = Arrivals(), Receiver()
        self.source: Address | None = None
        self._left: Address | None = None
        self._stragglers = 0
        self._remote: Remote | None = None
        self._srtp: Srtp | None = None
        self._plain_type = -1  # of the packets that are voice at first sight
        self.heard_at = 0.0
        self.polls = self._drains = self._only_counts = False
        self._turns = 0

    @property
    def wall(self) -> float:
        """What makes seconds since 1970 of monotonic ones."""
        return self._arrivals.wall

    def changed(self) -> None:
        """Somebody may want to know what is said, and not only that it is."""
        self._only_counts = False

    def agree(self, remote: Remote, srtp: Srtp | None) -> None:
        """Take packets of this end, by these keys."""
        self.changed()
        self._remote, self._srtp = remote, srtp
        self._plain_type = -1 if remote.is_event(remote.voice_type) else remote.voice_type

    def reopen(self) -> None:
        """Leave the learned source, whose last packets may still come: the same port, unconnected again."""
        self.changed()
        host, dscp = self.socket.getsockname()[0], mark_of(self.socket)
        self.socket.close()
        self.socket = udp_socket(host, self._port, dscp)
        self.source, self._left, self._stragglers = None, self.source, _MOST_STRAGGLERS

    def close(self) -> None:
        self.socket.close()
        self._hear = _nobody  # or a call that is over would be work for the garbage collector

    def poll(self, now: float) -> None:
        """Read what waits: one packet, as a rule.

        To know that no other does would cost more than to read it. So that is asked each eighth time, where
        there were others, or none, the last time, and while strangers may be among them.
        """
        self._turns = turns = (self._turns + 1) & 7
        if not self.read(now):
            self._drains = True
        elif self._drains or not turns or self.source is None:
            others = 0
            while others < _MOST_OTHERS and self.read(now):
                others += 1
            self._drains = others > 0

    def read(self, now: float) -> bool:
        """Take one datagram; False when there was none. The hot path of what comes in."""
        source = self.source
        if source is None:
            return self._read_from_anyone(now)
        try:
            datagram = self.socket.recv(2048)
        except BlockingIOError:
            return False
        except OSError:  # ICMP: nobody listens there any more; media_lost_after decides
            self._counters["rtp_refused"] += 1
            return self._is_open
        if self._only_counts and self.receiver.take_next(datagram, self._plain_type, self._came_at(now)):
            self.heard_at = now
        else:
            self._take(datagram, source, now)
        return True

    def _came_at(self, now: float) -> float | None:
        """When the datagram that was just read came.

        Who polls reads it later, and asks the kernel: of two packets in eight, which is enough for the
        jitter, and None of the others.
        """
        if not self.polls:
            return now
        return None if self._turns > 1 else self._arrivals.of_last(self.socket, now)

    def _read_from_anyone(self, now: float) -> bool:
        """Until the source is known. Strangers' datagrams that came before that wait behind its first."""
        try:
            for _ in range(_MOST_QUEUED):
                datagram, source = self.socket.recvfrom(2048)
                self._take(datagram, source, now)
                if self.source is None:
                    break
        except BlockingIOError:
            return self.source is not None
        except OSError:
            self._counters["rtp_refused"] += 1
            return self._is_open
        return True

    @property
    def _is_open(self) -> bool:
        """False where `reopen` failed: nothing will ever come, and who reads until nothing does must end."""
        return self.socket.fileno() >= 0

    def _take(self, datagram: bytes, source: Address, now: float) -> None:
        if source != self.source and not self._may_learn(source):
            self._counters.oddity("rtp_stranger", source)
            return
        try:
            packet = parse(datagram if self._srtp is None else self._srtp.unprotect(datagram))
        except BadPacket as error:
            kind = "rtp_malformed" if self._srtp is None else "srtp_refused"
            self._counters.oddity(kind, source, str(error))
            return
        if self.source is None and not self._learn(packet, source):
            return
        self.receiver.take(packet, self._came_at(now))
        goes_on = self._hear(packet, now)
        self._only_counts = not goes_on and self._srtp is None  # what is secret must be opened

    def _may_learn(self, source: Address) -> bool:
        if self.source is not None or self._remote is None:
            return False
        if source == self._left and self._stragglers:
            self._stragglers -= 1
            return False
        return source[0] in self._remote.hosts

    def _learn(self, packet: RtpPacket, source: Address) -> bool:
        remote, kind = self._remote, packet.payload_type
        if remote is None or not (remote.codec_of(kind) or remote.is_event(kind) or kind == COMFORT_NOISE):
            self._counters.oddity("rtp_other_type", source, f"payload type {kind}")
            return False
        try:
            self.socket.connect(source)
        except OSError as error:  # from port 0, say
            self._counters.oddity("rtp_stranger", source, str(error))
            return False
        self.source = source
        return True
