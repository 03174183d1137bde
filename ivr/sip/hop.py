"""Where a SIP message goes, or came from: an address and a transport (RFC 3261 §18). Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ivr.sip.headers import bracketed

__all__ = ["DEFAULT_PORTS", "Hop", "Transport"]

Transport = Literal["udp", "tcp", "tls"]

DEFAULT_PORTS: dict[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}  # §19.1.2


class Hop(NamedTuple):
    """`host` is an IPv4 or IPv6 address without brackets; `port` on a stream names one connection, too."""

    host: str
    port: int
    transport: Transport = "udp"

    @property
    def is_reliable(self) -> bool:
        """Whether what is sent there arrives, or the connection is known to have broken."""
        return self.transport != "udp"

    @classmethod
    def at(cls, host: str, port: int | None, transport: Transport) -> Hop:
        """With the transport's usual port where none is told."""
        return cls(host, port or DEFAULT_PORTS[transport], transport)

    def __str__(self) -> str:
        where = f"{bracketed(self.host)}:{self.port}"
        return where if self.transport == "udp" else f"{where};transport={self.transport}"
