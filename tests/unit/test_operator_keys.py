"""What operators key in amidst a talk, and whom they may bring in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.inbound.directory import Directory
from ivr.inbound.operator_keys import BringIn, CallOff, OperatorKeys, Wish

TYPED = [
    # keys, half a second apart; what is wished
    ("*12#", [BringIn("12", False)]),
    ("**12#", [BringIn("12", True)]),
    ("*#", [CallOff()]),
    ("12#", []),  # for the other end's menu
    ("**#", []),  # nobody is named
    ("***12#", [BringIn("12", True)]),  # once too often: the last two count
    ("*123456789#", []),  # longer than a code is
    ("*1A2#", []),
    ("5*12#6", [BringIn("12", False)]),
    ("*12*13#", [BringIn("13", False)]),  # begun anew
    ("*12#**7#*#", [BringIn("12", False), BringIn("7", True), CallOff()]),
]


def wishes(keys: str, gap: float = 0.5) -> list[Wish]:
    typed = OperatorKeys()
    found = [typed.take(key, 100.0 + gap * at) for at, key in enumerate(keys)]
    return [wish for wish in found if wish is not None]


@pytest.mark.parametrize(("keys", "found"), TYPED)
def test_what_is_keyed_in(keys: str, found: list[Wish]) -> None:
    assert wishes(keys) == found


def test_a_long_pause_begins_anew() -> None:
    assert wishes("*12#", gap=6.0) == []


@given(st.text("0123456789*#", max_size=30), st.from_regex(r"[0-9]{1,8}", fullmatch=True))
def test_whatever_was_keyed_before_a_wish_is_understood(before: str, code: str) -> None:
    typed = OperatorKeys()
    for key in f"{before}#*{code}":
        typed.take(key, 1.0)
    wish = typed.take("#", 1.0)
    assert isinstance(wish, BringIn) and wish.code == code


DIRECTORY = Directory(
    {"12": "unit-water", "1": "hotline"}, {"unit-water": "63110117", "hotline": "12345"}, "0379"
)
URIS = [
    # Refer-To, whose it is
    ("sip:12@192.0.2.1", "unit-water"),
    ("sip:037963110117@192.0.2.9:5080;user=phone", "unit-water"),
    ("tel:+8637963110117", "unit-water"),
    ("sip:63110117@192.0.2.1", "unit-water"),
    ("sip:12345@192.0.2.1", "hotline"),
    ("sip:13803790001@192.0.2.1", None),
    ("sip:@192.0.2.1", None),
    ("nonsense", None),
    ("urn:service:sos", None),
]


@pytest.mark.parametrize(("uri", "target"), URIS)
def test_whom_a_refer_names(uri: str, target: str | None) -> None:
    assert DIRECTORY.of_uri(uri) == target
