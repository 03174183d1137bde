"""A call's RTCP socket: our reports leave by it, theirs are read."""

from __future__ import annotations

import socket

from ivr.counters import Counters
from ivr.media.quality import MediaQuality
from ivr.media.remote import Address, Remote
from ivr.media.reports import Reports
from ivr.media.rtp import BadPacket, Receiver, Sender
from ivr.media.srtp import Srtp

__all__ = ["EVERY", "RtcpPort"]

EVERY = 5.0  # seconds between our reports (RFC 3550 §6.2: the least)


class RtcpPort:
    """`wall` makes seconds since 1970 of monotonic ones."""

    __slots__ = ("_counters", "_name", "_reports", "socket")

    def __init__(
        self, own: socket.socket, sender: Sender, receiver: Receiver, wall: float, counters: Counters
    ) -> None:
        self.socket, self._counters = own, counters
        self._reports = Reports(sender, receiver, wall)
        self._name = f"{sender.ssrc:08x}@{own.getsockname()[0]}"

    @property
    def quality(self) -> MediaQuality:
        """How the voice went until now."""
        return self._reports.quality

    def send(
        self, now: float, remote: Remote | None, source: Address | None, srtp: Srtp | None, bye: bool = False
    ) -> None:
        """Report what was heard since the last; `remote` is None where nobody is to know."""
        report = self._reports.write(self._name, now, bye)
        if remote is None:
            return
        to = (remote.rtcp_host or remote.address[0], remote.rtcp_port)
        if source is not None and source[:2] != remote.address:  # behind a NAT: the other port
            to = (source[0], source[1] + 1)
        if srtp is not None:
            report = srtp.protect_rtcp(report)
        try:
            self.socket.sendto(report, to)
        except (OSError, OverflowError):  # or the port after 65535
            self._counters["rtcp_send_failed"] += 1

    def read(self, now: float, remote: Remote | None, srtp: Srtp | None) -> bool:
        """Take one datagram; True where they say that they are there, though silent. A BYE ends nothing."""
        try:
            datagram, source = self.socket.recvfrom(2048)
        except OSError:
            return False
        if remote is None or source[0] not in remote.hosts:
            self._counters.oddity("rtcp_stranger", source)
            return False
        try:
            report = datagram if srtp is None else srtp.unprotect_rtcp(datagram)
            is_silent = self._reports.hear(report, now)
        except BadPacket as error:
            self._counters.oddity("rtcp_malformed" if srtp is None else "srtp_refused", source, str(error))
            return False
        self._counters["rtcp_received"] += 1
        return is_silent
