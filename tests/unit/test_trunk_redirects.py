"""Where a trunk's 3xx may lead: by the names in its settings to addresses."""

from __future__ import annotations

import pytest

from ivr.name_book import NameBook
from ivr.name_lookup import Found
from ivr.sip.hop import Hop, Transport
from ivr.sip.message import Response
from ivr.sip.redirection import redirected
from ivr.trunk_redirects import may_lead_to, redirects_of
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


@pytest.mark.parametrize(
    ("contact", "leads"),
    [
        ("<sip:13803790002@10.0.0.9>", True),
        ("<sip:8001@10.0.0.9>", True),
        ("<sip:110@10.0.0.9>", False),
        ("<sip:%3110@10.0.0.9;user=phone>", False),
        ("<sip:1-1-0;phone-context=+86@10.0.0.9>", False),
        ("<sip:+86110@10.0.0.9>", False),
        ("<sip:0379110@10.0.0.9>", False),
        ("<sip:120@10.0.0.9>, <sip:13803790002@10.0.0.9>;q=0.1", True),  # the next that may be called
    ],
)
def test_110_is_never_where_it_leads(contact: str, leads: bool) -> None:
    moved = Response((("Contact", contact),), b"", 302, "Moved Temporarily")
    assert (redirected(moved, {"10.0.0.9": Hop("10.0.0.9", 5060)}, may_lead_to) is not None) is leads


def test_a_name_without_an_address_leads_nowhere() -> None:
    carrier = trunk("carrier", "10.0.0.1", redirects=("spare",))
    spare = trunk("spare", "spare.example.com")
    book = NameBook((carrier.place, spare.place), nobody)
    assert redirects_of(carrier, (carrier, spare), book, 0.0) == {}
