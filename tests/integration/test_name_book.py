"""Where trunks are, asked of a name server on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from ivr.hosts import Place
from ivr.name_book import NameBook
from ivr.name_lookup import LookupFailed, lookup_by
from ivr.sip.hop import Hop
from ivr.sip_trunks import trunk_of
from ivr.trunk_settings import TrunkSettings
from tests.name_server import NameServer, name_server


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as made:
        yield made


def book_of(server: NameServer, *places: Place) -> NameBook:
    return NameBook(places, lookup_by([server.where], ipv6=False))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_address_needs_no_server(server: NameServer) -> None:
    place = Place("192.0.2.1", None, "tls")
    book = book_of(server, place)
    book.start()
    assert book.hops(place) == (Hop("192.0.2.1", 5061, "tls"),)
    assert not server.asked


def test_without_a_port_srv_tells_servers_in_their_order(server: NameServer) -> None:
    server.records = {
        ("_sip._udp.trunk.test.", "SRV"): (60, ["20 0 5080 second.test.", "10 0 5070 first.test."]),
        ("first.test.", "A"): (60, ["127.0.0.3"]),
        ("second.test.", "A"): (60, ["127.0.0.4", "127.0.0.5"]),
    }
    place = Place("trunk.test", None, "udp")
    book = book_of(server, place)
    book.start()
    try:
        assert book.hops(place)[0] == Hop("127.0.0.3", 5070)
        assert set(book.hops(place)[1:]) == {Hop("127.0.0.4", 5080), Hop("127.0.0.5", 5080)}
        assert book.hosts == {"127.0.0.3", "127.0.0.4", "127.0.0.5"}
        assert book.name_of(Hop("127.0.0.4", 5080)) == "trunk.test"
        book.avoid(Hop("127.0.0.3", 5070), 0.0)
        assert book.hop(place, 1.0) == book.hops(place)[1]  # who doesn't answer comes last
        assert book.hop(place, 301.0) == Hop("127.0.0.3", 5070)  # for five minutes
        assert book.has_better(place, 1.0)
        for late, hop in enumerate(book.hops(place)):
            book.avoid(hop, float(late))
        assert not book.has_better(place, 3.0)
        assert book.hop(place, 3.0) == book.hops(place)[0]  # none is better: the one that is longest ago
    finally:
        book.close()


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (Place("trunk.test", 5090, "udp"), Hop("127.0.0.3", 5090)),  # a port is set: no SRV is asked for
        (Place("trunk.test", None, "tcp"), Hop("127.0.0.3", 5060, "tcp")),  # no SRV: the usual port
        (Place("trunk.test", None, "tls"), Hop("127.0.0.3", 5061, "tls")),
    ],
)
def test_a_name_without_srv_is_an_address(server: NameServer, place: Place, found: Hop) -> None:
    server.records = {("trunk.test.", "A"): (60, ["127.0.0.3"])}
    book = book_of(server, place)
    book.start()
    book.close()
    assert book.hops(place) == (found,)
    assert any(kind == "SRV" for _, kind in server.asked) == (place.port is None)


def test_a_service_that_is_said_not_to_be_there_is_none(server: NameServer) -> None:
    server.records = {
        ("_sips._tcp.trunk.test.", "SRV"): (60, ["0 0 0 ."]),
        ("trunk.test.", "A"): (60, ["127.0.0.3"]),
    }
    with pytest.raises(LookupFailed, match="has no _sips"):
        lookup_by([server.where], ipv6=False)("trunk.test", None, "tls")


def test_what_cant_be_a_hosts_name_isnt_found() -> None:
    with pytest.raises(LookupFailed, match="too long"):
        lookup_by([], ipv6=False)(f"{'a' * 64}.test", 5060, "udp")


def test_names_are_asked_for_again_and_stay_known_without_an_answer(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.name_book._SHORTEST", 0.05)
    monkeypatch.setattr("ivr.name_book._AGAIN", 0.05)
    monkeypatch.setattr("ivr.name_lookup._PATIENCE", 0.2)
    server.records = {("trunk.test.", "A"): (0, ["127.0.0.3"])}
    place = Place("trunk.test", 5060, "udp")
    book, changes = book_of(server, place), []
    book.on_change = lambda: changes.append(book.hosts)
    book.start()
    try:
        server.records = {("trunk.test.", "A"): (0, ["127.0.0.4"])}  # the carrier moves
        until(lambda: book.hops(place) == (Hop("127.0.0.4", 5060),))
        asked = server.asked.total()
        server.silent = True
        until(lambda: server.asked.total() > asked + 3)
        assert book.hops(place) == (Hop("127.0.0.4", 5060),)
        server.silent = False
        server.records = {}  # NXDOMAIN: a mistake of the carrier's, we go on with what was right
        until(lambda: server.asked.total() > asked + 6)
        assert book.hops(place) == (Hop("127.0.0.4", 5060),)
        assert changes[-1] == {"127.0.0.3", "127.0.0.4"}
    finally:
        book.close()


def test_who_carries_a_call_is_heard_when_the_name_tells_another_address(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A carrier's name that tells one of its addresses, each time another: its BYE is no stranger's."""
    monkeypatch.setattr("ivr.name_book._SHORTEST", 0.05)
    server.records = {("trunk.test.", "A"): (0, ["127.0.0.3"])}
    place = Place("trunk.test", 5060, "udp")
    book, changes = book_of(server, place), []
    book.on_change = lambda: changes.append(book.hosts)
    trunk = TrunkSettings(name="carrier", host="trunk.test", port=5060, caller_number="037963110110")
    book.start()
    try:
        server.records = {("trunk.test.", "A"): (0, ["127.0.0.4"])}
        until(lambda: book.hop(place, 0.0) == Hop("127.0.0.4", 5060))
        assert book.hosts == {"127.0.0.3", "127.0.0.4"}
        assert trunk_of(Hop("127.0.0.3", 5060), [trunk], book) is trunk  # a new call of it is taken, too
        monkeypatch.setattr("ivr.name_book._FORMER", 0.0)
        server.records = {("trunk.test.", "A"): (0, ["127.0.0.5"])}
        until(lambda: book.hosts == {"127.0.0.3", "127.0.0.5"})  # each for its own time
        assert changes[-1] == book.hosts
    finally:
        book.close()


def test_a_name_that_nobody_knows_has_no_hops_until_it_is_known(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.name_book._AGAIN", 0.05)
    place = Place("late.test", 5060, "udp")
    book = book_of(server, place)
    book.start()
    try:
        assert book.hop(place, 0.0) is None
        server.records = {("late.test.", "A"): (60, ["127.0.0.3"])}
        until(lambda: book.hop(place, 0.0) == Hop("127.0.0.3", 5060))
    finally:
        book.close()


def test_without_servers_the_machine_is_asked() -> None:
    found = lookup_by([], ipv6=False)("localhost", 5060, "udp")
    assert [target.addresses for target in found.targets] == [("127.0.0.1",)]
