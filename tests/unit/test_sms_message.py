"""Texts on the wire: what a part holds, and that broken bytes are never taken for words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.long_reply import PATIENCE, LongReplies, Part, Whole, part_of
from sms.message import BrokenText, decode, encode, parts, udh, units

KEY = ("13803790001", "106380110", 8)
NO_SAR = (None, None, None)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", [0]),  # nothing is still one text
        ("满" * 70, [70]),  # the most that goes alone
        ("满" * 71, [67, 4]),  # each of several gives three units to its header
        ("满" * 134, [67, 67]),
        ("满" * 135, [67, 67, 1]),
        ("😀" * 35, [70]),  # two units each
        ("满" * 66 + "😀" + "满" * 10, [66, 12]),  # a pair isn't cut: it moves to the next part
    ],
)
def test_parts_by_utf16_units(text: str, lengths: list[int]) -> None:
    assert [units(part) for part in parts(text)] == lengths


@given(texts)
@settings(max_examples=150)
def test_parts_are_the_text_and_each_fits(text: str) -> None:
    cut = parts(text)
    assert "".join(cut) == text
    assert all(len(encode(part)) <= (140 if len(cut) == 1 else 134) for part in cut)
    assert all(decode(encode(part), 8) == part for part in cut)  # so no pair was cut


@pytest.mark.parametrize(
    ("raw", "data_coding", "text"),
    [
        (b"\x6e\xe1\x61\x0f", 8, "满意"),
        (b"\xff\x13", 8, "３"),
        (b"\xd8\x3d\xde\x00", 8, "😀"),
        (b"", 8, ""),
        (b"1", 0, "1"),  # the default alphabet, as far as it is ASCII
        (b"\xe9", 3, "é"),  # Latin-1
        (b"\x00\x31\x00\x00", 8, "1"),  # a far end that ends or fills up its texts with zeros
        (b"1\0\0", 0, "1"),
        (b"\x00\x31\x00\x00\x00\x32", 8, None),  # a zero within is no character that can be kept
        (b"\x6e", 8, None),  # half a character
        (b"\xd8\x3d", 8, None),  # half a pair, at the end
        (b"\xd8\x3d\x00\x31", 8, None),  # half a pair, then a digit
        (b"\xde\x00\x00\x31", 8, None),  # the other half first
        (b"\xb1\xed", 0, None),  # GBK sent as the default alphabet
    ],
)
def test_a_delivery_is_text_or_broken(raw: bytes, data_coding: int, text: str | None) -> None:
    if text is None:
        with pytest.raises(BrokenText):
            decode(raw, data_coding)
    else:
        assert decode(raw, data_coding) == text


@pytest.mark.parametrize(
    ("esm_class", "raw", "sar", "part", "rest"),
    [
        (0, b"\x00\x31", NO_SAR, None, b"\x00\x31"),  # a whole text
        (0x40, udh(7, 2, 1) + b"\x00\x31", NO_SAR, Part(7, 2, 1, b"\x00\x31"), b"\x00\x31"),
        # a 16-bit reference
        (0x40, b"\x06\x08\x04\x01\x02\x02\x02ab", NO_SAR, Part(0x102, 2, 2, b"ab"), b"ab"),
        # another element (ports) before it
        (0x40, b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x07\x02\x01ab", NO_SAR, Part(7, 2, 1, b"ab"), b"ab"),
        # a header about something else: taken off
        (0x40, b"\x06\x05\x04\x0b\x84\x23\xf0ab", NO_SAR, None, b"ab"),
        (0, b"ab", (9, 2, 2), Part(9, 2, 2, b"ab"), b"ab"),  # told by sar_*
        (0, b"ab", (9, None, 2), None, b"ab"),  # not told whole
        (0x40, udh(7, 2, 3) + b"ab", NO_SAR, None, b"ab"),  # the third of two
        (0x40, udh(7, 1, 1) + b"ab", NO_SAR, None, b"ab"),  # one of one is whole
        (0x40, b"\x20ab", NO_SAR, None, b"\x20ab"),  # a header longer than the text
        (0x40, b"", NO_SAR, None, b""),
    ],
)
def test_part_of(
    esm_class: int, raw: bytes, sar: tuple[int | None, ...], part: Part | None, rest: bytes
) -> None:
    assert part_of(esm_class, raw, sar) == (part, rest)


@given(st.binary(max_size=40), st.integers(0, 255))
@settings(max_examples=200)
def test_part_of_never_stumbles(raw: bytes, esm_class: int) -> None:
    part, rest = part_of(esm_class, raw, NO_SAR)
    assert raw.endswith(rest)
    assert part is None or part.raw == rest


@given(st.permutations(range(1, 5)), st.lists(st.integers(1, 4), max_size=3))
@settings(max_examples=100)
def test_parts_in_any_order_make_one_whole(order: list[int], repeated: list[int]) -> None:
    """Whatever is delivered twice meanwhile is answered with the whole and changes nothing."""
    replies = LongReplies()
    arriving = [order[0], *(number for number in repeated if number == order[0]), *order[1:]]
    for sequence, number in enumerate(arriving):
        whole = replies.add(KEY, Part(3, 4, number, b"%d" % number), sequence, now=0.0)
        assert (whole is not None) == (sequence == len(arriving) - 1)
    assert whole == Whole(KEY, b"1234", tuple(range(len(arriving))))
    assert replies.deadline == float("inf")


def test_what_stays_incomplete_is_given_up_waiting_for() -> None:
    replies = LongReplies()
    assert replies.add(KEY, Part(3, 3, 3, b"c"), 11, now=5.0) is None
    assert replies.add(KEY, Part(3, 3, 1, b"a"), 12, now=6.0) is None
    assert replies.add(("13803790002", *KEY[1:]), Part(3, 3, 1, b"x"), 13, now=9.0) is None  # another's
    assert replies.deadline == 5.0 + PATIENCE
    assert replies.overdue(5.0 + PATIENCE - 0.1) == []
    assert replies.overdue(5.0 + PATIENCE) == [Whole(KEY, b"ac", (11, 12))]
    assert replies.deadline == 9.0 + PATIENCE
    replies.clear()
    assert replies.overdue(1e9) == []
