"""Where a trunk's 3xx may lead: by the names in its settings to addresses."""

from __future__ import annotations

from ivr.name_book import NameBook
from ivr.name_lookup import Found
from ivr.sip.hop import Hop, Transport
from ivr.trunk_redirects import redirects_of
from ivr.trunk_settings import TrunkSettings


def trunk(name: str, host: str, **more: object) -> TrunkSettings:
    return TrunkSettings.model_validate({"name": name, "host": host, "caller_number": "037963110110"} | more)


def nobody(host: str, port: int | None, transport: Transport) -> Found:
    raise AssertionError(f"{host} was looked up")


def test_only_what_is_named_by_host_and_by_port() -> None:
    carrier = trunk("carrier", "10.0.0.1", redirects=("spare", "other", "six"))
    trunks = (
        carrier,
        trunk("spare", "10.0.0.9"),
        trunk("other", "10.0.0.9", port=5070, transport="tcp"),
        trunk("six", "2001:db8::9"),
        trunk("stranger", "10.0.0.7"),
    )
    book = NameBook((each.place for each in trunks), nobody)
    assert redirects_of(carrier, trunks, book, 0.0) == {
        "10.0.0.9": Hop("10.0.0.9", 5060),  # the first that is named
        "10.0.0.9:5060": Hop("10.0.0.9", 5060),
        "10.0.0.9:5070": Hop("10.0.0.9", 5070, "tcp"),
        "[2001:db8::9]": Hop("2001:db8::9", 5060),
        "[2001:db8::9]:5060": Hop("2001:db8::9", 5060),
    }
    assert redirects_of(trunks[1], trunks, book, 0.0) == {}


def test_a_name_without_an_address_leads_nowhere() -> None:
    carrier = trunk("carrier", "10.0.0.1", redirects=("spare",))
    spare = trunk("spare", "spare.example.com")
    book = NameBook((carrier.place, spare.place), nobody)
    assert redirects_of(carrier, (carrier, spare), book, 0.0) == {}
