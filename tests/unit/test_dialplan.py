"""The strict dial plan, domain.md §1 and §2."""

from __future__ import annotations

import pytest

from ivr.dialplan import DialPlan, NotDialled

PLAN = DialPlan(
    area_code="0379",
    own_numbers=frozenset({"0379-63110110", "106551234"}),
    targets={"emergency_desk": "110", "seat_1": "037963110001"},
    local_prefixes=frozenset({"1380379"}),
)

CALLED = [
    ("13803790001", "13803790001"),
    ("+86 138-0379-0001", "13803790001"),  # as a telephone book exports it
    ("008613803790001", "13803790001"),
    ("1795113803790001", "13803790001"),  # an old IP-call prefix
    ("63112345", "037963112345"),  # a bare local number takes the office's area code
    ("0379-63112345", "037963112345"),
    ("１３８０３７９０００１", "13803790001"),  # full-width digits from a web form
]

REFUSED = [
    ("110", "emergency"),
    ("119", "emergency"),
    ("120", "emergency"),
    ("122", "emergency"),
    ("12110", "emergency"),
    ("12110379", "emergency"),  # the text number of the police with its area suffix
    ("95110", "emergency"),  # the coast guard
    ("+86110", "emergency|international"),  # 110 in disguise
    ("12345", "short code"),
    ("10086", "short code"),
    ("123456", "short code"),
    ("037963110110", "own numbers"),  # we'd call ourselves
    ("63110110", "own numbers"),
    ("106551234", "own numbers"),
    ("037963110001", "desk"),  # a case that names a seat's telephone
    ("63110001", "desk"),
    ("0011415550100", "international"),
    ("+14155550100", "international"),
    ("4008001234", "service number"),  # a company's
    ("0379-110", "neither"),
    ("12803790001", "neither"),  # no such mobile range
    ("138037900011", "neither"),  # a digit too many
    ("", "no number"),
    ("不详", "not a telephone number"),
]


@pytest.mark.parametrize(("raw", "dialled"), CALLED)
def test_a_citizens_number_is_dialled(raw: str, dialled: str) -> None:
    assert PLAN.citizen(raw) == dialled


@pytest.mark.parametrize(("raw", "reason"), REFUSED)
def test_what_is_never_dialled(raw: str, reason: str) -> None:
    with pytest.raises(NotDialled, match=reason):
        PLAN.citizen(raw)


@pytest.mark.parametrize(
    ("raw", "dialled"),
    [
        ("13803790001", "13803790001"),  # of our own area
        ("13912340001", "013912340001"),  # out of area
        ("63112345", "037963112345"),  # landlines have their 0 already
    ],
)
def test_trunks_that_want_a_zero_before_an_out_of_area_mobile(raw: str, dialled: str) -> None:
    assert PLAN.citizen(raw, out_of_area_zero=True) == dialled


def test_desks_are_named_never_dialled_by_number() -> None:
    assert PLAN.target("emergency_desk") == "110"
    with pytest.raises(NotDialled, match="emergency_desk, seat_1"):
        PLAN.target("13803790001")
    with pytest.raises(NotDialled, match="it has: none"):
        DialPlan("0379").target("seat_1")
