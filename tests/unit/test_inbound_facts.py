"""What an INVITE tells of who calls which number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.inbound.facts import InboundFacts, Service, read_facts

PAI, PANI = "P-Asserted-Identity", "P-Access-Network-Info"


def facts(uri: str, caller: str = "13812340001", *headers: tuple[str, str]) -> InboundFacts:
    return read_facts(uri, caller, headers, "0379", ("037963110110",))


CALLED = [
    # whom the INVITE asks for, the number as it's kept, the service
    ("sip:110@10.0.0.1", "110", "emergency"),
    ("sip:0379110@10.0.0.1:5060;user=phone", "0379110", "emergency"),  # area code + 110
    ("tel:110;phone-context=+86379", "+86379110", "emergency"),
    ("sip:110;phone-context=+86379@10.0.0.1;user=phone", "+86379110", "emergency"),  # RFC 3261 §19.1.6
    ("urn:service:sos", "urn:service:sos", "emergency"),  # a mobile network's own word
    ("URN:SERVICE:SOS.police", "urn:service:sos.police", "emergency"),
    ("sip:037963110110@10.0.0.1", "037963110110", "callback"),
    ("sip:63110110@10.0.0.1", "63110110", "callback"),  # as somebody of the city dials it
    ("tel:+8637963110110", "+8637963110110", "callback"),
    ("sip:999@10.0.0.1", "999", "emergency"),  # who isn't certainly rating meets a person
    ("sip:@10.0.0.1", "", "emergency"),
]


@pytest.mark.parametrize(("uri", "called", "service"), CALLED)
def test_what_was_called(uri: str, called: str, service: str) -> None:
    found = facts(uri)
    assert (found.called, found.service) == (called, Service(service))


CALLERS = [
    # From, headers, the number, asserted, private
    ("13812340001", (), "13812340001", False, False),
    ("anonymous", (), "", False, False),
    # 110 sees the number although it's withheld from others
    ("anonymous", ((PAI, "<sip:+8613812340001@ims.example>"), ("Privacy", "id")), "13812340001", True, True),
    ("63119999", ((PAI, "<tel:+8637963119999>"),), "037963119999", True, False),
    ("1", ((PAI, '"x" <sip:a@b>, <tel:+8613812340001>'),), "13812340001", True, False),  # two identities
    ("13812340002", ((PAI, "<<>"),), "13812340002", False, False),  # unreadable: From is what there is
    ("13812340002", (("Privacy", "none"),), "13812340002", False, False),
    ("13812340002", (("Privacy", "header;critical"),), "13812340002", False, True),
]


@pytest.mark.parametrize(("caller", "headers", "number", "asserted", "private"), CALLERS)
def test_who_called(caller: str, headers, number: str, asserted: bool, private: bool) -> None:
    found = facts("sip:110@10.0.0.1", caller, *headers)
    assert (found.number, found.asserted, found.private) == (number, asserted, private)


def test_where_from_is_kept_and_passed_on() -> None:
    network = "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=4600012345"
    place = "<cid:a@b>;inserted-by=x"
    found = facts(
        "sip:110@x", "1", (PANI, network), ("Geolocation", place), ("Subject", "x"), ("Privacy", "id")
    )
    assert (found.access_network, found.geolocation) == (network, (place,))
    assert found.passed_on == (("Privacy", "id"), (PANI, network), ("Geolocation", place))


def test_what_is_too_long_isnt_passed_on_cut() -> None:
    found = facts("sip:110@x", "1", (PANI, "x" * 1000))
    assert (len(found.access_network), found.passed_on) == (300, ())


@given(
    uri=st.text(max_size=60), caller=st.text(max_size=20), name=st.sampled_from([PAI, PANI, "Privacy"]),
    value=st.text(max_size=60),
)  # fmt: skip
def test_nothing_that_comes_raises(uri: str, caller: str, name: str, value: str) -> None:
    found = facts(uri, caller, (name, value))
    assert found.called.isprintable() or not found.called
    assert found.number.isprintable() or not found.number
