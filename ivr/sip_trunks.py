"""Which trunk a SIP message is of, and by which profiles its voice may go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ivr.hosts import Place
from ivr.name_book import NameBook
from ivr.sip.hop import Hop, Transport
from ivr.sip.sdp import Profiles
from ivr.trunk_settings import TrunkSettings

__all__ = ["offerable", "profiles_of", "trunk_of", "with_registrar"]


def _itself(trunk: TrunkSettings) -> tuple[Place, ...]:
    return (trunk.place,)


def with_registrar(trunk: TrunkSettings) -> tuple[Place, ...]:
    """Where a trunk is, and where it registers us."""
    return (trunk.place, trunk.registrar_place) if trunk.register_account else (trunk.place,)


def trunk_of(
    source: Hop,
    trunks: Sequence[TrunkSettings],
    book: NameBook,
    places: Callable[[TrunkSettings], Iterable[Place]] = _itself,
) -> TrunkSettings | None:
    """The trunk at that address; where several are at one host, the one of that port and transport, or that
    of the transport (a stream's port is its connection's), or the first. `places` are what counts as its.
    """
    for heard in (book.hops, book.heard):  # an address that a name had before may be another's by now
        at_host = [
            (trunk, hop)
            for trunk in trunks
            for place in places(trunk)
            for hop in heard(place)
            if hop.host == source.host
        ]
        if at_host:
            at_host.sort(key=lambda each: (each[1] != source, each[1].transport != source.transport))
            return at_host[0][0]
    return None


def profiles_of(trunk: TrunkSettings, transport: Transport) -> Profiles:
    """Keys that others may have read protect nothing: over TLS alone (RFC 4568 §8.3)."""
    return Profiles(plain=trunk.srtp != "required", secure=trunk.srtp != "off" and transport == "tls")


def offerable(source: Hop, trunks: Sequence[TrunkSettings], book: NameBook) -> Profiles:
    """How a caller from there may offer voice; who is no trunk's is refused for that."""
    trunk = trunk_of(source, trunks, book)
    return profiles_of(trunk, source.transport) if trunk else Profiles()
