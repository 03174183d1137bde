"""Where a 3xx leads (RFC 3261 §8.1.3.4): only to what was configured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip import Hop
from ivr.sip.message import Response
from ivr.sip.redirection import redirected

EDGE, SPARE = Hop("10.0.0.9", 5060), Hop("10.0.0.9", 5070)
SIX = Hop("2001:db8::9", 5060)
REDIRECTS = {"10.0.0.9": EDGE, "10.0.0.9:5070": SPARE, "edge.example.com": EDGE, "[2001:db8::9]:5062": SIX}


def moved(*contacts: str) -> Response:
    return Response(tuple(("Contact", contact) for contact in contacts), b"", 302, "Moved Temporarily")


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        ((), None),
        (("<sip:1@10.0.0.9>",), ("sip:1@10.0.0.9", EDGE)),
        (("<sip:1@10.0.0.9:5070>",), ("sip:1@10.0.0.9:5070", SPARE)),
        (("<sip:1@10.0.0.9:5999>",), None),  # a stranger at that host
        (("<sip:1@EDGE.example.com;user=phone>",), ("sip:1@EDGE.example.com;user=phone", EDGE)),
        (("<sip:1@[2001:DB8:0::9]:5062>",), ("sip:1@[2001:DB8:0::9]:5062", SIX)),
        (("<sip:1@10.0.0.8>",), None),
        (("<sip:10.0.0.9@10.0.0.8>",), None),  # the user part is no host
        (("<sips:1@10.0.0.9>", "<tel:+86379>"), None),
        (("*",), None),
        (("<sip:1@10.0.0.9>;q=0.2, <sip:2@10.0.0.9>;q=0.9",), ("sip:2@10.0.0.9", EDGE)),
        (("<sip:1@10.0.0.9>;q=0.2", "<sip:2@10.0.0.9>"), ("sip:2@10.0.0.9", EDGE)),  # no q is 1
        (("<sip:1@10.0.0.9>;q=x", "<sip:2@10.0.0.9>;q=1"), ("sip:1@10.0.0.9", EDGE)),  # equal: the first
        (("<sip:1@10.0.0.9>;q=nan", "<sip:2@10.0.0.9>;q=0.1"), ("sip:2@10.0.0.9", EDGE)),
        (("<sip:1@10.0.0.9?Route=%3Csip:10.0.0.8%3E>",), ("sip:1@10.0.0.9", EDGE)),  # its headers aren't ours
        (('"x <sip:1@10.0.0.9>',), None),
    ],
)
def test_where_it_leads(contacts: tuple[str, ...], expected: tuple[str, Hop] | None) -> None:
    assert redirected(moved(*contacts), REDIRECTS) == expected


@given(st.lists(st.text(max_size=40), max_size=3))
def test_nowhere_else_and_no_exception(contacts: list[str]) -> None:
    assert redirected(moved(*contacts), {}) is None
    found = redirected(moved(*contacts), REDIRECTS)
    assert found is None or found[1] in REDIRECTS.values()
