"""Replies as people write them. It may be unclear; it may not be wrong (domain.md §5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.rating import CN3, CN5
from sms.reply import ParsedReply, is_emergency, normalise, parse

FILE = Path(__file__).parent.parent / "data" / "replies.tsv"
_ESCAPES = {"n": "\n", "r": "\r"}


@dataclass(frozen=True)
class Line:
    """A line of the file: what somebody wrote, and what it may be read as (the file's head says how)."""

    number: int
    text: str
    allowed: tuple[str, ...]

    @property
    def strict(self) -> bool:
        return len(self.allowed) == 1

    @property
    def rates(self) -> bool:
        """Whether it must be read as a rating, and nothing else."""
        return self.strict and self.allowed[0][0] in "123"


def _line(number: int, row: str) -> Line:
    text, _, what = row.rpartition("\t")
    text = re.sub(r"\\(u[0-9a-f]{4}|[nr])", lambda m: _ESCAPES.get(m[1]) or chr(int(m[1][1:], 16)), text)
    return Line(number, text, tuple(what.split("|")))


ROWS = enumerate(FILE.read_text(encoding="utf-8").split("\n"), start=1)
LINES = [_line(number, row) for number, row in ROWS if row and not row.startswith("#")]
RATED = [line for line in LINES if line.rates]
OPT_OUTS = [line for line in LINES if line.allowed == ("o",)]


def said(reply: ParsedReply) -> str:
    what = "o" if reply.opt_out else "u" if reply.unclear else str(reply.rating)
    return what + ("e" if reply.emergency else "")


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"line{line.number}")
def test_each_line_is_read_as_it_may_be(line: Line) -> None:
    assert said(parse(line.text)) in line.allowed, f"{FILE.name}:{line.number}: {line.text!r}"


def test_four_hundred_lines_and_more_none_wrong_and_no_plain_answer_lost() -> None:
    """The issue's sentence: unclear may be, wrong may not. A plain answer is asked for twice by nobody."""
    readings = [(line, said(parse(line.text))) for line in LINES]
    wrong = [(line.number, line.text, what) for line, what in readings if what not in line.allowed]
    lost = [(line.number, line.text) for line, what in readings if line.rates and what[0] == "u"]
    assert len(LINES) >= 400
    assert len({line.text for line in LINES}) == len(LINES)  # each says something new
    assert (wrong, lost) == ([], [])


def test_the_file_covers_every_kind_of_answer() -> None:
    """A table that lost its praise with emergency words, say, would prove nothing of it."""
    kinds = {what: sum(line.allowed == (what,) for line in LINES) for what in ("1", "2", "3", "u", "o", "ue")}
    assert all(count >= 15 for count in kinds.values()), kinds
    assert sum(not line.strict for line in LINES) >= 100


CN5_LINES = [
    ("1", "1"),
    ("5", "5"),
    ("满意", "2"),  # on five steps the plain word is the second
    ("挺满意", "2"),
    ("非常满意", "1"),
    ("很滿意，謝謝", "1"),
    ("基本满意", "3"),
    ("不满意", "4"),
    ("不太满意", "4"),
    ("非常不满意", "5"),
    ("很不满意！！", "5"),
    ("4 没人来", "4"),
    ("4没人来", "4"),  # the dissatisfied need no space, as 3 on three steps
    ("5没人来", "5"),
    ("5楼没水", "u"),
    ("4天了没人管", "u"),
    ("5分", "u"),
    ("1非常满意", "1"),
    ("2满意", "2"),
    ("3基本满意", "3"),
    ("4不满意", "4"),
    ("5非常不满意", "5"),
    ("1满意", "u"),  # two ratings
    ("2不满意", "u"),
    ("4满意", "u"),
    ("5不满意", "u"),
    ("3 慢了点", "3"),
    ("3没人来", "u"),  # not a dissatisfied step: glued words may be what is counted
    ("3，根本没人来", "u"),
    ("2，不错", "2"),
    ("2，没解决", "u"),
    ("四", "4"),
    ("伍", "5"),
    ("⑤", "5"),
    ("6", "u"),
    ("4.5", "u"),
    ("4或5", "u"),
    ("5星好评", "u"),
    ("5 救命", "5e"),
    ("TD", "o"),
    ("1非常满意，2满意，3基本满意，4不满意，5非常不满意", "u"),
]


@pytest.mark.parametrize(("text", "what"), CN5_LINES)
def test_the_scale_of_five(text: str, what: str) -> None:
    assert said(parse(text, CN5)) == what


def test_the_comment_is_the_rest() -> None:
    assert parse("1，谢谢，修好了。").comment == "谢谢,修好了"  # NFKC: the reply itself is kept as it came
    assert parse("3 根本没人来").comment == "根本没人来"
    assert parse("3，3天了没人管").comment == "3天了没人管"
    assert parse("就那样吧").comment == "就那样吧"  # what nobody could read is a person's to read, whole


edges = st.text(alphabet=" 。.!！~，,\u200b\ufeff\t", max_size=4)
thanks = st.sampled_from(["谢谢", "，谢谢", " 谢谢你们", "。感謝！", "，辛苦了", "，谢谢民警"])


@given(st.sampled_from([*RATED, *OPT_OUTS]), edges, edges)
def test_space_and_punctuation_around_change_nothing(line: Line, before: str, after: str) -> None:
    assert said(parse(before + line.text + after)) == line.allowed[0]


@given(st.sampled_from(RATED), thanks)
def test_thanks_change_no_rating(line: Line, thank: str) -> None:
    assert said(parse(line.text + thank)) == line.allowed[0]


FULL_WIDTH = {each: each + 0xFEE0 for each in range(0x21, 0x7F)} | {0x20: 0x3000}
TRADITIONAL = str.maketrans("满谢没还个处决来报评价实", "滿謝沒還個處決來報評價實")


@given(st.sampled_from([line for line in LINES if line.strict]))
def test_full_width_and_traditional_read_the_same(line: Line) -> None:
    for written in (line.text.translate(FULL_WIDTH), line.text.translate(TRADITIONAL)):
        assert said(parse(written)) == line.allowed[0]


@given(st.text(max_size=60))
def test_any_text_is_read_as_exactly_one_thing(text: str) -> None:
    reply = parse(text)
    assert (reply.rating is not None) + reply.opt_out + reply.unclear == 1
    assert reply.rating is None or reply.rating in CN3
    assert parse(text) == reply  # today as tomorrow


WORDS = "满意 不 没 很 非常 基本 谢谢 是 我 天 个 人 次 楼 救命 报警 快 退订 T"
fragments = st.sampled_from([*"123１③，。？👍👎\u200b ", *WORDS.split(" ")])


@given(st.lists(fragments, max_size=9).map("".join))
def test_whatever_is_put_together_never_raises_and_says_one_thing(text: str) -> None:
    for scale in (CN3, CN5):
        reply = parse(text, scale)
        assert (reply.rating is not None) + reply.opt_out + reply.unclear == 1


PLAIN = "的一是在人有我他这来到时大地为子中你生国年着就那和要她出也得里后自以会家可下而过天去能"


@given(st.text(alphabet=PLAIN, max_size=30))
def test_words_without_a_digit_or_a_word_of_the_list_are_unclear(text: str) -> None:
    assert parse("这" + text).unclear  # 这: lest 一 stands alone


NEGATIONS = (
    "不是",
    "不是很",
    "不算",
    "谈不上",
    "說不上",
    "并不是",
    "没有",
    "沒",
    "不能说",
    "哪里",
    "难以",
    "无法",
    "不可能",
    "称不上",
    "未必",
    "怎么会",
)


@given(st.sampled_from(NEGATIONS), st.sampled_from(["", "很", "非常", "太", "基本"]), st.sampled_from("12"))
def test_negated_praise_is_never_praise(negation: str, degree: str, digit: str) -> None:
    for text in (
        f"{negation}{degree}满意",
        f"{digit}，{negation}{degree}满意",
        f"{digit} {negation}{degree} 满意",
    ):
        assert parse(text).rating not in CN3.positive, text


@given(
    st.sampled_from(["天", "个人", "次", "年", "点", "号", "小时", "周", "楼", "单元", "个月"]),
    st.sampled_from("123"),
)
def test_a_digit_that_counts_something_rates_nothing(measure: str, digit: str) -> None:
    """§5's own list, glued on or after a space."""
    assert parse(f"{digit}{measure}都没人来").unclear
    assert parse(f"{digit} {measure}了").unclear


@pytest.mark.parametrize("before", ["", "救命！", "我家", "1，", "退订 "])
@pytest.mark.parametrize("word", ["救命", "杀人", "着火", "抢劫", "自杀", "绑架", "我要报警", "快报警"])
def test_the_words_of_the_clause_raise_the_flag_wherever_they_stand(word: str, before: str) -> None:
    assert parse(f"{before}{word}").emergency


def test_the_flag_is_asked_for_words_from_the_page_too() -> None:
    assert is_emergency(normalise("快 報警！"))
    assert not is_emergency(normalise("报警后来得很快"))


LONG = ["1" * 5000, "谢谢" * 2500, "满意，" * 1500, "3，" + "1天，" * 1500, "着火快" * 1500]


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:3])
def test_a_long_reply_is_read_in_no_time(text: str) -> None:
    """A text may come joined of dozens of parts: reading one must not hold up the others."""
    began = process_time()
    parse(text)
    assert process_time() - began < 1
