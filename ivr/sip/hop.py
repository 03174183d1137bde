"""Where a SIP message goes, or came from: an address and a transport (RFC 3261 §18). Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Hop", "Transport"]

Transport = Literal["udp", "tcp", "tls"]


class Hop(NamedTuple):
    """`host` is an IPv4 or IPv6 address without brackets; `port` on a stream names one connection, too."""

    host: str
    port: int
    transport: Transport = "udp"

    @property
    def is_reliable(self) -> bool:
        """Whether what is sent there arrives, or the connection is known to have broken."""
        return self.transport != "udp"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        where = f"{host}:{self.port}"
        return where if self.transport == "udp" else f"{where};transport={self.transport}"
