"""Replies as people write them. It may be unclear; it may not be wrong (domain.md §5)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.rating import CN3, CN5
from sms.reply import ParsedReply, parse

LINES = [
    line.rsplit("\t", 1)
    for line in Path(__file__).parent.parent.joinpath("data/replies.tsv").read_text().splitlines()
    if not line.startswith("#")
]


def said(reply: ParsedReply) -> str:
    what = "o" if reply.opt_out else "u" if reply.unclear else str(reply.rating)
    return what + ("e" if reply.emergency else "")


@pytest.mark.parametrize(("text", "what"), LINES)
def test_replies(text: str, what: str) -> None:
    assert said(parse(text)) == what


CN5_LINES = [
    ("1", "1"),
    ("5", "5"),
    ("满意", "2"),  # on five steps the plain word is the second
    ("非常满意", "1"),
    ("基本满意", "3"),
    ("不满意", "4"),
    ("非常不满意", "5"),
    ("4 没人来", "4"),
    ("6", "u"),
]


@pytest.mark.parametrize(("text", "what"), CN5_LINES)
def test_the_scale_of_five(text: str, what: str) -> None:
    assert said(parse(text, CN5)) == what


def test_the_comment_is_the_rest() -> None:
    assert parse("1，谢谢，修好了。").comment == "谢谢,修好了"  # NFKC: the reply itself is kept as it came
    assert parse("3 根本没人来").comment == "根本没人来"


edges = st.text(alphabet=" 。.!！~，,\u200b\t", max_size=4)


@given(st.sampled_from([line for line in LINES if line[1] in ("1", "2", "3", "o")]), edges, edges)
def test_space_and_punctuation_around_change_nothing(line: list[str], before: str, after: str) -> None:
    assert said(parse(before + line[0] + after)) == line[1]


@given(st.text(max_size=60))
def test_any_text_is_read_as_exactly_one_thing(text: str) -> None:
    reply = parse(text)
    assert (reply.rating is not None) + reply.opt_out + reply.unclear == 1
    assert reply.rating is None or reply.rating in CN3


@given(
    st.sampled_from(["不是很", "谈不上", "说不上", "并不", "没有", "不能说", "哪里"]), st.sampled_from("123")
)
def test_negated_praise_is_never_praise(negation: str, digit: str) -> None:
    assert parse(f"{negation}满意").rating not in CN3.positive
    assert parse(f"{digit}，{negation}满意").rating not in CN3.positive


@given(
    st.sampled_from(["天", "个人", "次", "年", "点", "号", "小时", "周", "楼", "单元", "个月"]),
    st.sampled_from("123"),
)
def test_a_digit_that_counts_something_rates_nothing(measure: str, digit: str) -> None:
    assert parse(f"{digit}{measure}都没人来").unclear
    assert parse(f"{digit} {measure}了").unclear
