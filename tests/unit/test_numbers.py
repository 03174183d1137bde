"""Telephone numbers as people, offices and telephone books write them (domain.md §1, §2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.numbers import (
    LANDLINE,
    MOBILE,
    NumberKind,
    is_emergency,
    is_never_dialled,
    kind_of,
    mask,
    normalise,
)

AREA = "0379"

WRITTEN = [
    # as written, in national form, kind
    ("13803790001", "13803790001", "mobile"),
    ("138 0379 0001", "13803790001", "mobile"),
    ("138-0379-0001", "13803790001", "mobile"),
    ("138–0379–0001", "13803790001", "mobile"),  # a word processor's dashes
    ("１３８０３７９０００１", "13803790001", "mobile"),  # full-width, from a web form
    ("'13803790001", "13803790001", "mobile"),  # a spreadsheet's text cell
    ("\u202d138 0379 0001\u202c", "13803790001", "mobile"),  # copied from a telephone book
    ("+86 138 0379 0001", "13803790001", "mobile"),
    ("+86-13803790001", "13803790001", "mobile"),
    ("8613803790001", "13803790001", "mobile"),
    ("008613803790001", "13803790001", "mobile"),
    ("1795113803790001", "13803790001", "mobile"),
    ("1259313803790001", "13803790001", "mobile"),
    ("17951+8613803790001", "13803790001", "mobile"),  # two prefixes
    ("013803790001", "13803790001", "mobile"),  # the 0 of an out-of-area mobile
    ("86013803790001", "13803790001", "mobile"),
    ("17951234567", "17951234567", "mobile"),  # a whole mobile keeps its digits
    ("63110002", "037963110002", "landline"),  # a bare number takes the office's area code
    ("6311002", "03796311002", "landline"),  # seven digits
    ("6311 0002", "037963110002", "landline"),
    ("86110002", "037986110002", "landline"),  # 86 begins a local number too
    ("(0379) 63110002", "037963110002", "landline"),
    ("（０３７９）63110002", "037963110002", "landline"),
    ("+86 379 63110002", "037963110002", "landline"),
    ("0086 0379 63110002", "037963110002", "landline"),
    ("37963110002", "037963110002", "landline"),
    ("010-63110002", "01063110002", "landline"),
    ("861063110002", "01063110002", "landline"),
    ("021-63110002", "02163110002", "landline"),
    ("1380379", "1380379", "unusable"),  # cut off
    ("138037900011", "138037900011", "unusable"),  # a digit too many
    ("12803790001", "12803790001", "unusable"),  # no such range
    ("0379-13110002", "037913110002", "unusable"),  # no local number begins with 1
    ("6311", "6311", "unusable"),  # an extension
    ("12345", "12345", "unusable"),  # a hotline
    ("106380110", "106380110", "unusable"),  # a sender of texts
    ("400-800-1234", "04008001234", "unusable"),  # a company's, though it looks like a landline
    ("+1 415 555 0100", "+14155550100", "unusable"),
    ("0014155550100", "0014155550100", "unusable"),
    ("13803790001转8", "13803790001转8", "unusable"),
    ("1380379٠٠٠١", "1380379٠٠٠١", "unusable"),  # Arabic digits are digits to `\d`, but not to a trunk
    ("²²²²²²²²²²²", "²²²²²²²²²²²", "unusable"),
    ("不详", "不详", "unusable"),
    ("", "", "unusable"),
]


@pytest.mark.parametrize(("written", "national", "kind"), WRITTEN)
def test_normal_form_and_kind(written: str, national: str, kind: str) -> None:
    number = normalise(written, AREA)
    assert (number, kind_of(number).value) == (national, kind)


EMERGENCIES = [
    "110", "119", "120", "122",
    "12110", "12110379",  # the police's number for texts, with the area's last three digits
    "95110",  # at sea
    "0379-110", "010110", "17951110", "86110",  # the same desks from afar
    "1 1 0", "１１０", "'110",
]  # fmt: skip


@pytest.mark.parametrize("written", EMERGENCIES)
def test_an_emergency_number_is_one_however_it_is_written(written: str) -> None:
    number = normalise(written, AREA)
    assert is_emergency(number) and is_never_dialled(number)
    assert kind_of(number) is NumberKind.UNUSABLE


NEVER = [
    # national form, never dialled
    ("10086", True),  # 3–6 digit codes
    ("123456", True),
    ("+86110", True),  # international form, even of our own country
    ("0012025550100", True),
    ("1380379000a", True),
    ("037963110110", True),  # the office's own
    ("037963110111", False),
    ("13803790001", False),
    ("1100379000", False),  # only begins like 110: unusable, but no emergency
    ("13803790110", False),  # only ends like it
    ("037963110119", False),
]


@pytest.mark.parametrize(("number", "never"), NEVER)
def test_what_is_never_dialled(number: str, never: bool) -> None:
    assert is_never_dialled(number, frozenset({"037963110110"})) is never


MASKED = [
    ("13803791234", "138****1234"),
    ("037963111234", "****1234"),
    ("6311", "****11"),  # half of a short one: four would be the whole
    ("1", "****"),
    ("", "****"),
]


@pytest.mark.parametrize(("number", "shown"), MASKED)
def test_mask(number: str, shown: str) -> None:
    assert mask(number) == shown


digits = st.text("0123456789", max_size=16)
written = st.one_of(
    st.text(max_size=20),
    st.text("0123456789+86- ", max_size=20),
    st.from_regex(MOBILE, fullmatch=True),
    st.builds("{}{}".format, st.sampled_from(["+86", "0086", "86", "17951", "12593", "0"]), digits),
)


@given(written)
def test_normalising_twice_changes_nothing(raw: str) -> None:
    once = normalise(raw, AREA)
    assert normalise(once, AREA) == once


@given(st.one_of(st.from_regex(MOBILE, fullmatch=True), st.from_regex(LANDLINE, fullmatch=True)))
def test_a_whole_number_is_its_own_normal_form(number: str) -> None:
    assert normalise(number, AREA) == number


@given(written)
def test_what_may_be_called_is_a_plain_national_number(raw: str) -> None:
    number = normalise(raw, AREA)
    if kind_of(number) is not NumberKind.UNUSABLE:
        assert number.isascii() and number.isdigit() and 10 <= len(number) <= 12
        assert not is_never_dialled(number)


@given(written)
def test_a_mask_never_shows_the_whole(raw: str) -> None:
    number = normalise(raw, AREA)
    if number:
        assert number not in mask(number).removeprefix("****")
