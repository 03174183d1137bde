"""A host as it is set, an IPv4 or IPv6 address or a name, and where SIP is spoken there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

from ivr.sip.headers import ip_of
from ivr.sip.hop import Transport

__all__ = ["Address", "Host", "Place", "is_loopback"]

_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,62}", re.IGNORECASE)


def check_address(text: str) -> str:
    """An address in its one spelling; ValueError for anything else."""
    address = ip_of(text)
    if address is None:
        raise ValueError(f"{text!r} is no IPv4 or IPv6 address")
    return address


def check_host(text: str) -> str:
    """An address in its one spelling, or a name; ValueError for anything else."""
    if (address := ip_of(text)) is not None:
        return address
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is neither an address nor a name")
    return text.lower()


def is_loopback(host: str) -> bool:
    """False for a name, whatever it means."""
    address = ip_of(host)
    return address is not None and ip_address(address).is_loopback


Host = Annotated[str, AfterValidator(check_host)]
Address = Annotated[str, AfterValidator(check_address)]


@dataclass(frozen=True, slots=True)
class Place:
    """As it's set: a name or an address; without a port SRV tells it (§4.2)."""

    host: str
    port: int | None
    transport: Transport
