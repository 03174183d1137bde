"""Which trunk a SIP message is of, and by which profiles its voice may go."""

from __future__ import annotations

from collections.abc import Iterable

from ivr.name_book import NameBook
from ivr.sip.hop import Hop, Transport
from ivr.sip.sdp import Profiles
from ivr.trunk_settings import TrunkSettings

__all__ = ["offerable", "profiles_of", "trunk_of"]


def trunk_of(source: Hop, trunks: Iterable[TrunkSettings], book: NameBook) -> TrunkSettings | None:
    """The trunk at that address; where several are at one host, the one of that port and transport, or that
    of the transport (a stream's port is its connection's), or the first.
    """
    at_host = [(trunk, hop) for trunk in trunks for hop in book.hops(trunk.place) if hop.host == source.host]
    at_host.sort(key=lambda each: (each[1] != source, each[1].transport != source.transport))
    return at_host[0][0] if at_host else None


def profiles_of(trunk: TrunkSettings, transport: Transport) -> Profiles:
    """Keys that others may have read protect nothing: over TLS alone (RFC 4568 §8.3)."""
    return Profiles(plain=trunk.srtp != "required", secure=trunk.srtp != "off" and transport == "tls")


def offerable(source: Hop, trunks: Iterable[TrunkSettings], book: NameBook) -> Profiles:
    """How a caller from there may offer voice; who is no trunk's is refused for that."""
    trunk = trunk_of(source, trunks, book)
    return profiles_of(trunk, source.transport) if trunk else Profiles()
