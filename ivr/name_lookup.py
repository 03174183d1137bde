"""One look-up of a trunk's name: SRV where no port is set, and its addresses (RFC 3263 §4.2). It waits."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.exception
import dns.resolver

from ivr.sip.hop import DEFAULT_PORTS, Transport

__all__ = ["Found", "Lookup", "LookupFailed", "Target", "lookup_by"]

_SRV = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
_PATIENCE = 4.0  # seconds, for all servers
_SYSTEM_SECONDS = 60.0  # how long an address of the machine's own resolver is good: it tells no time
_NOTHING = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class LookupFailed(Exception):
    """A name that can't be found, or nobody who would know it; the message says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server of a name: `priority` and `weight` are SRV's."""

    addresses: tuple[str, ...]
    port: int
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """`seconds` is how long it may be kept."""

    targets: tuple[Target, ...]
    seconds: float


Lookup = Callable[[str, int | None, Transport], Found]


def lookup_by(nameservers: Sequence[str], *, ipv6: bool) -> Lookup:
    """Asks those servers ("192.0.2.53", "192.0.2.53:5353"), or the machine's own. IPv6 or IPv4 addresses."""
    resolver = _resolver(nameservers)

    def lookup(name: str, port: int | None, transport: Transport) -> Found:
        if port is None and (served := _srv(resolver, name, transport)) is not None:
            return _found(resolver, served, ipv6, bool(nameservers))
        return _found(
            resolver, _Served([(name, port or DEFAULT_PORTS[transport], 0, 0)], 3600), ipv6, bool(nameservers)
        )

    return lookup


@dataclass(frozen=True, slots=True)
class _Served:
    """(name, port, priority, weight)."""

    servers: list[tuple[str, int, int, int]]
    seconds: float


def _resolver(nameservers: Sequence[str]) -> dns.resolver.Resolver | None:
    if not nameservers:
        try:
            resolver = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return None
    else:
        resolver = dns.resolver.Resolver(configure=False)
        for server in nameservers:
            host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
            resolver.nameservers = [*resolver.nameservers, host]
            resolver.nameserver_ports[host] = int(port or 53)
    resolver.lifetime = _PATIENCE
    return resolver


def _srv(resolver: dns.resolver.Resolver | None, name: str, transport: Transport) -> _Served | None:
    """None where the name has no SRV: then it's an address itself."""
    if resolver is None:
        return None
    try:
        answer = resolver.resolve(f"{_SRV[transport]}.{name}.", "SRV")
    except _NOTHING:
        return None
    except dns.exception.DNSException as error:
        raise LookupFailed(f"SRV: {error}") from error
    servers = [(str(each.target), int(each.port), int(each.priority), int(each.weight)) for each in answer]
    if [server[0] for server in servers] == ["."]:  # RFC 2782: no such service, and said so
        raise LookupFailed(f"{name} has no {_SRV[transport]}")
    return _Served(servers, float(answer.rrset.ttl if answer.rrset else 0))


def _found(resolver: dns.resolver.Resolver | None, served: _Served, ipv6: bool, by_servers: bool) -> Found:
    targets, seconds, reasons = [], served.seconds, []
    for name, port, priority, weight in served.servers:
        try:
            addresses, good_for = (
                _resolved(resolver, name, ipv6) if by_servers and resolver else _system(name, ipv6)
            )
        except LookupFailed as error:
            reasons.append(str(error))
            continue
        targets.append(Target(addresses, port, priority, weight))
        seconds = min(seconds, good_for)
    if not targets:
        raise LookupFailed("; ".join(reasons))
    return Found(tuple(targets), seconds)


def _resolved(resolver: dns.resolver.Resolver, name: str, ipv6: bool) -> tuple[tuple[str, ...], float]:
    try:
        answer = resolver.resolve(f"{name.rstrip('.')}.", "AAAA" if ipv6 else "A")
    except dns.exception.DNSException as error:
        raise LookupFailed(f"{name}: {error}") from error
    return tuple(str(each) for each in answer), float(answer.rrset.ttl if answer.rrset else 0)


def _system(name: str, ipv6: bool) -> tuple[tuple[str, ...], float]:
    """By the machine's resolver, which reads its hosts file, too."""
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    try:
        found = socket.getaddrinfo(name.rstrip("."), None, family, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:  # an SRV may name what can't be a host
        raise LookupFailed(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    return tuple(dict.fromkeys(str(each[4][0]) for each in found)), _SYSTEM_SECONDS
