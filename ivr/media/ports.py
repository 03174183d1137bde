"""The range of media ports: an even one for RTP and the next for RTCP (RFC 3550 §11)."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections import deque

__all__ = ["NoPorts", "PortPool", "mark", "mark_of", "need_descriptors", "udp_socket"]

_SPARE_DESCRIPTORS = 64


class NoPorts(Exception):
    """Too few ports or descriptors for the lines; the message says which setting to change."""


def udp_socket(host: str, port: int, dscp: int = 0) -> socket.socket:
    """A bound UDP socket that never blocks, of IPv4 or IPv6 as the host's address is; its packets marked."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if ":" in host:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if dscp:
            mark(bound, dscp)
        bound.setblocking(False)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def mark(bound: socket.socket, dscp: int) -> None:
    """Mark what the socket sends (RFC 2474: the upper six bits of the octet)."""
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


def mark_of(bound: socket.socket) -> int:
    """How `mark` has marked it, 0 if not."""
    if bound.family == socket.AF_INET6:
        return bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) >> 2
    return bound.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) >> 2


def need_descriptors(lines: int) -> None:
    """Raise the limit of open files to what `lines` calls need; NoPorts where that is forbidden."""
    wanted = 2 * lines + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1) or soft >= wanted:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < wanted:
        raise NoPorts(f"lines = {lines} needs {wanted} open files, the limit is {hard} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class PortPool:
    """Hands out pairs, the longest unused first: a late packet of an old call finds nobody."""

    def __init__(self, host: str, first: int, last: int, dscp: int = 0) -> None:
        self.host, self.first, self.last, self.dscp = host, first, last, dscp
        self._free = deque(range(first, last, 2))

    def check(self, lines: int) -> None:
        """NoPorts unless `lines` pairs of the range can be bound now."""
        usable = 0
        for port in range(self.first, self.last, 2):
            with contextlib.suppress(OSError):
                for bound in self._bind(port):
                    bound.close()
                usable += 1
        if usable < lines:
            raise NoPorts(
                f"{usable} pairs of media ports are free on {self.host} between rtp_port_min = {self.first} "
                f"and rtp_port_max = {self.last}; lines = {lines} needs as many: choose another range"
            )

    def take(self) -> tuple[int, socket.socket, socket.socket]:
        """The RTP port and both bound sockets; NoPorts when none is left."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                rtp, rtcp = self._bind(port)
            except OSError:  # another program has it
                self._free.append(port)
                continue
            return port, rtp, rtcp
        raise NoPorts(f"no media port is left between {self.first} and {self.last}")

    def give_back(self, port: int) -> None:
        self._free.append(port)

    def _bind(self, port: int) -> tuple[socket.socket, socket.socket]:
        rtp = udp_socket(self.host, port, self.dscp)
        try:
            return rtp, udp_socket(self.host, port + 1, self.dscp)
        except BaseException:
            rtp.close()
            raise
